"""Every borrower of an Aave V3 market, position by position."""

from __future__ import annotations

from collections.abc import Sequence

from evaluator.chain.abi import selector
from evaluator.chain.receipts import Log
from evaluator.chain.sandbox import Sandbox
from evaluator.market import Book
from evaluator.protocols.aave_v3_reserves import Addresses, ReserveTokens
from evaluator.protocols.borrowers import BorrowEvents
from evaluator.protocols.fixed_point import whole_tokens
from evaluator.protocols.interfaces import AAVE, ERC20
from evaluator.protocols.reading import NULL_ADDRESS, Progress, checksum, read_words

ACCOUNTS_AT_ONCE = 2_000
_BORROW = AAVE.event_topic("Borrow")
_TRANSFER = ERC20.event_topic("Transfer")
_FROM_NOBODY = b"\0" * 32
_CONFIGURATION = selector("getUserConfiguration(address)")
_EMODE = selector("getUserEMode(address)")
_BALANCE = selector("balanceOf(address)")


def borrow_events(pool: str) -> BorrowEvents:
    """Where the pool writes who takes on debt."""
    return BorrowEvents(addresses=(pool,), topics=((_BORROW,),), account=_on_behalf_of)


def debt_mint_events(tokens: Sequence[ReserveTokens]) -> BorrowEvents:
    """Where the debt tokens write whose debt grows: the pool's word for it apart."""
    addresses = tuple(a for t in tokens for a in (t.variable_debt, t.stable_debt) if a)
    return BorrowEvents(
        addresses=addresses,
        topics=((_TRANSFER,), (_FROM_NOBODY,)),
        account=lambda log: _topic_address(log, 2),
    )


def read_book(
    sandbox: Sandbox,
    at: Addresses,
    tokens: Sequence[ReserveTokens],
    accounts: Sequence[str],
    *,
    block: int,
    progress: Progress | None = None,
) -> Book:
    """Read the positions of `accounts` at `block`; those without debt are left out.

    Collateral is what the account has enabled and what has a liquidation
    threshold, as GenericLogic.calculateUserAccountData counts it. Raises
    IncompleteState.
    """
    by_id = {t.id: t for t in tokens}
    names: list[str] = []
    collateral: list[dict[int, float]] = []
    debt: list[dict[int, float]] = []
    emode: list[int] = []
    for start in range(0, len(accounts), ACCOUNTS_AT_ONCE):
        part = accounts[start : start + ACCOUNTS_AT_ONCE]
        settings = read_words(
            sandbox,
            [(at.pool, fn + _argument(a)) for a in part for fn in (_CONFIGURATION, _EMODE)],
            what="the settings of borrowers",
            block=block,
        )
        held: list[tuple[int, int, bool]] = []  # (row, asset, whether it is debt)
        calls: list[tuple[str, bytes]] = []
        for i, (account, word) in enumerate(zip(part, settings[0::2], strict=True)):
            borrowing = [t for id_, t in by_id.items() if word >> (2 * id_) & 1]
            enabled = [t for id_, t in by_id.items() if word >> (2 * id_ + 1) & 1]
            if not borrowing:
                continue
            for t in enabled:
                if t.threshold > 0:
                    held.append((i, t.index, False))
                    calls.append((t.a_token, _BALANCE + _argument(account)))
            for t in borrowing:
                for token in filter(None, (t.variable_debt, t.stable_debt)):
                    held.append((i, t.index, True))
                    calls.append((token, _BALANCE + _argument(account)))
        amounts = read_words(sandbox, calls, what="the balances of borrowers", block=block)
        rows: list[tuple[dict[int, int], dict[int, int]]] = [({}, {}) for _ in part]
        for (i, asset, owed), amount in zip(held, amounts, strict=True):
            row = rows[i][owed]
            row[asset] = row.get(asset, 0) + amount
        for i, (has, owes) in enumerate(rows):
            if any(owes.values()):
                names.append(checksum(part[i]))
                collateral.append(_whole(has, tokens))
                debt.append(_whole(owes, tokens))
                emode.append(settings[2 * i + 1])
        if progress is not None:
            progress(start + len(part), len(accounts))
    return Book.from_rows(names, collateral, debt, emode)


def _whole(row: dict[int, int], tokens: Sequence[ReserveTokens]) -> dict[int, float]:
    return {a: whole_tokens(x, tokens[a].decimals) for a, x in row.items()}


def _argument(address: str) -> bytes:
    return bytes.fromhex(address[2:]).rjust(32, b"\0")


def _on_behalf_of(log: Log) -> str | None:
    return _topic_address(log, 2)


def _topic_address(log: Log, place: int) -> str | None:
    if len(log.topics) <= place:
        return None
    address = "0x" + log.topics[place][12:].hex()
    return None if address == NULL_ADDRESS else address
