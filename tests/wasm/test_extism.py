"""A plugin made with one of Extism's kits runs as it is; the network is refused."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.errors import CdpError
from cdp_pipeline.testing.launchers import Launchers, ModuleTarget
from cdpplugin import Batch, Context, testing
from tests.wasm import _wat
from tests.wasm.conftest import Workshop, codes

SOURCES = Path(__file__).parent / "extism_guest"
BOUND_S = 300


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guest, built with Extism's kit for AssemblyScript."""
    if shutil.which("npm") is None:
        pytest.skip("no npm on PATH")
    folder = tmp_path_factory.mktemp("extism") / "guest"
    shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns("node_modules", "*.wasm"))
    for command in (["npm", "ci"], ["npm", "run", "build"]):
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=BOUND_S
        )
        assert 0 == done.returncode, done.stdout + done.stderr
    return folder / "guest.wasm"


def asking(*things: str) -> Batch:
    return Batch.of("T", [{"do": thing, "é": "ü"} for thing in things])


async def started(
    workshop: Workshop, guest: Path, config: Mapping[str, Any] | None = None, **options: Any
) -> Any:
    handle = await workshop.launch(guest.read_bytes(), **options)
    await handle.configure(config or {})
    await handle.start(Context("pipeline", "stage"))
    return handle


def values(outputs: Any) -> list[Any]:
    return [
        part.batch.payloads.value(row) for part in outputs.parts for row in range(len(part.rows))
    ]


async def test_it_conforms(guest: Path, tmp_path: Path) -> None:
    """It keeps every rule of the conformance suite that it can be tried on."""
    subject = await Launchers({}, tmp_path).subject(ModuleTarget(str(guest)))
    report = await testing.run(subject)
    assert [] == [f"{each.case}: {each.reason}" for each in report.of("failed")]


async def test_an_echo(workshop: Workshop, guest: Path) -> None:
    """What it passes on arrives as it was sent."""
    handle = await started(workshop, guest)
    assert [{"do": "nothing", "é": "ü"}] == values(await handle.process_batch(asking("nothing")))


async def test_errors(workshop: Workshop, guest: Path) -> None:
    """Its error text is the row's error, with code and instruction; a bare number is one too."""
    handle = await started(workshop, guest)
    outputs = await handle.process_batch(asking("fail", "retry", "silent failure", "drop", "pass"))
    told = {row: (type(e).__name__, e.code, e.message) for row, e in outputs.errors.items()}
    assert {
        0: ("PluginError", "as.failed", "failed here"),
        1: ("Retry", "plugin.retry", "busy"),
        2: ("PluginError", "plugin.failed", "`process` returned 7"),
    } == told
    assert [4] == [row for part in outputs.parts for row in part.rows]


async def test_configuration(workshop: Workshop, guest: Path) -> None:
    """`config_get` finds texts as they are and everything else as JSON."""
    handle = await started(workshop, guest, {"greeting": "hello", "number": 1.5})
    assert ["hello,1.5,none"] == values(await handle.process_batch(asking("config")))


async def test_variables(workshop: Workshop, guest: Path) -> None:
    """Variables live as long as the instance."""
    handle = await started(workshop, guest)
    assert [1, 2] == values(await handle.process_batch(asking("count", "count")))
    assert [3] == values(await handle.process_batch(asking("count")))
    await handle.process_batch(asking("trap"))
    assert [1] == values(await handle.process_batch(asking("count")))


async def test_what_is_refused(workshop: Workshop, guest: Path) -> None:
    """The network, a trap and a loop each have their own code and cost their own row."""
    handle = await started(workshop, guest, limits={"timeout": "200ms"})
    outputs = await handle.process_batch(asking("pass", "network", "trap", "loop", "pass"))
    assert {1: "plugin.network_refused", 2: "plugin.trapped", 3: "plugin.timeout"} == codes(outputs)
    assert [0, 4] == [row for part in outputs.parts for row in part.rows]


async def test_logs_and_health(workshop: Workshop, guest: Path) -> None:
    """Its log lines are the host's, and it says how it is."""
    handle = await started(workshop, guest)
    await handle.process_batch(asking("log"))
    assert ("warning", "a line") in [(level, text) for level, text, _ in workshop.log.lines]
    status = await handle.health()
    assert ("degraded", "so so") == (status.status, status.message)


@pytest.mark.parametrize("name", ["reboot", "begin"])
async def test_functions_that_extism_has_not(workshop: Workshop, name: str) -> None:
    """A function that is not of Extism's own is refused before the module runs."""
    source = _wat.text(
        imports=f'(import "extism:host/env" "{name}" (func (param i32) (result i32)))',
        metadata='(func (export "metadata") (result i32) (i32.const 0))',
        process='(func (export "process") (result i32) (i32.const 0))',
    )
    with pytest.raises(CdpError) as raised:
        await workshop.launch(source)
    assert "plugin.import_unknown" == raised.value.code
