"""The example plugins pass their own tests, run by the runner of their language.

Those that need no server are run beside the SDK of their language, in `tests/sdks`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests._postgres import Database
from tests.examples.conftest import require

BOUND_S = 600
POSTGRES = ["postgres-consumer-go", "postgres-consumer-python"]
OTHERS = ["http-source-go", "http-source-python"]


def run(command: Sequence[str | Path], folder: Path, **variables: str) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S,
        env=os.environ | variables,
    )
    assert 0 == done.returncode, done.stdout[-4000:] + done.stderr[-4000:]


def run_tests(folder: Path, **variables: str) -> None:
    """Run the tests of a plugin in Go or Python."""
    if folder.name.endswith("-python"):
        return run([sys.executable, "-m", "unittest", "discover", "test"], folder, **variables)
    require("go")
    run(["go", "vet", "./..."], folder, **variables)
    return run(["go", "test", "./..."], folder, **variables)


@pytest.mark.parametrize("name", OTHERS)
def test_it_passes(name: str, plugins: Path, caches: dict[str, str]) -> None:
    """A plugin passes its own tests."""
    run_tests(plugins / name, **caches)


@pytest.mark.parametrize("name", POSTGRES)
def test_it_passes_on_a_server(
    name: str, plugins: Path, caches: dict[str, str], postgres: Database
) -> None:
    """A consumer passes its own tests on a real server."""
    run_tests(plugins / name, **caches, DATABASE_URL=postgres.url)


def test_dedupe(plugins: Path, tmp_path: Path) -> None:
    """The plugin in C passes its own tests, compiled for this machine without a warning."""
    compiler = (
        [shutil.which("cc") or ""]
        if shutil.which("cc")
        else [sys.executable, "-m", "ziglang", "cc"]
    )
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
    strict = ["-g", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    sources = ["-I../../../sdk/c", "-o", str(tmp_path / "test"), "test/dedupe_test.c", "-lm"]
    run([*compiler, *warnings, *strict, *sources], plugins / "dedupe-c")
    run([tmp_path / "test"], plugins / "dedupe-c")
