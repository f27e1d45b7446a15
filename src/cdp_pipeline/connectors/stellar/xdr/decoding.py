"""The calls: XDR bytes in; JSON, byte ranges or an error out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cdp_pipeline.connectors.stellar.xdr.kernel import (
    LARGEST_OUTPUT_BYTES,
    MAY_END_EARLY,
    SKIP_PLAIN,
    WITH_JSON,
    Outcome,
    borrowed_kernel,
)
from cdp_pipeline.connectors.stellar.xdr.refusal import refusal
from cdp_pipeline.connectors.stellar.xdr.schema import load_schema

MAX_JSON_BYTES = 1024 * 1024 * 1024


class Span(NamedTuple):
    """Where one value of a type lies: ``xdr[start:end]`` is its own XDR."""

    type_name: str
    start: int
    end: int


@dataclass(frozen=True)
class Decoded:
    """One value as SEP-51 JSON (ASCII, no white space), and the spans asked for."""

    json: bytes
    spans: list[Span]


def to_sep51(
    xdr: bytes | bytearray | memoryview,
    type_name: str = "LedgerCloseMeta",
    *,
    max_json_bytes: int = MAX_JSON_BYTES,
) -> bytes:
    """The value as SEP-51 XDR-JSON (version 2.0.1): keys in wire order, no white space.

    Raises `XdrError` unless *xdr* is exactly one value of the type.
    """
    return decode(xdr, type_name, max_json_bytes=max_json_bytes).json


def decode(
    xdr: bytes | bytearray | memoryview,
    type_name: str = "LedgerCloseMeta",
    spans: Sequence[str] = (),
    *,
    max_json_bytes: int = MAX_JSON_BYTES,
) -> Decoded:
    """The value as JSON, with the places of all values of the types named in *spans*.

    Spans come in the order in which values begin, the outer before the inner. A typedef is
    recorded under its own name (`AccountID`, not `PublicKey`), and nothing is recorded inside
    types that SEP-51 writes as one string, such as `SCAddress`.
    Raises `XdrError` unless *xdr* is exactly one value of the type.
    """
    limit = min(max_json_bytes, LARGEST_OUTPUT_BYTES)
    outcome = _walk(memoryview(xdr).cast("B"), type_name, spans, WITH_JSON, limit)
    return Decoded(outcome.json, _named(outcome))


def scan(
    xdr: bytes | bytearray | memoryview,
    type_name: str = "LedgerCloseMeta",
    spans: Sequence[str] = (),
) -> list[Span]:
    """As `decode`, without the JSON: just as strict, several times as fast."""
    return _named(_walk(memoryview(xdr).cast("B"), type_name, spans, 0))


def value_end(
    xdr: bytes | bytearray | memoryview, offset: int = 0, type_name: str = "LedgerCloseMeta"
) -> int:
    """Where the value that starts at *offset* ends; what follows is not looked at.

    For streams of values without framing. `XdrError` with code ``xdr.truncated`` means that
    more bytes are needed; offsets in errors count from the start of *xdr*.
    """
    view = memoryview(xdr).cast("B")[offset:]
    return offset + _walk(view, type_name, (), MAY_END_EARLY, skipped_bytes=offset).position


def _walk(
    xdr: memoryview,
    type_name: str,
    spans: Sequence[str],
    mode: int,
    output_limit: int = 0,
    skipped_bytes: int = 0,
) -> Outcome:
    schema = load_schema()
    root = schema.number(type_name)
    selected = frozenset(map(schema.number, spans))
    if not any(map(schema.is_plain, selected)):
        mode |= SKIP_PLAIN
    with borrowed_kernel() as kernel:
        outcome = kernel.walk(xdr, root, selected, mode, output_limit)
    if outcome.status:
        raise refusal(outcome, schema, root, skipped_bytes, len(xdr))
    return outcome


def _named(outcome: Outcome) -> list[Span]:
    names = load_schema().names
    return [Span(names[node], start, end) for node, start, end in outcome.spans]
