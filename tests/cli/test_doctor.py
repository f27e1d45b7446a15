"""`flowctl doctor` tells what there is, and what to do about what is not."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from tests._flowctl import flowctl


def tool(folder: Path, name: str, says: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (folder / name).chmod((folder / name).stat().st_mode | stat.S_IEXEC)


def test_toolchains(tmp_path: Path) -> None:
    """A tool that is there is told with its version, an old one and a missing one with a hint."""
    tool(tmp_path / "bin", "go", "go version go1.99.1 linux/amd64")
    tool(tmp_path / "bin", "node", "v12.22.0")
    env = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    done = flowctl("doctor", "--output", "json", env=env)
    assert 0 == done.code
    found = {finding["name"]: finding for finding in json.loads(done.out)}
    assert ("ok", "1.99.1") == (found["Go"]["verdict"], found["Go"]["found"])
    assert ("weak", "12.22.0") == (found["Node"]["verdict"], found["Node"]["found"])
    assert ("missing", "install Rust: https://rustup.rs") == (
        found["Rust"]["verdict"],
        found["Rust"]["hint"],
    )
    assert all(finding["hint"] for finding in found.values() if finding["verdict"] != "ok")


def test_credentials_are_not_shown(tmp_path: Path) -> None:
    """Credentials are told to be there; nothing of them is shown."""
    env = {"AWS_ACCESS_KEY_ID": "AKIA-very-secret", "PATH": os.environ["PATH"]}
    done = flowctl("doctor", env=env)
    assert 0 == done.code
    assert "ok       S3  credentials" in done.out
    assert "very-secret" not in done.out + done.err
