"""Open the drawn positions with real transactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from evaluator.chain.contract import Contract
from evaluator.chain.embedded.aave import AaveContracts
from evaluator.chain.embedded.batch import Transaction, TransactionBatch
from evaluator.chain.embedded.book import SeededAccount
from evaluator.chain.embedded.deployer import Deployer
from evaluator.chain.embedded.listings import AAVE_RESERVES, VENUS_MARKETS
from evaluator.chain.embedded.tokens import fund
from evaluator.chain.embedded.venus import VenusContracts

VARIABLE_RATE = 2
_GAS = 1_500_000  # enough for a borrow against four collaterals on either protocol


def supply_aave(
    deployer: Deployer,
    aave: AaveContracts,
    accounts: Sequence[SeededAccount],
    *,
    tokens: Mapping[str, str],
) -> None:
    """Supply for everybody.

    The deployer supplies on behalf of each account, which spares two transactions
    an asset and leaves the same state and events behind.
    """
    pool = aave.pool
    for symbol, units in _supplied(accounts).items():
        fund(deployer, tokens, symbol, units, spender=pool.address)
    batch = TransactionBatch(deployer.sandbox)
    for account in accounts:
        for amount in (*account.collateral, *account.idle):
            asset = tokens[amount.symbol]
            order = (asset, amount.units, account.address, 0)
            _add(batch, deployer.account, pool, "supply", *order)
    batch.flush()


def borrow_aave(
    deployer: Deployer,
    aave: AaveContracts,
    accounts: Sequence[SeededAccount],
    *,
    tokens: Mapping[str, str],
) -> None:
    """Let every account choose its collateral and eMode and borrow."""
    batch = TransactionBatch(deployer.sandbox)
    for account in accounts:
        who = account.address
        for amount in account.idle:
            order = (tokens[amount.symbol], False)
            _add(batch, who, aave.pool, "setUserUseReserveAsCollateral", *order)
        if account.emode:
            _add(batch, who, aave.pool, "setUserEMode", account.emode)
        for amount in account.debt:
            debt = (tokens[amount.symbol], amount.units, VARIABLE_RATE, 0, who)
            _add(batch, who, aave.pool, "borrow", *debt)
    batch.flush()


def supply_venus(
    deployer: Deployer,
    venus: VenusContracts,
    accounts: Sequence[SeededAccount],
    *,
    tokens: Mapping[str, str],
) -> None:
    """Supply for everybody, on their behalf where the market lets one."""
    for symbol, units in _supplied(accounts).items():
        if symbol != "ETH":
            fund(deployer, tokens, symbol, units, spender=venus.v_tokens[symbol].address)
    batch = TransactionBatch(deployer.sandbox)
    for account in accounts:
        for amount in (*account.collateral, *account.idle):
            v_token = venus.v_tokens[amount.symbol]
            if amount.symbol == "ETH":
                # The native market cannot mint on behalf: the account pays itself.
                deployer.sandbox.set_balance(account.address, amount.units)
                _add(batch, account.address, v_token, "mint", value=amount.units)
            else:
                order = (account.address, amount.units)
                _add(batch, deployer.account, v_token, "mintBehalf", *order)
    batch.flush()


def borrow_venus(
    deployer: Deployer, venus: VenusContracts, accounts: Sequence[SeededAccount]
) -> None:
    """Let every account enter its collateral's markets and borrow."""
    batch = TransactionBatch(deployer.sandbox)
    for account in accounts:
        markets = [venus.v_tokens[a.symbol].address for a in account.collateral]
        _add(batch, account.address, venus.comptroller, "enterMarkets", markets)
        for amount in account.debt:
            v_token = venus.v_tokens[amount.symbol]
            _add(batch, account.address, v_token, "borrow", amount.units)
    batch.flush()


def _add(
    batch: TransactionBatch,
    sender: str,
    contract: Contract,
    fn: str,
    *args: object,
    value: int = 0,
) -> None:
    batch.add(
        Transaction(
            sender=sender,
            to=contract.address,
            data=contract.encode(fn, *args),
            value=value,
            gas=_GAS,
        )
    )


def _supplied(accounts: Iterable[SeededAccount]) -> dict[str, int]:
    """Base units by symbol, in the order of listing."""
    order = dict.fromkeys(
        [*(r.symbol for r in AAVE_RESERVES), *(m.symbol for m in VENUS_MARKETS)], 0
    )
    for account in accounts:
        for amount in (*account.collateral, *account.idle):
            order[amount.symbol] += amount.units
    return {symbol: units for symbol, units in order.items() if units}
