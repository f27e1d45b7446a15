"""Plugins are replaced under a running `flowctl run`: by files, by configuration, by command."""

from __future__ import annotations

import pytest

from tests._workshop import Workshop
from tests.pipelines._live import NATIVE, PROCESS, Live


@pytest.fixture(params=["native", "grpc"])
def live(request: pytest.FixtureRequest, workshop: Workshop) -> Live:
    """A live pipeline whose plugin is a file in the host's process, or a process of its own."""
    if request.param == "native":
        (workshop.folder / "stamp.py").write_text(NATIVE)
        return Live(workshop, "stamp.py")
    folder = workshop.folder / "stamp"
    folder.mkdir()
    (folder / "stamp.py").write_text(PROCESS)
    (folder / "plugin.yaml").write_text("name: stamp\nversion: 1.0.0\nexecutable: stamp.py\n")
    return Live(workshop, "stamp")


def change(live: Live, version: str) -> None:
    """Put a version into the place of the present one, as an editor or a copy does."""
    folder = live.folder if live.path.endswith(".py") else live.folder / live.path
    text = (folder / "stamp.py").read_text()
    (folder / "stamp.py").write_text(text.replace('"1.0.0"', f'"{version}"'))
    if (folder / "plugin.yaml").exists():
        (folder / "plugin.yaml").write_text(
            f"name: stamp\nversion: {version}\nexecutable: stamp.py\n"
        )


def test_by_every_trigger(live: Live) -> None:
    """Changed files, changed configuration and a command: each takes over, no row is lost."""
    with live.running():
        live.flows()
        change(live, "1.0.1")
        live.until(reference="stamp@1.0.1", reloads=1)
        live.flows()
        live.configure("blue")
        live.until(reloads=2)
        live.flows()
        reloaded = live.command("plugin", "reload", "stamp")
        assert 0 == reloaded.code, reloaded.err
        assert "stamp@1.0.1" in reloaded.out
        live.until(reloads=3)
        live.flows()
    assert [("1.0.0", "red"), ("1.0.1", "red"), ("1.0.1", "blue")] == live.runs()


def test_what_fails(live: Live) -> None:
    """A version that cannot be loaded, and a pipeline file with faults, change nothing."""
    with live.running():
        live.flows()
        folder = live.folder if live.path.endswith(".py") else live.folder / live.path
        good, file = (folder / "stamp.py").read_text(), live.file.read_text()
        (folder / "stamp.py").write_text("raise SystemExit('broken')\n")
        reloaded = live.command("plugin", "reload", "stage", "--output", "json")
        assert 4 == reloaded.code
        (folder / "stamp.py").write_text(good)
        live.file.write_text("name: [")
        refused = live.command("plugin", "reload", "stage")
        assert 4 == refused.code
        live.file.write_text(file)
        live.flows()
        assert "stamp@1.0.0" == live.until(state="running")["reference"]
    assert [("1.0.0", "red")] == live.runs()
