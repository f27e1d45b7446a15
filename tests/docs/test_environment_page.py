"""The page of environment variables is complete."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import reference_environment

_FAMILY = re.compile(r"(FLOWCTL|XDG|PLUGIN|AWS|GOOGLE|AZURE|DOCKER|WASI|GRPC)_[A-Z_]*[A-Z]")
_BY_ITS_FAMILY = {"AZURE_STORAGE_ACCOUNT_NAME", "AWS_SECRET_ACCESS_KEY"}
"""Named in a hint, or beside the variable that counts."""


def names_in(path: Path) -> Iterator[str]:
    """Yield the variables that a module names or reads."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if _FAMILY.fullmatch(node.value):
                yield node.value
        elif isinstance(node, ast.Subscript) and "environ" in ast.unparse(node.value):
            yield from texts(node.slice)
        elif isinstance(node, ast.Call) and node.args and "environ.get" in ast.unparse(node.func):
            yield from texts(node.args[0])


def texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def test_every_variable_of_the_sources_is_listed() -> None:
    """What the host or the Python SDK reads stands on the page."""
    listed = reference_environment.listed() | _BY_ITS_FAMILY
    for folder in ("src/cdp_pipeline", "sdk/python/cdpplugin"):
        for path in (ROOT / folder).rglob("*.py"):
            if "ancestor" not in path.parts and "_pb2" not in path.name:
                assert set() == set(names_in(path)) - listed, path
