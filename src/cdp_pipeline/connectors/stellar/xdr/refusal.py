"""Turns the kernel's reason for stopping into an `XdrError` that says what, where and why."""

from __future__ import annotations

from cdp_pipeline.connectors.stellar.xdr.errors import XdrError
from cdp_pipeline.connectors.stellar.xdr.kernel import Outcome
from cdp_pipeline.connectors.stellar.xdr.schema import Schema

_NEWER = "the data may be of a newer protocol than this version decodes (27): upgrade CDP Pipeline"
_DAMAGED = "the bytes are damaged or of another type: fetch them again, or check the type's name"

# By `enum Status` of `kernel.c`: code, text, hint.
_REASONS: dict[int, tuple[str, str, str]] = {
    1: (
        "xdr.truncated",
        "ends after {size} bytes, before its value does",
        "the bytes were cut short: fetch them again",
    ),
    2: (
        "xdr.trailing_bytes",
        "ends at byte {offset}, but {size} bytes were given",
        "pass exactly one value; `value_end` finds where a value of a stream ends",
    ),
    3: ("xdr.unknown_arm", "has an unknown arm of `{type}`, {signed}", _NEWER),
    4: ("xdr.unknown_arm", "has an unknown `{type}`, {signed}", _NEWER),
    5: ("xdr.invalid", "has a bool of {detail}, expected 0 or 1", _DAMAGED),
    6: ("xdr.invalid", "has an optional flag of {detail}, expected 0 or 1", _DAMAGED),
    7: ("xdr.invalid", "has padding that is not zero", _DAMAGED),
    8: ("xdr.too_long", "has a length of {detail}, at most {bound} is allowed", _DAMAGED),
    9: ("xdr.too_deep", "is nested deeper than 1500 levels", _DAMAGED),
    10: (
        "xdr.output_too_large",
        "gives more JSON than is allowed",
        "raise `max_json_bytes`, or take parts of the value by `scan`",
    ),
    11: (
        "xdr.no_memory",
        "does not fit into memory with its JSON",
        "free memory, or take parts of the value by `scan`",
    ),
}


def refusal(
    outcome: Outcome, schema: Schema, root: int, skipped_bytes: int, size_bytes: int
) -> XdrError:
    """The error for a walk that stopped; offsets are raised by *skipped_bytes*."""
    code, text, hint = _REASONS[outcome.status]
    path = schema.path(root, outcome.frames)
    type_name = schema.innermost_name(outcome.node, outcome.frames)
    offset = skipped_bytes + outcome.position
    detail = outcome.detail
    reason = text.format(
        type=type_name,
        detail=detail,
        signed=detail - (detail >> 31 << 32),
        bound=outcome.bound,
        offset=offset,
        size=skipped_bytes + size_bytes,
    )
    return XdrError(
        f"`{path}` {reason} (byte {offset})",
        code=code,
        hint=hint,
        offset=offset,
        type_name=type_name,
        path=path,
    )
