"""Checks that several cases share: is an answer sound, do two answers say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdpplugin.errors import PluginError
from cdpplugin.metadata import PluginMetadata
from cdpplugin.outputs import OutputPart, Outputs
from cdpplugin.payloads import PayloadInvalid, decode_json, encode_json
from cdpplugin.testing.case import fail, require


@dataclass(frozen=True, slots=True)
class Output:
    """One output, read whole."""

    row: int
    id: str
    type: str
    payload: Any
    metadata: Mapping[str, Any]
    trace_id: str


def sound(outputs: Any, rows: int, metadata: PluginMetadata) -> list[Output]:
    """Return every output in the order of its input row, once the answer is known to be sound.

    Raises:
        Failed: It names rows that are not there or out of order, an error row has outputs,
            or an output holds what no message may hold.
    """
    require(isinstance(outputs, Outputs), f"expected Outputs, got {type(outputs).__name__}")
    for part in outputs.parts:
        _check_rows(part, rows)
    _check_errors(outputs, rows)
    found = [each for part in outputs.parts for each in _read(part, metadata)]
    return sorted(found, key=lambda each: each.row)


def _check_rows(part: OutputPart, rows: int) -> None:
    named, held = list(part.rows), len(part.batch)
    require(len(named) == held, f"{held} outputs name {len(named)} input rows")
    require(named == sorted(named), f"the rows of outputs decrease: {named[:20]}")
    beyond = [row for row in named if not 0 <= row < rows]
    require(not beyond, f"outputs name rows {beyond[:20]} of a batch of {rows}")


def _check_errors(outputs: Outputs, rows: int) -> None:
    beyond = [row for row in outputs.errors if not 0 <= row < rows]
    require(not beyond, f"errors name rows {beyond[:20]} of a batch of {rows}")
    with_outputs = {row for part in outputs.parts for row in part.rows}
    both = sorted(with_outputs & set(outputs.errors))
    require(not both, f"rows {both[:20]} have both an output and an error")
    for row, error in outputs.errors.items():
        require(isinstance(error, PluginError), f"the error of row {row} is no PluginError")
        require(error.code, f"the error of row {row} has no code")
    said = sum(outputs.dropped.values())
    silent = rows - len(with_outputs | set(outputs.errors))
    require(said <= silent, f"{said} rows are called dropped, {silent} have no output or error")


def _read(part: OutputPart, metadata: PluginMetadata) -> list[Output]:
    batch = part.batch
    return [
        Output(
            row,
            _text(batch.ids[index], "id"),
            _typed(batch.types[index], metadata),
            _payload(part, index),
            _object(batch.metadata[index]),
            _text(batch.trace_ids[index], "trace id"),
        )
        for index, row in enumerate(part.rows)
    ]


def _payload(part: OutputPart, index: int) -> Any:
    payloads = part.batch.payloads
    if payloads.encoding not in ("json", "sep51"):
        return payloads.wire_rows()[index] if payloads.encoding == "xdr" else None
    try:
        return decode_json(payloads.json()[index])
    except PayloadInvalid as error:
        fail(f"the payload of output {index} is not JSON: {error}")


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        fail(f"the {what} of an output is `{value!r}`, expected text")
    return value


def _typed(value: Any, metadata: PluginMetadata) -> str:
    kind = _text(value, "type")
    require(kind, "an output has no type")
    declared = metadata.output_types
    require(
        not declared or kind in declared,
        f"an output is of type `{kind}`, the metadata name {list(declared)}",
    )
    return kind


def _object(value: Any) -> Mapping[str, Any]:
    require(isinstance(value, Mapping), f"the metadata of an output are `{value!r}`")
    plain: Mapping[str, Any] = decode_json(encode_json(dict(value)))
    return plain


def outcomes(outputs: Outputs, found: Sequence[Output], rows: int) -> list[Any]:
    """Return for each input row what came of it, ids and metadata left aside."""
    by_row: list[Any] = [[] for _ in range(rows)]
    for each in found:
        by_row[each.row].append((each.type, each.payload))
    for row, error in outputs.errors.items():
        by_row[row] = (type(error).__name__, error.code)
    return by_row


async def answer(handle: Any, batch: Any, metadata: PluginMetadata) -> list[Any]:
    """Return for each row of *batch* what came of it, once the answer is known to be sound."""
    outputs = await handle.process_batch(batch)
    return outcomes(outputs, sound(outputs, len(batch), metadata), len(batch))
