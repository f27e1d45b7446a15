"""The `contract_events` table: every event, as in Hubble's history_contract_events.

Per transaction: its own events, those of its operations, then diagnostic events where the meta
has them. Values are given as base64 XDR and decoded as SEP-51 JSON text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pyarrow as pa

from . import model
from .errors import LedgerUnreadable
from .events import operation_events
from .ledger import Ledger, Transaction
from .schemas import record_batch
from .scval import base64_text, event_values

SPANS = ("TransactionMeta", "ContractEvent")
# ContractEventType numbers.
_TYPES: Final = {"system": 0, "contract": 1, "diagnostic": 2}
_TYPE_STRINGS: Final = {name: f"ContractEventType{name.capitalize()}" for name in _TYPES}
# A DiagnosticEvent is a bool before the event; `contract_event_xdr` is one.
_IN_CALL, _NOT_IN_CALL = (1).to_bytes(4, "big"), bytes(4)

Span = tuple[int, int]


class Found(NamedTuple):
    """An event, its bytes and its place: operation 0 is the transaction; both count from 1."""

    event: model.ContractEvent
    span: Span
    operation: int
    number: int
    in_successful_call: bool


def contract_events_batch(ledger: Ledger) -> tuple[pa.RecordBatch, list[str]]:
    """Return the rows and the id suffix of each."""
    rows: list[tuple[Any, ...]] = []
    suffixes: list[str] = []
    metas = ledger.all_spans("TransactionMeta")
    for transaction, (start, end) in zip(ledger.transactions, metas, strict=True):
        spans = ledger.spans_within("ContractEvent", start, end)
        for found in _events(transaction, spans):
            rows.append(_row(ledger, transaction, found))
            suffixes.append(f":{transaction.order}:{found.operation}:{found.number}")
    constants = {"closed_at": ledger.closed_at_us, "ledger_sequence": ledger.sequence}
    return record_batch("contract_events", rows, constants), suffixes


def _events(transaction: Transaction, spans: list[Span]) -> Iterator[Found]:
    """Pair events with their bytes, which lie in the order: operations, transaction, diagnostic."""
    meta = transaction.meta
    by_operation = list(operation_events(transaction))
    diagnostic = meta.diagnostic_events or (
        meta.soroban_meta.diagnostic_events if meta.soroban_meta else []
    )
    first_own = sum(len(events) for _, events in by_operation)
    first_diagnostic = first_own + len(meta.events)
    if first_diagnostic + len(diagnostic) != len(spans):
        raise LedgerUnreadable(
            f"transaction `{transaction.hash}`: {first_diagnostic + len(diagnostic)} events "
            f"expected, {len(spans)} byte ranges found"
        )
    for index, own in enumerate(meta.events):
        yield Found(own.event, spans[first_own + index], 0, index + 1, True)
    place = iter(spans)
    for operation, events in by_operation:
        for index, event in enumerate(events, start=1):
            yield Found(event, next(place), operation, index, True)
    for index, each in enumerate(diagnostic):
        span = spans[first_diagnostic + index]
        number = len(meta.events) + index + 1
        yield Found(each.event, span, 0, number, each.in_successful_contract_call)


def _row(ledger: Ledger, transaction: Transaction, found: Found) -> tuple[Any, ...]:
    event, (start, end) = found.event, found.span
    body = event.body.v0
    topics, data = event_values(ledger.xdr, start, end)
    in_call = _IN_CALL if found.in_successful_call else _NOT_IN_CALL
    return (
        transaction.hash,
        transaction.id,
        transaction.successful,
        found.in_successful_call,
        event.contract_id or "",
        _TYPES[event.kind],
        _TYPE_STRINGS[event.kind],
        topics,
        str(body.topics, "utf-8"),
        data,
        str(body.data, "utf-8"),
        base64_text(in_call + ledger.xdr[start:end]),
        transaction.id + found.operation if found.operation else None,
    )
