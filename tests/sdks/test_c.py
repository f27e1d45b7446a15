"""The C SDK passes its own tests, and what its README says is true on both WebAssembly targets."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.runtimes.wasm.loader import WasmLoader
from cdp_pipeline.testing.launchers import Launchers, target_of
from cdpplugin import Batch, Context, Outputs, testing
from tests.conftest import ROOT

BOUND_S = 900
SDK = ROOT / "sdk/c"
ZIG = f"{sys.executable} -m ziglang cc"
README = (SDK / "README.md").read_text()
EXAMPLES = re.findall(r"```(c|cpp)\n(.*?)```", README, re.DOTALL)
PLUGINS = [(language, code) for language, code in EXAMPLES if "int main" not in code]
NATIVE_TESTS = [code for _, code in EXAMPLES if "int main" in code]
TARGETS = ["freestanding", "wasi"]
ZIG_CACHE = str(Path.home() / ".cache/zig")
"""Where zig keeps the C libraries that it has built: each test has no other cache of its own."""


def run(command: Sequence[str | Path], **variables: str) -> str:
    done = subprocess.run(
        command,
        cwd=SDK,
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S,
        env=os.environ | {"ZIG_GLOBAL_CACHE_DIR": ZIG_CACHE} | variables,
    )
    assert 0 == done.returncode, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def compiled(source: Path, target: str, compiler: str = ZIG) -> Path:
    """Return the module that `wasm-cc` makes of *source*, free of warnings."""
    module = source.with_suffix(f".{target}.wasm")
    options = ["--wasi"] if target == "wasi" else []
    standard = "-std=c++17" if source.suffix == ".cpp" else "-std=c11"
    warnings = [standard, "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
    run(["sh", SDK / "wasm-cc", *options, "-o", module, source, *warnings], CC=compiler)
    return module


class TestOwnTests:
    def test_with_zig(self, tmp_path: Path) -> None:
        """`make test` passes with undefined behaviour made fatal."""
        told = run(["make", "test", f"CC={ZIG}", f"BUILD={tmp_path}"])
        assert 9 == told.count(" 0 failures")

    def test_with_addresses_checked(self, tmp_path: Path) -> None:
        """So it does with the machine's compiler, every address checked."""
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("no cc on PATH")
        flags = "CFLAGS=-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
        # What tests keep until they end is no leak of the SDK, whose memory they measure.
        options = {"ASAN_OPTIONS": "detect_leaks=0"}
        told = run(["make", "hosted", f"CC={compiler}", flags, f"BUILD={tmp_path}"], **options)
        assert 5 == told.count(" 0 failures")


def messages(*amounts: int) -> Batch:
    return Batch.of("Payment", [{"amount": amount, "n": 2**53 + 1} for amount in amounts])


async def answered(module: Path, batch: Batch, cache: Path) -> Outputs:
    """Return what the plugin of *module* answers to *batch*, run as a host does."""
    plugin = PluginConfig(name="example", type="wasm", path=str(module))
    handle = await WasmLoader({}, cache).load_file(module, plugin)(1)
    try:
        await handle.configure({})
        await handle.start(Context("pipeline", "stage"))
        return await handle.process_batch(batch)
    finally:
        await handle.stop()


@pytest.mark.parametrize("target", TARGETS)
class TestModules:
    @pytest.mark.parametrize("example", range(len(PLUGINS)))
    async def test_examples(self, example: int, target: str, tmp_path: Path) -> None:
        """Each plugin of the README compiles without a warning, and does what it is there for."""
        language, code = PLUGINS[example]
        source = tmp_path / f"example.{language}"
        source.write_text(code)
        outputs = await answered(compiled(source, target), messages(5000, 7, 6000), tmp_path)
        assert {} == dict(outputs.errors)
        [part] = outputs.parts
        is_filter = language == "c"
        assert ([0, 2] if is_filter else [0, 1, 2]) == list(part.rows)
        assert ({"small": 1} if is_filter else {}) == dict(outputs.dropped)
        assert all(b"9007199254740993" in text for text in part.batch.payloads.json())

    def test_reference_plugin(self, target: str, tmp_path: Path) -> None:
        """The reference processor keeps every rule."""
        source = tmp_path / "reference.c"
        shutil.copy(ROOT / "examples/plugins/reference-c/reference.c", source)
        launchers = Launchers(os.environ, tmp_path / "cache")

        async def tried() -> testing.Report:
            subject = await launchers.subject(target_of(str(compiled(source, target))))
            return await testing.run(replace(subject, bound_s=60.0))

        report = asyncio.run(tried())
        assert [] == [f"{each.case}: {each.reason}" for each in report.of("failed")]
        assert "cdp-reference-processor@1.0.0" == report.plugin


class TestCompiling:
    @pytest.mark.parametrize("code", NATIVE_TESTS)
    def test_a_test_of_ones_own(self, code: str, tmp_path: Path) -> None:
        """The README's test of a plugin, compiled for the machine at hand, passes."""
        source = tmp_path / "test.c"
        source.write_text(code)
        run([*ZIG.split(), "-std=c11", f"-I{SDK}", "-o", tmp_path / "test", source])
        run([tmp_path / "test"])

    def test_any_clang(self, tmp_path: Path) -> None:
        """A clang with lld, and nothing else, makes a module too."""
        found = [
            shutil.which(f"clang{suffix}") for suffix in ("", *(f"-{n}" for n in range(14, 22)))
        ]
        clang = next(filter(None, found), None)
        if clang is None or shutil.which("wasm-ld") is None:
            pytest.skip("no clang with lld on PATH")
        source = tmp_path / "example.c"
        source.write_text(PLUGINS[1][1])
        assert b"\0asm" == compiled(source, "freestanding", clang).read_bytes()[:4]

    def test_no_compiler(self, tmp_path: Path) -> None:
        """Where nothing makes modules, that is said, with what to do."""
        for tool in ("sh", "dirname", "mktemp", "rm"):
            (tmp_path / tool).symlink_to(shutil.which(tool) or tool)
        command = ["sh", str(SDK / "wasm-cc"), "-o", "x.wasm", "x.c"]
        done = subprocess.run(
            command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
        )
        assert 127 == done.returncode
        assert "no compiler here makes wasm32-freestanding modules" in done.stderr
        assert "hint: pip install ziglang" in done.stderr
