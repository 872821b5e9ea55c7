"""Deploy the ERC-20 tokens and hand them out."""

from __future__ import annotations

from collections.abc import Mapping

from evaluator.chain.abi import Abi
from evaluator.chain.embedded.assets import TOKENS
from evaluator.chain.embedded.deployer import Deployer

_CORE = "@aave/core-v3/artifacts/contracts"

ERC20 = Abi.parse(
    [
        "function approve(address,uint256) returns (bool)",
        "function balanceOf(address) view returns (uint256)",
        "function mint(address,uint256) returns (bool)",
        "function deposit() payable",
    ]
)


def deploy_tokens(deployer: Deployer) -> dict[str, str]:
    """Deploy every token and return addresses by symbol.

    WETH is the real one, backed by the native coin; the others can be minted by
    anybody, which only a sandbox may allow.
    """
    out: dict[str, str] = {}
    for token in TOKENS:
        if token.symbol == "WETH":
            contract = deployer.deploy(f"{_CORE}/dependencies/weth/WETH9.sol/WETH9.json")
        else:
            contract = deployer.deploy(
                f"{_CORE}/mocks/tokens/MintableERC20.sol/MintableERC20.json",
                token.name,
                token.symbol,
                token.decimals,
            )
        out[token.symbol] = contract.address
    return out


def fund(
    deployer: Deployer, tokens: Mapping[str, str], symbol: str, units: int, *, spender: str
) -> None:
    """Give the deployer `units` of a token and let `spender` take them.

    The deployer pays for WETH with native coin, of which it must have enough.
    """
    contract = deployer.sandbox.contract(tokens[symbol], ERC20)
    if symbol == "WETH":
        deployer.send(contract, "deposit", value=units)
    else:
        deployer.send(contract, "mint", deployer.account, units)
    deployer.send(contract, "approve", spender, units)
