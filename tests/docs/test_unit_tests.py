"""The unit tests that the guide to testing and the README of the Python SDK show pass."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

BOUND_S = 300
PAGES = {
    "docs/guides/testing.md": r"```python\n(# test_plugins.py.*?)```",
    "sdk/python/README.md": r"## Testing\n.*?```python\n(.*?)```",
}


@pytest.mark.parametrize("page", PAGES)
def test_shown(page: str, tmp_path: Path) -> None:
    """They pass as they stand there, beside the plugin of the examples."""
    [code] = re.findall(PAGES[page], (ROOT / page).read_text(), re.DOTALL)
    (tmp_path / "test_plugins.py").write_text(code)
    shutil.copy(ROOT / "examples/plugins/large_payments.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S,
    )
    assert 0 == done.returncode, done.stdout[-4000:] + done.stderr[-4000:]
