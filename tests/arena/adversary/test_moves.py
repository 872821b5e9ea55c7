"""Sequences as values: JSON, amounts, encoding, the refill of pushed prices, outcomes."""

from __future__ import annotations

import json

import pytest

from evaluator.arena.adversary import compilation
from evaluator.arena.adversary.moves import Amount, Basis, Kind, Move, Sequence, held, room, usd
from evaluator.arena.adversary.outcome import Account, Ledger, settle
from evaluator.arena.adversary.refill import settled_ratio
from evaluator.arena.lending import Quotient, Read, Totals, view
from evaluator.chain.solidity import load_contract
from evaluator.errors import ConfigurationError
from evaluator.market import LiquidityCurve

A, B = "0x" + "aa" * 20, "0x" + "bb" * 20


def sequence(*moves):
    return Sequence(moves=moves, pattern="a try")


EXAMPLE = sequence(
    Move(kind=Kind.SHOCK, asset=A, factor=0.1),
    Move(kind=Kind.FUND, asset=A, amount=usd(1_000.0)),
    Move(kind=Kind.SUPPLY, asset=A, amount=held(1.0)),
    Move(kind=Kind.BORROW, asset=B, amount=room(0.99), may_fail=True),
)


def test_a_sequence_survives_json():
    assert Sequence.from_json(EXAMPLE.to_json()) == EXAMPLE
    # What is at its default is not written.
    rows = json.loads(EXAMPLE.to_json())["moves"]
    assert set(rows[0]) == {"kind", "asset", "factor"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"pattern": "x"}',
        '{"pattern": "x", "moves": [{"kind": "fly"}]}',
        '{"pattern": "x", "moves": [{"kind": "wait", "wings": 2}]}',
        '{"pattern": "x", "moves": ' + json.dumps([{"kind": "wait"}] * 41) + "}",
    ],
)
def test_what_is_no_sequence_is_refused(text):
    with pytest.raises(ConfigurationError):
        Sequence.from_json(text)


def test_amounts_are_replaced_in_order():
    changed = EXAMPLE.with_amounts([5.0, 0.5, 0.25])
    assert [a.value for a in changed.amounts] == [5.0, 0.5, 0.25]
    assert [a.basis for a in changed.amounts] == [a.basis for a in EXAMPLE.amounts]
    assert changed.tokens == (A, B)


def test_what_waits_for_the_world_is_not_atomic():
    assert not EXAMPLE.atomic
    assert EXAMPLE.conditional == EXAMPLE.moves[:1]
    assert sequence(*EXAMPLE.moves[1:]).atomic
    assert not sequence(*EXAMPLE.moves[1:], Move(kind=Kind.FOLLOW, asset=A)).atomic


def test_steps_are_encoded_as_the_contract_reads_them():
    read = Read(call=view(A, b"abcdefg"), word=2)
    amount = Quotient(over=(read, read), under=(read,), numerator=7, denominator=9)
    fixed = Quotient(numerator=3)

    def plain(q):
        sides = [[(r.call.to, r.call.data, r.word) for r in rs] for rs in (q.over, q.under)]
        return (*sides, q.numerator, q.denominator)

    amounts = compilation._array([compilation._quotient(q) for q in (amount, fixed)])
    blank = compilation._word(4) + compilation._word(64) + amounts
    steps = [
        compilation._step(A, 5, b"x" * 37, True, [blank]),
        compilation._step(B, 0, b"", False, []),
    ]
    mine = compilation._PERFORM + compilation._word(32) + compilation._array(steps)
    theirs = load_contract("Attacker").abi.encode(
        "perform",
        [
            (A, 5, b"x" * 37, True, [(4, [plain(amount), plain(fixed)])]),
            (B, 0, b"", False, []),
        ],
    )
    assert mine == theirs


def test_half_the_depth_is_worth_what_was_paid_and_the_last_tenth_keeps_its_price():
    curve = LiquidityCurve.constant_product(1_000.0, source="t")
    depth = -curve.dry_quantity
    half = settled_ratio(curve, 0.0, depth / 2)
    pushed = curve.price_factor(-depth / 2)
    # A constant-product pool is paid the root of the price ratio on average.
    assert half == pytest.approx(pushed**0.5)
    most = settled_ratio(curve, 0.0, 0.95 * depth)
    assert most > 0.8 * curve.price_factor(-0.95 * depth) ** 0.95
    assert settled_ratio(curve, 0.0, 0.0) == 1.0
    # Pools that were found count where no curve was measured.
    assert settled_ratio(None, 1_000.0, 500.0) == pytest.approx(2.0)
    assert settled_ratio(None, 0.0, 500.0) == 1.0


def account(collateral, debt):
    return Account(collateral={A: collateral}, debt={B: debt})


def ledger(*, purse, cash, claims, debts, attacker, debtors=(), treasury=0.0, second=None):
    return Ledger(
        purse={A: purse, B: 0.0},
        sheets={B: Totals(cash=cash, claims=claims, debts=debts)},
        attacker=(attacker,) if second is None else (attacker, second),
        debtors=debtors,
        frozen=(),
        treasury={A: treasury},
    )


def test_debt_beyond_collateral_is_the_protocols_loss():
    fair = {A: 1.0, B: 1.0}
    nobody = account(0.0, 0.0)
    before = ledger(purse=100.0, cash=500.0, claims=500.0, debts=0.0, attacker=nobody)
    healthy = ledger(
        purse=80.0, cash=420.0, claims=500.0, debts=80.0, attacker=account(100.0, 80.0)
    )
    outcome = settle(before, healthy, fair, 100.0)
    assert outcome.protocol == 0.0
    assert outcome.profit == pytest.approx(0.0)
    # The same position once its collateral is worth half: thirty are never repaid.
    outcome = settle(before, healthy, {A: 0.5, B: 1.0}, 100.0)
    assert outcome.protocol == pytest.approx(30.0)
    sick = ledger(
        purse=300.0, cash=200.0, claims=500.0, debts=300.0, attacker=account(100.0, 300.0)
    )
    outcome = settle(before, sick, fair, 100.0)
    assert outcome.protocol == pytest.approx(200.0)
    assert outcome.profit == pytest.approx(200.0)
    assert outcome.score == pytest.approx(200.0)


def test_what_is_taken_without_a_debt_is_a_loss_too():
    fair = {A: 1.0, B: 1.0}
    nobody = account(0.0, 0.0)
    before = ledger(purse=0.0, cash=500.0, claims=500.0, debts=0.0, attacker=nobody)
    robbed = ledger(purse=0.0, cash=400.0, claims=500.0, debts=0.0, attacker=nobody)
    assert settle(before, robbed, fair, 0.0).protocol == pytest.approx(100.0)
    rich = ledger(purse=0.0, cash=500.0, claims=500.0, debts=0.0, attacker=nobody, treasury=70.0)
    paid = ledger(purse=70.0, cash=500.0, claims=500.0, debts=0.0, attacker=nobody)
    outcome = settle(rich, paid, fair, 0.0)
    assert (outcome.protocol, outcome.profit) == (pytest.approx(70.0), pytest.approx(70.0))


def test_what_one_account_owes_is_not_paid_by_the_other():
    fair = {A: 1.0, B: 1.0}
    nobody = account(0.0, 0.0)
    before = ledger(
        purse=100.0, cash=500.0, claims=500.0, debts=0.0, attacker=nobody, second=nobody
    )
    after = ledger(
        purse=0.0, cash=480.0, claims=600.0, debts=80.0,
        attacker=account(0.0, 80.0), second=account(100.0, 0.0),
    )  # fmt: skip
    outcome = settle(before, after, fair, 100.0)
    assert outcome.protocol == pytest.approx(120.0)
    assert outcome.profit == pytest.approx(0.0)


def test_a_liquidated_user_loses_the_bonus_and_no_more():
    fair = {A: 1.0, B: 1.0}
    nobody = account(0.0, 0.0)
    before = ledger(
        purse=0.0, cash=500.0, claims=580.0, debts=80.0, attacker=nobody,
        debtors=(account(100.0, 80.0),),
    )  # fmt: skip
    after = ledger(
        purse=2.0, cash=540.0, claims=580.0, debts=40.0, attacker=nobody,
        debtors=(account(58.0, 40.0),),
    )  # fmt: skip
    outcome = settle(before, after, fair, 0.0)
    assert outcome.users == pytest.approx(2.0)
    assert outcome.protocol == 0.0


def test_amounts_say_what_they_are_shares_of():
    assert Amount(basis=Basis.CASH, value=0.5).relative
    assert not usd(1.0).relative
