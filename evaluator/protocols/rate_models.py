"""New interest rate contracts, for protocols whose curves cannot be changed in place.

Aave's first strategies and Compound's models keep their curve for good: another
curve is another contract, which the proposal creates before it is put in place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.chain.artifacts import Artifact
from evaluator.chain.deterministic import DEPLOYER, address_of, creating_call
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ConfigurationError
from evaluator.protocols.setting import Setting, SettingCall


@dataclass(frozen=True, kw_only=True, slots=True)
class NewModel:
    """A contract with a curve of its own."""

    address: str  # where it is, or will be
    creation: tuple[SettingCall, ...]  # the call that creates it; () if it is there already


def one_curve(settings: Sequence[Setting], pointer: str) -> None:
    """Refuse a curve and the address of a contract with another, for one asset.

    `pointer` is the parameter with the address.
    """
    pointed = {s.parameter.asset for s in settings if s.parameter.name == pointer}
    for setting in settings:
        if setting.parameter.asset in pointed and setting.parameter.name.startswith("rate_curve."):
            raise ConfigurationError(
                f"{setting.parameter.path} and the {pointer} of {setting.parameter.asset} are both "
                "set, and a contract that is put in place has a curve of its own: set one of them"
            )


def is_build_of(code: bytes, artifact: Artifact) -> bool:
    """Tell whether deployed code is the artifact's, immutables and metadata aside."""
    pattern = _without_metadata(bytes.fromhex(artifact.runtime))
    own = _without_metadata(code)
    if len(own) != len(pattern):
        return False
    # An immutable is a PUSH32 of zeros until the constructor has run.
    for place in re.finditer(rb"\x7f\x00{32}", pattern):
        own = own[: place.start() + 1] + bytes(32) + own[place.end() :]
    return own == pattern


def _without_metadata(code: bytes) -> bytes:
    # The compiler ends code with CBOR metadata and its length in two bytes.
    length = int.from_bytes(code[-2:], "big") + 2
    return code[:-length] if len(code) > length else code


def new_model(
    sandbox: Sandbox,
    artifact: Artifact,
    arguments: Sequence[object],
    settings: Sequence[Setting],
    *,
    place: str,
) -> NewModel:
    """Return the contract that `arguments` construct, and the call that creates it.

    `place` is what the protocol calls the setting that is to point to it.

    Raises ConfigurationError on a chain without the deterministic deployment proxy.
    """
    creation = artifact.creation_code() + artifact.abi.encode_constructor(*arguments)
    address = address_of(creation)
    if sandbox.get_code(address):
        return NewModel(address=address, creation=())
    if not sandbox.get_code(DEPLOYER):
        raise ConfigurationError(
            f"{settings[0].parameter.path} takes a new {artifact.name}, and this chain has no "
            f"deterministic deployment proxy at {DEPLOYER} that would let the proposal create it: "
            "deploy one and set its address instead"
        )
    call = SettingCall(
        target=DEPLOYER,
        calldata=creating_call(creation),
        sets=tuple(settings),
        creates=f"{settings[0].parameter.asset} {place} to {address}, a {artifact.name} that this "
        "proposal creates",
    )
    return NewModel(address=address, creation=(call,))
