"""What a pipeline file says while its pipeline runs: half written, gone, with new secrets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.config import load_pipeline
from cdp_pipeline.config.settings import HostSettings
from cdp_pipeline.errors import CdpError
from cdp_pipeline.host import management
from cdp_pipeline.host.catalog import Catalog
from cdp_pipeline.host.components import Component
from cdp_pipeline.host.plugins import Plugins
from cdp_pipeline.host.renewal import Renewal
from cdp_pipeline.host.running import checked
from cdp_pipeline.manager.manager import PluginManager
from cdp_pipeline.manager.settings import ManagerSettings
from cdp_pipeline.observability.logs import mask_logs, masked

MINE = """
from cdpplugin import processor

@processor("mine", "1.0.0")
def mine(message):
    return message
"""


class Written:
    """A pipeline file, and what looks at it again."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "pipeline.yaml"
        (folder / "mine.py").write_text(MINE)
        (folder / "in.jsonl").write_text(json.dumps({"n": 1}) + "\n")
        self.write(limit=1, api_token="first-secret")
        self.config = load_pipeline(self.file, {})
        plugins = Plugins(Catalog(), {})
        self.components = checked(self.config, {}, plugins)
        self.renewal = Renewal(self.config, plugins, {})
        self.mine = self.components[1]
        for component in self.components:
            self.renewal.of(component)

    def write(self, **config: Any) -> None:
        self.file.write_text(
            "name: renewed\n"
            "plugins: [{name: mine, path: mine.py}]\n"
            "source: {type: jsonl, config: {path: in.jsonl}}\n"
            f"pipeline: [{{plugin: mine, config: {json.dumps(config)}}}]\n"
        )

    def again(self) -> Component:
        return self.renewal.again(self.mine)


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    yield Written(tmp_path)
    mask_logs(lambda fields: fields)


def test_what_it_says_now(written: Written) -> None:
    """The configuration is that of the file as it is now."""
    written.write(limit=2)
    assert {"limit": 2} == dict(written.again().config)


@pytest.mark.parametrize("text", ["name: renewed\nplug", "name: [", "", "source: {type: jsonl}"])
def test_a_file_that_is_half_written(written: Written, text: str) -> None:
    """A file with faults changes nothing; the next whole one counts."""
    written.file.write_text(text)
    with pytest.raises(CdpError):
        written.again()
    written.write(limit=3)
    assert {"limit": 3} == dict(written.again().config)


def test_a_file_that_is_gone_for_a_moment(written: Written) -> None:
    """While there is no file, what it said last counts, and not what it said first."""
    written.write(limit=2)
    written.again()
    written.file.unlink()
    assert {"limit": 2} == dict(written.again().config)


def test_new_secrets_are_not_shown(written: Written) -> None:
    """The logs hide the secrets of the new configuration, and those of the old one still."""
    written.write(api_token="second-secret")
    written.again()
    shown = masked({"said": "first-secret or second-secret"})
    assert {"said": "*** or ***"} == shown


async def test_watching_that_fails_begins_again(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system watches no more files, that is said, and it is tried again."""
    begun = asyncio.Semaphore(0)

    async def refused(places: Any, debounce_s: float) -> AsyncIterator[set[str]]:
        begun.release()
        raise OSError("no space left for watches")
        yield set()

    monkeypatch.setattr(management, "changes", refused)
    monkeypatch.setattr(management, "_AGAIN_S", 0.01)
    manager = PluginManager(ManagerSettings())
    watching = asyncio.create_task(
        management.watch_files(
            manager, written.renewal, written.config, written.components, HostSettings()
        )
    )
    for _ in range(3):
        await asyncio.wait_for(begun.acquire(), 10)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
