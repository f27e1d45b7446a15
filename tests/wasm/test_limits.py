"""Every limit: its own error code, the instance replaced, the neighbours answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cdp_pipeline.errors import PluginFault
from tests.wasm import _wat
from tests.wasm.conftest import Workshop, batch, codes, ids

LOOP = "(loop $l (br $l))"
RECURSE = "(call $deep (i32.const 0))"
DEEP = "(func $deep (param i32) (call $deep (i32.add (local.get 0) (i32.const 1))))"
GROW = (
    "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))"
    "(call $answer (i32.const 6) (i32.const 0) (i32.const 0)) (drop) unreachable"
)
FAILURE = _wat.exported("failure", "(i32.const 0)")


def bad_when_x(body: str, **parts: str) -> str:
    """An echo that does *body* for messages whose id begins with x."""
    process = _wat.processing(_wat.when_asked("x", body))
    return _wat.text(process=process, **parts)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (bad_when_x(LOOP), "plugin.timeout"),
        (bad_when_x(RECURSE, deep=DEEP), "plugin.stack_exhausted"),
        (bad_when_x(GROW, failure=FAILURE), "plugin.memory_exceeded"),
        (bad_when_x("unreachable"), "plugin.trapped"),
        (bad_when_x("(drop (i32.div_u (i32.const 1) (i32.const 0)))"), "plugin.trapped"),
        (
            bad_when_x(
                "(return (call $answer (i32.const 0) (i32.const 0)"
                " (i32.mul (memory.size) (i32.const 65536))))"
            ),
            "plugin.output_too_large",
        ),
    ],
)
async def test_a_breach_costs_its_own_row(workshop: Workshop, source: str, code: str) -> None:
    """The row that breaks a limit fails with the limit's code; all others are answered."""
    limits = {"timeout": "100ms", "memory": "1MB", "output": "64KB"}
    handle = await workshop.started(source, limits=limits)
    outputs = await handle.process_batch(batch("a", "b", "x", "c", "d"))
    assert {2: code} == codes(outputs)
    assert ["a", "b", "c", "d"] == ids(outputs)
    assert [0, 1, 3, 4] == [row for part in outputs.parts for row in part.rows]
    assert handle.replaced >= 1
    assert ["e"] == ids(await handle.process_batch(batch("e")))


@pytest.mark.parametrize("place", ["metadata", "_initialize", "alloc", "configure", "start"])
async def test_a_loop_before_the_work_ends(
    workshop: Workshop, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guest that loops before it is given anything does not hang its host."""
    from cdp_pipeline.runtimes.wasm import metadata, pool, program

    for module in (metadata, pool, program):
        monkeypatch.setattr(module, "START_S", 0.1)
    bodies = {
        "_initialize": f'(func (export "_initialize") {LOOP})',
        "metadata": _wat.exported("metadata", f"{LOOP} (i32.const 0)"),
        "alloc": _wat.exported("alloc", f"{LOOP} (i32.const 0)", "(param i32)"),
        "configure": _wat.exported("configure", f"{LOOP} (i32.const 0)", "(param i32 i32)"),
        "start": _wat.exported("start", f"{LOOP} (i32.const 0)", "(param i32 i32)"),
    }
    source = _wat.text(**{place: bodies[place]})
    if place == "alloc":
        handle = await workshop.started(source, limits={"timeout": "100ms"})
        assert {0: "plugin.timeout"} == codes(await handle.process_batch(batch("a")))
        return
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one depends on the place
        await workshop.started(source)
    error: Any = raised.value
    assert "plugin.timeout" == error.code


async def test_fuel_is_the_same_each_time(workshop: Workshop) -> None:
    """What needs more instructions than it has is ended, at the same place in every run."""
    count = "(local.set $size (i32.const 0)) (loop $l (local.set $size (i32.add (local.get $size)"
    count += " (i32.const 1))) (br_if $l (i32.lt_u (local.get $size) (i32.const 100000))))"
    source = bad_when_x(count)
    scarce = await workshop.started(source, limits={"fuel": 100_000})
    for _ in range(3):
        outputs = await scarce.process_batch(batch("a", "x", "b"))
        assert {1: "plugin.fuel_exhausted"} == codes(outputs)
    plenty = await workshop.started(source, limits={"fuel": 10_000_000})
    assert {} == codes(await plenty.process_batch(batch("a", "b")))


async def test_memory_is_that_of_all_instances(workshop: Workshop) -> None:
    """`memory` is shared out over the instances that a plugin may have."""
    source = _wat.text(memory='(memory (export "memory") 10)')
    await workshop.started(source, limits={"memory": "1MB"}, workers=1)
    with pytest.raises(PluginFault, match="needs more memory from the start") as raised:
        await workshop.started(source, limits={"memory": "1MB"}, workers=2)
    assert "plugin.memory_exceeded" == raised.value.code
    handle = await workshop.started(source, limits={"memory": "1MB", "instances": 1}, workers=2)
    assert ["a"] == ids(await handle.process_batch(batch("a")))


async def test_what_holds_each_limit_is_said(workshop: Workshop) -> None:
    """A handle names the mechanism of each limit, and that of what WebAssembly does not hold."""
    limits = {"memory": "4MB", "cpu": 0.5, "pids": 1, "files": 9}
    found = (await workshop.started(_wat.text(), limits=limits)).confinement
    assert ("wasmtime", "duty cycle", "epoch") == (found["memory"], found["cpu"], found["timeout"])
    assert "WebAssembly" == found["file access"]
    assert "not enforced" == found["files"]


async def test_cpu_makes_the_next_call_wait(workshop: Workshop) -> None:
    """A guest that uses up its share waits; what it uses stays within it."""
    spin = "(local.set $size (i32.const 0)) (loop $l (local.set $size (i32.add (local.get $size)"
    spin += " (i32.const 1))) (br_if $l (i32.lt_u (local.get $size) (i32.const 30000000))))"
    handle = await workshop.started(bad_when_x(spin), limits={"cpu": 0.05})
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while handle.cpu_s < 0.3:
        await handle.process_batch(batch("x"))
    spent_s, before_last = loop.time() - begun, handle.cpu_s
    assert before_last <= 0.05 * (spent_s + 1.0) + 0.25  # a bucket, and the last call


async def test_a_stateful_guest_is_not_asked_again(workshop: Workshop) -> None:
    """With its instance a stateful plugin's state is gone: the run ends, and nothing is guessed."""
    source = _wat.text({"stateful": True}, process=_wat.processing("unreachable"))
    handle = await workshop.started(source)
    outputs = await handle.process_batch(batch("a", "b"))
    assert {0: "plugin.trapped", 1: "plugin.trapped"} == codes(outputs)
    with pytest.raises(Exception, match="lost its state") as raised:
        await handle.process_batch(batch("c"))
    error: Any = raised.value
    assert "plugin.state_lost" == error.code


async def test_two_calls_run_at_once(workshop: Workshop) -> None:
    """With two workers two guests compute at the same time."""
    spin = "(local.set $size (i32.const 0)) (loop $l (local.set $size (i32.add (local.get $size)"
    spin += " (i32.const 1))) (br_if $l (i32.lt_u (local.get $size) (i32.const 200000000))))"
    said = "(call $log (i32.const 1) (i32.const {at}) (i32.const 5))"
    source = _wat.text(
        imports='(import "cdp" "log" (func $log (param i32 i32 i32)))',
        data={16: "begin", 32: "ended"},
        process=_wat.processing(said.format(at=16) + spin + said.format(at=32)),
    )
    handle = await workshop.started(source, workers=2)
    await asyncio.gather(*(handle.process_batch(batch(name)) for name in "ab"))
    assert ["begin", "begin", "ended", "ended"] == workshop.log.messages
