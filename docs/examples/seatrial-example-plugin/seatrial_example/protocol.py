"""A protocol of its own: one token lent against one other (ExampleLend.sol)."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from evaluator.chain.abi import Abi
from evaluator.chain.receipts import Log, Receipt
from evaluator.chain.sandbox import Sandbox
from evaluator.market import (
    Asset,
    Book,
    Family,
    Market,
    Parameter,
    RateCurve,
    Reserve,
    RiskParameters,
    Unit,
)
from evaluator.protocols.adapter import AccountView
from evaluator.protocols.assumed_depth import assumed_depth
from evaluator.protocols.borrower_cache import BorrowerCache
from evaluator.protocols.borrowers import BorrowEvents, find_borrowers
from evaluator.protocols.fixed_point import BASIS_POINTS, UINT256_MAX, from_wad, whole_tokens
from evaluator.protocols.gas import gas_price, native_price
from evaluator.protocols.interfaces import ERC20, FEED
from evaluator.protocols.naming import Vocabulary, Word
from evaluator.protocols.oracles import inspect_sources
from evaluator.protocols.reading import (
    Progress,
    Query,
    address_in,
    checksum,
    read_all,
    read_one,
    read_raw,
)
from evaluator.protocols.setting import Setting, SettingCall, basis_points
from evaluator.protocols.tokens import classify, read_tokens

LEND = Abi.parse(
    [
        "function collateral() view returns (address)",
        "function asset() view returns (address)",
        "function collateralFeed() view returns (address)",
        "function assetFeed() view returns (address)",
        "function ltv() view returns (uint256)",
        "function threshold() view returns (uint256)",
        "function bonus() view returns (uint256)",
        "function totalCollateral() view returns (uint256)",
        "function totalDebt() view returns (uint256)",
        "function collateralOf(address account) view returns (uint256)",
        "function debtOf(address account) view returns (uint256)",
        "function healthFactor(address account) view returns (uint256)",
        "function setRisk(uint256 ltv, uint256 threshold, uint256 bonus)",
        "event Borrowed(address indexed account, uint256 amount)",
    ]
)
_BORROWED = LEND.event_topic("Borrowed")
_FEED_DECIMALS = 8
_NO_INTEREST = RateCurve(base=0.0, slope1=0.0, slope2=0.0, optimal=1.0)
_RISK = ("ltv", "liquidation_threshold", "liquidation_bonus")  # as setRisk takes them
_WHERE = "ExampleLend.setRisk"
# What the protocol calls its parameters, in which unit, and who sets them.
VOCABULARY = Vocabulary(
    protocol="example_lend",
    words={
        "ltv": Word(label="LTV", unit=Unit.FRACTION, settable_by=_WHERE),
        "liquidation_threshold": Word(
            label="liquidation threshold", unit=Unit.FRACTION, settable_by=_WHERE
        ),
        "liquidation_bonus": Word(
            label="liquidation bonus", unit=Unit.FRACTION, settable_by=_WHERE
        ),
        "close_factor": Word(label="close factor", unit=Unit.FRACTION),
    },
)


class ExampleLend:
    """Reads ExampleLend; the root is the contract itself."""

    name = VOCABULARY.protocol

    def discover(self, sandbox: Sandbox, seeds: Collection[str]) -> tuple[str, ...]:
        """Return the seeds that answer as an ExampleLend does, and those only."""
        asked = [s.lower() for s in seeds if len(s) == 42]
        fns = ("collateral", "asset", "totalDebt", "threshold")
        calls = [(a, LEND.encode(fn)) for a in asked for fn in fns]
        answers = read_raw(sandbox, calls, block=sandbox.block_number())
        found = []
        for i, contract in enumerate(asked):
            collateral, asset, *numbers = answers[4 * i : 4 * i + 4]
            if address_in(collateral) and address_in(asset) and all(numbers):
                found.append(contract)
        return tuple(dict.fromkeys(found))

    def read(
        self,
        sandbox: Sandbox,
        root: str,
        *,
        cache: BorrowerCache | None = None,
        progress: Progress | None = None,
    ) -> Market:
        """Read both reserves and every account that ever borrowed."""
        block = sandbox.block_number()
        events = BorrowEvents(addresses=(root,), topics=((_BORROWED,),), account=_borrower)
        accounts = find_borrowers(
            sandbox, root, [events], block=block, cache=cache, progress=progress
        )
        return self._market(sandbox, root, accounts)

    def outline(self, sandbox: Sandbox, root: str) -> Market:
        """Read both reserves and nobody's position."""
        return self._market(sandbox, root, ())

    def parameters(self, market: Market) -> tuple[Parameter, ...]:
        """Name what governance sets, ordered by path."""
        collateral = market.reserves[0]
        risk = [
            VOCABULARY.parameter(n, getattr(collateral.parameters, n), asset=market.symbols[0])
            for n in _RISK
        ]
        named = [*risk, VOCABULARY.parameter("close_factor", market.close_factor)]
        return tuple(sorted(named, key=lambda p: p.path))

    def accrue(self, sandbox: Sandbox, market: Market) -> None:
        """Do nothing: there is no interest."""

    def account_views(
        self, sandbox: Sandbox, market: Market, accounts: Sequence[str]
    ) -> tuple[AccountView, ...]:
        """Ask the contract itself, so that the reading can be held against its word."""
        queries = [
            Query(to=market.address, abi=LEND, fn=fn, args=(a,))
            for a in accounts
            for fn in ("healthFactor", "debtOf")
        ]
        answers = read_all(sandbox, queries, block=market.block)
        asset = market.reserves[1].asset
        views = []
        for account, health, debt in zip(accounts, answers[0::2], answers[1::2], strict=True):
            factor = math.inf if health == UINT256_MAX else from_wad(health)
            owed = whole_tokens(debt, asset.decimals) * asset.price
            liquidity = (factor - 1.0) * owed if owed else 0.0
            views.append(AccountView(account=account, health_factor=factor, liquidity=liquidity))
        return tuple(views)

    # The four methods below let authors draft what `setRisk` sets.

    # The market is the interface's: other protocols differ by version.
    def can_be_set(self, market: Market, parameter: Parameter) -> bool:  # noqa: ARG002
        """Tell whether `setRisk` sets a parameter."""
        return parameter.name in _RISK

    def setting_calls(
        self,
        sandbox: Sandbox,  # noqa: ARG002 - the interface's, for protocols that look first
        market: Market,
        settings: Sequence[Setting],
    ) -> tuple[SettingCall, ...]:
        """Return the one call, with today's values where nothing else is asked for."""
        today = market.reserves[0].parameters
        values = {name: round(getattr(today, name) * BASIS_POINTS) for name in _RISK}
        values |= {s.parameter.name: basis_points(s) for s in settings}
        data = LEND.encode("setRisk", *(values[name] for name in _RISK))
        return (SettingCall(target=market.address, calldata=data, sets=tuple(settings)),)

    def refusal(self, reason: str) -> str:
        """Return the contract's reasons as they are: they are words."""
        return reason

    # Both are the interface's, for protocols that fail without a revert.
    def failure(self, market: Market, receipt: Receipt) -> str:  # noqa: ARG002
        """Return nothing: the contract reverts."""
        return ""

    def _market(self, sandbox: Sandbox, root: str, accounts: Sequence[str]) -> Market:
        block = sandbox.block_number()
        ask = {
            fn: read_one(sandbox, LEND, root, fn, block=block)
            for fn in (
                "collateral", "asset", "collateralFeed", "assetFeed", "ltv", "threshold", "bonus",
                "totalCollateral", "totalDebt",
            )
        }  # fmt: skip
        addresses = (ask["collateral"], ask["asset"])
        feeds = (ask["collateralFeed"], ask["assetFeed"])
        tokens = read_tokens(sandbox, addresses, block=block)
        rounds = read_all(
            sandbox, [Query(to=f, abi=FEED, fn="latestRoundData") for f in feeds], block=block
        )
        cash = read_all(
            sandbox,
            [Query(to=a, abi=ERC20, fn="balanceOf", args=(root,)) for a in addresses],
            block=block,
        )
        oracles = inspect_sources(sandbox, feeds, block=block)
        risks = (
            _risk(*(ask[fn] / BASIS_POINTS for fn in ("ltv", "threshold", "bonus"))),
            _risk(0.0, 0.0, 0.0, borrowing=True),
        )
        symbols = [t.symbol for t in tokens]
        reserves = []
        for i, token in enumerate(tokens):
            price = whole_tokens(rounds[i].answer, _FEED_DECIMALS)
            asset_class, pegged_to = classify(token.symbol, price, symbols)
            asset = Asset(
                symbol=token.symbol,
                address=checksum(token.address),
                decimals=token.decimals,
                price=price,
                asset_class=asset_class,
                pegged_to=pegged_to,
            )
            held = whole_tokens(cash[i], token.decimals)
            owed = 0.0 if i == 0 else whole_tokens(ask["totalDebt"], token.decimals)
            reserves.append(
                Reserve(
                    asset=asset,
                    parameters=risks[i],
                    supplied=held + owed,
                    borrowed=owed,
                    cash=held,
                    reserves=0.0,
                    rate_curve=_NO_INTEREST,
                    oracle=oracles[feeds[i].lower()],
                    liquidity=assumed_depth(asset),
                )
            )
        gas, assumed_gas = gas_price(sandbox)
        native, no_native = native_price(sandbox.chain_id, reserves)
        return Market(
            protocol=self.name,
            # Its liquidations follow Aave's rule: a net bonus, half of a debt at a time.
            family=Family.AAVE_V3,
            address=checksum(root),
            chain_id=sandbox.chain_id,
            block=block,
            timestamp=sandbox.timestamp(),
            reserves=tuple(reserves),
            emodes=(),
            book=self._book(sandbox, root, accounts, reserves, block),
            close_factor=0.5,
            full_close_below=0.0,
            gas_price=gas,
            native_price=native,
            assumptions=tuple(filter(None, (assumed_gas, no_native))),
        )

    def _book(
        self,
        sandbox: Sandbox,
        root: str,
        accounts: Sequence[str],
        reserves: Sequence[Reserve],
        block: int,
    ) -> Book:
        fns = ("collateralOf", "debtOf")
        queries = [Query(to=root, abi=LEND, fn=fn, args=(a,)) for a in accounts for fn in fns]
        found = read_all(sandbox, queries, block=block)
        decimals = [r.asset.decimals for r in reserves]
        rows = [
            (checksum(a), {0: whole_tokens(c, decimals[0])}, {1: whole_tokens(d, decimals[1])})
            for a, c, d in zip(accounts, found[0::2], found[1::2], strict=True)
            if d
        ]
        return Book.from_rows(*([row[i] for row in rows] for i in range(3)))


def _borrower(log: Log) -> str | None:
    return address_in(log.topics[1]) if len(log.topics) > 1 else None


def _risk(ltv: float, threshold: float, bonus: float, *, borrowing: bool = False) -> RiskParameters:
    return RiskParameters(
        ltv=ltv,
        liquidation_threshold=threshold,
        liquidation_bonus=bonus,
        protocol_fee=0.0,
        reserve_factor=0.0,
        supply_cap=math.inf,
        borrow_cap=math.inf,
        debt_ceiling=math.inf,
        active=True,
        frozen=False,
        paused=False,
        borrowing_enabled=borrowing,
    )
