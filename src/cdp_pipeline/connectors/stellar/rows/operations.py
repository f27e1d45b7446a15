"""The `operations` table: one row an operation, in application order."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa

from . import model, strkey, transactions
from .errors import LedgerUnreadable
from .ledger import Ledger, Transaction
from .operation_details import READERS, TYPE_NUMBERS, Context, reserves, soroban
from .schemas import record_batch
from .text import camel

SPANS = (*transactions.SPANS, *soroban.SPANS)

_body_decoder = msgspec.json.Decoder(Any)
_details_encoder = msgspec.json.Encoder()
# A passive offer's result is that of a sell offer, also in name.
_RESULT_TYPES = {"create_passive_sell_offer": "manage_sell_offer"}
_SPONSORED_ENTRY = b'"sponsoring_id":"'
_TYPED_BODIES = frozenset({"invoke_host_function"})


def operations_batch(ledger: Ledger) -> pa.RecordBatch:
    """Return a row per operation; envelopes must be matched."""
    rows = []
    for transaction in ledger.transactions:
        sponsors = transaction.successful and transaction.meta_mentions(_SPONSORED_ENTRY)
        for index, operation in enumerate(transaction.body.operations):
            context = Context(ledger, transaction, index, mentions_sponsors=sponsors)
            rows.append(_row(context, operation))
    constants = {"closed_at": ledger.closed_at_us, "ledger_sequence": ledger.sequence}
    return record_batch("operations", rows, constants)


def _row(context: Context, operation: model.Operation) -> tuple[Any, ...]:
    transaction, index = context.transaction, context.index
    name, body = _named_body(operation.body)
    account, muxed_id = strkey.muxed_parts(context.source)
    return (
        account,
        None if muxed_id is None else context.source,
        TYPE_NUMBERS[name],
        name,
        _details(name, body, context),
        transaction.id,
        transaction.id + index + 1,
        *_codes(transaction, index),
    )


def _named_body(body: str | dict[str, msgspec.Raw]) -> tuple[str, Any]:
    name, raw = (body, None) if isinstance(body, str) else next(iter(body.items()))
    if name not in READERS:
        raise LedgerUnreadable(f"operation type `{name}` is not known")
    if raw is None or name in _TYPED_BODIES:
        return name, raw
    return name, _body_decoder.decode(raw)


def _details(name: str, body: Any, context: Context) -> str:
    details = READERS[name](body, context)
    sponsor = reserves.sponsor(details, context)
    if sponsor is not None:
        details["sponsor"] = sponsor
    return _details_encoder.encode(details).decode()


def _codes(transaction: Transaction, index: int) -> tuple[str, str]:
    """Result code of the operation and, if it ran, the code of its own type of result."""
    results = transaction.operation_results
    if index >= len(results):
        return "", ""
    result = results[index]
    if isinstance(result, str):
        return f"OperationResultCode{camel(result)}", ""
    name, raw = next(iter(result.op_inner.items()))
    return "OperationResultCodeOpInner", trace_code(name, bytes(raw))


def trace_code(name: str, raw: bytes) -> str:
    """Name a result by its type and arm; `raw` is `"no_trust"`, or `{"success":...}`."""
    start = raw.index(b'"') + 1
    return _constant(name, raw[start : raw.index(b'"', start)])


@lru_cache(maxsize=1024)
def _constant(name: str, arm: bytes) -> str:
    kind = camel(_RESULT_TYPES.get(name, name))
    return f"{kind}ResultCode{kind}{camel(arm.decode())}"
