"""Open the drawn positions with real transactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from evaluator.chain.embedded.aave import AaveContracts
from evaluator.chain.embedded.assets import AAVE_RESERVES, VENUS_MARKETS
from evaluator.chain.embedded.batch import Transaction, TransactionBatch
from evaluator.chain.embedded.book import SeededAccount, SeededBook
from evaluator.chain.embedded.deployer import Deployer
from evaluator.chain.embedded.tokens import fund
from evaluator.chain.embedded.venus import VenusContracts

_VARIABLE_RATE = 2
_GAS = 1_500_000  # enough for a borrow against four collaterals on either protocol


def open_aave_book(
    deployer: Deployer, aave: AaveContracts, book: SeededBook, *, tokens: Mapping[str, str]
) -> None:
    """Supply for everybody, then let every borrower borrow.

    The deployer supplies on behalf of each account, which spares two
    transactions an asset and leaves the same state and events behind.
    """
    everybody = (*book.suppliers, *book.borrowers)
    pool = aave.pool
    for symbol, units in _supplied(everybody).items():
        fund(deployer, tokens, symbol, units, spender=pool.address)
    batch = TransactionBatch(deployer.sandbox)

    def add(sender: str, fn: str, *args: object) -> None:
        data = pool.encode(fn, *args)
        batch.add(Transaction(sender=sender, to=pool.address, data=data, gas=_GAS))

    for account in everybody:
        for amount in (*account.collateral, *account.idle):
            add(
                deployer.account,
                "supply",
                tokens[amount.symbol],
                amount.units,
                account.address,
                0,
            )
    batch.flush()
    for account in book.borrowers:
        for amount in account.idle:
            add(account.address, "setUserUseReserveAsCollateral", tokens[amount.symbol], False)
        if account.emode:
            add(account.address, "setUserEMode", account.emode)
        for amount in account.debt:
            add(
                account.address,
                "borrow",
                tokens[amount.symbol],
                amount.units,
                _VARIABLE_RATE,
                0,
                account.address,
            )
    batch.flush()


def open_venus_book(
    deployer: Deployer, venus: VenusContracts, book: SeededBook, *, tokens: Mapping[str, str]
) -> None:
    """Supply for everybody, enter the markets and let every borrower borrow."""
    everybody = (*book.suppliers, *book.borrowers)
    for symbol, units in _supplied(everybody).items():
        if symbol != "ETH":
            fund(deployer, tokens, symbol, units, spender=venus.v_tokens[symbol].address)
    batch = TransactionBatch(deployer.sandbox)
    for account in everybody:
        for amount in (*account.collateral, *account.idle):
            v_token = venus.v_tokens[amount.symbol]
            if amount.symbol == "ETH":
                # The native market cannot mint on behalf: the account pays itself.
                deployer.sandbox.set_balance(account.address, amount.units)
                batch.add(
                    Transaction(
                        sender=account.address,
                        to=v_token.address,
                        data=v_token.encode("mint"),
                        value=amount.units,
                        gas=_GAS,
                    )
                )
            else:
                batch.add(
                    Transaction(
                        sender=deployer.account,
                        to=v_token.address,
                        data=v_token.encode("mintBehalf", account.address, amount.units),
                        gas=_GAS,
                    )
                )
    batch.flush()
    for account in book.borrowers:
        if account.debt:
            markets = [venus.v_tokens[a.symbol].address for a in account.collateral]
            batch.add(
                Transaction(
                    sender=account.address,
                    to=venus.comptroller.address,
                    data=venus.comptroller.encode("enterMarkets", markets),
                    gas=_GAS,
                )
            )
    batch.flush()
    for account in book.borrowers:
        for amount in account.debt:
            v_token = venus.v_tokens[amount.symbol]
            batch.add(
                Transaction(
                    sender=account.address,
                    to=v_token.address,
                    data=v_token.encode("borrow", amount.units),
                    gas=_GAS,
                )
            )
    batch.flush()


def _supplied(accounts: Iterable[SeededAccount]) -> dict[str, int]:
    """Base units by symbol, in the order of listing."""
    order = dict.fromkeys(
        [*(r.symbol for r in AAVE_RESERVES), *(m.symbol for m in VENUS_MARKETS)], 0
    )
    for account in accounts:
        for amount in (*account.collateral, *account.idle):
            order[amount.symbol] += amount.units
    return {symbol: units for symbol, units in order.items() if units}
