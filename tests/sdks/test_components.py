"""Plugins in Python and JavaScript as WebAssembly components: built for real, run in a host.

Each language has one author's file in `components`. It is run as a process and as a
component, and both must answer alike. Everything is built in a copy: an installer in a folder
takes away what is in use there.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import wasmtime
import wasmtime.component

from cdp_pipeline.artifacts.manifest import load_manifest
from cdp_pipeline.runtimes.building.builder import Builder
from cdp_pipeline.testing.launchers import Launchers, ModuleTarget
from cdpplugin import Batch, Context, JsonPayloads, Outputs, Retry, testing
from tests.conftest import ROOT
from tests.grpc.conftest import Lines

BOUND_S = 900
SOURCES = Path(__file__).parent / "components"
NOT_SOURCES = shutil.ignore_patterns("node_modules", "dist", "*.wasm", "__pycache__")
BUILD_JS = ["npm", "run", "wasm"]

BASE = {"cli/stderr", "cli/stdin", "cli/stdout", "filesystem/preopens", "filesystem/types"}
BASE |= {f"cli/terminal-{name}" for name in ("input", "output", "stdin", "stdout", "stderr")}
BASE |= {f"io/{name}" for name in ("error", "poll", "streams")}
BASE |= {"clocks/monotonic-clock", "clocks/wall-clock", "random/random"}
SOCKETS = {"instance-network", "ip-name-lookup", "network", "tcp", "tcp-create-socket"}
IMPORTS: Mapping[str, set[str]] = {
    "node": BASE,
    "python": BASE
    | {"cli/environment", "cli/exit"}
    | {f"sockets/{name}" for name in (*SOCKETS, "udp", "udp-create-socket")},
}
"""Of WASI 0.2; what stands in the READMEs of the SDKs."""
EXPORTS = {"metadata", "configure", "start", "process", "process-batch", "health", "stop"}


@dataclass(frozen=True)
class Both:
    """One author's file, as a process and as a component."""

    language: str
    folder: Path
    process: str
    component: str

    @asynccontextmanager
    async def started(self, manifest: str, log: Lines | None = None) -> AsyncIterator[Any]:
        """Give a started handle of the plugin with this manifest."""
        environ = {name: value for name, value in os.environ.items() if name[:4] != "XDG_"}
        environ |= {"PYTHONPATH": str(self.folder / "packages")}
        launchers = Launchers(environ, self.folder / "cache", log_of=lambda _: log or Lines())
        async with launchers.launch(load_manifest(self.folder / manifest)) as handle:
            await handle.configure({})
            await handle.start(Context("p", "s"))
            yield handle
            await handle.stop()


def run(command: list[str], folder: Path, **environ: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S,
        env=os.environ | environ,
    )
    assert 0 == done.returncode, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def manifest(**keys: Any) -> str:
    return json.dumps({"name": "both", "version": "1.0.0", **keys})


def python_plugin(folder: Path) -> Both:
    """Build the file in Python, whose library is in another folder on its path."""
    if find_spec("componentize_py") is None:
        pytest.skip("no componentize-py in this environment")
    shutil.copy(SOURCES / "plugin.py", folder)
    (folder / "packages").mkdir()
    (folder / "packages/greetings.py").write_text("def greeting(who): return f'hello {who}'")
    (folder / "plugin.yaml").write_text(manifest(executable="run.sh", args=["plugin.py", "a", "b"]))
    # What the host passes on to a process does not include PYTHONPATH.
    script = f'#!/bin/sh\nPYTHONPATH={folder / "packages"} exec {sys.executable} "$@"\n'
    (folder / "run.sh").write_text(script)
    (folder / "run.sh").chmod(0o755)
    (folder / "wasm.yaml").write_text(manifest(runtime="wasm", executable="out/both.wasm"))
    command = [sys.executable, "-m", "cdpplugin.componentize", "plugin.py", "a", "b"]
    run([*command, "-o", "out/both.wasm"], folder, PYTHONPATH=str(folder / "packages"))
    return Both("python", folder, "plugin.yaml", "wasm.yaml")


def node_plugin(folder: Path) -> Both:
    """Build the reference plugin in JavaScript as its manifest says, then the file beside it."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} on PATH")
    for name in ("sdk/node", "spec/wit", "examples/plugins/reference-node"):
        shutil.copytree(ROOT / name, folder / name, ignore=NOT_SOURCES)
    place = folder / "examples/plugins/reference-node"
    assert tuple(BUILD_JS) == load_manifest(place / "wasm.yaml").build
    run(BUILD_JS, place)
    shutil.copy(SOURCES / "index.js", place / "both.js")
    library = place / "node_modules/greetings"
    library.mkdir()
    (library / "package.json").write_text('{"main": "index.js"}')
    (library / "index.js").write_text("exports.greeting = (who) => `hello ${who}`;")
    (place / "both.yaml").write_text(manifest(executable="node", args=["both.js", "a", "b"]))
    (place / "both-wasm.yaml").write_text(manifest(runtime="wasm", executable="out/both.wasm"))
    command = str(place / "node_modules/.bin/cdpplugin-componentize")
    run([command, "both.js", "a", "b", "-o", "out/both.wasm"], place)
    return Both("node", place, "both.yaml", "both-wasm.yaml")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Both:
    """The file in Python."""
    return python_plugin(tmp_path_factory.mktemp("python"))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Both:
    """The file in JavaScript."""
    return node_plugin(tmp_path_factory.mktemp("node"))


@pytest.fixture(params=["python", "node"])
def both(request: pytest.FixtureRequest) -> Both:
    """The file of each language whose tools are there, built."""
    found: Both = request.getfixturevalue(request.param)
    return found


def batch(*payloads: Any) -> Batch:
    texts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in payloads]
    ids = [f"m{row}" for row in range(len(texts))]
    return Batch(types="T", payloads=JsonPayloads(texts), ids=ids, trace_ids=["t"] * len(texts))


def told(outputs: Outputs) -> list[Any]:
    """Everything that *outputs* say, row by row."""
    found: list[Any] = [
        (
            row,
            part.batch.ids[index],
            part.batch.types[index],
            part.batch.payloads.value(index),
            dict(part.batch.metadata[index]),
            part.batch.trace_ids[index],
        )
        for part in outputs.parts
        for index, row in enumerate(part.rows)
    ]
    found += [(row, error.code, error.message) for row, error in outputs.errors.items()]
    return [*sorted(found, key=lambda each: each[0]), dict(outputs.dropped)]


PAYLOADS = [
    *({"do": "change", "n": 2**70, "f": [0.1, 5e-324, 1.7976931348623157e308]}, None, True, []),
    *({"do": "two", "n": -(2**63)}, {"do": "drop"}, {"do": "nothing"}, {"do": "raise"}),
    *("text é \U0001f680 \u2028 \x00", {"do": "unknown"}, 2**64 - 1, {"do": "library"}),
]
PAYLOADS[-1]["date"] = "2024-02-29"  # type: ignore[index,call-overload]


async def test_both_answer_alike(both: Both) -> None:
    """As a component the file does what it does as a process: values, errors, reasons, order."""
    answers = []
    for name in (both.process, both.component):
        async with both.started(name) as handle:
            assert "a b" == handle.metadata().description
            answers.append(told(await handle.process_batch(batch(*PAYLOADS))))
    process, component = answers
    assert process == component
    assert ["asked for"] == list(component[-1])
    assert {"late": "late"} == component[0][4]
    assert ["hello you", 2024] == component[-2][3][:2]


async def test_untouched_payloads_keep_every_character(both: Both) -> None:
    """What nobody changes comes back as it was sent, spaces and zeros included."""
    texts = [b'{ "do" : "nothing to be done", "n": 1.0, "e": 1E2 }', b"[1.10]", b'"\\u00e9"']
    async with both.started(both.component) as handle:
        outputs = await handle.process_batch(batch(*texts))
    found = [text for part in outputs.parts for text in part.batch.payloads.json()]
    # The file in Python reads each payload to see what is asked, and so writes it anew.
    expected = [json.loads(text) for text in texts]
    assert expected == [json.loads(text) for text in found]
    assert b'"do"' in found[0]


async def test_an_error_costs_its_own_row(both: Both) -> None:
    """An exception, an end of the process, an endless recursion: the neighbours are answered."""
    asked = ["raise", "exit", "deep", "drop"]
    payloads = [each for do in asked for each in ({"do": do}, {"do": "change"})]
    async with both.started(both.component) as handle:
        outputs = await handle.process_batch(batch(*payloads))
        assert {0, 2, 4} == set(outputs.errors)
        assert "asked for é" in outputs.errors[0].message
        assert [1, 3, 5, 7] == [row for part in outputs.parts for row in part.rows]
        [busy] = (await handle.process_batch(batch({"do": "retry"}))).errors.values()
    assert isinstance(busy, Retry)
    assert (2.5, "busy", "wait") == (busy.after_s, busy.message, busy.hint)


async def test_lines(both: Both) -> None:
    """A line of the SDK's logger keeps its level and its fields; what is printed is a line too."""
    log = Lines()
    async with both.started(both.component, log) as handle:
        await handle.process_batch(batch({"do": "log", "n": 7}))
        async with asyncio.timeout(30):  # a component prints into a pipe, which a thread reads
            while not {"told", "printed"} <= set(log.messages):
                await asyncio.sleep(0.01)
    levels = {message: (level, fields) for level, message, fields in log.lines}
    level, fields = levels["told"]
    assert ("info", 7, "told") == (level, fields["n"], fields["part"])
    assert "printed" in levels


async def test_instances_have_their_own_memory(both: Both) -> None:
    """Each begins as the file was when it was built, with random numbers of its own."""
    seen = []
    for _ in range(2):
        async with both.started(both.component) as handle:
            outputs = await handle.process_batch(batch({"do": "calls"}, {"do": "random"}))
            seen.append(
                [part.batch.payloads.value(row) for part in outputs.parts for row in (0, 1)]
            )
    assert [1, 1] == [calls for calls, _ in seen]
    assert seen[0][1] != seen[1][1]


def test_imports_and_exports(both: Both) -> None:
    """It imports no more than its README says, and exports what the plugin has, without state."""
    engine = wasmtime.Engine()
    file = both.folder / load_manifest(both.folder / both.component).executable
    kind = wasmtime.component.Component.from_file(engine, file).type
    names = {name.partition("@") for name in kind.imports(engine)}
    assert {f"wasi:{name}" for name in IMPORTS[both.language]} == {name for name, _, _ in names}
    assert all(version.startswith("0.2.") for _, _, version in names)
    assert EXPORTS == set(kind.exports(engine)) - {"exports"}
    readme = (ROOT / f"sdk/{both.language}/README.md").read_text()
    for name in sorted(IMPORTS[both.language]):
        assert f"`wasi:{name.partition('/')[0]}`" in readme, name


def test_they_conform(both: Both) -> None:
    """The component keeps every rule."""
    found = tried(both.folder / "out/both.wasm", both.folder)
    assert [] == [f"{each.case}: {each.reason}" for each in found.of("failed")]


def test_the_reference_plugin_in_javascript(node: Both) -> None:
    """It keeps every rule, and none is left out but those that cannot hold in a sandbox."""
    found = tried(node.folder / "processor.wasm", node.folder)
    assert [] == [f"{each.case}: {each.reason}" for each in found.of("failed")]
    assert "cdp-reference-processor@1.0.0" == found.plugin
    skipped = ["metadata.output_schemas", "reference.context.life_once"]
    assert skipped == [each.case for each in found.of("skipped")]


def tried(file: Path, folder: Path) -> testing.Report:
    """What the conformance suite says of the component in *file*."""

    async def report() -> testing.Report:
        launchers = Launchers(os.environ, folder / "cache", log_of=lambda _: Lines())
        return await testing.run(await launchers.subject(ModuleTarget(str(file))))

    return asyncio.run(report())


def blocks(readme: str, language: str) -> list[str]:
    """The code in *language* that stands in a README."""
    found = re.findall(
        r"^```(\w*)\n(.*?)^```", (ROOT / readme).read_text(), re.DOTALL | re.MULTILINE
    )
    return [code for named, code in found if named == language]


async def worked(file: Path, *payloads: Any) -> Outputs:
    """What the component in *file* answers."""
    launchers = Launchers(os.environ, file.parent / "cache", log_of=lambda _: Lines())
    async with launchers.launch_module(ModuleTarget(str(file))) as handle:
        await handle.configure({})
        await handle.start(Context("p", "s"))
        outputs: Outputs = await handle.process_batch(batch(*payloads))
        await handle.stop()
    return outputs


async def test_the_readme_in_python(tmp_path: Path) -> None:
    """Its file is built by its manifest, with the host's own Python where it names none."""
    if find_spec("componentize_py") is None:
        pytest.skip("no componentize-py in this environment")
    [file] = [each for each in blocks("sdk/python/README.md", "python") if "serve_" in each]
    [text] = [each for each in blocks("sdk/python/README.md", "yaml") if "componentize" in each]
    (tmp_path / "scorer.py").write_text(file)
    (tmp_path / "wasm.yaml").write_text(text)
    environ = {"PATH": os.defpath, "HOME": os.environ["HOME"]}
    await Builder(tmp_path / "cache", environ).build(load_manifest(tmp_path / "wasm.yaml"))
    outputs = await worked(tmp_path / "scorer.wasm", 1)
    assert [{"score": 0.9}] == [
        dict(each) for part in outputs.parts for each in part.batch.metadata
    ]


async def test_the_readme_in_javascript(node: Both) -> None:
    """Its first plugin becomes a component by its command."""
    readme = "sdk/node/README.md"
    (node.folder / "large.js").write_text(blocks(readme, "js")[0])
    [command] = [each for each in blocks(readme, "") if "cdpplugin-componentize" in each]
    arguments = command.split("cdpplugin-componentize ")[1].split()
    assert ["index.js", "-o", "large-payments.wasm"] == arguments
    [script] = re.findall(r'"wasm": "npm ci && ([^"]*)"', (ROOT / readme).read_text())
    assert ["cdpplugin-componentize", *arguments] == script.split()
    run(
        [str(node.folder / "node_modules/.bin/cdpplugin-componentize"), "large.js", *arguments[1:]],
        node.folder,
    )
    outputs = await worked(node.folder / "large-payments.wasm", {"amount": 5}, {"amount": 5000})
    assert [1] == [row for part in outputs.parts for row in part.rows]
    assert [{"large": True}] == [
        dict(each) for part in outputs.parts for each in part.batch.metadata
    ]
