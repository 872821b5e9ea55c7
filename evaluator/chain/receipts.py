"""What the chain hands back: logs and receipts as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ZERO = "0x" + "00" * 20


@dataclass(frozen=True, kw_only=True)
class Log:
    """One event log."""

    address: str  # emitting contract, lower-case
    topics: tuple[bytes, ...]  # 32 bytes each
    data: bytes  # the parts that are not indexed
    block: int  # block number
    tx_hash: str  # 0x-prefixed, 32 bytes
    index: int  # position within its block
    block_hash: str  # 0x-prefixed, 32 bytes; "" in simulations

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Log:
        """Read a log of a JSON-RPC answer. Raises KeyError or ValueError if it is none."""
        return cls(
            address=str(item["address"]).lower(),
            topics=tuple(unhex(topic) for topic in item["topics"]),
            data=unhex(item["data"]),
            block=int(item.get("blockNumber") or "0x0", 16),
            tx_hash=str(item.get("transactionHash") or ""),
            index=int(item.get("logIndex") or "0x0", 16),
            block_hash=str(item.get("blockHash") or ""),
        )


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """One mined transaction."""

    tx_hash: str  # 0x-prefixed, 32 bytes
    block: int  # block number
    status: int  # 1 success, 0 reverted
    gas_used: int  # gas units
    gas_price: int  # wei a unit of gas, as paid
    logs: tuple[Log, ...]
    contract_address: str | None  # what was deployed, lower-case
    sender: str  # lower-case
    to: str | None  # lower-case; None for a deployment

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Receipt:
        """Read a receipt of a JSON-RPC answer. Raises KeyError or ValueError if it is none."""
        created = item.get("contractAddress")
        to = item.get("to")
        return cls(
            tx_hash=str(item["transactionHash"]),
            block=int(item["blockNumber"], 16),
            status=int(item["status"], 16),
            gas_used=int(item["gasUsed"], 16),
            gas_price=int(item.get("effectiveGasPrice") or "0x0", 16),
            logs=tuple(Log.from_json(log) for log in item["logs"]),
            contract_address=str(created).lower() if created else None,
            sender=str(item["from"]).lower(),
            to=str(to).lower() if to else None,
        )


def unhex(text: str) -> bytes:
    """Turn 0x-prefixed hex into bytes."""
    return bytes.fromhex(text[2:] if text.startswith("0x") else text)


def word(value: int | bytes) -> str:
    """Write a storage word as 0x-prefixed 32 bytes."""
    return (
        "0x"
        + (value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\0")).hex()
    )
