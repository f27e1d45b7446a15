"""Changed files are noticed, once they are whole, and only if they are another content."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cdp_pipeline.manager.watching import Place, changes, whole

DEBOUNCE_S = 0.05


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "plugin"
    made.mkdir()
    (made / "plugin.yaml").write_text("version: 1.0.0")
    (made / "binary").write_bytes(b"1" * 1000)
    return made


async def first(found: AsyncIterator[set[str]]) -> set[str]:
    return await asyncio.wait_for(anext(found), 20)


async def test_a_change_is_noticed(folder: Path) -> None:
    """A changed file, and one put in its place, name their plugin."""
    found = changes({"enrich": folder, "other": folder.parent / "none.wasm"}, DEBOUNCE_S)
    waiting = asyncio.create_task(first(found))
    size = 0
    while not waiting.done():  # the watcher has no sign that it has begun
        (folder / "binary").write_bytes(b"2" * (size := size + 1))
        await asyncio.wait([waiting], timeout=0.5)
    assert {"enrich"} == await waiting
    replaced = asyncio.create_task(first(found))
    (folder / "new").write_bytes(b"3")
    (folder / "new").rename(folder / "binary")
    assert {"enrich"} == await replaced
    await found.aclose()


async def test_what_was_changed_before_the_watch(folder: Path) -> None:
    """Asked to, it names all places once it has begun, so that nothing before is missed."""
    found = changes({"enrich": folder, "other": folder / "binary"}, DEBOUNCE_S, at_once=True)
    assert {"enrich", "other"} == await first(found)
    await found.aclose()


async def test_a_file_that_is_still_written(folder: Path) -> None:
    """A half-copied executable is not whole, however long the copy pauses."""
    with (folder / "binary").open("r+b") as copy:
        copy.write(b"2" * 500)
        copy.flush()
        waiting = asyncio.create_task(whole(folder, DEBOUNCE_S))
        done, _ = await asyncio.wait([waiting], timeout=10 * DEBOUNCE_S)
        assert not done
        copy.write(b"2" * 500)
    await asyncio.wait_for(waiting, 20)
    assert b"2" * 1000 == (folder / "binary").read_bytes()


class TestContent:
    def test_the_same_is_no_change(self, folder: Path) -> None:
        """A file that was only touched, or is hidden, changes nothing."""
        place = Place(folder)
        os.utime(folder / "binary", (1, 1))
        (folder / ".git").mkdir()
        (folder / ".git/index").write_text("x")
        (folder / "__pycache__").mkdir()
        (folder / "__pycache__/x.pyc").write_text("x")
        assert not place.has_changed()

    def test_another_is_one(self, folder: Path) -> None:
        """Another byte, another name, one file less: each is a change, once."""
        place = Place(folder)
        for change in (
            lambda: (folder / "binary").write_bytes(b"2" * 1000),
            lambda: (folder / "binary").rename(folder / "renamed"),
            (folder / "renamed").unlink,
        ):
            change()
            assert place.has_changed()
            assert not place.has_changed()

    def test_what_a_plugin_wrote(self, folder: Path) -> None:
        """A file that a plugin made when it began is no change; one that was changed is one."""
        place = Place(folder)
        (folder / "made").write_text("x")
        place.accept_new()
        assert not place.has_changed()
        (folder / "binary").write_bytes(b"edited while the plugin was reloaded")
        place.accept_new()
        assert place.has_changed()

    def test_what_passes(self, folder: Path) -> None:
        """Logs, and what an editor keeps beside a file, are no part of a plugin."""
        place = Place(folder)
        for name in ("out.log", "main.py~", "main.py.swp", "half.part"):
            (folder / name).write_text("x")
        assert not place.has_changed()


async def test_a_folder_that_is_replaced(tmp_path: Path) -> None:
    """A new version that is put in place as a whole, by a link or a new name, is seen each time."""
    for version in "1", "2", "3":
        (tmp_path / version).mkdir()
        (tmp_path / version / "main.py").write_text(version)
    place = tmp_path / "current"
    place.symlink_to("1")
    found = changes({"enrich": place}, DEBOUNCE_S)
    began = asyncio.create_task(first(found))
    while not began.done():
        (tmp_path / "1/main.py").write_text("1")
        await asyncio.wait([began], timeout=0.5)
    for version in "2", "3":
        (tmp_path / "draft").symlink_to(version)
        seen = asyncio.create_task(_content(found, place, version))
        (tmp_path / "draft").rename(place)
        await asyncio.wait_for(seen, 20)
        (place / "main.py").write_text(f"{version} edited")
        await asyncio.wait_for(_content(found, place, f"{version} edited"), 20)
    await found.aclose()


async def test_a_folder_that_is_away_for_a_while(tmp_path: Path) -> None:
    """A folder that vanishes, and comes again, is watched again."""
    place = tmp_path / "deep/plugin"
    place.mkdir(parents=True)
    found = changes({"enrich": place}, DEBOUNCE_S)
    seen = asyncio.create_task(_content(found, place, "2"))
    await asyncio.sleep(0)
    shutil.rmtree(tmp_path / "deep")
    place.mkdir(parents=True)
    while not seen.done():
        (place / "main.py").write_text("2")
        await asyncio.wait([seen], timeout=0.5)
    await seen
    await found.aclose()


async def _content(found: AsyncIterator[set[str]], place: Path, text: str) -> None:
    """Wait for news of *place*, whose file has this text then."""
    async for names in found:
        file = place / "main.py"
        if "enrich" in names and file.exists() and text == file.read_text():
            return
