"""A copy of the examples, built once, with what they need: a database, and a server of pages.

Other tests build the examples where they are, and a package manager that installs anew takes
away what another has just put there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests._postgres import postgres, postgres_server
from tests._workshop import Workshop
from tests.conftest import ROOT
from tests.examples._horizon import Horizon, running_horizon

__all__ = ["postgres", "postgres_server"]

RECORDS = 200
NOT_SOURCES = shutil.ignore_patterns(
    "node_modules", "dist", "bin", "target", "__pycache__", "*.wasm", "*.egg-info"
)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples, and of the SDKs and the contract beside them."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("proto", "spec", "sdk", "examples"):
        shutil.copytree(ROOT / name, folder / name, ignore=NOT_SOURCES)
    return folder


@pytest.fixture(scope="session")
def plugins(checkout: Path) -> Path:
    """The folder of the copied example plugins."""
    return checkout / "examples/plugins"


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Variables for one cache of this project, so that a plugin is built once.

    Those of compilers and package managers stay where they are.
    """
    home = Path.home() / ".cache"
    return {
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "GOCACHE": os.environ.get("GOCACHE", str(home / "go-build")),
        "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(home / "pip")),
        "ZIG_GLOBAL_CACHE_DIR": str(home / "zig"),
    }


@pytest.fixture
def horizon() -> Iterator[Horizon]:
    """A server of pages."""
    with running_horizon(RECORDS) as server:
        yield server


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """An empty folder to work in."""
    return Workshop(tmp_path)


def require(*tools: str) -> None:
    """Skip where a tool is missing that builds a plugin."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} on PATH")
