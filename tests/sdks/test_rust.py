"""The Rust SDK passes its own tests, and its guests work in a host, for both targets.

Everything is built in a copy, with the oldest compiler that the SDK promises where that is the one
with a target for WebAssembly. Crates come from the registry by whichever cargo is first on PATH;
an older one gets them out of a folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.artifacts.manifest import load_manifest
from cdp_pipeline.testing.launchers import Launchers, target_of
from cdpplugin import Batch, Context, testing
from tests import _rust
from tests.conftest import ROOT
from tests.wasm.conftest import Workshop, codes

BOUND_S = 900
CASE_BOUND_S = 60.0
PLUGINS = ["fast-filter", "reference-rust"]
MAY_SKIP = {
    "fast-filter": ["metadata.output_schemas"],
    "reference-rust": ["metadata.output_schemas", "reference.context.life_once"],
}
"""What cannot be tried: neither names output types, and a sandbox has no file for a diary."""
GUEST = Path("tests/sdks/rust_guest")
TARGETS = {"unknown": ["wasm32-unknown-unknown"], "wasi": ["wasm32-wasip1", "wasm32-wasi"]}
"""Each with its names: the second one got a new name with Rust 1.78."""
NOT_SOURCES = shutil.ignore_patterns("target", "*.wasm")


def run(command: list[str | Path], folder: Path, **environ: str) -> str:
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


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the SDK, the vectors, and all that is written in Rust."""
    folder = tmp_path_factory.mktemp("checkout")
    examples = [f"examples/plugins/{name}" for name in PLUGINS]
    for name in ["sdk/rust", "spec/vectors", str(GUEST), *examples]:
        shutil.copytree(ROOT / name, folder / name, ignore=NOT_SOURCES)
    return folder


@pytest.fixture(scope="module")
def cargo() -> str:
    """The cargo that is first on PATH."""
    found = shutil.which("cargo")
    if found is None:
        pytest.skip("no cargo on PATH")
    return found


@dataclass(frozen=True)
class Guests:
    """Builds the guest of these tests for WebAssembly."""

    cargo: str
    rustc: str
    crates: str
    folder: Path

    def built(self, target: str) -> Path:
        """The module for a target, under whichever name this compiler knows it."""
        release = [self.cargo, "build", "--quiet", "--release", "--locked", "--config", self.crates]
        known = [name for name in TARGETS[target] if _rust.has_target(Path(self.rustc), name)]
        if not known:
            pytest.skip(f"`{self.rustc}` has none of the targets {', '.join(TARGETS[target])}")
        module = self.folder / "target" / known[0] / "release" / "guest.wasm"
        if not module.is_file():
            run([*release, "--target", known[0]], self.folder, RUSTC=self.rustc)
        return module


@pytest.fixture(scope="module")
def guests(cargo: str, checkout: Path) -> Guests:
    """What builds guests; the crates they need lie in a folder."""
    for_wasm, rustc = _rust.compiler()
    folder = checkout / GUEST
    crates = folder / "crates.toml"
    crates.write_text(run([cargo, "vendor", "--locked", folder / "crates"], folder))
    return Guests(for_wasm, rustc, str(crates), folder)


@pytest.mark.parametrize("folder", ["sdk/rust", *(f"examples/plugins/{name}" for name in PLUGINS)])
def test_own_tests(folder: str, cargo: str, checkout: Path) -> None:
    """`cargo test` passes, the code of README with it."""
    run([cargo, "test", "--locked"], checkout / folder)


def test_without_serde(cargo: str, checkout: Path) -> None:
    """The SDK works without the crates that it can do without."""
    run([cargo, "test", "--locked", "--no-default-features"], checkout / "sdk/rust")


@pytest.mark.parametrize("name", PLUGINS)
def test_examples_need_no_registry(name: str, checkout: Path) -> None:
    """The command of the manifest builds an example without fetching anything."""
    _rust.compiler()
    manifest = load_manifest(checkout / "examples/plugins" / name)
    run(list(manifest.build), manifest.folder, CARGO_NET_OFFLINE="true")
    assert (manifest.folder / manifest.executable).is_file()


@pytest.mark.parametrize("name", PLUGINS)
def test_examples_conform(name: str, checkout: Path, tmp_path: Path) -> None:
    """An example keeps every rule that holds for its kind; only what it lacks is left out."""
    _rust.compiler()
    launchers = Launchers(os.environ, tmp_path / "cache")

    async def tried() -> testing.Report:
        subject = await launchers.subject(target_of(str(checkout / "examples/plugins" / name)))
        return await testing.run(replace(subject, bound_s=CASE_BOUND_S))

    report = asyncio.run(tried())
    assert [] == [f"{each.case}: {each.reason}" for each in report.of("failed")]
    assert MAY_SKIP[name] == [each.case for each in report.of("skipped")]


@pytest.fixture(params=list(TARGETS))
async def guest(request: pytest.FixtureRequest, guests: Guests) -> AsyncIterator[Guest]:
    """The guest of these tests, started, for each target; it is compiled once."""
    workshop = Workshop(guests.folder)
    module = guests.built(request.param).read_bytes()
    handle = await workshop.launch(module, limits={"memory": "32MB"})
    await handle.configure({"suffix": "!"})
    await handle.start(Context("pipeline", "stage"))
    yield Guest(workshop, handle)
    await handle.stop()


@dataclass(frozen=True)
class Guest:
    """A guest in a host."""

    workshop: Workshop
    handle: Any

    async def answer(self, *payloads: Mapping[str, Any]) -> Any:
        """What comes of a batch of these payloads."""
        ids = [f"id:{row}" for row in range(len(payloads))]
        return await self.handle.process_batch(Batch.of("T", list(payloads), ids=ids))


def texts(outputs: Any) -> list[str]:
    """The payloads of *outputs* as they are written."""
    return [text.decode() for part in outputs.parts for text in part.batch.payloads.json()]


async def test_types(guest: Guest) -> None:
    """What serde reads and writes is exact, typed or not."""
    payload = {"do": "typed", "amount": 2**64 - 1, "rate": 0.1}
    [text] = texts(await guest.answer(payload))
    assert payload == json.loads(text)
    large = {"do": "value", "number": 2**200}
    [text] = texts(await guest.answer(large))
    assert {**large, "seen": "yes!"} == json.loads(text)


async def test_configuration(guest: Guest) -> None:
    """A configuration that does not fit is refused, and the key is named."""
    with pytest.raises(Exception, match="unknown key `sufix`") as raised:
        await guest.handle.configure({"sufix": ""})
    assert "plugin.config_invalid" == raised.value.code  # type: ignore[attr-defined]


async def test_log(guest: Guest) -> None:
    """A log line arrives with its level, its text and its fields."""
    await guest.answer({"do": "log"})
    lines = [(level, told, fields) for level, told, fields in guest.workshop.log.lines]
    [(level, _, fields)] = [line for line in lines if "a log line" in line[1]]
    assert "warning" == level
    assert {"row": 7, "text": "é"} == {name: fields[name] for name in ("row", "text")}


async def test_panic(guest: Guest) -> None:
    """A panic costs its own row, and its text is told."""
    outputs = await guest.answer({"do": "pass"}, {"do": "panic"}, {"do": "pass"})
    assert {1: "plugin.trapped"} == codes(outputs)
    assert "the ground gave way: id:1" in str(outputs.errors[1])
    assert 2 == len(texts(outputs))


async def test_exhausted_memory(guest: Guest) -> None:
    """A guest that asks for more memory than there is fails its row so, and works on."""
    outputs = await guest.answer({"do": "pass"}, {"do": "exhaust"}, {"do": "pass"})
    assert {1: "plugin.memory_exceeded"} == codes(outputs)
    assert 2 == len(texts(outputs))


async def test_refused_memory(guest: Guest) -> None:
    """A guest that can do without the memory that it asked for only fails as it likes."""
    outputs = await guest.answer({"do": "refuse"}, {"do": "panic"})
    assert {0: "plugin.failed", 1: "plugin.trapped"} == codes(outputs)


async def test_exhausted_stack(guest: Guest) -> None:
    """A guest that calls itself without end fails its row so."""
    outputs = await guest.answer({"do": "pass"}, {"do": "recurse"})
    assert {1: "plugin.stack_exhausted"} == codes(outputs)


def test_one_schema() -> None:
    """The filter's manifest and its module publish one schema."""
    folder = ROOT / "examples/plugins/fast-filter"
    told = json.loads((folder / "config_schema.json").read_text())
    assert told == load_manifest(folder).config_schema
