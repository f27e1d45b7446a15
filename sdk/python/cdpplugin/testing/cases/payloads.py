"""A payload may hold anything, or nothing that makes sense: it costs its own row at most."""

from __future__ import annotations

from typing import Any

from cdpplugin.errors import Fatal, Retry
from cdpplugin.outputs import OutputPart, Outputs
from cdpplugin.testing.bench import Bench
from cdpplugin.testing.case import case, equal, require
from cdpplugin.testing.checks import answer, outcomes, sound
from cdpplugin.testing.samples import (
    AWKWARD,
    TEXTS,
    batch_for,
    garbage_for,
    message,
    nested,
    samples,
)

GARBAGE = (b"", b"\xff\xfe\x00not text", b'{"cut off": [1, 2', b"nul", b"[" * 2000)
SIZE_BYTES = 8 << 20


@case("processor")
async def garbage(bench: Bench) -> None:
    """A payload that is no JSON fails or passes its own row, and the plugin works on."""
    handle = await bench.shared()
    messages = samples(bench, 6)
    expected = await answer(handle, batch_for(bench, messages), bench.metadata)
    for text in GARBAGE:
        batch = garbage_for(bench, messages, text)
        outputs = await handle.process_batch(batch)
        got = outcomes(outputs, sound(_readable(outputs, text), 6, bench.metadata), 6)
        if not bench.metadata.stateful:
            equal(expected[::2], got[::2], f"the rows between those with {text[:20]!r}")
    again = await answer(handle, batch_for(bench, messages), bench.metadata)
    if not bench.metadata.stateful:
        equal(expected, again, "the answer after the garbage")


def _readable(outputs: Any, garbage: bytes) -> Any:
    """Return *outputs* without the rows that pass as they came: those are garbage still."""
    parts = []
    for part in outputs.parts:
        if part.batch.payloads.encoding == "arrow":
            parts.append(part)
            continue
        held = part.batch.payloads.wire_rows()
        kept = [index for index, payload in enumerate(held) if payload != garbage]
        parts.append(OutputPart(part.batch.take(kept), [part.rows[index] for index in kept]))
    return Outputs(parts, outputs.errors, outputs.dropped)


@case("processor")
async def awkward(bench: Bench) -> None:
    """Payloads with any text, number and depth that JSON has are answered."""
    payloads = [AWKWARD, nested(), list(TEXTS), *TEXTS, None, True, 2**64 - 1, -0.5, [], {}]
    await _answered(bench, payloads)


@case("processor")
async def awkward_attributes(bench: Bench) -> None:
    """Ids and metadata with any text are answered."""
    handle = await bench.shared()
    [sample] = samples(bench, 1)
    messages = [
        message(sample.payload, number, id=text, type=sample.type, metadata={text: text})
        for number, text in enumerate(TEXTS)
    ]
    await _sound_or_instruction(bench, handle, messages)


@case("processor")
async def large(bench: Bench) -> None:
    """A payload of 8 MiB is answered."""
    await _answered(bench, [{"text": "x" * SIZE_BYTES}])


async def _answered(bench: Bench, payloads: list[Any]) -> None:
    """Require a sound answer, and that the plugin takes its samples as before."""
    handle = await bench.shared()
    [sample] = samples(bench, 1)
    messages = [message(each, n, type=sample.type) for n, each in enumerate(payloads)]
    await _sound_or_instruction(bench, handle, messages)
    batch = batch_for(bench, samples(bench))
    sound(await handle.process_batch(batch), len(batch), bench.metadata)


async def _sound_or_instruction(bench: Bench, handle: Any, messages: list[Any]) -> None:
    """Require a sound answer; a plugin may also say that it cannot go on, with a reason."""
    batch = batch_for(bench, messages)
    try:
        outputs = await handle.process_batch(batch)
    except (Retry, Fatal) as error:
        require(str(error).strip(), f"{type(error).__name__} gives no reason")
        status = await handle.health()
        require(status.status != "unhealthy", f"{error}: {status.message}")
        bench.note(f"answers unusual payloads with {type(error).__name__}: {error}")
        return
    sound(outputs, len(batch), bench.metadata)
