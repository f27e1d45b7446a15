"""What all tests share: the real ledgers, a state folder of their own, and no silent skips."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
"""What compilers have made before: it is no state of a test, and costs a minute to make anew."""


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real ledgers and golden rows; tests skip where it is absent."""
    folder = Path(os.environ.get("CDP_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no ledgers at {folder}: set CDP_TEST_DATA")
    return folder


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test's checkpoints and caches out of the user's folders."""
    folder = tmp_path_factory.mktemp("xdg")
    for name in ("STATE", "CACHE", "CONFIG", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(folder / name.lower()))
    monkeypatch.setenv("GOCACHE", os.environ.get("GOCACHE", str(CACHES / "go-build")))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Turn a skip into a failure where nothing may skip (`CDP_NO_SKIP`, set in CI)."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and os.environ.get("CDP_NO_SKIP") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped where nothing may skip: {report.longrepr}"
