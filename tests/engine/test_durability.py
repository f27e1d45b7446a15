"""The checkpoint is the least of what all consumers hold, and never goes back."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.engine.checkpoint import Checkpoint, CheckpointStore
from cdp_pipeline.engine.durability import Durability
from cdp_pipeline.errors import StateError

START = Checkpoint(pipeline="p", source="s")


class Told:
    """A source's ear: remembers what it was told, and may refuse."""

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.refusals = 0

    async def __call__(self, completed_through: int) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ConnectionError("the queue is away")
        self.positions.append(completed_through)


class SlowStore(CheckpointStore):
    """A store whose disk can be held: `save` waits until it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.entered = threading.Semaphore(0)
        self.let_go = threading.Event()
        self.running = self.most = 0

    def save(self, checkpoint: Checkpoint) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        self.entered.release()
        self.let_go.wait(10)
        super().save(checkpoint)
        self.running -= 1


def durability(
    store: CheckpointStore, *consumers: str, told: Told | None = None, held: Checkpoint = START
) -> Durability:
    return Durability(store, held, consumers or ("a",), told or Told())


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoint.json")


def position(store: CheckpointStore) -> int | None:
    loaded = store.load()
    return None if loaded is None else loaded.position


class TestPosition:
    async def test_it_waits_for_the_slowest_consumer(self, store: CheckpointStore) -> None:
        """Invariant 4: never more than the least of what all consumers reported."""
        of = durability(store, "a", "b")
        of.report("a", 10)
        await of.save()
        assert position(store) is None
        of.report("b", 4)
        await of.save()
        assert 4 == position(store)

    async def test_a_report_never_goes_back(self, store: CheckpointStore) -> None:
        """A consumer that reports less than before changes nothing."""
        of = durability(store)
        of.report("a", 10)
        of.report("a", 3)

        assert 10 == of.position

    async def test_a_resumed_run_starts_at_its_checkpoint(self, store: CheckpointStore) -> None:
        """Before anything is reported, the position is that of the run before."""
        of = durability(store, "a", "b", held=START.advanced(50, b""))
        of.report("a", 10)
        await of.save()

        assert 50 == of.position
        assert position(store) is None

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-1, 30))), st.integers(-1, 20))
    def test_checkpoints_never_decrease_and_never_run_ahead(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        reports: list[tuple[str, int]],
        resumed: int,
    ) -> None:
        """Whatever is reported in whatever order, what is on disk only grows, and is true."""
        store = CheckpointStore(tmp_path_factory.mktemp("state") / "checkpoint.json")

        async def run() -> None:
            told, best, before = Told(), dict.fromkeys("abc", -1), resumed
            of = durability(store, *"abc", told=told, held=START.advanced(resumed, b""))
            for consumer, through in reports:
                of.report(consumer, through)
                best[consumer] = max(best[consumer], through)
                await of.save()
                now = position(store)
                now = before if now is None else now
                assert before <= now == max(resumed, min(best.values()))
                before = now
            assert sorted(set(told.positions)) == told.positions

        asyncio.run(run())


class TestTokens:
    async def test_the_token_is_the_last_at_or_before_the_position(
        self, store: CheckpointStore
    ) -> None:
        """A source resumes with a token that never lies behind the checkpoint."""
        of = durability(store)
        for mark in (10, 20, 30):
            of.note_token(mark, str(mark).encode())
        found = []
        for through in (5, 10, 25, 30):
            of.report("a", through)
            await of.save()
            loaded = store.load()
            assert loaded is not None
            found.append(loaded.token)

        assert [b"", b"10", b"20", b"30"] == found

    async def test_a_batch_without_a_token_keeps_the_last(self, store: CheckpointStore) -> None:
        """An empty token is none."""
        of = durability(store, held=START.advanced(1, b"old"))
        of.note_token(2, b"")
        of.report("a", 2)
        await of.save()

        assert (loaded := store.load()) is not None
        assert b"old" == loaded.token


class TestSaving:
    async def test_the_source_is_told_after_the_checkpoint(self, store: CheckpointStore) -> None:
        """What the source forgets on an acknowledgement is on disk by then."""
        seen: list[int | None] = []

        async def told(completed_through: int) -> None:
            seen.append(position(store))

        of = Durability(store, START, ["a"], told)
        of.report("a", 3)
        await of.save()

        assert [3] == seen

    async def test_nothing_new_is_not_written_again(self, store: CheckpointStore) -> None:
        """Saving twice writes, and tells, once."""
        told = Told()
        of = durability(store, told=told)
        of.report("a", 3)
        await of.save()
        store.remove()
        await of.save()

        assert position(store) is None
        assert [3] == told.positions

    async def test_two_saves_never_overtake_one_another(self, tmp_path: Path) -> None:
        """A slow, older write is not put in the place of a newer one."""
        store = SlowStore(tmp_path / "checkpoint.json")
        of = durability(store)
        of.report("a", 1)
        first = asyncio.create_task(of.save())
        await asyncio.to_thread(store.entered.acquire)
        of.report("a", 2)
        second = asyncio.create_task(of.save())
        await asyncio.sleep(0)
        store.let_go.set()
        await asyncio.gather(first, second)

        assert 1 == store.most
        assert 2 == position(store)

    async def test_a_save_that_failed_is_made_up_for(
        self, store: CheckpointStore, tmp_path: Path
    ) -> None:
        """When there is room again the checkpoint holds position and token of all before."""
        told = Told()
        of = durability(store, told=told)
        of.note_token(7, b"seven")
        of.report("a", 7)
        store.path.mkdir()
        with pytest.raises(StateError):
            await of.save()
        assert [] == told.positions
        store.path.rmdir()
        await of.save()

        assert (loaded := store.load()) is not None
        assert (7, b"seven", [7]) == (loaded.position, loaded.token, told.positions)

    async def test_a_source_that_could_not_be_told_is_told_again(
        self, store: CheckpointStore
    ) -> None:
        """An acknowledgement that failed is repeated, though the checkpoint stands."""
        told = Told()
        told.refusals = 1
        of = durability(store, told=told)
        of.report("a", 3)
        with pytest.raises(ConnectionError):
            await of.save()
        assert 3 == position(store)
        await of.save()

        assert [3] == told.positions

    async def test_saving_goes_on_after_a_failure(self, store: CheckpointStore) -> None:
        """Neither a full disk nor a source that is away ends the regular saving."""
        told = Told()
        told.refusals = 3
        of = durability(store, told=told)
        of.report("a", 3)
        saving = asyncio.create_task(of.save_every(0.0))
        async with asyncio.timeout(10):
            while not told.positions:
                await asyncio.sleep(0)
        saving.cancel()

        assert 3 == position(store)
