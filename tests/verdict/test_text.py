import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.market import Parameter, ParameterChange, Unit
from evaluator.verdict.finding import FindingKind
from evaluator.verdict.statements import numbers
from evaluator.verdict.text import (
    Agreement,
    ControlChange,
    ControlKind,
    Payment,
    compare_text,
)

A, B = "0x" + "aa" * 20, "0x" + "bb" * 20


def changed(label, before, after, unit=Unit.FRACTION, asset="WETH"):
    name = label.replace(" ", "_")
    return ParameterChange(
        path=f"aave_v3.{asset}.{name}",
        protocol="aave_v3",
        asset=asset,
        name=name,
        label=label,
        unit=unit,
        before=before,
        after=after,
    )


def parameter(label, value, unit=Unit.FRACTION, asset="WETH"):
    name = label.replace(" ", "_")
    return Parameter(
        path=f"aave_v3.{asset}.{name}",
        protocol="aave_v3",
        asset=asset,
        name=name,
        label=label,
        value=value,
        unit=unit,
    )


LT = changed("liquidation threshold", 0.825, 0.84)


def agreement(text, change=LT, **more):
    return compare_text(text, changes=(change,), **more).statements[0].agreement


@pytest.mark.parametrize(
    "text",
    [
        "Raise WETH's liquidation threshold from 82.5% to 84%.",
        "WETH LT: 82.5% → 84%",
        "Set the Liquidation Threshold of WETH to 8400 bps",
        "Set the liquidation threshold of WETH to 8,400 basis points.",
        "liquidation threshold (WETH) = 0.84",
        "Increase the liquidation threshold of WETH by 1.5%",
        "Increase the liquidation threshold of WETH by 150 bps",
        "## WETH\n\n- Liquidation threshold: 82.5% -> **84%**",
        "| Parameter | Current | Proposed |\n|---|---|---|\n| WETH LT | 82.5% | 84% |",
        "| Asset | LTV | Liquidation threshold |\n|---|---|---|\n| WETH | 80.5% | 84% |",
        "## WETH\n| Parameter | Now | New |\n|--|--|--|\n| Liquidation threshold | 82.5% | 84% |",
        "This is about ETH. Its LT goes to 84 percent.",
    ],
)
def test_texts_that_agree(text):
    result = compare_text(text, changes=(LT,))
    assert result.statements[0].agreement is Agreement.AGREES
    assert result.findings == ()
    assert result.mentioned == {LT.path}


@pytest.mark.parametrize(
    "text",
    [
        "Raise WETH's liquidation threshold from 82.5% to 83%.",
        "WETH LT: 82.5% → 83%",
        "Lower the liquidation threshold of WETH",
        "Increase the liquidation threshold of WETH by 0.5%",
        "| Asset | Liquidation threshold |\n|---|---|\n| WETH | 83% |",
    ],
)
def test_texts_that_contradict(text):
    result = compare_text(text, changes=(LT,))
    assert result.statements[0].agreement is Agreement.CONTRADICTS
    assert [f.kind for f in result.findings] == [FindingKind.CONTRADICTION]
    assert "82.5% → 84%" in result.findings[0].title


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A routine maintenance of the interface.",
        "Raise the liquidation threshold of WBTC to 84%.",
        "Raise the supply cap of WETH.",
    ],
)
def test_changes_the_text_is_silent_about(text):
    result = compare_text(
        text,
        changes=(LT,),
        parameters=(
            parameter("liquidation threshold", 0.84),
            parameter("supply cap", 1e6, Unit.TOKENS),
            parameter("liquidation threshold", 0.84, asset="WBTC"),
        ),
    )
    assert result.statements[0].agreement is Agreement.NOT_MENTIONED
    assert FindingKind.UNMENTIONED in {f.kind for f in result.findings}
    assert not result.mentioned


def test_naming_without_a_value_is_neither_agreement_nor_contradiction():
    assert agreement("We change WETH's liquidation threshold.") is Agreement.NAMED
    assert agreement("WETH: LTV and LT move, vote ends in 3 days") is Agreement.NAMED
    # a version or a date contradicts nothing
    assert agreement("Update the liquidation threshold of WETH on Aave 3") is Agreement.NAMED


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("WETH supply cap to 1.5M", changed("supply cap", 1e6, 1.5e6, Unit.TOKENS)),
        ("WETH supply cap to 1,500,000", changed("supply cap", 1e6, 1.5e6, Unit.TOKENS)),
        ("WETH supply cap to 1.5 million", changed("supply cap", 1e6, 1.5e6, Unit.TOKENS)),
        ("WETH supply cap to about 1.5M", changed("supply cap", 1e6, 1.52e6, Unit.TOKENS)),
        ("WETH supply cap raised by 50%", changed("supply cap", 1e6, 1.5e6, Unit.TOKENS)),
        ("WETH liquidation bonus to 6%", changed("liquidation bonus", 0.05, 0.06)),
        ("WETH liquidation bonus to 106%", changed("liquidation bonus", 0.05, 0.06)),
        ("WETH liquidation bonus to 10600 bps", changed("liquidation bonus", 0.05, 0.06)),
        (f"WETH price feed to {B}", changed("price source", A, B, Unit.ADDRESS)),
    ],
)
def test_units(text, change):
    assert agreement(text, change) is Agreement.AGREES


def test_another_address_contradicts():
    change = changed("price source", A, B, Unit.ADDRESS)
    other = "0x" + "cc" * 20
    assert agreement(f"WETH price feed to {other}", change) is Agreement.CONTRADICTS
    assert agreement(f"replace the WETH price feed {A}", change) is Agreement.NAMED


def test_caps_are_exact_unless_the_text_says_about():
    change = changed("supply cap", 1e6, 1.52e6, Unit.TOKENS)
    assert agreement("WETH supply cap to 1.5M", change) is Agreement.CONTRADICTS


def test_announced_but_not_done_and_announced_and_already_so():
    all_of_them = (parameter("LTV", 0.805), parameter("liquidation threshold", 0.84))
    text = "WETH liquidation threshold to 84%. LTV of WETH to 82%."
    result = compare_text(text, changes=(LT,), parameters=all_of_them)
    assert [f.kind for f in result.findings] == [FindingKind.UNFULFILLED]
    assert "stays 80.5%" in result.findings[0].title
    kept = compare_text(
        "WETH liquidation threshold to 84%. LTV of WETH stays at 80.5%.",
        changes=(LT,),
        parameters=all_of_them,
    )
    assert kept.findings == ()
    assert [s.agreement for s in kept.statements] == [Agreement.AGREES, Agreement.AGREES]


def test_small_words_are_no_tokens():
    change = changed("liquidation threshold", 0.7, 0.65, asset="LINK")
    text = "see the link for the liquidation threshold: 82%"
    assert agreement(text, change) is Agreement.NOT_MENTIONED


def control(announced=False):
    return ControlChange(
        key="k", kind=ControlKind.OWNER, contract=A, what="owner", after=B, announced=announced
    )


def test_a_change_of_control_that_is_not_announced_is_a_finding():
    result = compare_text("Lower a parameter.", changes=(), controls=(control(),))
    assert result.unannounced == {"k"}
    assert [f.kind for f in result.findings] == [FindingKind.UNANNOUNCED_CONTROL]
    assert [s.agreement for s in result.statements] == [Agreement.NOT_MENTIONED]


def test_an_announced_change_of_control_is_said_and_no_finding():
    result = compare_text("A new owner.", changes=(), controls=(control(announced=True),))
    assert result.unannounced == frozenset()
    assert result.findings == ()
    assert [s.agreement for s in result.statements] == [Agreement.NAMED]


def test_payments():
    pay = Payment(symbol="USDC", amount=40_000.0, recipient=B)
    for text in ("Pay 40k USDC.", "Pay 40,000 USDC", "Pay $40,000", f"Fund {B.upper()[2:]} {B}"):
        assert compare_text(text, changes=(), payments=(pay,)).findings == ()
    hidden = compare_text("A grant.", changes=(), payments=(pay,))
    assert hidden.findings[0].kind is FindingKind.UNANNOUNCED_PAYMENT
    assert hidden.findings[0].loss_usd is None
    taken = replace(pay, usd=40_000.0, allowed=True)
    allowed = compare_text("A grant.", changes=(), payments=(taken,))
    assert allowed.findings[0].loss_usd == 40_000.0
    assert "may take" in allowed.findings[0].title


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("to 84%", [(84.0, "%", "target")]),
        ("from 1,000.5 to 2", [(1000.5, "", "source"), (2.0, "", "target")]),
        ("by 25 bps", [(25.0, "bps", "delta")]),
        ("0x" + "12" * 20 + " in 3 days, v3 and a1b2", []),
        ("1.5m and 2 billion", [(1.5e6, "", ""), (2e9, "", "")]),
    ],
)
def test_numbers(text, expected):
    assert [(n.value, n.unit, n.role) for n in numbers(text)] == expected


@settings(max_examples=60)
@given(st.text(max_size=400))
def test_no_text_breaks_the_comparison(text):
    one = compare_text(text, changes=(LT,), controls=(control(),))
    assert one == compare_text(text, changes=(LT,), controls=(control(),))


@given(st.integers(1, 9999))
def test_every_basis_point_is_recognised_in_every_spelling(bps):
    value = bps / 10_000
    change = changed("liquidation threshold", 0.0, value)
    for spelled in (f"{bps} bps", f"{bps / 100:g}%", f"{value:.4f}"):
        assert agreement(f"WETH liquidation threshold to {spelled}", change) is Agreement.AGREES


def test_hostile_length_is_bounded():
    text = "WETH liquidation threshold to 84% " * 50_000 + "|" * 100_000
    result = compare_text(text, changes=(LT,))
    assert result.statements[0].agreement is Agreement.AGREES
    assert math.isfinite(len(result.statements))


def test_the_symbol_of_the_receipt_token_names_its_asset():
    cut = changed("collateral factor", 0.8, 0.74, asset="ETH")
    text = "# Lower the collateral factor of vBNB\n\nMoves it from 80.0% to 74 %."
    assert agreement(text, cut) is Agreement.NOT_MENTIONED
    names = {"ETH": {"vBNB"}, "BNB": {"vETH"}}
    assert agreement(text, cut, names=names) is Agreement.AGREES
    assert agreement(text.replace("74", "70"), cut, names=names) is Agreement.CONTRADICTS
    # Another asset's own symbol stays its own, whatever a receipt token calls itself.
    other = parameter("collateral factor", 0.7, asset="vBNB")
    assert agreement(text, cut, names=names, parameters=(other,)) is Agreement.NOT_MENTIONED
