"""Build the guests of `bench/plugins`, run them in a pipeline, and call one through Extism."""

from __future__ import annotations

import asyncio
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from bench import peers
from bench.bouncing import Bouncer, Catcher
from bench.case import Skip
from bench.process_plugins import BUILD_TIMEOUT_S, PLUGINS, Changed, last_line
from bench.rig import Given, Invalid, Replay, payments, run_document
from cdp_pipeline.config.paths import cache_folder
from cdpplugin import Batch, Context, JsonPayloads, Plugin

EXTISM = "1.1.1"
RUN_TIMEOUT_S = 60
_ROOT = PLUGINS.parents[1]
_CLIENT = PLUGINS / "extism_calls" / "client.py"
_RUST_TARGET = "wasm32-unknown-unknown"
_RELEASE = ("build", "--release", "--locked", "--target", _RUST_TARGET)


def built_rust(name: str, folder: Path) -> Path:
    """Return the module of the Rust guest *name*, built into *folder*.

    Raises:
        Skip: No compiler here has a target for WebAssembly.
    """
    target = folder / f"{name}-target"
    module = target / _RUST_TARGET / "release" / f"{name}.wasm"
    for cargo, rustc in _compilers():
        _run(
            [cargo, *_RELEASE, "--target-dir", str(target)],
            PLUGINS / name,
            RUSTC=rustc,
            RUSTFLAGS="-C target-feature=+bulk-memory",
        )
        return module
    raise Skip(f"no `cargo` here has the target {_RUST_TARGET}")


def _compilers() -> Iterator[tuple[str, str]]:
    """Yield each cargo and rustc that can build for WebAssembly, the one on PATH first."""
    for place in (shutil.which("cargo"), "/usr/bin/cargo"):
        if not place or not Path(place).is_file():
            continue
        rustc = str(Path(place).with_name("rustc"))
        done = subprocess.run(
            [rustc, "--print", "sysroot"], capture_output=True, text=True, check=False
        )
        if (Path(done.stdout.strip()) / "lib" / "rustlib" / _RUST_TARGET).is_dir():
            yield place, rustc


def built_go(name: str, folder: Path) -> Path:
    """Return the module of the Go guest *name*, the same source as its gRPC plugin.

    Raises:
        Skip: There is no Go here.
    """
    go = shutil.which("go")
    if go is None:
        raise Skip("`go` is not on PATH")
    module = folder / f"{name}.wasm"
    command = [go, "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared"]
    _run([*command, "-o", str(module), "."], PLUGINS / name, GOOS="wasip1", GOARCH="wasm")
    return module


def built_c(name: str, folder: Path, source: str = "change.c", *flags: str) -> Path:
    """Return the module of the C guest *name*, made by whatever compiler is here.

    Args:
        name: A folder in `bench/plugins`.
        folder: Where the module is put.
        source: The file in it.
        flags: More flags of the compiler.

    Raises:
        Skip: None here makes modules.
    """
    module = folder / f"{name}.wasm"
    command = ["sh", str(_ROOT / "sdk/c/wasm-cc"), "-o", str(module), source, *flags]
    own = str(Path(sys.executable).parent)
    _run(command, PLUGINS / name, PATH=os.pathsep.join([own, os.environ["PATH"]]))
    return module


def built_python(name: str, folder: Path) -> Path:
    """Return the component of the Python guest *name*, the same source as its gRPC plugin.

    Raises:
        Skip: componentize-py is not installed.
    """
    module = folder / f"{name}.wasm"
    command = [sys.executable, "-m", "cdpplugin.componentize", "plugin.py", "-o", str(module)]
    _run(command, PLUGINS / name)
    return module


def _run(command: Sequence[str], folder: Path, **environ: str) -> None:
    try:
        subprocess.run(
            command,
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            env=os.environ | environ,
        )
    except subprocess.TimeoutExpired as error:
        raise Skip(f"the guest was not built within {BUILD_TIMEOUT_S} s") from error
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", "") or str(error)
        raise Skip(f"the guest cannot be built: {last_line(told)}") from error


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, and what it starts, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def rate(module: Path, messages: int, *, rows: int = 1000, size_bytes: int = 0) -> float:
    """Return messages a second through the guest *module*, counted at the sink, on one core.

    Args:
        module: A module or component.
        messages: How many the source gives.
        rows: Messages in a batch.
        size_bytes: Bytes that are added to each payload.

    Raises:
        Invalid: Not every message arrived, changed.
    """
    batch = payments() if not size_bytes else padded(size_bytes)
    source, sink = Replay(messages, batch), Changed()
    with one_core():
        _pipeline(module, source, sink, {"rows": rows})
    if sink.rows != messages:
        raise Invalid(f"expected {messages} messages at the sink, got {sink.rows}")
    return messages / (sink.ended_s - source.begun_s)


def padded(size_bytes: int) -> Batch:
    """Return payments with *size_bytes* more of payload each."""
    filler = b',"memo":"' + b"x" * size_bytes + b'"}'
    batch = payments()
    return batch.replace(payloads=JsonPayloads([p[:-1] + filler for p in batch.payloads.json()]))


def latencies(module: Path, messages: int) -> list[float]:
    """Return how long single messages take from source to sink through *module*, in us."""
    bouncer = Bouncer(messages)
    _pipeline(module, bouncer, Catcher(bouncer), {"linger": 0})
    return bouncer.latencies_us


def _pipeline(module: Path, source: Plugin, sink: Plugin, batch: Mapping[str, Any]) -> None:
    document = {
        "source": {"type": "source"},
        "pipeline": [{"plugin": "guest"}, {"type": "sink"}],
        "plugins": [{"name": "guest", "type": "wasm", "path": str(module)}],
        "batch": dict(batch),
    }
    with TemporaryDirectory(prefix="cdp-bench-") as folder:
        run_document(document, Path(folder), Given({"source": source, "sink": sink}))


def call_latencies(module: Path, messages: int) -> list[float]:
    """Return how long single messages take through the host's handle of *module*, in us."""
    return asyncio.run(_call_latencies(module, messages))


async def _call_latencies(module: Path, messages: int) -> list[float]:
    from cdp_pipeline.config.pipeline import PluginConfig
    from cdp_pipeline.runtimes.wasm.loader import WasmLoader

    loader = WasmLoader(os.environ, cache_folder(os.environ))
    launch = loader.load_file(module, PluginConfig(name="guest", type="wasm"))
    handle, batch, found = await launch(1), payments(1), []
    await handle.configure({})
    await handle.start(Context("bench", "guest"))
    for _ in range(messages):
        begun_s = perf_counter()
        outputs = await handle.process_batch(batch)
        found.append((perf_counter() - begun_s) * 1e6)
        if outputs.errors:
            raise Invalid("the guest has not changed a message")
    await handle.stop()
    return found


def bare_latencies(module: Path, messages: int) -> list[float]:
    """Return how long single calls of *module* take by wasmtime's public interface, in us."""
    import wasmtime

    from cdp_pipeline.runtimes.wasm.texts import texts_of

    engine = wasmtime.Engine()
    store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
    i32 = wasmtime.ValType.i32
    linker.define_func("cdp", "log", wasmtime.FuncType([i32()] * 3, []), lambda *_: None)
    code = wasmtime.Module.from_file(engine, str(module))
    members: Any = linker.instantiate(store, code).exports(store)
    alloc, process, memory = members["alloc"], members["process"], members["memory"]
    text = next(texts_of(payments(1)))
    found = []
    for _ in range(messages):
        begun_s = perf_counter()
        at = alloc(store, len(text))
        memory.write(store, text, at)
        record = process(store, at, len(text))
        status, address, size = struct.unpack("<III", memory.read(store, record, record + 12))
        answer = memory.read(store, address, address + size)
        found.append((perf_counter() - begun_s) * 1e6)
        if status or b'"processed":true' not in answer:
            raise Invalid("the bare guest has not changed a message")
    return found


def extism_rate(module: Path) -> Callable[[int], float]:
    """Return what measures *module*, made for Extism, called once a message, on one core.

    Raises:
        Skip: Extism's Python SDK cannot be installed.
    """
    python = peers.environment(f"extism-{EXTISM}", (f"extism=={EXTISM}",))

    def measured(messages: int) -> float:
        with TemporaryDirectory(prefix="cdp-bench-") as scratch, one_core():
            lines = Path(scratch) / "payloads.jsonl"
            lines.write_bytes(b"\n".join(payments().payloads.json()))
            done = subprocess.run(
                [str(python), str(_CLIENT), str(module), str(lines), str(messages)],
                check=False,
                capture_output=True,
                text=True,
                timeout=RUN_TIMEOUT_S,
            )
        if done.returncode:
            raise Invalid(f"the client of Extism failed: {last_line(done.stderr)}")
        return messages / float(done.stdout)

    return measured
