"""The guide to testing shows what is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests._flowctl import flowctl

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/guides/testing.md"


def test_its_file(tmp_path: Path) -> None:
    """The file that it shows passes with the plugin of the README, and fails as it says."""
    text = PAGE.read_text()
    [file] = re.findall(r"```yaml\n(# test-pipeline.yaml.*?)```", text, re.DOTALL)
    [plugin] = re.findall(
        r"```python\n(# large_payments.py.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    (tmp_path / "large_payments.py").write_text(plugin)
    (tmp_path / "test-pipeline.yaml").write_text(file)
    done = flowctl("test", "test-pipeline.yaml", cwd=tmp_path)
    assert (0, "2 passed, 0 failed") == (done.code, done.out.splitlines()[-1]), done.err

    (tmp_path / "large_payments.py").write_text(plugin.replace("> 1_000_000", "> 1"))
    failed = flowctl("test", "test-pipeline.yaml", cwd=tmp_path)
    [shown] = re.findall(r"```\n(test-pipeline.yaml\n.*?)```", text, re.DOTALL)
    assert (1, shown) == (failed.code, failed.out)


def test_a_source_and_a_consumer(tmp_path: Path) -> None:
    """The files that it shows for a source and a consumer pass."""
    for name, text in re.findall(
        r"```yaml\n# (test-\w+\.yaml)\n(.*?)```", PAGE.read_text(), re.DOTALL
    ):
        if name != "test-pipeline.yaml":
            (tmp_path / name).write_text(text)
    rows = [{"amount": amount} for amount in (2000000, 5, 6)]
    (tmp_path / "payments.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = flowctl("test", ".", cwd=tmp_path)
    assert (0, "2 passed, 0 failed") == (done.code, done.out.splitlines()[-1]), done.out + done.err
    assert not list(tmp_path.rglob("written.jsonl"))
