"""Give the protocols a month of interest before the book is opened.

Without it every index would stand at one and a wrong index would go unnoticed.
One pioneer on each protocol borrows what the suppliers brought, waits a month
and pays everything back, so that it ends as an account with events and no debt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluator.chain.embedded.aave import AaveContracts
from evaluator.chain.embedded.assets import base_units, token
from evaluator.chain.embedded.book import SeededAccount, SeededAmount, account_address
from evaluator.chain.embedded.deployer import Deployer
from evaluator.chain.embedded.listings import AAVE_RESERVES, VENUS_MARKETS
from evaluator.chain.embedded.opening import (
    VARIABLE_RATE,
    borrow_aave,
    borrow_venus,
    supply_aave,
    supply_venus,
)
from evaluator.chain.embedded.tokens import ERC20
from evaluator.chain.embedded.venus import VenusContracts

PAST_BLOCKS = 216_000  # thirty days
SECONDS_PER_BLOCK = 12

_COVER = 2.5  # collateral over debt, both in USD
_SURPLUS = 20  # a debt over this pays its month's interest, and more
_ALL = 2**256 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class _Listing:
    symbol: str
    utilisation: float  # to borrow up to, fraction of what the suppliers brought
    borrow_cap: float  # whole tokens, 0 for not to be borrowed


def live_a_month(
    deployer: Deployer,
    aave: AaveContracts,
    venus: VenusContracts,
    *,
    aave_suppliers: Sequence[SeededAccount],
    venus_suppliers: Sequence[SeededAccount],
    tokens: Mapping[str, str],
    seed: int,
) -> None:
    """Let the suppliers supply and the pioneers borrow, wait, and repay the pioneers' debts."""
    on_aave = _pioneer(
        account_address(seed, "aave pioneer", 0),
        aave_suppliers,
        collateral="WETH",
        listings=[
            _Listing(
                symbol=r.symbol,
                utilisation=r.utilisation,
                borrow_cap=float(r.borrow_cap) if r.borrowing else 0.0,
            )
            for r in AAVE_RESERVES
        ],
    )
    on_venus = _pioneer(
        account_address(seed, "venus pioneer", 0),
        venus_suppliers,
        collateral="ETH",
        listings=[
            _Listing(symbol=m.symbol, utilisation=m.utilisation, borrow_cap=float(m.borrow_cap))
            for m in VENUS_MARKETS
        ],
    )
    supply_aave(deployer, aave, [*aave_suppliers, on_aave], tokens=tokens)
    supply_venus(deployer, venus, [*venus_suppliers, on_venus], tokens=tokens)
    borrow_aave(deployer, aave, [on_aave], tokens=tokens)
    borrow_venus(deployer, venus, [on_venus])
    deployer.sandbox.jump_blocks(PAST_BLOCKS, SECONDS_PER_BLOCK)
    _leave_aave(deployer, aave, on_aave, tokens=tokens)
    _leave_venus(deployer, venus, on_venus, tokens=tokens)


def _pioneer(
    address: str,
    suppliers: Sequence[SeededAccount],
    *,
    collateral: str,
    listings: Sequence[_Listing],
) -> SeededAccount:
    supplied: dict[str, float] = {}
    for account in suppliers:
        for amount in account.collateral:
            whole = amount.units / 10 ** token(amount.symbol).decimals
            supplied[amount.symbol] = supplied.get(amount.symbol, 0.0) + whole
    owed = {
        x.symbol: min(x.utilisation * supplied.get(x.symbol, 0.0), 0.8 * x.borrow_cap)
        for x in listings
    }
    value = sum(q * token(s).price for s, q in owed.items())
    held = base_units(collateral, _COVER * value / token(collateral).price)
    return SeededAccount(
        address=address,
        collateral=(SeededAmount(symbol=collateral, units=held),),
        idle=(),
        debt=tuple(
            SeededAmount(symbol=s, units=base_units(s, q)) for s, q in owed.items() if q > 0.0
        ),
        emode=0,
    )


def _leave_aave(
    deployer: Deployer, aave: AaveContracts, pioneer: SeededAccount, *, tokens: Mapping[str, str]
) -> None:
    who, pool = pioneer.address, aave.pool
    for debt in pioneer.debt:
        _top_up(deployer, tokens, debt, who, spender=pool.address)
        pool.send("repay", tokens[debt.symbol], _ALL, VARIABLE_RATE, who, sender=who)
    for held in pioneer.collateral:
        pool.send("withdraw", tokens[held.symbol], _ALL, who, sender=who)


def _leave_venus(
    deployer: Deployer, venus: VenusContracts, pioneer: SeededAccount, *, tokens: Mapping[str, str]
) -> None:
    who = pioneer.address
    for debt in pioneer.debt:
        v_token = venus.v_tokens[debt.symbol]
        if debt.symbol == "ETH":
            deployer.sandbox.set_balance(who, 2 * debt.units)
            # The native market wants the debt exactly, as of the block that pays it.
            owed = v_token.call("borrowBalanceCurrent", who, block="pending")
            v_token.send("repayBorrow", sender=who, value=owed)
        else:
            _top_up(deployer, tokens, debt, who, spender=v_token.address)
            v_token.send("repayBorrow", _ALL, sender=who)
    for held in pioneer.collateral:
        v_token = venus.v_tokens[held.symbol]
        v_token.send("redeem", v_token.call("balanceOf", who), sender=who)


def _top_up(
    deployer: Deployer, tokens: Mapping[str, str], debt: SeededAmount, who: str, *, spender: str
) -> None:
    """Give a debtor, who still holds what it borrowed, enough for the interest."""
    contract = deployer.sandbox.contract(tokens[debt.symbol], ERC20)
    extra = debt.units // _SURPLUS
    if debt.symbol == "WETH":
        deployer.sandbox.set_balance(who, extra)
        contract.send("deposit", sender=who, value=extra)
    else:
        contract.send("mint", who, extra, sender=who)
    contract.send("approve", spender, _ALL, sender=who)
