"""Set-ups of cases: what stood on the chain before the proposal was made.

Everything goes through real contracts with real transactions; only what earlier
governance decided is sent from the timelocks directly.
"""

from __future__ import annotations

from collections.abc import Sequence

from evaluator.chain.abi import Abi
from evaluator.chain.artifacts import load_artifact
from evaluator.chain.contract import Contract
from evaluator.chain.embedded import (
    Call,
    Deployment,
    ProposalRef,
    propose_bravo,
    propose_openzeppelin,
)
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.solidity import load_contract
from evaluator.protocols.interfaces import FEED

BUILDER = "0x5ea70000000000000000000000000000000000b0"
WAD = 10**18
_FOREVER = 2**64
_ZERO = "0x" + "00" * 20
_HISTORY = 1_500  # rounds a copied history has at most
_AT_ONCE = 250  # rounds loaded in one transaction
_AAVE = "@aave/core-v3/artifacts/contracts"
_VENUS = "@venusprotocol/venus-protocol/artifacts/contracts"

TOKEN = Abi.parse(
    [
        "function approve(address,uint256) returns (bool)",
        "function balanceOf(address) view returns (uint256)",
        "function decimals() view returns (uint8)",
        "function mint(address,uint256) returns (bool)",
        "function transfer(address,uint256) returns (bool)",
        "function deposit() payable",
    ]
)
VENUS = Abi.parse(
    [
        "function _supportMarket(address) returns (uint256)",
        "function _setCollateralFactor(address,uint256) returns (uint256)",
        "function _setMarketSupplyCaps(address[],uint256[])",
        "function _setMarketBorrowCaps(address[],uint256[])",
        "function _setPriceOracle(address) returns (uint256)",
        "function enterMarkets(address[]) returns (uint256[])",
        "function setFeed(string,address)",
        "function implementation() view returns (address)",
        "function interestRateModel() view returns (address)",
        "function mint(uint256) returns (uint256)",
        "function borrow(uint256) returns (uint256)",
        "function redeemUnderlying(uint256) returns (uint256)",
    ]
)
AAVE = Abi.parse(
    [
        "function supply(address,uint256,address,uint16)",
        "function borrow(address,uint256,uint256,uint16,address)",
        "function setSupplyCap(address,uint256)",
        "function setBorrowCap(address,uint256)",
        "function configureReserveAsCollateral(address,uint256,uint256,uint256)",
        "function setReserveBorrowing(address,bool)",
        "function setReserveFlashLoaning(address,bool)",
        "function setReserveFactor(address,uint256)",
        "function setLiquidationProtocolFee(address,uint256)",
        "function setAssetSources(address[],address[])",
        "function addPoolAdmin(address)",
        "function addRiskAdmin(address)",
    ]
)
_PAIRS = Abi.parse(
    [
        "function addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"
        " returns (uint256,uint256,uint256)",
        "function getPair(address,address) view returns (address)",
    ]
)
_V3 = Abi.parse(
    [
        "function increaseObservationCardinalityNext(uint16)",
        "function mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,"
        "address,uint256)) returns (uint256,uint128,uint256,uint256)",
    ]
)
_SPACING = {100: 1, 500: 10, 3000: 60}  # of ticks, by fee
_LAST_TICK = 887_272


class Stage:
    """An embedded chain on which a case is set up."""

    def __init__(self, sandbox: Sandbox, deployment: Deployment) -> None:
        """Give the builder of set-ups native coin; nothing else is done."""
        self.sandbox = sandbox
        self.deployment = deployment
        sandbox.set_balance(BUILDER, 10**9 * WAD)
        self.pool = sandbox.contract(deployment.aave.pool, AAVE)
        self.configurator = sandbox.contract(deployment.aave.pool_configurator, AAVE)
        self.aave_oracle = sandbox.contract(deployment.aave.oracle, AAVE)
        self.acl = sandbox.contract(deployment.aave.acl_manager, AAVE)
        self.comptroller = sandbox.contract(deployment.venus.comptroller, VENUS)
        self.venus_oracle = sandbox.contract(deployment.venus.oracle, VENUS)

    def by_openzeppelin(self, *calls: Call, description: str) -> ProposalRef:
        """Propose to the governor of Aave V3."""
        return propose_openzeppelin(
            self.sandbox, self.deployment, list(calls), description=description
        )

    def by_bravo(self, *calls: Call, description: str) -> ProposalRef:
        """Propose to the governor of the Compound V2 family."""
        return propose_bravo(self.sandbox, self.deployment, list(calls), description=description)

    @property
    def aave_timelock(self) -> str:
        """Owner of Aave V3."""
        return self.deployment.openzeppelin.timelock

    @property
    def venus_timelock(self) -> str:
        """Owner of the Compound V2 family."""
        return self.deployment.bravo.timelock

    def token(self, symbol: str) -> Contract:
        """Return a token of the embedded chain."""
        return self.sandbox.contract(self.deployment.tokens[symbol], TOKEN)

    def at(self, address: str) -> Contract:
        """Return a token by its address."""
        return self.sandbox.contract(address, TOKEN)

    def new_token(self, symbol: str, name: str, supply: int) -> Contract:
        """Deploy a token of 18 decimals, `supply` whole tokens of it minted to the builder.

        No more can be made.
        """
        made = Contract.deploy(
            self.sandbox,
            load_contract("SeatrialVotes"),
            name,
            symbol,
            [BUILDER],
            [supply * WAD],
            sender=BUILDER,
        )
        return self.sandbox.contract(made.address, TOKEN)

    def give(self, token: Contract, holder: str, whole: float) -> int:
        """Give a holder whole tokens: minted, wrapped, or of the builder's own. Base units."""
        units: int = int(whole * 10**6) * 10 ** (token.call("decimals") - 6)
        if token.address == self.deployment.tokens["WETH"]:
            self._wrap(units)
            token.send("transfer", holder, units, sender=BUILDER)
        elif token.address in self.deployment.tokens.values():
            token.send("mint", holder, units, sender=BUILDER)
        else:
            token.send("transfer", holder, units, sender=BUILDER)
        return units

    def feed(
        self, description: str, price: float, *, like: str, owner: str = BUILDER, decimals: int = 8
    ) -> str:
        """Deploy a feed that ends at `price`, with the history of another token's feed.

        The zero address as `owner` lets anybody push.
        """
        made = Contract.deploy(
            self.sandbox,
            load_contract("PriceFeed"),
            decimals,
            description,
            owner,
            sender=BUILDER,
        )
        answers, times = self._history(self.deployment.feeds[like])
        scaled = [int(a * price * 10**decimals / answers[-1]) for a in answers]
        sender = BUILDER if owner == _ZERO else owner
        for start in range(0, len(scaled), _AT_ONCE):
            stop = start + _AT_ONCE
            made.send("load", scaled[start:stop], times[start:stop], sender=sender)
        return made.address

    def pair(self, token: Contract, price: float, *, depth: float) -> str:
        """Open a Uniswap V2 pair of a token with WETH, `depth` USD on each side."""
        where = self.deployment.uniswap
        router = self.sandbox.contract(where.v2_router, _PAIRS)
        weth = self.token("WETH")
        units = self.give(weth, BUILDER, depth / self._price("WETH"))
        mine = int(depth / price * 10**6) * 10**12
        for held, amount in ((token, mine), (weth, units)):
            held.send("approve", router.address, amount, sender=BUILDER)
        router.send(
            "addLiquidity",
            token.address,
            weth.address,
            mine,
            units,
            0,
            0,
            BUILDER,
            _FOREVER,
            sender=BUILDER,
        )
        factory = self.sandbox.contract(where.v2_factory, _PAIRS)
        return str(factory.call("getPair", token.address, weth.address))

    def deepen(self, base: str, quote: str, fee: int, *, depth: float) -> str:
        """Add a position everywhere to a Uniswap V3 pool, `depth` USD on each side.

        The pool remembers what it was priced at from then on.
        """
        where, tokens = self.deployment.uniswap, self.deployment.tokens
        made = next(p for p in where.v3_pools if {p.token0, p.token1} == {base, quote}
                    and p.fee == fee)  # fmt: skip
        pool = self.sandbox.contract(made.address, _V3)
        pool.send("increaseObservationCardinalityNext", 64, sender=BUILDER)
        ends = [self.token(made.token0), self.token(made.token1)]
        units = [
            self.give(t, BUILDER, 1.01 * depth / self._price(symbol))
            for t, symbol in zip(ends, (made.token0, made.token1), strict=True)
        ]
        for t, amount in zip(ends, units, strict=True):
            t.send("approve", where.v3_position_manager, amount, sender=BUILDER)
        spacing = _SPACING[fee]
        last = _LAST_TICK // spacing * spacing
        self.sandbox.contract(where.v3_position_manager, _V3).send(
            "mint",
            (tokens[made.token0], tokens[made.token1], fee, -last, last, *units, 0, 0, BUILDER,
             _FOREVER),
            sender=BUILDER,
        )  # fmt: skip
        return made.address

    def venus_market(self, token: Contract, symbol: str, *, rates_of: str = "LINK") -> str:
        """Deploy a market of the Compound V2 family that is not listed yet."""
        twin = self.sandbox.contract(self.deployment.venus.v_tokens[rates_of], VENUS)
        made = Contract.deploy(
            self.sandbox,
            load_artifact(f"{_VENUS}/Tokens/VTokens/VBep20Delegator.sol/VBep20Delegator.json"),
            token.address,
            self.comptroller.address,
            twin.call("interestRateModel"),
            2 * 10 ** (8 + token.call("decimals")),
            f"Venus {symbol}",
            f"v{symbol}",
            8,
            self.venus_timelock,
            twin.call("implementation"),
            b"",
            sender=BUILDER,
        )
        return made.address

    def decided(self, contract: Contract, fn: str, *args: object) -> None:
        """Do what an earlier proposal decided, as the timelock that owns the protocol."""
        venus = contract.address in (self.comptroller.address, self.venus_oracle.address)
        timelock = self.venus_timelock if venus else self.aave_timelock
        contract.send(fn, *args, sender=timelock)

    def supply_to_venus(self, token: Contract, market: str, holder: str, whole: float) -> None:
        """Supply whole tokens to a listed market of the Compound V2 family."""
        units = self.give(token, holder, whole)
        token.send("approve", market, units, sender=holder)
        self.sandbox.contract(market, VENUS).send("mint", units, sender=holder)

    def supply_to_aave(self, token: Contract, holder: str, whole: float) -> None:
        """Supply whole tokens to Aave V3."""
        units = self.give(token, holder, whole)
        token.send("approve", self.pool.address, units, sender=holder)
        self.pool.send("supply", token.address, units, holder, 0, sender=holder)

    def list_on_aave(self, token: Contract, symbol: str, *, feed: str, like: str) -> None:
        """List a token of 18 decimals on Aave V3 with the code and rates of another reserve.

        It can be neither borrowed nor used as collateral and has no caps.
        """
        sandbox, where = self.sandbox, self.deployment.aave
        path = f"{_AAVE}/protocol/pool/PoolConfigurator.sol/PoolConfigurator.json"
        configurator = sandbox.contract(where.pool_configurator, load_artifact(path).abi)
        pool = sandbox.contract(
            where.pool, load_artifact(f"{_AAVE}/protocol/pool/Pool.sol/Pool.json").abi
        )
        reserve = pool.call("getReserveData", self.deployment.tokens[like])
        kinds = [
            _implementation(sandbox, proxy)
            for proxy in (
                reserve.aTokenAddress,
                reserve.stableDebtTokenAddress,
                reserve.variableDebtTokenAddress,
            )
        ]
        listing = (
            *kinds,
            18,
            reserve.interestRateStrategyAddress,
            token.address,
            where.treasury,
            _ZERO,
            f"Aave Seatrial {symbol}",
            f"a{symbol}",
            f"Aave Seatrial Variable Debt {symbol}",
            f"variableDebt{symbol}",
            f"Aave Seatrial Stable Debt {symbol}",
            f"stableDebt{symbol}",
            b"",
        )
        self.decided(self.aave_oracle, "setAssetSources", [token.address], [feed])
        configurator.send("initReserves", [listing], sender=self.aave_timelock)
        self.decided(self.configurator, "setReserveFactor", token.address, 2000)
        self.decided(self.configurator, "setLiquidationProtocolFee", token.address, 1000)
        self.decided(self.configurator, "setReserveFlashLoaning", token.address, True)

    def _wrap(self, units: int) -> None:
        self.token("WETH").send("deposit", sender=BUILDER, value=units)

    def _price(self, symbol: str) -> float:
        feed = self.sandbox.contract(self.deployment.feeds[symbol], FEED)
        return float(feed.call("latestRoundData")[1]) / 10**8

    def _history(self, feed: str) -> tuple[list[int], list[int]]:
        source = self.sandbox.contract(feed, FEED)
        last = int(source.call("latestRoundData")[0])
        first = max(last - _HISTORY, 0) + 1
        calls = [(feed, FEED.encode("getRoundData", i)) for i in range(first, last + 1)]
        rounds = []
        for raw in self.sandbox.call_many(calls):
            if isinstance(raw, bytes):
                rounds.append(FEED.decode_output("getRoundData", raw))
        return [int(r[1]) for r in rounds], [int(r[3]) for r in rounds]


def addresses(*given: Contract | str) -> list[str]:
    """Return the addresses of contracts and addresses."""
    return [g if isinstance(g, str) else g.address for g in given]


def call(contract: Contract, fn: str, *args: object) -> Call:
    """Return the call of `fn` as an action of a proposal."""
    return Call(target=contract.address, calldata=contract.encode(fn, *args))


def calls(*given: Sequence[Call] | Call) -> tuple[Call, ...]:
    """Return calls and sequences of calls as one sequence."""
    out: list[Call] = []
    for g in given:
        if isinstance(g, Call):
            out.append(g)
        else:
            out += g
    return tuple(out)


def _implementation(sandbox: Sandbox, proxy: str) -> str:
    slot = 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC  # EIP-1967
    return "0x" + sandbox.get_storage(proxy, slot)[-20:].hex()
