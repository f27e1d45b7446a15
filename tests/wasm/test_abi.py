"""A guest that breaks the ABI: refused, or its row fails; nothing outside its memory is touched."""

from __future__ import annotations

from typing import Any

import pytest

from cdp_pipeline.errors import CdpError
from cdpplugin import ConfigInvalid
from tests.wasm import _wat
from tests.wasm.conftest import Workshop, batch, codes, ids

END = "(i32.mul (memory.size) (i32.const 65536))"
ANSWER = "(return (call $answer {}))"


async def refusal(workshop: Workshop, source: str | bytes) -> CdpError:
    with pytest.raises(CdpError) as raised:
        await workshop.launch(source)
    return raised.value


class TestLoading:
    @pytest.mark.parametrize(
        "code",
        [b"", b"not wasm at all", b"\0asm", b"\0asm\x02\0\0\0", b"\0asm\x01\0\0\0\x05\x03"],
        ids=["empty", "text", "cut", "version", "torn"],
    )
    async def test_what_is_no_webassembly(self, workshop: Workshop, code: bytes) -> None:
        """A file that is no WebAssembly is refused, and named."""
        error = await refusal(workshop, code)
        assert "plugin.not_wasm" == error.code
        assert "guest-1.wasm" in error.where
        assert error.hint

    @pytest.mark.parametrize("missing", ["memory", "alloc", "metadata", "process"])
    async def test_missing_exports(self, workshop: Workshop, missing: str) -> None:
        """A module without what the ABI needs is refused, and what is missing is named."""
        error = await refusal(workshop, without(missing))
        assert ("plugin.export_missing", True) == (error.code, f"`{missing}`" in error.message)

    async def test_an_export_of_another_type(self, workshop: Workshop) -> None:
        """A function with other parameters than the ABI says is refused, with both types."""
        source = _wat.text(alloc='(func (export "alloc") (param i64) (result i32) (i32.const 0))')
        error = await refusal(workshop, source)
        assert "plugin.export_invalid" == error.code
        assert "`(i32) -> (i32)`, got `(i64) -> (i32)`" in error.message

    async def test_a_program(self, workshop: Workshop) -> None:
        """A module with `_start` alone is a program, and refused as one."""
        error = await refusal(workshop, _wat.text(start='(func (export "_start"))'))
        assert ("plugin.export_missing", True) == (error.code, "program" in error.message)

    @pytest.mark.parametrize(
        "wanted",
        [
            '(import "env" "socket" (func))',
            '(import "cdp" "reboot" (func))',
            '(import "env" "base" (global i32))',
            '(import "cdp" "log" (func (param i64)))',
            '(import "wasi_snapshot_preview1" "launch_rockets" (func))',
        ],
    )
    async def test_unknown_imports(self, workshop: Workshop, wanted: str) -> None:
        """A module that wants what no guest is given is refused before it runs."""
        error = await refusal(workshop, _wat.text(imports=wanted))
        assert "plugin.import_unknown" == error.code

    @pytest.mark.parametrize(
        ("says", "code"),
        [
            ({"name": ""}, "plugin.metadata_invalid"),
            ({"type": "source"}, "plugin.metadata_invalid"),
            ({"input_types": "T"}, "plugin.metadata_invalid"),
            ({"input_encoding": "morse"}, "plugin.metadata_invalid"),
            ({"stateful": 1}, "plugin.metadata_invalid"),
            ({"abi": 99}, "plugin.abi_unsupported"),
        ],
    )
    async def test_metadata(self, workshop: Workshop, says: dict[str, Any], code: str) -> None:
        """A guest that does not say what it is, or speaks another ABI, is refused."""
        assert code == (await refusal(workshop, _wat.text(says))).code

    async def test_metadata_that_is_no_json(self, workshop: Workshop) -> None:
        """Metadata that are no JSON object are refused."""
        told = _wat.exported("metadata", "(call $answer (i32.const 0) (i32.const 0) (i32.const 4))")
        error = await refusal(workshop, _wat.text(metadata=told))
        assert "plugin.metadata_invalid" == error.code


def without(part: str) -> str:
    """A guest that lacks *part*."""
    if part == "memory":
        return '(module (func (export "alloc") (param i32) (result i32) (i32.const 1)))'
    return _wat.text(**{part: ""})


class TestAnswers:
    @pytest.mark.parametrize(
        "process",
        [
            f"(return (i32.sub {END} (i32.const 4)))",
            "(return (i32.const -1))",
            ANSWER.format(f"(i32.const 0) {END} (i32.const 1)"),
            ANSWER.format("(i32.const 0) (i32.const -8) (i32.const 16)"),
            ANSWER.format("(i32.const 0) (i32.const 8) (i32.const -1)"),
            ANSWER.format("(i32.const 77) (i32.const 8) (i32.const 0)"),
        ],
        ids=["record", "far", "address", "overflow", "size", "status"],
    )
    async def test_lies(self, workshop: Workshop, process: str) -> None:
        """An answer outside of the memory, or of no known status, costs its row and instance."""
        source = _wat.text(process=_wat.processing(_wat.when_asked("x", process)))
        handle = await workshop.started(source)
        outputs = await handle.process_batch(batch("a", "x", "b"))
        assert {1: "plugin.answer_invalid"} == codes(outputs)
        assert ["a", "b"] == ids(outputs)

    async def test_at_the_very_end(self, workshop: Workshop) -> None:
        """An answer that ends where the memory ends is taken."""
        body = f"""(i32.store (i32.sub {END} (i32.const 12)) (i32.const 0))
          (i32.store (i32.sub {END} (i32.const 8)) (i32.const 0))
          (i32.store (i32.sub {END} (i32.const 4)) (i32.const 0))
          (return (i32.sub {END} (i32.const 12)))"""
        handle = await workshop.started(_wat.text(process=_wat.processing(body)))
        outputs = await handle.process_batch(batch("a"))
        assert ({}, []) == (codes(outputs), ids(outputs))

    @pytest.mark.parametrize(
        ("alloc", "code"),
        [("(i32.const 0)", "plugin.memory_exceeded"), ("(i32.const -16)", "plugin.answer_invalid")],
    )
    async def test_no_room(self, workshop: Workshop, alloc: str, code: str) -> None:
        """A guest without room for a message, or that names room that is none, fails it."""
        source = _wat.text(alloc=_wat.exported("alloc", alloc, "(param i32)"))
        handle = await workshop.started(source)
        assert {0: code} == codes(await handle.process_batch(batch("a")))

    @pytest.mark.parametrize("answer", ['{"id": 1}', "[3]", "[", "\ud83d", '{"metadata": []}'])
    async def test_outputs_that_are_none(self, workshop: Workshop, answer: str) -> None:
        """An answer that is no message fails its row; the instance lives on."""
        data = answer.encode("utf-8", "surrogatepass")
        escaped = "".join(f"\\{byte:02x}" for byte in data)
        body = ANSWER.format(f"(i32.const 0) (i32.const 256) (i32.const {len(data)})")
        source = _wat.text(
            process=_wat.processing(_wat.when_asked("x", body)),
            more=f'(data (i32.const 256) "{escaped}")',
        )
        handle = await workshop.started(source)
        outputs = await handle.process_batch(batch("x", "a"))
        assert {0: "plugin.output_invalid"} == codes(outputs)
        assert (["a"], 0) == (ids(outputs), handle.replaced)

    async def test_a_batch_answered_with_nonsense(self, workshop: Workshop) -> None:
        """Bytes that are no answer to a batch fail every row of it, one by one."""
        body = "(call $answer (i32.const 0) (i32.const 1024) (i32.const 9))"
        source = _wat.text(batch=_wat.exported("process_batch", body, "(param i32 i32)"))
        handle = await workshop.started(source)
        outputs = await handle.process_batch(batch("a", "b"))
        assert dict.fromkeys(range(2), "plugin.answer_invalid") == codes(outputs)


def telling(status: int, said: str) -> str:
    """A guest that answers `process` with *status* and *said*."""
    body = f"(return (call $answer (i32.const {status}) (i32.const 256) (i32.const {len(said)})))"
    return _wat.text(process=_wat.processing(body), data={256: said})


class TestStatus:
    async def test_dropped(self, workshop: Workshop) -> None:
        """A dropped message is counted by its reason, or left out without a word."""
        told = await (await workshop.started(telling(1, "small"))).process_batch(batch("a", "b"))
        assert ({"small": 2}, {}, []) == (told.dropped, codes(told), ids(told))
        silent = await (await workshop.started(telling(1, ""))).process_batch(batch("a"))
        assert ({}, {}, []) == (silent.dropped, codes(silent), ids(silent))

    @pytest.mark.parametrize(
        ("status", "kind"), [(2, "Retry"), (3, "PluginError"), (4, "Fatal"), (5, "ConfigInvalid")]
    )
    async def test_errors(self, workshop: Workshop, status: int, kind: str) -> None:
        """An error arrives as the instruction it is, with its code, message and hint."""
        said = '{"code":"my.code","message":"broken","hint":"mend it","retry_after_s":1.5}'
        handle = await workshop.started(telling(status, said))
        error: Any = (await handle.process_batch(batch("a"))).errors[0]
        assert (kind, "my.code", "broken", "mend it") == (
            type(error).__name__,
            error.code,
            error.message,
            error.hint,
        )
        assert status != 2 or error.after_s == 1.5

    async def test_plain_text(self, workshop: Workshop) -> None:
        """An error that is no JSON object is its own message."""
        handle = await workshop.started(telling(3, "it broke"))
        error: Any = (await handle.process_batch(batch("a"))).errors[0]
        assert ("it broke", "plugin.failed") == (error.message, error.code)

    async def test_a_refused_configuration(self, workshop: Workshop) -> None:
        """A configuration that the guest refuses is `ConfigInvalid`, in its words."""
        body = "(call $answer (i32.const 5) (i32.const 256) (i32.const 9))"
        source = _wat.text(
            configure=_wat.exported("configure", body, "(param i32 i32)"), data={256: "no amount"}
        )
        handle = await workshop.launch(source)
        with pytest.raises(ConfigInvalid, match="no amount"):
            await handle.configure({"a": 1})

    async def test_what_a_guest_says_of_a_trap(self, workshop: Workshop) -> None:
        """The text of `failure` stands in the error, beside plugin and function."""
        body = "(call $answer (i32.const 3) (i32.const 256) (i32.const 17))"
        source = _wat.text(
            process=_wat.processing("unreachable"),
            failure=_wat.exported("failure", body),
            data={256: "panicked: index 9"},
        )
        handle = await workshop.started(source)
        error: Any = (await handle.process_batch(batch("a"))).errors[0]
        assert "plugin.trapped" == error.code
        assert "plugin `guest` trapped in `process`: panicked: index 9" in error.message
