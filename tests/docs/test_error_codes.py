"""The page of error codes is complete."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import reference

PAGE = (ROOT / "docs/reference/errors.md").read_text()
_CODE = re.compile(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*")
_OTHER_NAMES = r"(docker|grpc|reference|message)\..*"
_FILE_NAMES = r".*\.(json|jsonl|yaml|sock|bin|zstd?|wasm|wit)"
_NO_CODE = re.compile(f"{_OTHER_NAMES}|{_FILE_NAMES}")
"""Keys of a manifest, options of gRPC, the reference plugin's tests, a variable; file names."""


def literals(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    texts = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return {text for text in texts if _CODE.fullmatch(text) and not _NO_CODE.fullmatch(text)}


def test_every_code_of_the_sources_is_found() -> None:
    """Each dotted literal of a family of codes is among the codes, also those in tables."""
    codes = reference.error_codes()
    families = {code.partition(".")[0] for code in codes}
    for folder in ("src/cdp_pipeline", "sdk/python/cdpplugin"):
        for path in (ROOT / folder).rglob("*.py"):
            dotted = {t for t in literals(path) if t.partition(".")[0] in families}

            assert set() == dotted - codes.keys(), path


def test_the_page_says_something_of_every_code() -> None:
    """No code is missing from the page, and none stands there without a meaning."""
    for code in reference.error_codes():
        assert f"| `{code}` | " in PAGE, f"{code}: make docs"

    assert "|  |" not in PAGE


def test_no_sentence_ends_twice() -> None:
    """Descriptions of components end with one full stop."""
    assert ".." not in (ROOT / "docs/reference/components.md").read_text().replace("...", "")
