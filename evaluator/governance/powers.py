"""Who holds power over contracts: roles by name, owners, and the code proxies run.

Events say what a contract wants to say; the slots of EIP-1967 and the answers of
`owner()` and its like before and after say it where a contract is silent.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from eth_hash.auto import keccak

from evaluator.governance.decoding.events import DecodedEvent
from evaluator.governance.decoding.values import Value
from evaluator.governance.trace import (
    CodeChange,
    CodeChangeKind,
    OwnerChange,
    RoleChange,
    StorageChange,
)

ZERO = "0x" + "00" * 20

# Aave's ACLManager, then OpenZeppelin's timelock and presets, then names in wide use.
_ROLES = """
    POOL_ADMIN EMERGENCY_ADMIN RISK_ADMIN FLASH_BORROWER BRIDGE ASSET_LISTING_ADMIN
    TIMELOCK_ADMIN_ROLE PROPOSER_ROLE EXECUTOR_ROLE CANCELLER_ROLE
    MINTER_ROLE BURNER_ROLE PAUSER_ROLE UNPAUSER_ROLE UPGRADER_ROLE SNAPSHOT_ROLE
    ADMIN_ROLE OWNER_ROLE GOVERNOR_ROLE GUARDIAN_ROLE MANAGER_ROLE OPERATOR_ROLE KEEPER_ROLE
    STRATEGIST_ROLE ORACLE_ROLE TREASURY_ROLE FEE_MANAGER_ROLE RISK_MANAGER_ROLE
    FACILITATOR_MANAGER_ROLE BUCKET_MANAGER_ROLE FUNDS_ADMIN FUNDS_ADMIN_ROLE
"""

# How a change of power is told: event, what changed hands, old and new holder by name.
_OWNER_EVENTS: dict[str, tuple[str, str | None, str]] = {
    "OwnershipTransferred(address,address)": ("owner", "previousOwner", "newOwner"),
    "OwnershipTransferStarted(address,address)": ("pending owner", None, "newOwner"),
    "DefaultAdminTransferScheduled(address,uint48)": ("pending default admin", None, "newAdmin"),
    "AuthorityUpdated(address)": ("authority", None, "authority"),
    "AdminChanged(address,address)": ("proxy admin", "previousAdmin", "newAdmin"),
    "AdminTransferred(address,address)": ("admin", "oldAdmin", "newAdmin"),
    "NewAdmin(address,address)": ("admin", "oldAdmin", "newAdmin"),
    "NewAdmin(address)": ("admin", None, "newAdmin"),
    "NewPendingAdmin(address,address)": ("pending admin", "oldPendingAdmin", "newPendingAdmin"),
    "NewPendingAdmin(address)": ("pending admin", None, "newPendingAdmin"),
    "NewGuardian(address,address)": ("guardian", "oldGuardian", "newGuardian"),
    "NewPauseGuardian(address,address)": (
        "pause guardian",
        "oldPauseGuardian",
        "newPauseGuardian",
    ),
    "NewBorrowCapGuardian(address,address)": (
        "borrow cap guardian",
        "oldBorrowCapGuardian",
        "newBorrowCapGuardian",
    ),
    "NewTreasuryGuardian(address,address)": (
        "treasury guardian",
        "oldTreasuryGuardian",
        "newTreasuryGuardian",
    ),
    "NewAccessControl(address,address)": (
        "access control",
        "oldAccessControlAddress",
        "newAccessControlAddress",
    ),
    "TimelockChange(address,address)": ("timelock", "oldTimelock", "newTimelock"),
    "ACLAdminUpdated(address,address)": ("ACL admin", "oldAddress", "newAddress"),
    "ACLManagerUpdated(address,address)": ("ACL manager", "oldAddress", "newAddress"),
}

_SAFE_EVENTS: dict[str, tuple[str, str, bool]] = {
    "AddedOwner(address)": ("Safe owner", "owner", True),
    "RemovedOwner(address)": ("Safe owner", "owner", False),
    "EnabledModule(address)": ("Safe module", "module", True),
    "DisabledModule(address)": ("Safe module", "module", False),
}

# How a change of the running code is told: old and new implementation by name.
_CODE_EVENTS: dict[str, tuple[str | None, str]] = {
    "Upgraded(address)": (None, "implementation"),
    "BeaconUpgraded(address)": (None, "beacon"),
    "NewImplementation(address,address)": ("oldImplementation", "newImplementation"),
}

OWNER_VIEWS = {
    "owner()": "owner",
    "pendingOwner()": "pending owner",
    "admin()": "admin",
    "pendingAdmin()": "pending admin",
    "guardian()": "guardian",
    "pauseGuardian()": "pause guardian",
    "authority()": "authority",
}
# A governance's own rules: who may do what is worth little if nobody has time to object.
RULE_VIEWS = {
    "getMinDelay()": "minimum delay",
    "delay()": "delay",
    "votingDelay()": "voting delay",
    "votingPeriod()": "voting period",
    "proposalThreshold()": "proposal threshold",
    "quorumNumerator()": "quorum",
    "quorumVotes()": "quorum",
}
CODE_VIEWS = ("implementation()", "comptrollerImplementation()")


@cache
def _role_names() -> dict[str, str]:
    names = {"0x" + keccak(name.encode()).hex(): name for name in _ROLES.split()}
    return {**names, "0x" + "00" * 32: "DEFAULT_ADMIN_ROLE"}


@cache
def _code_slots() -> frozenset[int]:
    labels = ("eip1967.proxy.implementation", "eip1967.proxy.beacon")
    slots = {int.from_bytes(keccak(label.encode()), "big") - 1 for label in labels}
    for label in ("org.zeppelinos.proxy.implementation", "PROXIABLE"):
        slots.add(int.from_bytes(keccak(label.encode()), "big"))
    return frozenset(slots)


@cache
def _admin_slots() -> frozenset[int]:
    slot = int.from_bytes(keccak(b"eip1967.proxy.admin"), "big") - 1
    return frozenset({slot, int.from_bytes(keccak(b"org.zeppelinos.proxy.admin"), "big")})


def role_name(role: str) -> str:
    """Return the name of a role given as 0x and 64 hex digits, or itself if it is unknown."""
    return _role_names().get(role, role)


def role_changes(events: Iterable[DecodedEvent], created: frozenset[str]) -> tuple[RoleChange, ...]:
    """Read the roles and permissions granted and taken away out of events."""
    found: list[RoleChange] = []

    def add(event: DecodedEvent, role: str, account: str, *, granted: bool) -> None:
        change = RoleChange(
            contract=event.contract,
            role=role,
            account=account,
            granted=granted,
            in_new_contract=event.contract in created,
        )
        if change not in found:
            found.append(change)

    for event in events:
        if event.name in ("RoleGranted", "RoleRevoked"):
            role = role_name(_text(event.argument("role")))
            add(event, role, _text(event.argument("account")), granted=event.name == "RoleGranted")
        elif event.name == "RoleAdminChanged":
            role = role_name(_text(event.argument("role")))
            admin = role_name(_text(event.argument("newAdminRole")))
            add(event, f"admin of {role}", admin, granted=True)
        elif event.name in ("PermissionGranted", "PermissionRevoked"):
            where = _text(event.argument("contractAddress"))
            role = f"{_text(event.argument('functionSig'))} on {where}"
            granted = event.name == "PermissionGranted"
            add(event, role, _text(event.argument("account")), granted=granted)
        elif event.signature in _SAFE_EVENTS:
            role, argument, granted = _SAFE_EVENTS[event.signature]
            add(event, role, _text(event.argument(argument)), granted=granted)
    return tuple(found)


def owner_changes(
    events: Iterable[DecodedEvent],
    storage: Iterable[StorageChange],
    views: Iterable[OwnerChange],
    created: frozenset[str],
) -> tuple[OwnerChange, ...]:
    """Join what events, the proxies' admin slots and the views before and after say.

    `views` are the differences of the views themselves; they count first because a
    contract cannot dress them up.
    """
    found: dict[tuple[str, str], OwnerChange] = {}

    def add(change: OwnerChange) -> None:
        known = found.get((change.contract, change.power))
        if known is None:
            found[change.contract, change.power] = change
        elif known.after != change.after:
            # Changed hands twice: first and last holder count.
            found[change.contract, change.power] = OwnerChange(
                contract=change.contract,
                power=change.power,
                before=known.before,
                after=change.after,
                in_new_contract=change.in_new_contract,
            )

    told: dict[tuple[str, str], OwnerChange] = {}
    for change in views:
        told[change.contract, change.power] = change
        add(change)
    for slot in storage:
        if slot.slot in _admin_slots():
            add(
                OwnerChange(
                    contract=slot.contract,
                    power="proxy admin",
                    before=_word_address(slot.before),
                    after=_word_address(slot.after),
                    in_new_contract=slot.contract in created,
                )
            )
    for event in events:
        rule = _OWNER_EVENTS.get(event.signature)
        if rule is None or (event.contract, rule[0]) in told:
            continue
        power, before, after = rule
        add(
            OwnerChange(
                contract=event.contract,
                power=power,
                before=_text(event.argument(before)) if before else "",
                after=_text(event.argument(after)),
                in_new_contract=event.contract in created,
            )
        )
    return tuple(c for c in found.values() if c.before != c.after)


def implementation_changes(
    events: Iterable[DecodedEvent],
    storage: Iterable[StorageChange],
    views: Iterable[CodeChange],
    created: frozenset[str],
) -> tuple[CodeChange, ...]:
    """Join what events, the proxies' slots and the views say about the code behind proxies."""
    found: dict[tuple[str, str], CodeChange] = {}

    def add(contract: str, before: str, after: str) -> None:
        if before != after:
            found.setdefault(
                (contract, after),
                CodeChange(
                    contract=contract,
                    kind=CodeChangeKind.IMPLEMENTATION,
                    before=before,
                    after=after,
                    in_new_contract=contract in created,
                ),
            )

    for slot in storage:
        if slot.slot in _code_slots():
            add(slot.contract, _word_address(slot.before), _word_address(slot.after))
    for change in views:
        add(change.contract, change.before, change.after)
    for event in events:
        rule = _CODE_EVENTS.get(event.signature)
        if rule is not None:
            before, after = rule
            add(
                event.contract,
                _text(event.argument(before)) if before else "",
                _text(event.argument(after)),
            )
    return tuple(found.values())


def _word_address(word: bytes) -> str:
    return "0x" + word[-20:].hex()


def _text(value: Value | None) -> str:
    return "" if value is None else str(value)
