"""The liquidator and the attacker against Aave V3, Venus and Uniswap on the embedded chain."""

import json

import brownie
import pytest
from brownie import Contract, accounts, web3
from conftest import PACKAGES

AAVE = "@aave/core-v3/artifacts/contracts"
POOL = f"{AAVE}/protocol/pool/Pool.sol/Pool.json"
DATA = f"{AAVE}/misc/AaveProtocolDataProvider.sol/AaveProtocolDataProvider.json"
VENUS = "@venusprotocol/venus-protocol/artifacts/contracts"


def bind(name, address, path):
    return Contract.from_abi(name, address, json.loads((PACKAGES / path).read_text())["abi"])


@pytest.fixture
def pool(deployment):
    return bind("Pool", deployment["aave"]["pool"], POOL)


@pytest.fixture
def data(deployment):
    return bind("Data", deployment["aave"]["data_provider"], DATA)


@pytest.fixture
def pair(deployment):
    """Find the Uniswap V2 pair of two symbols."""

    def find(one, other):
        for each in deployment["uniswap"]["v2_pairs"]:
            if {each["token0"], each["token1"]} == {one, other}:
                return each["address"]
        raise LookupError((one, other))

    return find


@pytest.fixture
def push(deployment, accounts, PriceFeed):
    """Multiply a feed's price."""

    def scale(symbol, factor):
        feed = PriceFeed.at(deployment["feeds"][symbol])
        keeper = accounts.at(feed.owner(), force=True)
        feed.push(int(feed.latestAnswer() * factor), {"from": keeper})

    return scale


@pytest.fixture
def liquidator(owner, FlashLiquidator):
    return FlashLiquidator.deploy(owner, {"from": owner})


@pytest.fixture
def victim(deployment, pool, data, push):
    """An Aave borrower of USDC against WETH, made liquidatable by a fall of the price."""
    push("WETH", 0.8)
    # Every test is undone, so that it is the same one each time.
    if not _VICTIM:
        _VICTIM.append(_find_victim(deployment, pool, data))
    return _VICTIM[0]


_VICTIM = []


def _find_victim(deployment, pool, data):
    weth, usdc = deployment["tokens"]["WETH"], deployment["tokens"]["USDC"]
    for account in deployment["aave"]["borrowers"]:
        if pool.getUserAccountData(account)["healthFactor"] >= 10**18:
            continue
        debt = data.getUserReserveData(usdc, account)["currentVariableDebt"]
        collateral = data.getUserReserveData(weth, account)
        if (
            collateral["currentATokenBalance"] > 10**18
            and collateral["usageAsCollateralEnabled"]
            and 1_000 * 10**6 < debt < 50_000 * 10**6
        ):
            return account, debt // 2
    raise LookupError("nobody on the embedded chain borrows USDC against WETH")


def job(deployment, account, amount, route, least=0):
    tokens = deployment["tokens"]
    return (
        False, deployment["aave"]["pool"], tokens["WETH"], tokens["USDC"], account, amount, route,
        least,
    )  # fmt: skip


def test_a_flash_loan_pays_for_a_liquidation(
    deployment, pool, pair, liquidator, victim, token, owner
):
    account, amount = victim
    usdc = token("USDC")
    before = usdc.balanceOf(owner)
    receipt = liquidator.withFlashLoan(
        pool, job(deployment, account, amount, [(pair("WETH", "USDC"), False)]), {"from": owner}
    )
    gain = usdc.balanceOf(owner) - before
    assert gain > 0
    assert receipt.events["Liquidated"]["profit"] == gain
    assert receipt.events["LiquidationCall"]["user"].lower() == account
    assert usdc.balanceOf(liquidator) == 0


def test_a_flash_swap_pays_for_it_too_and_v3_sells(
    deployment, pair, liquidator, victim, token, owner
):
    account, amount = victim
    [v3] = [
        each["address"]
        for each in deployment["uniswap"]["v3_pools"]
        if {each["token0"], each["token1"]} == {"WETH", "USDC"} and each["fee"] == 500
    ]
    usdc = token("USDC")
    before = usdc.balanceOf(owner)
    liquidator.withFlashSwap(
        pair("WETH", "USDC"), job(deployment, account, amount, [(v3, True)]), {"from": owner}
    )
    assert usdc.balanceOf(owner) > before


def test_a_loss_reverts_everything(deployment, pool, pair, liquidator, victim, owner):
    account, amount = victim
    hopeless = job(deployment, account, amount, [(pair("WETH", "USDC"), False)], least=10**15)
    with brownie.reverts():
        liquidator.withFlashLoan(pool, hopeless, {"from": owner})


def test_only_its_owner_liquidates_and_nobody_fakes_a_loan(
    deployment, pool, pair, liquidator, victim, stranger
):
    account, amount = victim
    real = job(deployment, account, amount, [(pair("WETH", "USDC"), False)])
    with brownie.reverts():
        liquidator.withFlashLoan(pool, real, {"from": stranger})
    with brownie.reverts():
        liquidator.executeOperation(stranger, 1, 0, liquidator, "0x", {"from": stranger})
    with brownie.reverts():
        liquidator.uniswapV2Call(liquidator, 1, 0, "0x", {"from": stranger})
    with brownie.reverts():
        liquidator.uniswapV3SwapCallback(1, 0, "0x", {"from": stranger})


def test_a_flash_swap_pays_for_a_compound_liquidation(
    deployment, pair, liquidator, push, token, owner
):
    comptroller = bind(
        "Comptroller", deployment["venus"]["comptroller"],
        f"{VENUS}/Comptroller/Comptroller.sol/Comptroller.json",
    )  # fmt: skip
    markets = deployment["venus"]["v_tokens"]
    market_abi = f"{VENUS}/Tokens/VTokens/VBep20.sol/VBep20.json"
    usdc_market = bind("vUSDC", markets["USDC"], market_abi)
    wbtc_market = bind("vWBTC", markets["WBTC"], market_abi)
    push("WBTC", 0.6)
    for account in deployment["venus"]["borrowers"]:
        error, _, shortfall = comptroller.getAccountLiquidity(account)
        _, _, debt, _ = usdc_market.getAccountSnapshot(account)
        _, collateral, _, _ = wbtc_market.getAccountSnapshot(account)
        if error == 0 and shortfall > 0 and debt > 1_000 * 10**6 and collateral > 0:
            break
    else:
        raise LookupError("nobody on the embedded chain borrows USDC against WBTC at Venus")
    usdc = token("USDC")
    before = usdc.balanceOf(owner)
    # Sold through V3, because the V2 pair that lends is locked until it is repaid.
    [v3] = [
        each["address"]
        for each in deployment["uniswap"]["v3_pools"]
        if {each["token0"], each["token1"]} == {"WBTC", "USDC"}
    ]
    liquidator.withFlashSwap(
        pair("WETH", "USDC"),
        (True, usdc_market, wbtc_market, usdc, account, 500 * 10**6, [(v3, True)], 0),
        {"from": owner},
    )
    assert usdc.balanceOf(owner) > before


# The attacker


@pytest.fixture
def attacker(owner, Attacker):
    return Attacker.deploy(owner, {"from": owner})


def call(contract, data, may_fail=False):
    return (contract, 0, data, may_fail)


def test_a_batch_runs_in_order_and_a_failure_undoes_it(attacker, owner, stranger, PriceFeed):
    feed = PriceFeed.deploy(8, "X", attacker, {"from": owner})
    push = feed.push.encode_input
    bad = call(feed, feed.getRoundData.encode_input(99))
    attacker.run([call(feed, push(1)), call(feed, push(2))], {"from": owner})
    assert feed.latestAnswer() == 2
    with brownie.reverts():
        attacker.run([call(feed, push(3)), bad], {"from": owner})
    assert feed.latestAnswer() == 2
    attacker.run([call(feed, push(4)), (*bad[:3], True)], {"from": owner})
    assert feed.latestAnswer() == 4
    with brownie.reverts():
        attacker.run([call(feed, push(5))], {"from": stranger})


def test_borrowed_money_moves_a_pool_and_goes_back(deployment, attacker, pool, pair, token, owner):
    """A flash loan sold into the pair moves its price; what is missing is paid by the attacker."""
    weth, usdc = token("WETH"), token("USDC")
    market = pair("WETH", "USDC")
    rich = accounts.at(deployment["aave"]["a_tokens"]["USDC"], force=True)
    usdc.transfer(attacker, 500_000 * 10**6, {"from": rich})
    before = weth.balanceOf(market)
    loan = 100 * 10**18
    calls = [
        call(attacker, attacker.sellAll.encode_input(weth, [(market, False)])),
        call(attacker, attacker.sellAll.encode_input(usdc, [(market, False)])),
    ]
    attacker.withFlashLoan(pool, weth, loan, calls, {"from": owner})
    assert weth.balanceOf(market) != before
    held = weth.balanceOf(attacker)
    assert held > 0
    attacker.sweep(weth, {"from": owner})
    assert weth.balanceOf(attacker) == 0


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_flash_swaps_must_come_back(deployment, attacker, pair, token, owner, version):
    usdc = token("USDC")
    rich = accounts.at(deployment["aave"]["a_tokens"]["USDC"], force=True)
    if version == "v2":
        source, take = pair("WETH", "USDC"), attacker.withFlashSwap
    else:
        source = deployment["uniswap"]["v3_pools"][0]["address"]
        take = attacker.withFlash
    first = int(usdc.address, 16) < int(deployment["tokens"]["WETH"], 16)
    amounts = (10**9, 0) if first else (0, 10**9)
    with brownie.reverts():
        take(source, *amounts, [], {"from": owner})  # nothing is left for the fee
    usdc.transfer(attacker, 10**8, {"from": rich})
    take(source, *amounts, [], {"from": owner})
    assert 0 < usdc.balanceOf(attacker) < 10**8
    assert web3.eth.get_balance(attacker.address) == 0
