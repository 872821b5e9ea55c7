"""The adapter for the Compound V2 family (checked against Venus 0.7.0)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Sequence
from dataclasses import replace

from evaluator.chain.receipts import Log, Receipt
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import IncompleteState, RpcError, TransactionReverted
from evaluator.market import Book, Family, Market, Parameter
from evaluator.protocols import compound_v2_errors, compound_v2_setters
from evaluator.protocols.adapter import AGREES, AccountView, disagreement, sample
from evaluator.protocols.borrower_cache import BorrowerCache
from evaluator.protocols.borrowers import BorrowEvents, find_borrowers
from evaluator.protocols.completeness import check_debt
from evaluator.protocols.compound_v2_markets import (
    ComptrollerState,
    read_comptroller,
)
from evaluator.protocols.compound_v2_parameters import VOCABULARY, name_parameters
from evaluator.protocols.compound_v2_vai import vai_reserve
from evaluator.protocols.fixed_point import from_wad, whole_tokens
from evaluator.protocols.gas import gas_price, native_price
from evaluator.protocols.interfaces import COMPOUND
from evaluator.protocols.reading import (
    Progress,
    Query,
    address_in,
    checksum,
    read_all,
    read_raw,
)
from evaluator.protocols.seeds import contracts_among
from evaluator.protocols.setting import Setting, SettingCall

ACCOUNTS_AT_ONCE = 2_000
_BORROW = COMPOUND.event_topic("Borrow")
_ANYBODY = "0x00000000000000000000000000000000005ea7a1"  # an account nobody has
_MINT_VAI = COMPOUND.event_topic("MintVAI")
_POINTERS = {
    "isPriceOracle": COMPOUND.event_topic("NewPriceOracle"),
    "isInterestRateModel": COMPOUND.event_topic("NewMarketInterestRateModel"),
}


class CompoundV2:
    """Reads Compound V2 and its forks; the root is the Comptroller (Unitroller)."""

    name = VOCABULARY.protocol

    def discover(self, sandbox: Sandbox, seeds: Collection[str]) -> tuple[str, ...]:
        """See ProtocolAdapter.discover.

        A Comptroller and its market tokens say so themselves. A price oracle
        or rate model does not know who uses it: the events that put one in
        place are searched, if the endpoint serves logs of the whole chain.
        """
        block = sandbox.block_number()
        contracts = contracts_among(sandbox, seeds, block=block)
        fns = ("comptroller", "isPriceOracle", "isInterestRateModel")
        answers = read_raw(
            sandbox, [(c, COMPOUND.encode(fn)) for c in contracts for fn in fns], block=block
        )
        candidates: dict[str, None] = {}
        for i, contract in enumerate(contracts):
            comptroller, oracle, model = answers[3 * i : 3 * i + 3]
            candidates[contract] = None
            if (address := address_in(comptroller)) is not None:
                candidates[address] = None
            for said, fn in ((oracle, "isPriceOracle"), (model, "isInterestRateModel")):
                if said is not None and len(said) == 32 and int.from_bytes(said, "big") == 1:
                    users = self._users_of(sandbox, contract, _POINTERS[fn], block)
                    candidates.update(dict.fromkeys(users))
        return tuple(self._comptrollers(sandbox, list(candidates), block))

    def read(
        self,
        sandbox: Sandbox,
        root: str,
        *,
        cache: BorrowerCache | None = None,
        progress: Progress | None = None,
    ) -> Market:
        """See ProtocolAdapter.read.

        Balances are those stored at each market's last accrual, as
        getAccountLiquidity counts them.
        """
        block = sandbox.block_number()
        timestamp = sandbox.timestamp()
        root = root.lower()
        state = read_comptroller(sandbox, root, block=block)
        sources = [
            BorrowEvents(
                addresses=tuple(t.address for t in state.tokens),
                topics=((_BORROW,),),
                account=_first_word,
            )
        ]
        if state.vai_controller:
            sources.append(
                BorrowEvents(
                    addresses=(state.vai_controller,), topics=((_MINT_VAI,),), account=_first_word
                )
            )
        accounts = find_borrowers(
            sandbox, root, sources, block=block, cache=cache, progress=progress
        )
        book = self._book(sandbox, root, state, accounts, block, progress)
        market = self._market(sandbox, root, state, book, block=block, timestamp=timestamp)
        market = replace(market, caveats=(*market.caveats, *check_debt(book, market.reserves)))
        error = disagreement(
            market, self.account_views(sandbox, market, sample(market.book.accounts))
        )
        if error > AGREES:
            text = (
                "the comptroller's own account liquidity differs from the model's by up to "
                f"{error:.2g} of the collateral; its code is of a kind that is not modelled exactly"
            )
            market = replace(market, caveats=(*market.caveats, text))
        return market

    def outline(self, sandbox: Sandbox, root: str) -> Market:
        """See ProtocolAdapter.outline."""
        block, timestamp = sandbox.block_number(), sandbox.timestamp()
        root = root.lower()
        state = read_comptroller(sandbox, root, block=block)
        nobody = Book.from_rows((), (), ())
        return self._market(sandbox, root, state, nobody, block=block, timestamp=timestamp)

    def _market(
        self,
        sandbox: Sandbox,
        root: str,
        state: ComptrollerState,
        book: Book,
        *,
        block: int,
        timestamp: int,
    ) -> Market:
        reserves, caveats = state.reserves, list(state.caveats)
        minted = float(book.debt.total(len(reserves) + 1)[-1])
        if minted > 0.0:
            reserves = (*reserves, vai_reserve(state, minted))
            caveats.append("VAI's stability fee is not modelled: VAI owed stays as it is")
        fee, assumed_fee = gas_price(sandbox)
        native, no_native = native_price(sandbox.chain_id, reserves)
        return Market(
            protocol=self.name,
            family=Family.COMPOUND_V2,
            address=checksum(root),
            chain_id=sandbox.chain_id,
            block=block,
            timestamp=timestamp,
            reserves=reserves,
            emodes=(),
            book=book,
            close_factor=state.close_factor,
            full_close_below=0.0,
            gas_price=fee,
            native_price=native,
            particulars=state.particulars,
            caveats=tuple(caveats),
            assumptions=tuple(filter(None, (assumed_fee, no_native))),
        )

    def parameters(self, market: Market) -> tuple[Parameter, ...]:
        """See ProtocolAdapter.parameters."""
        return name_parameters(market)

    def can_be_set(self, market: Market, parameter: Parameter) -> bool:  # noqa: ARG002
        """See ParameterSetter.can_be_set."""
        return compound_v2_setters.can_be_set(parameter.name)

    def setting_calls(
        self, sandbox: Sandbox, market: Market, settings: Sequence[Setting]
    ) -> tuple[SettingCall, ...]:
        """See ParameterSetter.setting_calls."""
        return compound_v2_setters.setting_calls(sandbox, market, settings)

    def refusal(self, reason: str) -> str:
        """See ParameterSetter.refusal; its reasons are words."""
        return reason

    def failure(self, market: Market, receipt: Receipt) -> str:
        """See ParameterSetter.failure."""
        return compound_v2_errors.failure(receipt, market.address)

    def accrue(self, sandbox: Sandbox, market: Market) -> None:
        """Call `accrueInterest` on every market token, as anybody may (CToken.sol)."""
        for reserve in market.reserves:
            # A token that refuses is read as it stands, and the reading's own check tells.
            with contextlib.suppress(TransactionReverted):
                sandbox.send(_ANYBODY, reserve.receipt_token, COMPOUND.encode("accrueInterest"))

    def account_views(
        self, sandbox: Sandbox, market: Market, accounts: Sequence[str]
    ) -> tuple[AccountView, ...]:
        """See ProtocolAdapter.account_views; from Comptroller.getAccountLiquidity."""
        root = market.address.lower()
        answers = read_all(
            sandbox,
            [Query(to=root, abi=COMPOUND, fn="getAccountLiquidity", args=(a,)) for a in accounts],
            block=market.block,
        )
        views = []
        for account, d in zip(accounts, answers, strict=True):
            if d.error != 0:
                raise IncompleteState(
                    f"the comptroller {root} cannot tell the liquidity of {account}: error "
                    f"{d.error}, most likely a price that is missing"
                )
            views.append(
                AccountView(
                    account=checksum(account),
                    health_factor=math.nan,
                    liquidity=from_wad(d.liquidity) - from_wad(d.shortfall),
                )
            )
        return tuple(views)

    def _book(
        self,
        sandbox: Sandbox,
        root: str,
        state: ComptrollerState,
        accounts: Sequence[str],
        block: int,
        progress: Progress | None,
    ) -> Book:
        """Read every position; VAI owed stands one column after the markets' own."""
        by_address = {t.address: t for t in state.tokens}
        names: list[str] = []
        collateral: list[dict[int, float]] = []
        debt: list[dict[int, float]] = []
        for start in range(0, len(accounts), ACCOUNTS_AT_ONCE):
            part = accounts[start : start + ACCOUNTS_AT_ONCE]
            entered = read_all(
                sandbox,
                [Query(to=root, abi=COMPOUND, fn="getAssetsIn", args=(a,)) for a in part],
                block=block,
            )
            asked = [
                (i, by_address[v])
                for i, assets in enumerate(entered)
                for v in assets
                if v in by_address
            ]
            snapshots = read_all(
                sandbox,
                [
                    Query(to=t.address, abi=COMPOUND, fn="getAccountSnapshot", args=(part[i],))
                    for i, t in asked
                ],
                block=block,
            )
            rows: list[tuple[dict[int, float], dict[int, float]]] = [({}, {}) for _ in part]
            for (i, t), s in zip(asked, snapshots, strict=True):
                if s.error != 0:
                    raise IncompleteState(
                        f"the market {t.address} cannot tell the balances of {part[i]}: error "
                        f"{s.error}"
                    )
                decimals = t.underlying.decimals
                rows[i][0][t.index] = whole_tokens(s.tokens * s.exchangeRate, decimals + 18)
                rows[i][1][t.index] = whole_tokens(s.borrowed, decimals)
            for i, amount in enumerate(self._vai_owed(sandbox, state, part, block)):
                rows[i][1][len(state.tokens)] = amount
            for account, (has, owes) in zip(part, rows, strict=True):
                if any(owes.values()):
                    names.append(checksum(account))
                    collateral.append(has)
                    debt.append(owes)
            if progress is not None:
                progress(start + len(part), len(accounts))
        return Book.from_rows(names, collateral, debt)

    def _vai_owed(
        self, sandbox: Sandbox, state: ComptrollerState, accounts: Sequence[str], block: int
    ) -> list[float]:
        """VAI each account minted against its collateral, whole tokens; [] without VAI."""
        if not state.vai_controller:
            return []
        amounts = read_all(
            sandbox,
            [
                Query(to=state.vai_controller, abi=COMPOUND, fn="getVAIRepayAmount", args=(a,))
                for a in accounts
            ],
            block=block,
        )
        return [from_wad(a) for a in amounts]

    def _users_of(self, sandbox: Sandbox, pointed: str, topic: bytes, block: int) -> list[str]:
        """Contracts that announced `pointed` as their oracle or rate model."""
        try:
            logs = sandbox.logs(topics=[topic], from_block=0, to_block=block)
        except RpcError:
            return []  # an endpoint may well refuse this; the proposal's other targets remain
        new = bytes.fromhex(pointed[2:]).rjust(32, b"\0")
        return [log.address for log in logs if log.data[32:64] == new]

    def _comptrollers(self, sandbox: Sandbox, candidates: Sequence[str], block: int) -> list[str]:
        """Those of `candidates`, or of the comptrollers they name, that list markets."""
        named = read_raw(
            sandbox, [(c, COMPOUND.encode("comptroller")) for c in candidates], block=block
        )
        more = [a for a in map(address_in, named) if a is not None]
        asked = list(dict.fromkeys((*candidates, *more)))
        fns = ("getAllMarkets", "oracle", "closeFactorMantissa")
        answers = read_raw(
            sandbox, [(c, COMPOUND.encode(fn)) for c in asked for fn in fns], block=block
        )
        out = []
        for i, contract in enumerate(asked):
            markets, oracle, factor = answers[3 * i : 3 * i + 3]
            listed = markets is not None and len(markets) > 64
            if listed and address_in(oracle) is not None and factor is not None:
                out.append(contract)
        return out


def _first_word(log: Log) -> str | None:
    return address_in(log.data[:32])
