"""A checkpoint on disk is the old one or the new one, and refuses what is not its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.engine.checkpoint import Checkpoint, CheckpointStore, replace_file
from cdp_pipeline.errors import StateError

HELD = Checkpoint(pipeline="p", source="galexie:testnet", network="n", start="ledger 1")


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "state" / "checkpoint.json")


class TestRoundTrip:
    def test_nothing_stored_is_no_checkpoint(self, store: CheckpointStore) -> None:
        """A first run finds None, not an error."""
        assert store.load() is None

    @given(position=st.integers(0, 2**63 - 1), token=st.binary(max_size=40), name=st.text())
    def test_what_is_saved_is_loaded(
        self, tmp_path_factory: pytest.TempPathFactory, position: int, token: bytes, name: str
    ) -> None:
        """Any 63-bit position, any token and any name survive the file."""
        store = CheckpointStore(tmp_path_factory.mktemp("state") / "checkpoint.json")
        saved = Checkpoint(pipeline=name, source="s").advanced(position, token)
        try:
            name.encode()
        except UnicodeEncodeError:
            return
        store.save(saved)

        assert saved == store.load()

    def test_advancing_changes_position_token_and_date_only(self) -> None:
        """What binds a checkpoint to its stream never changes."""
        advanced = HELD.advanced(7, b"t")

        assert (7, b"t") == (advanced.position, advanced.token)
        assert advanced.updated_at
        for name in ("pipeline", "source", "network", "start"):
            assert getattr(HELD, name) == getattr(advanced, name)

    def test_a_removed_checkpoint_is_gone(self, store: CheckpointStore) -> None:
        """`remove` says whether there was one."""
        store.save(HELD)

        assert [True, False] == [store.remove(), store.remove()]
        assert store.load() is None


class TestCrash:
    """Invariant 5: a crash leaves the old or the new file, never a torn one."""

    @pytest.mark.parametrize("call", ["replace", "fsync"])
    def test_a_replacement_that_fails_leaves_the_old_one(
        self, store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        """Where the rename or the flush to disk fails, the old checkpoint is intact."""
        store.save(HELD.advanced(1, b"one"))
        with monkeypatch.context() as patch:
            patch.setattr(os, call, _full)
            with pytest.raises(StateError) as caught:
                store.save(HELD.advanced(2, b"two"))

        assert "checkpoint.unwritable" == caught.value.code
        assert (loaded := store.load()) is not None
        assert (1, b"one") == (loaded.position, loaded.token)
        assert [store.path] == list(store.path.parent.iterdir())

    def test_a_crash_before_the_rename_leaves_the_old_one(
        self, store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A temporary file that a dead process left behind is written over, never read."""
        store.save(HELD.advanced(1, b""))

        def die(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", die)
            with pytest.raises(KeyboardInterrupt):
                store.save(HELD.advanced(2, b""))
        assert (loaded := store.load()) is not None
        assert 1 == loaded.position
        store.save(HELD.advanced(3, b""))

        assert (loaded := store.load()) is not None
        assert 3 == loaded.position

    def test_the_new_content_is_on_disk_before_it_is_renamed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Order of a replacement: write, flush to disk, rename, flush the folder."""
        done: list[str] = []
        for name in ("fsync", "replace"):
            _trace(monkeypatch, name, done)
        replace_file(tmp_path / "file", b"x")

        assert ["fsync", "replace", "fsync"] == done

    def test_two_files_that_differ_in_their_suffix_only_do_not_meet(self, tmp_path: Path) -> None:
        """The temporary file belongs to one name, suffix included."""
        (tmp_path / "a.tmp").write_bytes(b"yours")
        replace_file(tmp_path / "a.json", b"x")

        assert b"yours" == (tmp_path / "a.tmp").read_bytes()


def _full(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def _trace(monkeypatch: pytest.MonkeyPatch, name: str, done: list[str]) -> None:
    real = getattr(os, name)

    def traced(*arguments: Any) -> Any:
        done.append(name)
        return real(*arguments)

    monkeypatch.setattr(os, name, traced)


GOOD: dict[str, Any] = {
    "version": 1,
    "pipeline": "p",
    "source": "s",
    "network": "",
    "start": "",
    "position": 1,
    "token": "",
    "updated_at": "",
}


class TestForeignFiles:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "null",
            "7",
            '"text"',
            "[]",
            "{}",
            "\xff",
            "[" * 100_000,
            *(
                json.dumps(GOOD | changed)
                for changed in (
                    {"version": 2},
                    {"position": "1"},
                    {"position": 1.5},
                    {"position": True},
                    {"position": None},
                    {"token": 5},
                    {"token": "?"},
                    {"pipeline": None},
                )
            ),
            *(json.dumps({k: v for k, v in GOOD.items() if k != name}) for name in GOOD),
        ],
        ids=lambda text: repr(text[:40]),
    )
    def test_a_file_that_is_no_checkpoint_is_a_clear_error(
        self, store: CheckpointStore, text: str
    ) -> None:
        """Torn, foreign or newer files are refused by name, with the way out."""
        store.path.parent.mkdir()
        store.path.write_bytes(text.encode("latin-1"))
        with pytest.raises(StateError) as caught:
            store.load()

        assert "checkpoint.unreadable" == caught.value.code
        assert str(store.path) == caught.value.where
        assert "checkpoint reset" in caught.value.hint

    @given(cut=st.integers(0, 10_000))
    def test_every_torn_file_is_refused(
        self, tmp_path_factory: pytest.TempPathFactory, cut: int
    ) -> None:
        """No beginning of a checkpoint file passes for a whole one."""
        store = CheckpointStore(tmp_path_factory.mktemp("state") / "checkpoint.json")
        store.save(HELD.advanced(123, b"token"))
        whole = store.path.read_bytes()
        store.path.write_bytes(whole[: cut % len(whole)])

        with pytest.raises(StateError):
            store.load()

    def test_what_cannot_be_read_is_a_clear_error(self, store: CheckpointStore) -> None:
        """A folder in the file's place is not taken for `no checkpoint`."""
        store.path.mkdir(parents=True)
        with pytest.raises(StateError) as caught:
            store.load()

        assert "checkpoint.unreadable" == caught.value.code


class TestSameStream:
    @pytest.mark.parametrize("field", ["pipeline", "source", "network", "start"])
    def test_a_mismatch_names_the_field_and_the_way_out(self, field: str) -> None:
        """A checkpoint made on one stream is refused on another."""
        other = Checkpoint(
            **{name: getattr(HELD, name) for name in ("pipeline", "source", "network", "start")}
            | {field: "another"}
        )
        with pytest.raises(StateError) as caught:
            HELD.require_same_stream(other, Path("/state/checkpoint.json"))

        assert "checkpoint.mismatch" == caught.value.code
        assert f"{field} `{getattr(HELD, field)}`" in caught.value.message
        assert "`another`" in caught.value.message
        assert "checkpoint reset" in caught.value.hint

    def test_progress_is_no_mismatch(self) -> None:
        """Position, token and date may differ."""
        HELD.advanced(9, b"x").require_same_stream(HELD, Path("x"))
