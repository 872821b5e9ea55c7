"""The adapter for Aave V3 (checked against core-v3 1.19.3)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

from evaluator.chain.receipts import Receipt
from evaluator.chain.sandbox import Sandbox
from evaluator.market import Book, Family, Market, Parameter
from evaluator.protocols import aave_v3_setters
from evaluator.protocols.aave_v3_book import borrow_events, debt_mint_events, read_book
from evaluator.protocols.aave_v3_errors import CUSTOM_ERRORS, in_words
from evaluator.protocols.aave_v3_parameters import VOCABULARY, name_parameters
from evaluator.protocols.aave_v3_reserves import (
    Addresses,
    ReserveState,
    read_addresses,
    read_reserves,
)
from evaluator.protocols.adapter import AGREES, AccountView, disagreement, sample
from evaluator.protocols.borrower_cache import BorrowerCache
from evaluator.protocols.borrowers import find_borrowers
from evaluator.protocols.completeness import check_debt, owes_nothing_new
from evaluator.protocols.fixed_point import UINT256_MAX, from_basis_points, from_wad
from evaluator.protocols.gas import gas_price, native_price
from evaluator.protocols.interfaces import AAVE
from evaluator.protocols.reading import (
    NULL_ADDRESS,
    Progress,
    Query,
    address_in,
    checksum,
    read_all,
    read_one,
    read_raw,
)
from evaluator.protocols.seeds import contracts_among
from evaluator.protocols.setting import Setting, SettingCall

# LiquidationLogic 1.19.3: DEFAULT_LIQUIDATION_CLOSE_FACTOR, CLOSE_FACTOR_HF_THRESHOLD;
# constants of the code, which no call returns.
CLOSE_FACTOR = 0.5
FULL_CLOSE_BELOW = 0.95
# PoolConfigurator keeps its provider in private storage, after the 52 slots of
# VersionedInitializable.
_CONFIGURATOR_PROVIDER_SLOT = 52


class AaveV3:
    """Reads Aave V3 markets; the root is the Pool."""

    name = VOCABULARY.protocol

    def discover(self, sandbox: Sandbox, seeds: Collection[str]) -> tuple[str, ...]:
        """See ProtocolAdapter.discover.

        Pool, PoolConfigurator, PoolAddressesProvider, ACLManager, AaveOracle,
        data provider, rate strategies, aTokens and debt tokens lead to the
        pool, and so does a payload contract whose code names one of them.
        """
        block = sandbox.block_number()
        roots: dict[str, None] = {}
        for provider in self._providers(sandbox, seeds, block):
            pool = self._pool_of(sandbox, provider, block)
            if pool is not None:
                roots[pool] = None
        return tuple(roots)

    def read(
        self,
        sandbox: Sandbox,
        root: str,
        *,
        cache: BorrowerCache | None = None,
        progress: Progress | None = None,
    ) -> Market:
        """See ProtocolAdapter.read."""
        block = sandbox.block_number()
        timestamp = sandbox.timestamp()
        at = read_addresses(sandbox, root.lower(), block=block)
        state = read_reserves(sandbox, at, block=block)
        accounts = find_borrowers(
            sandbox,
            at.pool,
            [borrow_events(at.pool)],
            block=block,
            cache=cache,
            progress=progress,
        )
        book = read_book(sandbox, at, state.tokens, accounts, block=block, progress=progress)
        if not owes_nothing_new(book, state.reserves):
            # Debt opened past the pool's own event, or logs that an endpoint lost.
            minted = find_borrowers(
                sandbox, at.pool, [debt_mint_events(state.tokens)], block=block, progress=progress
            )
            accounts = tuple(dict.fromkeys((*accounts, *minted)))
            book = read_book(sandbox, at, state.tokens, accounts, block=block, progress=progress)
        market = self._market(sandbox, at, state, book, block=block, timestamp=timestamp)
        market = replace(market, caveats=(*market.caveats, *check_debt(book, state.reserves)))
        return self._as_the_protocol_sees_it(sandbox, market)

    def outline(self, sandbox: Sandbox, root: str) -> Market:
        """See ProtocolAdapter.outline."""
        block, timestamp = sandbox.block_number(), sandbox.timestamp()
        at = read_addresses(sandbox, root.lower(), block=block)
        state = read_reserves(sandbox, at, block=block)
        nobody = Book.from_rows((), (), ())
        return self._market(sandbox, at, state, nobody, block=block, timestamp=timestamp)

    def _market(
        self,
        sandbox: Sandbox,
        at: Addresses,
        state: ReserveState,
        book: Book,
        *,
        block: int,
        timestamp: int,
    ) -> Market:
        fee, assumed_fee = gas_price(sandbox)
        native, no_native = native_price(sandbox.chain_id, state.reserves)
        return Market(
            protocol=self.name,
            family=Family.AAVE_V3,
            address=checksum(at.pool),
            chain_id=sandbox.chain_id,
            block=block,
            timestamp=timestamp,
            reserves=state.reserves,
            emodes=state.emodes,
            book=book,
            close_factor=CLOSE_FACTOR,
            full_close_below=FULL_CLOSE_BELOW,
            gas_price=fee,
            native_price=native,
            particulars=state.particulars,
            caveats=tuple(state.caveats),
            assumptions=tuple(filter(None, (assumed_fee, no_native))),
        )

    def parameters(self, market: Market) -> tuple[Parameter, ...]:
        """See ProtocolAdapter.parameters."""
        return name_parameters(market)

    def can_be_set(self, market: Market, parameter: Parameter) -> bool:  # noqa: ARG002
        """See ParameterSetter.can_be_set."""
        return aave_v3_setters.can_be_set(parameter.name)

    def setting_calls(
        self, sandbox: Sandbox, market: Market, settings: Sequence[Setting]
    ) -> tuple[SettingCall, ...]:
        """See ParameterSetter.setting_calls."""
        sandbox.register_abi(CUSTOM_ERRORS)
        return aave_v3_setters.setting_calls(sandbox, market, settings)

    def refusal(self, reason: str) -> str:
        """See ParameterSetter.refusal."""
        return in_words(reason)

    def failure(self, market: Market, receipt: Receipt) -> str:  # noqa: ARG002
        """See ParameterSetter.failure; Aave reverts."""
        return ""

    def accrue(self, sandbox: Sandbox, market: Market) -> None:
        """Do nothing: Aave's views count interest up to the block that is read."""

    def account_views(
        self, sandbox: Sandbox, market: Market, accounts: Sequence[str]
    ) -> tuple[AccountView, ...]:
        """See ProtocolAdapter.account_views; from Pool.getUserAccountData."""
        at: Addresses = read_addresses(sandbox, market.address.lower(), block=market.block)
        unit = read_one(sandbox, AAVE, at.oracle, "BASE_CURRENCY_UNIT", block=market.block)
        answers = read_all(
            sandbox,
            [Query(to=at.pool, abi=AAVE, fn="getUserAccountData", args=(a,)) for a in accounts],
            block=market.block,
        )
        views = []
        for account, d in zip(accounts, answers, strict=True):
            healthy = d.healthFactor == UINT256_MAX
            # The health factor has more digits than the threshold reported beside it.
            weighted = (
                d.totalCollateralBase * from_basis_points(d.currentLiquidationThreshold)
                if healthy
                else from_wad(d.healthFactor) * d.totalDebtBase
            )
            views.append(
                AccountView(
                    account=checksum(account),
                    health_factor=math.inf if healthy else from_wad(d.healthFactor),
                    liquidity=(weighted - d.totalDebtBase) / unit,
                )
            )
        return tuple(views)

    def _as_the_protocol_sees_it(self, sandbox: Sandbox, market: Market) -> Market:
        """Compare a sample with the pool's own view, and choose its way of averaging.

        Core 3.3 and later no longer floor an account's average threshold; no
        call says so, the health factors do.
        """
        views = self.account_views(sandbox, market, sample(market.book.accounts))
        exact = replace(market, whole_basis_points=False)
        error, other = disagreement(market, views), disagreement(exact, views)
        if other < error:
            market, error = exact, other
        if error > AGREES:
            text = (
                f"the pool's own health factors differ from the model's by up to {error:.2g}; its "
                "code is of a kind that is not modelled exactly"
            )
            market = replace(market, caveats=(*market.caveats, text))
        return market

    def _providers(self, sandbox: Sandbox, seeds: Collection[str], block: int) -> list[str]:
        """Addresses that might be a PoolAddressesProvider, reached from `seeds`."""
        contracts = contracts_among(sandbox, seeds, block=block)
        fns = ("ADDRESSES_PROVIDER", "POOL", "getPool")
        answers = read_raw(
            sandbox, [(c, AAVE.encode(fn)) for c in contracts for fn in fns], block=block
        )
        found: dict[str, None] = {}
        pools: dict[str, None] = {}
        for i, contract in enumerate(contracts):
            provider, pool, is_provider = (address_in(a) for a in answers[3 * i : 3 * i + 3])
            if provider is not None:
                found[provider] = None
            elif is_provider is not None:
                found[contract] = None
            elif pool is not None:
                pools[pool] = None
            else:
                kept = sandbox.get_storage(contract, _CONFIGURATOR_PROVIDER_SLOT, block=block)
                if (address := address_in(kept)) is not None:
                    found[address] = None
        behind = read_raw(
            sandbox, [(p, AAVE.encode("ADDRESSES_PROVIDER")) for p in pools], block=block
        )
        found.update(dict.fromkeys(a for a in map(address_in, behind) if a is not None))
        return list(found)

    def _pool_of(self, sandbox: Sandbox, provider: str, block: int) -> str | None:
        """The pool of a provider if the two know each other and reserves are listed."""
        (raw,) = read_raw(sandbox, [(provider, AAVE.encode("getPool"))], block=block)
        pool = address_in(raw)
        if pool is None:
            return None
        back, reserves = read_raw(
            sandbox,
            [(pool, AAVE.encode("ADDRESSES_PROVIDER")), (pool, AAVE.encode("getReservesList"))],
            block=block,
        )
        listed = reserves is not None and len(reserves) > 64
        return pool if address_in(back) == provider and listed and pool != NULL_ADDRESS else None
