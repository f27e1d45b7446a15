"""A processor answers each batch soundly, whatever is in it and however it is cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cdpplugin.batch import Batch
from cdpplugin.testing.bench import Bench
from cdpplugin.testing.case import Skipped, case, equal, require
from cdpplugin.testing.checks import answer, outcomes, sound
from cdpplugin.testing.samples import batch_for, samples


@case("processor")
async def empty(bench: Bench) -> None:
    """A batch of no messages gets an answer of no messages."""
    handle = await bench.shared()
    outputs = await handle.process_batch(Batch.empty())
    equal([], sound(outputs, 0, bench.metadata), "the outputs")


@case("processor")
async def sampled(bench: Bench) -> None:
    """Messages that the plugin takes are answered: outputs, drops or errors, row by row."""
    handle = await bench.shared()
    batch = batch_for(bench, samples(bench))
    outputs = await handle.process_batch(batch)
    sound(outputs, len(batch), bench.metadata)
    errors = outputs.errors
    if bench.subject.messages or bench.is_reference:
        require(not errors, f"sample messages failed: {dict(errors)}")
    elif errors:
        first = next(iter(errors.values()))
        bench.note(f"made-up messages fail ({first}): give samples of its own to test more")


@case("processor")
async def one_row(bench: Bench) -> None:
    """What comes of a message does not depend on the batch it comes in."""
    _require_stateless(bench)
    handle = await bench.shared()
    batch = batch_for(bench, samples(bench))
    whole = await answer(handle, batch, bench.metadata)
    for row, expected in enumerate(whole):
        [got] = await answer(handle, batch.slice(row, row + 1), bench.metadata)
        equal(expected, got, f"what comes of row {row} alone")


@case("processor")
async def repeated(bench: Bench) -> None:
    """The same batch gets the same answer a second time, unless the plugin is stateful."""
    _require_stateless(bench)
    handle = await bench.shared()
    batch = batch_for(bench, samples(bench))
    first, second = [await handle.process_batch(batch) for _ in range(2)]
    expected, got = (_read(bench, each, len(batch)) for each in (first, second))
    equal(expected[0], got[0], "the second answer")
    if expected[1] != got[1]:
        bench.note("ids differ each time: leave them empty, and a replay doubles nothing")


def _read(bench: Bench, outputs: Any, rows: int) -> tuple[list[Any], list[str]]:
    found = sound(outputs, rows, bench.metadata)
    return outcomes(outputs, found, rows), [each.id for each in found]


@case("processor")
async def ids(bench: Bench) -> None:
    """No two outputs of a batch share an id that is not empty, unless they are of two types."""
    handle = await bench.shared()
    batch = batch_for(bench, samples(bench))
    found = sound(await handle.process_batch(batch), len(batch), bench.metadata)
    named = [(each.type, each.id) for each in found if each.id]
    twice = sorted({each for each in named if named.count(each) > 1})
    require(not twice, f"ids that stand twice: {twice[:10]}")


@case("processor")
async def passing(bench: Bench) -> None:
    """A message that passes with its id keeps its trace id, and its metadata may only grow."""
    handle = await bench.shared()
    messages = samples(bench)
    batch = batch_for(bench, messages)
    found = sound(await handle.process_batch(batch), len(batch), bench.metadata)
    passed = [each for each in found if each.id == messages[each.row].id]
    if not passed:
        raise Skipped("no message passes with its id")
    for each in passed:
        given = messages[each.row]
        equal(given.trace_id, each.trace_id, f"the trace id of row {each.row}")
        lost = sorted(set(given.metadata) - set(each.metadata))
        require(not lost, f"row {each.row} has lost the metadata {lost}")


@case("processor")
async def given_batch(bench: Bench) -> None:
    """The batch that was handed over is not changed by the plugin."""
    handle = await bench.shared()
    batch = batch_for(bench, samples(bench))
    before = _held(batch)
    await handle.process_batch(batch)
    equal(before, _held(batch), "the batch afterwards")


def _held(batch: Batch) -> Sequence[Any]:
    metadata = [repr(each) for each in batch.metadata]
    columns = (batch.ids, batch.types, batch.sources, batch.trace_ids, batch.payloads.json())
    return [metadata, *map(list, columns)]


def _require_stateless(bench: Bench) -> None:
    if bench.metadata.stateful:
        raise Skipped("the plugin is stateful: answers depend on what came before")
