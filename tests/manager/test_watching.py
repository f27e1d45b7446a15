"""Changed files are noticed, once they are whole, and only if they are another content."""

from __future__ import annotations

import asyncio
import os
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

    def test_what_a_build_wrote(self, folder: Path) -> None:
        """What is there after a build is what is there."""
        place = Place(folder)
        (folder / "built").write_text("x")
        place.remember()
        assert not place.has_changed()
