"""Lists a transaction's events and reads token transfers out of them (CAP-67, SEP-41)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from . import model
from .assets import NATIVE, Asset, asset_contract, parse_canonical
from .ledger import Transaction
from .text import string_text

CONTRACT_EVENT_META: Final = 3  # the first TransactionMeta version with contract events
UNIFIED_EVENT_META: Final = 4  # the first with events of classic operations and fees

# How many addresses a token event may have. An asset contract's mint and clawback named the
# administrator before the other account until protocol 23; the last address is always the holder.
_ADDRESS_COUNTS: Final = {
    "transfer": (2, 2),
    "mint": (1, 2),
    "burn": (1, 1),
    "clawback": (1, 2),
    "fee": (1, 1),
}
_TOPIC_STARTS = tuple(f'[{{"symbol":"{name}"'.encode() for name in _ADDRESS_COUNTS)

_topics_decoder = msgspec.json.Decoder(list[Any])
_data_decoder = msgspec.json.Decoder(Any)


class Transfer(NamedTuple):
    """A token event.

    Attributes:
        topic: transfer, mint, burn, clawback or fee.
        sender, receiver: Addresses; None where the topic has none.
        amount: In the token's smallest unit; negative for a refunded fee.
        asset: The Stellar asset, None for a token that is none.
        muxed: The `to_muxed_id` of the event, as SEP-51 (type and value), or None.
    """

    topic: str
    sender: str | None
    receiver: str | None
    amount: int
    asset: Asset | None
    muxed: tuple[str, str] | None


def operation_events(transaction: Transaction) -> Iterator[tuple[int, list[model.ContractEvent]]]:
    """Yield (operation index from 1, its events). Before meta version 4 only Soroban has events."""
    meta = transaction.meta
    if meta.soroban_meta is not None and meta.soroban_meta.events:
        yield 1, meta.soroban_meta.events
    for index, operation in enumerate(meta.operations, start=1):
        if operation.events:
            yield index, operation.events


def read_transfer(event: model.ContractEvent, network_id: bytes) -> Transfer | None:
    """Read a token event; None when the event is not one or its shape is not SEP-41's."""
    raw_topics = bytes(event.body.v0.topics)
    if event.contract_id is None or event.kind != "contract":
        return None
    if not raw_topics.startswith(_TOPIC_STARTS):
        return None
    topics = _topics_decoder.decode(raw_topics)
    topic = topics[0]["symbol"]
    asset = _asset(topic, topics, event.contract_id, network_id)
    addresses = _addresses(topics)
    value = _amount(_data_decoder.decode(event.body.v0.data))
    least, most = _ADDRESS_COUNTS[topic]
    if addresses is None or value is None or not least <= len(addresses) <= most:
        return None
    sender, receiver = _parties(topic, addresses)
    return Transfer(topic, sender, receiver, value[0], asset, value[1])


def _parties(topic: str, addresses: list[str]) -> tuple[str | None, str | None]:
    if topic == "transfer":
        return addresses[0], addresses[1]
    return (None, addresses[-1]) if topic == "mint" else (addresses[-1], None)


def _asset(topic: str, topics: list[Any], contract: str, network_id: bytes) -> Asset | None:
    """Return the asset the last topic names, if the event comes from that asset's contract.

    A fee names none: it is always of the native asset.
    """
    last = topics[-1]
    name = last.get("string") if isinstance(last, dict) else None
    if topic == "fee":
        name = NATIVE.canonical
    asset = parse_canonical(string_text(name)) if name is not None else None
    if asset is None or asset_contract(asset, network_id) != contract:
        return None
    return asset


def _addresses(topics: list[Any]) -> list[str] | None:
    addresses = []
    for place, topic in enumerate(topics[1:], start=2):
        if not isinstance(topic, dict):
            return None
        if "address" in topic:
            addresses.append(topic["address"])
        elif place < len(topics) or "string" not in topic:
            return None
    return addresses


def _amount(data: Any) -> tuple[int, tuple[str, str] | None] | None:
    """Read i128, or a map of `amount` and `to_muxed_id`."""
    if not isinstance(data, dict):
        return None
    if "i128" in data:
        return int(data["i128"]), None
    entries = {
        entry["key"]["symbol"]: entry["val"]
        for entry in data.get("map") or ()
        if isinstance(entry["key"], dict) and "symbol" in entry["key"]
    }
    amount, muxed = entries.get("amount"), entries.get("to_muxed_id")
    if not isinstance(amount, dict) or "i128" not in amount:
        return None
    return int(amount["i128"]), _muxed(muxed)


def _muxed(value: Any) -> tuple[str, str] | None:
    if not isinstance(value, dict):
        return None
    kind, body = next(iter(value.items()))
    return kind, str(body)
