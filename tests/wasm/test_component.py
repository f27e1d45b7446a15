"""Components: the same life, limits and errors as core modules, with text across the boundary."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime

from cdp_pipeline.errors import CdpError
from cdp_pipeline.testing.launchers import Launchers, ModuleTarget
from cdpplugin import Batch, JsonPayloads, testing
from tests.wasm import _component
from tests.wasm.conftest import Workshop, batch, codes, ids
from tests.wasm.test_limits import LOOP

TEXT = _component.text
ERROR = """(i32.store8 (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (i32.const {at}))
  (i32.store (i32.const 8) (i32.const {size})) (call $reset) (return (i32.const 0))"""


def compiled(source: str) -> bytes:
    return bytes(wasmtime.wat2wasm(source))


def when_x(body: str) -> str:
    """Code that does *body* if the message's id begins with x."""
    first = "(i32.load8_u (i32.add (local.get $at) (i32.const 7)))"
    return f"(if (i32.eq {first} (i32.const 120)) (then {body}))"


def erring(said: str) -> str:
    """A component whose every message is the error *said*."""
    escaped = "".join(f"\\{byte:02x}" for byte in said.encode())
    data = f'(data (i32.const 2048) "{escaped}")'
    return TEXT(process=ERROR.format(at=2048, size=len(said.encode())), functions=data)


async def test_it_conforms(workshop: Workshop) -> None:
    """A component keeps every rule of the conformance suite that it can be tried on."""
    path = workshop.written(compiled(TEXT()))
    subject = await Launchers({}, workshop.folder).subject(ModuleTarget(str(path)))
    report = await testing.run(subject)
    assert [] == [f"{each.case}: {each.reason}" for each in report.of("failed")]


async def test_a_payload_that_is_no_json_costs_its_own_row(workshop: Workshop) -> None:
    """It never crosses: in one text of many it would garble its neighbours."""
    handle = await workshop.started(compiled(TEXT()))
    texts = [b'{"n":1}', b'{"cut off', b"", b"[" * 2000, b"\xff", b"2"]
    outputs = await handle.process_batch(
        Batch(types="T", payloads=JsonPayloads(texts), ids=[*"abcdef"])
    )
    assert dict.fromkeys(range(1, 5), "message.payload_invalid") == codes(outputs)
    assert ["a", "f"] == ids(outputs)
    assert [0, 5] == list(outputs.parts[0].rows)


GROW = """(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable"""
DEEP = "(func $deep (param i32) (call $deep (i32.add (local.get 0) (i32.const 1))))"


@pytest.mark.parametrize(
    ("body", "functions", "limits", "code"),
    [
        ("unreachable", "", {}, "plugin.trapped"),
        (LOOP, "", {"timeout": "100ms"}, "plugin.timeout"),
        ("(call $deep (i32.const 0))", DEEP, {}, "plugin.stack_exhausted"),
        (LOOP, "", {"fuel": 1_000_000}, "plugin.fuel_exhausted"),
    ],
)
async def test_a_breach_costs_its_own_row(
    workshop: Workshop, body: str, functions: str, limits: dict[str, Any], code: str
) -> None:
    """The row that breaks a limit fails with the limit's code; all others are answered."""
    source = TEXT(process=when_x(body), functions=functions)
    handle = await workshop.started(compiled(source), limits=limits)
    outputs = await handle.process_batch(batch("a", "x", "b"))
    assert {1: code} == codes(outputs)
    assert ["a", "b"] == ids(outputs)
    assert handle.replaced >= 1


async def test_memory_is_bounded(workshop: Workshop) -> None:
    """It cannot have more memory than its limit, from the start or later."""
    handle = await workshop.started(compiled(TEXT(process=when_x(GROW))), limits={"memory": "1MB"})
    outputs = await handle.process_batch(batch("a", "x", "b"))
    assert ({1}, ["a", "b"]) == (set(outputs.errors), ids(outputs))
    with pytest.raises(CdpError) as raised:
        await workshop.launch(compiled(TEXT()), limits={"memory": "64KB"})
    assert "plugin.memory_exceeded" == raised.value.code


async def test_many_memories(workshop: Workshop) -> None:
    """What it may use is not multiplied by parts that have memories of their own."""
    more = "(core module $n (memory 2)) (core instance (instantiate $n))"
    with pytest.raises(CdpError) as raised:
        await workshop.launch(compiled(TEXT(memories=more)), limits={"memory": "1MB"})
    assert "plugin.memory_exceeded" == raised.value.code


@pytest.mark.parametrize(
    ("said", "kind", "code", "message"),
    [
        ("it broke", "PluginError", "plugin.failed", "it broke"),
        ('{"message":"m","code":"c.d"}', "PluginError", "c.d", "m"),
        ('{"message":"m","instruction":"retry"}', "Retry", "plugin.retry", "m"),
        ('{"message":"m","instruction":"fatal"}', "Fatal", "plugin.fatal", "m"),
    ],
)
async def test_errors(workshop: Workshop, said: str, kind: str, code: str, message: str) -> None:
    """An `err` is the row's error, with the instruction that it names."""
    handle = await workshop.started(compiled(erring(said)))
    error: Any = (await handle.process_batch(batch("a"))).errors[0]
    assert (kind, code, message) == (type(error).__name__, error.code, error.message)


async def test_a_drop(workshop: Workshop) -> None:
    """An `err` that says drop leaves the message out, counted by its reason."""
    handle = await workshop.started(compiled(erring('{"message":"small","instruction":"drop"}')))
    assert {"small": 2} == (await handle.process_batch(batch("a", "b"))).dropped


BATCH = """(func (export "process-batch") (param $at i32) (param $size i32) (result i32)
  (call $ok (i32.const 2048) (i32.const {size})))"""


@pytest.mark.parametrize("answer", ["[]", "[{}]", "nonsense", '[{"outputs":1},{}]', "[{},{},{}]"])
async def test_a_batch_answered_with_nonsense(workshop: Workshop, answer: str) -> None:
    """Anything but one answer for each message fails every row of the batch, one by one."""
    escaped = "".join(f"\\{byte:02x}" for byte in answer.encode())
    source = TEXT(
        functions=f'(data (i32.const 2048) "{escaped}")' + BATCH.format(size=len(answer)),
        lifts=_component.lifted(
            "process-batch", f'(param "messages" string) (result {_component.RESULT})'
        ),
    )
    handle = await workshop.started(compiled(source))
    outputs = await handle.process_batch(batch("a", "b"))
    expected = {} if answer == "[{}]" else dict.fromkeys(range(2), "plugin.answer_invalid")
    assert expected == codes(outputs)


class TestLoading:
    async def refusal(self, workshop: Workshop, source: str) -> CdpError:
        with pytest.raises(CdpError) as raised:
            await workshop.launch(compiled(source))
        return raised.value

    async def test_a_function_of_another_type(self, workshop: Workshop) -> None:
        """`metadata` that gives a number instead of text is refused, not a crash."""
        source = TEXT().replace('(func (export "metadata") (result string)', "(func", 1)
        wrong = """(func (export "metadata") (result u32)
          (canon lift (core func $i "metadata")))"""
        broken = source.replace('(canon lift (core func $i "metadata") (memory $memory)))', "", 1)
        broken = broken.replace("(func\n", wrong + "\n", 1)
        error = await self.refusal(workshop, broken)
        assert error.code in ("plugin.answer_invalid", "plugin.metadata_invalid")

    async def test_missing_exports(self, workshop: Workshop) -> None:
        """A component that exports nothing of the world is refused, and what is missing named."""
        error = await self.refusal(workshop, "(component)")
        assert ("plugin.export_missing", True) == (error.code, "`metadata`" in error.message)

    @pytest.mark.parametrize(
        "wanted",
        ['(import "my:own/thing@1.0.0" (instance))', '(import "reboot" (func))'],
    )
    async def test_unknown_imports(self, workshop: Workshop, wanted: str) -> None:
        """A component that wants what no guest is given is refused before it runs."""
        source = TEXT(imports=wanted.replace("(instance)", '(instance (export "f" (func)))'))
        error = await self.refusal(workshop, source)
        assert "plugin.import_unknown" == error.code
        assert error.message.split("`")[1] in ("my:own/thing@1.0.0", "reboot")
