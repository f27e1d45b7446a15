"""Go plugins built as WebAssembly, from the same source as for a process of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.artifacts.manifest import load_manifest
from cdp_pipeline.config.limits import Limits, Permissions
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.errors import CdpError
from cdp_pipeline.runtimes.wasm.loader import WasmLoader
from cdp_pipeline.testing.launchers import Launchers, target_of
from cdp_pipeline.testing.sample import sample_beside
from cdpplugin import Batch, ConfigInvalid, Context, Delivery, PluginError, Retry, testing
from cdpplugin.message import Message, views
from cdpplugin.testing.samples import batch_of
from tests._workshop import Workshop
from tests.conftest import ROOT
from tests.grpc.conftest import Lines

BOUND_S = 600
GUEST = ROOT / "tests" / "sdks" / "go_guest"
PLUGINS = ROOT / "examples" / "plugins"
BUILD = ["go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false"]

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="no go on PATH")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that the tests of this module share: compiling a module takes seconds."""
    return tmp_path_factory.mktemp("xdg") / "cdp"


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the guest `go_guest`, built, with a manifest."""
    folder = tmp_path_factory.mktemp("guest")
    done = subprocess.run(
        [*BUILD, "-o", str(folder / "guest.wasm"), "."],
        cwd=GUEST,
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S,
        env=os.environ | {"GOOS": "wasip1", "GOARCH": "wasm"},
    )
    assert 0 == done.returncode, done.stderr
    return folder


class Guests:
    """A host for the guest `go_guest`."""

    def __init__(self, module: Path, cache: Path) -> None:
        self.log = Lines()
        self._module = module
        self._cache = cache

    async def launch(self, main: str = "", kind: str = "processor", **limits: Any) -> Any:
        """A handle whose program's main does *main*."""
        told = {"name": "go-guest", "version": "1.0.0", "executable": "guest.wasm", "type": kind}
        told |= {"permissions": {"env": ["GUEST"]}}
        (self._module / "plugin.yaml").write_text(json.dumps(told))
        loader = WasmLoader({"GUEST": main}, self._cache, log_of=lambda _: self.log)
        plugin = PluginConfig(
            name="go-guest",
            type="wasm",
            path=str(self._module),
            permissions=Permissions(env=("GUEST",)),
            limits=Limits(**limits),
        )
        return await loader.load(load_manifest(self._module), plugin)(1)

    @asynccontextmanager
    async def started(self, main: str = "", **options: Any) -> AsyncIterator[Any]:
        """A started handle, which is stopped afterwards."""
        handle = await self.launch(main, **options)
        await handle.configure({})
        await handle.start(Context("pipeline", "stage"))
        try:
            yield handle
        finally:
            await handle.stop()


@pytest.fixture
def guests(module: Path, cache: Path) -> Guests:
    return Guests(module, cache)


def orders(*payloads: object) -> Batch:
    """Messages with these payloads, their numbers as ids."""
    return Batch.of("T", list(payloads), ids=[f"id {row}" for row in range(len(payloads))])


def told(outputs: Any) -> dict[str, Any]:
    """The payload of each output, by its id."""
    return {message.id: message.payload for message in messages_of(outputs)}


def errors_of(outputs: Any) -> dict[int, str]:
    """The message of each error, by its row."""
    return {row: error.message for row, error in sorted(outputs.errors.items())}


def messages_of(outputs: Any) -> list[Message]:
    """Every output, in order."""
    return [message for part in outputs.parts for message in views(part.batch)]


class TestMain:
    async def test_goes_on_when_the_plugin_is_stopped(self, guests: Guests) -> None:
        """What stands after Serve in main runs at the stop, as in a process; it has a name."""
        async with guests.started() as handle:
            assert {"id 0": "a"} == told(await handle.process_batch(orders("a")))
            assert "main went on" not in guests.log.messages
        assert ["main went on", "main ended"] == guests.log.messages[-2:]

    async def test_ends_with_its_panic(self, guests: Guests) -> None:
        """A panic of main before it serves is the reason why there is no plugin."""
        with pytest.raises(CdpError, match="main panicked") as caught:
            await guests.launch("panic")
        assert "plugin.failed" == caught.value.code

    async def test_serves_nothing(self, guests: Guests) -> None:
        """A main that returns and serves nothing is told to serve."""
        with pytest.raises(CdpError, match="has served no plugin") as caught:
            await guests.launch("silent")
        assert "ServeProcessor" in str(caught.value.hint)

    async def test_gives_up(self, guests: Guests) -> None:
        """A main that ends the program before it serves is told with its last lines."""
        with pytest.raises(CdpError, match="main gave up") as caught:
            await guests.launch("exit")
        assert "plugin.trapped" == caught.value.code

    async def test_has_a_source(self, guests: Guests) -> None:
        """A source is refused, with what to do."""
        with pytest.raises(CdpError, match="a source cannot be a WebAssembly plugin") as caught:
            await guests.launch("source")
        assert "plugin.kind_unsupported" == caught.value.code
        assert "GOOS=wasip1" in str(caught.value.hint)

    async def test_has_no_name(self, guests: Guests) -> None:
        """What Serve refuses is what the host tells."""
        with pytest.raises(CdpError, match="the plugin's metadata has no name"):
            await guests.launch("nameless")


class TestWork:
    async def test_a_panic_costs_its_row(self, guests: Guests) -> None:
        """A panic fails its row with its text, its stack is in the log, the instance lives on."""
        async with guests.started() as handle:
            outputs = await handle.process_batch(orders("a", "panic", "b"))
            assert {"id 0": "a", "id 2": "b"} == told(outputs)
            assert {1: "panic: boom"} == errors_of(outputs)
            assert 0 == handle.replaced
        [(level, _, fields)] = [line for line in guests.log.lines if "panicked" in line[1]]
        assert "error" == level
        assert "main.work" in fields["plugin_stack"]

    async def test_faults_of_the_program_are_panics(self, guests: Guests) -> None:
        """What the language checks costs a row too: WebAssembly traps at none of it."""
        faults = {
            "nil": "invalid memory address or nil pointer dereference",
            "bounds": "index out of range [0] with length 0",
            "zero": "integer divide by zero",
            "map": "assignment to entry in nil map",
        }
        async with guests.started() as handle:
            found = errors_of(await handle.process_batch(orders(*faults, "a")))
            assert list(range(4)) == list(found)
            for row, text in enumerate(faults.values()):
                assert text in found[row]
            assert 0 == handle.replaced

    @pytest.mark.parametrize(
        ("order", "code", "text"),
        [
            ("deadlock", "plugin.trapped", "all goroutines are asleep - deadlock!"),
            ("exit", "plugin.trapped", "status 3"),
            ("memory", "plugin.memory_exceeded", "more memory"),
            ("recursion", "plugin.stack_exhausted", "too deeply"),
        ],
    )
    async def test_what_ends_an_instance(
        self, guests: Guests, order: str, code: str, text: str
    ) -> None:
        """What Go cannot recover from ends the instance and costs its row, with its reason."""
        async with guests.started(memory="64MB") as handle:
            outputs = await handle.process_batch(orders("a", order, "b"))
            assert {"id 0": "a", "id 2": "b"} == told(outputs)
            [(row, error)] = outputs.errors.items()
            assert (1, code) == (row, error.code)
            assert text in error.message
            assert handle.replaced > 0

    async def test_goroutines(self, guests: Guests) -> None:
        """A function may wait for goroutines of its own; the answer comes when it returns."""
        async with guests.started() as handle:
            answer = await handle.process_batch(orders("goroutine", "a"))
            assert {"id 0": "from another", "id 1": "a"} == told(answer)

    async def test_sleep(self, guests: Guests) -> None:
        """A sleep ends at once, and the guest's clock has moved on."""
        async with guests.started() as handle:
            assert {"id 0": True} == told(await handle.process_batch(orders("sleep")))

    async def test_texts_may_be_kept(self, guests: Guests) -> None:
        """Texts of a message outlive its batch, whose memory is used again."""
        async with guests.started() as handle:
            for _ in range(3):
                await handle.process_batch(orders(*["keep"] * 3, "a" * 1000))
            outputs = await handle.process_batch(orders("kept"))
            assert ["id 0", "id 1", "id 2"] * 3 == told(outputs)["id 0"]

    async def test_logs(self, guests: Guests) -> None:
        """Log lines come with level and fields, those of package log too."""
        async with guests.started() as handle:
            await handle.process_batch(orders("log"))
        assert ("warning", "a line", 7) in [
            (level, text, fields.get("number")) for level, text, fields in guests.log.lines
        ]
        assert ("info", "a plain line") in [line[:2] for line in guests.log.lines]

    async def test_a_whole_batch(self, guests: Guests) -> None:
        """An error of a batch function is about the batch, as the instruction it is."""
        async with guests.started("batches") as handle:
            with pytest.raises(Retry, match="a batch later") as caught:
                await handle.process_batch(orders("a"))
        assert 1.0 == caught.value.after_s


class TestConsumer:
    async def test_is_durable_when_it_answers(self, guests: Guests) -> None:
        """A consumer made of one function takes messages in order, up to one that it refuses."""
        async with guests.started("consumer", kind="consumer") as handle:
            assert 9 == await handle.consume(Delivery(orders("a", "b"), (8, 9), 9))
            with pytest.raises(PluginError, match="no room") as caught:
                await handle.consume(Delivery(orders("c", "refuse", "d"), (10, 11, 12), 12))
        assert "guest.full" == caught.value.code
        taken = [fields["id"] for _, text, fields in guests.log.lines if "took" == text]
        assert ["id 0", "id 1", "id 0"] == taken


@pytest.fixture(scope="module")
def environ() -> Mapping[str, str]:
    """The environment, the caches of compilers left where they are."""
    return {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}


class TestEnrich:
    async def test_one_source_two_plugins(
        self, environ: Mapping[str, str], cache: Path, tmp_path: Path
    ) -> None:
        """In a process and as WebAssembly a plugin conforms, and answers the same."""
        folder = copied("enrich-go", tmp_path)
        report = await tried(folder / "wasm.yaml", environ, cache)
        assert [] == [f"{each.case}: {each.reason}" for each in report.of("failed")]
        sample = sample_beside(folder)
        messages = [each.message() for each in sample.messages]
        launchers = Launchers(environ, cache)
        answers = []
        for name in ("plugin.yaml", "wasm.yaml"):
            subject = await launchers.subject(target_of(str(folder / name)))
            async with subject.launch() as handle:
                with pytest.raises(ConfigInvalid, match="famlies"):
                    await handle.configure({"famlies": []})
                await handle.configure({"families": ["payment", "soroban"], "keep_failed": False})
                await handle.start(Context("pipeline", "stage"))
                batch = batch_of([*messages, Message(type="operations", payload={})])
                outputs = await handle.process_batch(batch)
            answers.append((shown(outputs), {row: str(e) for row, e in outputs.errors.items()}))
        assert answers[0] == answers[1]
        assert [3] == list(answers[0][1])


class TestReadme:
    async def test_the_plugin_in_ten_lines(
        self, environ: Mapping[str, str], cache: Path, tmp_path: Path
    ) -> None:
        """The program of the README is built by its command and its manifest, and runs bare."""
        text = (ROOT / "sdk" / "go" / "README.md").read_text()
        folder = copied("enrich-go", tmp_path)
        for file in folder.glob("*.go"):
            file.unlink()
        (folder / "main.go").write_text(block(text, "go", "package main"))
        command = block(text, "", "GOOS=wasip1").split()
        subprocess.run(["env", *command], cwd=folder, check=True, timeout=BOUND_S, env=environ)
        (folder / "wasm.yaml").write_text(block(text, "yaml", "runtime: wasm"))
        launchers = Launchers(environ, cache)
        for name in ("large-messages.wasm", "wasm.yaml"):
            subject = await launchers.subject(target_of(str(folder / name)))
            async with subject.launch() as handle:
                await handle.configure({})
                await handle.start(Context("pipeline", "stage"))
                outputs = await handle.process_batch(orders("small", "x" * 100))
            assert [("id 1", {"size": 102})] == [(m.id, m.metadata) for m in messages_of(outputs)]
            assert {"small": 1} == dict(outputs.dropped)


def block(text: str, language: str, start: str) -> str:
    """The block of a page in *language* that holds *start* first."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return next(found for found in blocks if start in found)


class TestPipeline:
    async def test_names_the_manifest(
        self,
        environ: Mapping[str, str],
        cache: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A pipeline chooses the build by its manifest; the rest of the file is the same."""
        folder = copied("enrich-go", tmp_path)
        await Launchers(environ, cache).builder.ensure(load_manifest(folder / "wasm.yaml"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
        operation = {"type_string": "payment", "operation_trace_code": "PaymentSuccess"}
        rows = [operation | {"id": 132379546421870594 + n} for n in range(3)]
        (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
        done = Workshop(tmp_path).run(
            "enriched",
            source={"type": "jsonl", "config": {"path": "in.jsonl", "type": "operations"}},
            pipeline=[
                {"plugin": "enrich"},
                {"type": "save-to-jsonl", "config": {"path": "out.jsonl"}},
            ],
            plugins=[{"name": "enrich", "path": str(folder / "wasm.yaml")}],
        )
        assert 0 == done.code, done.err
        added = {"family": "payment", "operation_succeeded": True}
        lines = (tmp_path / "out.jsonl").read_text().splitlines()
        assert [row | added for row in rows] == [json.loads(line) for line in lines]


async def tried(manifest: Path, environ: Mapping[str, str], cache: Path) -> testing.Report:
    """What the conformance suite says of the plugin of *manifest*."""
    subject = await Launchers(environ, cache).subject(target_of(str(manifest)))
    return await testing.run(subject)


def copied(name: str, folder: Path) -> Path:
    """A copy of an example and of the SDK that it is built with."""
    sources = shutil.ignore_patterns("bin")
    shutil.copytree(ROOT / "sdk" / "go", folder / "sdk" / "go")
    place = folder / "examples" / "plugins" / name
    shutil.copytree(PLUGINS / name, place, ignore=sources)
    return place


def shown(outputs: Any) -> list[Any]:
    """Every attribute of each output, and the reasons of drops."""
    rows = [row for part in outputs.parts for row in part.rows]
    return [messages_of(outputs), dict(outputs.dropped), rows]
