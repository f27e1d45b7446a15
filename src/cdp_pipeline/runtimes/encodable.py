"""What of a batch has a form in an encoding, and whether what came back is what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import msgspec

from cdpplugin import Batch, Encoding, OutputPart, Outputs, PluginError

NONE: Mapping[int, PluginError] = MappingProxyType({})


def encodable(
    batch: Batch, encoding: Encoding
) -> tuple[Batch, Sequence[int], dict[int, PluginError]]:
    """Return *batch* in *encoding*, which of its rows that are, and why the others are not."""
    every = range(len(batch))
    try:
        return batch.to(encoding), every, {}
    except PluginError as whole:
        errors: dict[int, PluginError] = {}
        rows = [row for row in every if not _refusal(batch, row, encoding, errors)]
        if len(rows) == len(every):
            return batch.slice(0, 0), (), dict.fromkeys(every, whole)
        return batch.take(rows).to(encoding) if rows else batch.slice(0, 0), rows, errors


def _refusal(batch: Batch, row: int, encoding: Encoding, errors: dict[int, PluginError]) -> bool:
    """Note why row *row* has no form in *encoding*; False if it has one."""
    try:
        batch.slice(row, row + 1).to(encoding)
    except PluginError as error:
        errors[row] = error
        return True
    return False


def readable(
    batch: Batch, rows: Sequence[int], errors: Mapping[int, PluginError]
) -> tuple[Batch, Sequence[int], Mapping[int, PluginError]]:
    """Return what of *batch* is JSON: in one text of many, one garbled payload would garble all.

    Args:
        batch: Messages in JSON.
        rows: Where each stands in the batch that came.
        errors: What is wrong with those of it that are not here.
    """
    garbage: dict[int, PluginError] = {}
    _check_part(batch.payloads.json(), range(len(batch)), garbage, _INPUT_HINT)
    if not garbage:
        return batch, rows, errors
    kept = [row for row in range(len(batch)) if row not in garbage]
    wrong = {rows[row]: error for row, error in garbage.items()}
    return batch.take(kept), [rows[row] for row in kept], {**errors, **wrong}


def divided(batch: Batch, step: int) -> Iterator[tuple[range, Batch]]:
    """Give *batch* in parts of at most *step* rows, each after the rows it has."""
    for start in range(0, len(batch), step):
        rows = range(start, min(start + step, len(batch)))
        yield rows, batch.slice(rows.start, rows.stop)


def joined(
    answers: Sequence[tuple[Sequence[int], Outputs]], errors: Mapping[int, PluginError] = NONE
) -> Outputs:
    """Return the answers to parts of a batch as the answer to the whole.

    Args:
        answers: For each part which rows of the batch it has, and its answer; in order.
        errors: Those of rows that are in no part.
    """
    if len(answers) == 1 and not errors and answers[0][0][0] == 0:
        return answers[0][1]
    parts: list[OutputPart] = []
    failed, dropped = dict(errors), dict[str, int]()
    for rows, outputs in answers:
        parts += [OutputPart(p.batch, [rows[row] for row in p.rows]) for p in outputs.parts]
        failed |= {rows[row]: error for row, error in outputs.errors.items()}
        for reason, count in outputs.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + count
    return Outputs(parts, failed, dropped)


def checked(outputs: Outputs) -> Outputs:
    """Return *outputs*, rows whose payload is no JSON turned into errors."""
    errors: dict[int, PluginError] = {}
    for part in outputs.parts:
        if part.batch.payloads.encoding in ("json", "sep51"):
            _check_part(part.batch.payloads.json(), part.rows, errors, _OUTPUT_HINT)
    return replace(outputs, errors={**outputs.errors, **errors}) if errors else outputs


_check_json = msgspec.json.Decoder(msgspec.Raw).decode
_INPUT_HINT = "look at the stage before this one"
_OUTPUT_HINT = "this is a fault of the plugin; tell its author"


def _check_part(
    payloads: Sequence[bytes], rows: Sequence[int], errors: dict[int, PluginError], hint: str
) -> None:
    for index, payload in enumerate(payloads):
        try:
            _check_json(payload)
            if not payload.isascii():
                payload.decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            errors[rows[index]] = PluginError(
                f"expected a payload in JSON, got something else: {error}",
                code="message.payload_invalid",
                hint=hint,
            )
