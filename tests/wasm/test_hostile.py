"""Each hostile guest, in the host: an error with its own code, and nothing of the host touched."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.errors import CdpError
from cdpplugin import Batch, PluginError
from tests.wasm import _guests
from tests.wasm.conftest import Workshop, codes

CODES = {
    "loop": "plugin.timeout",
    "recurse": "plugin.stack_exhausted",
    "allocate": "plugin.memory_exceeded",
    "allocate_large": "plugin.memory_exceeded",
    "trap": "plugin.trapped",
    "divide": "plugin.trapped",
    "call_nowhere": "plugin.trapped",
    "call_wrong": "plugin.trapped",
    "read_outside": "plugin.trapped",
    "exit": "plugin.trapped",
    "lie_to_wasi": "plugin.trapped",
    "answer_outside": "plugin.answer_invalid",
    "answer_across_end": "plugin.answer_invalid",
    "bytes_outside": "plugin.answer_invalid",
    "bytes_across_end": "plugin.answer_invalid",
    "bytes_overflow": "plugin.answer_invalid",
    "status_unknown": "plugin.answer_invalid",
    "big": "plugin.output_too_large",
    "deep": "plugin.output_invalid",
    "no_utf8": "plugin.output_invalid",
    "no_utf8_payload": "message.payload_invalid",
    "no_json": "plugin.output_invalid",
    "wrong_shape": "plugin.output_invalid",
    "wrong_member": "plugin.output_invalid",
    "two_values": "plugin.output_invalid",
}
"""What a message that asks for the deed fails with."""

HARMLESS = {
    "sleep",
    "answer_at_end",
    "answer_unaligned",
    "huge_number",
    "lie_to_log",
}
FLOODS = {"flood_stdout", "flood_stderr", "flood_line", "flood_log"}
REACHES = {"files", "environment", "sockets", "clocks", "random", "input"}
LIMITS = {"timeout": "500ms", "memory": "400MB", "output": "256MB"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the guests are compiled."""
    return tmp_path_factory.mktemp("guests")


def asking(*deeds: str) -> Batch:
    ids = [str(row) for row in range(len(deeds))]
    return Batch.of("T", [{"do": deed} for deed in deeds], ids=ids)


async def hostile(workshop: Workshop, folder: Path, name: str, **limits: Any) -> Any:
    code = _guests.guest(name, folder).read_bytes()
    return await workshop.started(code, limits={**LIMITS, **limits})


def payloads(outputs: Any) -> dict[int, Any]:
    return {
        row: part.batch.payloads.value(index)
        for part in outputs.parts
        for index, row in enumerate(part.rows)
        if row not in outputs.errors
    }


def test_every_deed_is_tried() -> None:
    """No guest and no deed is left out below."""
    assert _guests.deeds("deeds").keys() == CODES.keys() | HARMLESS | FLOODS | REACHES
    assert _guests.deeds("batches").keys() == BATCH_CODES.keys() | {"nothing", "no_json"}
    assert set(_guests.WAT_GUESTS) == REFUSED.keys() | ALLOCATORS.keys() | {"sound", "table_grows"}


@pytest.mark.parametrize("deed", CODES)
async def test_a_bad_deed_costs_its_own_message(
    workshop: Workshop, folder: Path, deed: str
) -> None:
    """It fails with its code; its neighbours are answered, and so is what comes later."""
    patience = {"timeout": "60s"} if deed == "big" else {}
    handle = await hostile(workshop, folder, "deeds", **patience)
    outputs = await handle.process_batch(asking("pass", deed, "pass"))
    assert {1: CODES[deed]} == codes(outputs)
    assert [0, 2] == list(payloads(outputs))
    error = outputs.errors[1]
    assert "guest" in error.message or CODES[deed] in (
        "plugin.output_invalid",
        "message.payload_invalid",
    )
    assert error.hint
    assert {} == codes(await handle.process_batch(asking("pass")))


@pytest.mark.parametrize("deed", sorted(HARMLESS))
async def test_what_is_odd_and_allowed(workshop: Workshop, folder: Path, deed: str) -> None:
    """It harms nobody, and its instance lives on."""
    handle = await hostile(workshop, folder, "deeds")
    outputs = await handle.process_batch(asking("pass", deed, "pass"))
    assert ({}, 0) == (codes(outputs), handle.replaced)


@pytest.mark.parametrize("deed", sorted(FLOODS))
async def test_a_flood_is_bounded(workshop: Workshop, folder: Path, deed: str) -> None:
    """However much a guest prints, few lines are written, and how many were left out is said."""
    handle = await hostile(workshop, folder, "deeds", timeout="60s")
    assert {} == codes(await handle.process_batch(asking(deed)))
    assert len(workshop.log.lines) < 6000
    assert all(len(message) < 10_000 for message in workshop.log.messages)


@pytest.fixture
def canaries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, socket.socket]]:
    """A file in the working folder, a variable, and a listener."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CANARY", "sings")
    file = tmp_path / "canary"
    file.write_text("sings")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield file, listener


async def test_it_reaches_nothing(
    workshop: Workshop, folder: Path, canaries: tuple[Path, socket.socket]
) -> None:
    """No file, variable, argument, socket, standard input or time of the host is a guest's."""
    handle = await hostile(workshop, folder, "deeds")
    told = payloads(await handle.process_batch(asking(*sorted(REACHES))))
    found = dict(zip(sorted(REACHES), told.values(), strict=True))
    assert {"folders": 0, "opened": 0, "made": 0} == {
        name: found["files"][name] for name in ("folders", "opened", "made")
    }
    assert {"arguments": 0, "variables": 0, "text": ""} == found["environment"]
    assert {"done": 0} == found["sockets"]
    assert {"read": 0} == found["input"]
    first = 946_684_800_000_000_000
    assert [first + 1000 * step for step in range(1, 5)] == sorted(found["clocks"].values())
    file, listener = canaries
    assert "sings" == file.read_text()
    with pytest.raises(BlockingIOError):
        listener.accept()


BATCH_CODES = dict.fromkeys(
    (
        "garbage",
        "cut",
        "text",
        "row_outside",
        "rows_decreasing",
        "rows_missing",
        "rows_too_few",
        "rows_huge",
        "error_cut",
        "error_row_outside",
        "column_short",
        "encoding_unknown",
        "no_utf8",
        "arrow",
        "dropped_huge",
        "status_unknown",
    ),
    "plugin.answer_invalid",
) | {"trap": "plugin.trapped", "loop": "plugin.timeout", "error": "plugin.failed"}
"""What every row of a batch fails with that is answered so."""


@pytest.mark.parametrize("deed", BATCH_CODES)
async def test_a_bad_answer_to_a_batch(workshop: Workshop, folder: Path, deed: str) -> None:
    """Batches that ask for nothing pass; a bad one never ends the host, and loses no row."""
    handle = await hostile(workshop, folder, "batches", timeout="100ms")
    if deed == "error":  # of the batch as a whole: the stage's policy decides
        with pytest.raises(PluginError, match="the batch is bad"):
            await handle.process_batch(asking(deed, deed))
        return
    outputs = await handle.process_batch(asking(deed, deed))
    answered = {row for part in outputs.parts for row in part.rows} | outputs.errors.keys()
    assert {BATCH_CODES[deed]} >= set(codes(outputs).values()), codes(outputs)
    assert {0, 1} == answered or outputs.dropped
    assert [0, 1] == list(payloads(await handle.process_batch(asking("pass", "pass"))))


async def test_a_batch_that_is_dropped(workshop: Workshop, folder: Path) -> None:
    """No bytes at all drop every row, on purpose."""
    handle = await hostile(workshop, folder, "batches")
    outputs = await handle.process_batch(asking("nothing", "nothing"))
    assert ((), {}) == (tuple(outputs.parts), codes(outputs))


async def test_a_payload_of_a_batch_that_is_no_json(workshop: Workshop, folder: Path) -> None:
    """A row whose payload is cut off fails; the other is answered."""
    handle = await hostile(workshop, folder, "batches")
    outputs = await handle.process_batch(asking("no_json", "no_json"))
    assert {1: "message.payload_invalid"} == codes(outputs)


REFUSED = {
    "data_outside": "plugin.trapped",
    "import_function": "plugin.import_unknown",
    "import_global": "plugin.import_unknown",
    "import_memory": "plugin.import_unknown",
    "import_module": "plugin.import_unknown",
    "import_signature": "plugin.import_unknown",
    "import_socket": "plugin.import_unknown",
    "memories": "plugin.not_wasm",
    "memory_64": "plugin.not_wasm",
    "memory_huge": "plugin.memory_exceeded",
    "memory_shared": "plugin.not_wasm",
    "no_alloc": "plugin.export_missing",
    "no_memory": "plugin.export_missing",
    "no_metadata": "plugin.export_missing",
    "no_process": "plugin.export_missing",
    "nothing": "plugin.export_missing",
    "program": "plugin.export_missing",
    "start_loops": "plugin.timeout",
    "start_traps": "plugin.trapped",
    "table_huge": "plugin.memory_exceeded",
    "wrong_kind": "plugin.export_invalid",
    "wrong_type": "plugin.export_invalid",
}
"""What a guest is refused with before it is given anything."""
ALLOCATORS = {
    "alloc_across_end": "plugin.answer_invalid",
    "alloc_outside": "plugin.answer_invalid",
    "alloc_zero": "plugin.memory_exceeded",
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that does not wait long for a start."""
    from cdp_pipeline.runtimes.wasm import handles, metadata, pool, program

    for module in (handles, metadata, pool, program):
        monkeypatch.setattr(module, "START_S", 0.2)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", REFUSED | dict.fromkeys(_guests.NOT_WASM, "plugin.not_wasm"))
async def test_what_is_refused(workshop: Workshop, folder: Path, name: str) -> None:
    """A guest that cannot be one is refused with its code, and a hint."""
    with pytest.raises(CdpError) as raised:
        await hostile(workshop, folder, name)
    expected = (REFUSED | dict.fromkeys(_guests.NOT_WASM, "plugin.not_wasm"))[name]
    assert expected == raised.value.code
    assert raised.value.hint


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", ALLOCATORS)
async def test_a_bad_allocator(workshop: Workshop, folder: Path, name: str) -> None:
    """Room that is none fails what should go there: nothing is written outside of the memory."""
    handle = await hostile(workshop, folder, name)
    assert {0: ALLOCATORS[name]} == codes(await handle.process_batch(asking("pass")))


async def test_a_table_that_grows(workshop: Workshop, folder: Path) -> None:
    """A table has an end as well."""
    handle = await hostile(workshop, folder, "table_grows")
    await handle.process_batch(asking("pass"))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("how", ["loop", "trap", "outside", "refused"])
@pytest.mark.parametrize("moment", _guests.MOMENTS)
async def test_a_bad_moment(workshop: Workshop, folder: Path, how: str, moment: str) -> None:
    """Whatever call goes wrong, the host gets an error or goes on, and it stops in good order."""
    name = f"{how}_in_{moment}"
    if name not in _guests.C_GUESTS:
        return
    expected = {"loop": "plugin.timeout", "trap": "plugin.trapped"}.get(how, "")
    told = ""
    try:
        handle = await hostile(workshop, folder, name)
        outputs = await handle.process_batch(asking("pass"))
        told = next(iter(codes(outputs).values()), "")
        status = await handle.health()
        assert (moment == "health") == (status.status == "unhealthy")
        if moment == "export_state":
            await handle.export_state()
        if moment == "import_state":
            await handle.import_state(b"state")
    except (CdpError, PluginError) as error:
        told = error.code
    if expected and moment not in ("health", "stop", "failure"):
        assert expected == told
    if workshop.handles:
        handle = workshop.handles.pop()
        if ("refused", "stop") == (how, moment):
            with pytest.raises(PluginError, match="as it was told"):
                await handle.stop()
        else:
            await handle.stop()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", [n for n in _guests.C_GUESTS if n.startswith("metadata_")])
async def test_bad_metadata(workshop: Workshop, folder: Path, name: str) -> None:
    """A guest that does not say what it is, is refused."""
    with pytest.raises(CdpError) as raised:
        await hostile(workshop, folder, name)
    assert raised.value.code in ("plugin.metadata_invalid", "plugin.abi_unsupported")


@pytest.mark.parametrize("name", [n for n in _guests.C_GUESTS if n.startswith("health_")])
async def test_bad_health(workshop: Workshop, folder: Path, name: str) -> None:
    """A guest that answers nonsense when it is asked how it is, is unhealthy."""
    handle = await hostile(workshop, folder, name)
    assert "unhealthy" == (await handle.health()).status


END = """
import asyncio, os, sys
from pathlib import Path
from cdp_pipeline.config.limits import Limits
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.runtimes.wasm.loader import WasmLoader
from cdpplugin import Batch, Context

async def main():
    path, cache, deed = sys.argv[1:]
    plugin = PluginConfig(name="guest", type="wasm", limits=Limits(timeout=0.2))
    handle = await WasmLoader({}, Path(cache)).load_file(Path(path), plugin)(1)
    await handle.configure({})
    await handle.start(Context())
    asyncio.create_task(handle.process_batch(Batch.of("T", [{"do": deed}])))
    while not handle.is_busy:
        await asyncio.sleep(0)

asyncio.run(main())
os.write(2, b"\\n-- ended --\\n")
"""


@pytest.mark.parametrize("deed", ["flood_stdout", "flood_stderr", "flood_log", "loop"])
def test_a_host_that_ends_with_a_guest_at_work(folder: Path, tmp_path: Path, deed: str) -> None:
    """The interpreter ends in good order while a guest prints or loops on a thread."""
    command = [sys.executable, "-c", END, _guests.guest("deeds", folder), tmp_path, deed]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (0, True) == (done.returncode, "-- ended --" in done.stderr), done.stderr[-2000:]
