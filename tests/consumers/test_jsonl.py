"""Messages become lines of files, each once."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.connectors.consumers.jsonl import SaveToJsonl
from cdpplugin import Batch, ConfigInvalid, Context, Delivery, Fatal
from tests.consumers.stream import Row, deliveries, rows_of

CONTEXT = Context("p", "jsonl")


async def started(path: Path, **settings: Any) -> SaveToJsonl:
    consumer = SaveToJsonl()
    await consumer.configure({"path": str(path), **settings})
    await consumer.start(CONTEXT)
    return consumer


def lines(position: int, count: int = 1, mark: int | None = None) -> Delivery:
    batch = Batch.of("t", [{"position": position, "number": n} for n in range(count)])
    return Delivery(batch, [position] * count, position if mark is None else mark)


def read_rows(root: Path) -> Counter[Row]:
    found: Counter[Row] = Counter()
    for path in root.glob("*.jsonl"):
        for line in path.read_bytes().splitlines():
            row = json.loads(line)
            found[path.name.split(".")[0].split("-")[0], row["position"], row["number"]] += 1
    return found


class TestFiles:
    async def test_a_file_a_type(self, tmp_path: Path) -> None:
        """Each message type has its file; a line is the payload."""
        consumer = await started(tmp_path)
        for delivery in deliveries(1, 80):
            await consumer.consume(delivery)

        assert 80 == await consumer.flush()
        assert rows_of(1, 80) == read_rows(tmp_path)
        await consumer.stop()

    async def test_one_file(self, tmp_path: Path) -> None:
        """A path that ends in `.jsonl` takes all types, told apart by the whole message."""
        consumer = await started(tmp_path / "all.jsonl", content="message")
        batch = Batch.of("a", [{"x": 1}, {"x": 2}], ids=["i", "j"]).replace(types=["a", "b"])
        await consumer.consume(Delivery(batch, [1, 1], 1))
        await consumer.flush()
        await consumer.stop()

        expected = [
            {"id": "i", "type": "a", "payload": {"x": 1}, "metadata": {}},
            {"id": "j", "type": "b", "payload": {"x": 2}, "metadata": {}},
        ]
        text = (tmp_path / "all.jsonl").read_text()
        assert expected == [json.loads(line) for line in text.splitlines()]

    async def test_position_that_is_not_whole_is_held_back(self, tmp_path: Path) -> None:
        """Lines beyond the mark wait in memory."""
        consumer = await started(tmp_path)
        await consumer.consume(lines(1))
        await consumer.consume(lines(2, mark=1))

        assert 1 == await consumer.flush()
        assert 1 == len((tmp_path / "t.jsonl").read_bytes().splitlines())
        await consumer.stop()

    async def test_next_file(self, tmp_path: Path) -> None:
        """A full file is followed by the next, also after a restart."""
        for position in range(1, 4):
            consumer = await started(tmp_path, max_bytes=20)
            await consumer.consume(lines(position))
            await consumer.flush()
            await consumer.stop()

        found = sorted(path.name for path in tmp_path.glob("*.jsonl"))
        assert ["t-00001.jsonl", "t-00002.jsonl", "t-00003.jsonl"] == found
        (tmp_path / "t-00001.jsonl").rename(tmp_path / "shipped")
        assert 3 == await (await started(tmp_path, max_bytes=20)).durable_position()


class TestExactlyOnce:
    @pytest.mark.parametrize("max_bytes", [0, 300])
    async def test_every_crash(self, tmp_path: Path, max_bytes: int) -> None:
        """Left behind after any delivery and replayed with other cuts, each line is there once."""
        last = 60
        for crash in range(0, 80, 4):
            root = tmp_path / str(crash)
            consumer = await started(root, max_bytes=max_bytes)
            now = iter(range(10_000))
            consumer.clock = lambda now=now: next(now) / 3  # type: ignore[misc]
            for number, delivery in enumerate(deliveries(1, last, seed=crash)):
                if number == crash:
                    break
                await consumer.consume(delivery)
            await consumer.stop()
            for file in root.glob("*.jsonl"):
                with file.open("ab") as torn:
                    torn.write(b'{"position": 1, "num')

            again = await started(root, max_bytes=max_bytes)
            durable = await again.durable_position()
            assert durable is not None
            for delivery in deliveries(max(1, durable - 5), last, seed=crash + 1):
                await again.consume(delivery)
            assert last == await again.flush()
            await again.stop()
            assert rows_of(1, last) == read_rows(root)

    async def test_reported_after_the_interval(self, tmp_path: Path) -> None:
        """The position is stored once in an interval, not at every delivery."""
        now = 0.0
        consumer = await started(tmp_path, max_age="1s")
        consumer.clock = lambda: now
        await consumer.stop()
        await consumer.start(CONTEXT)

        assert await consumer.consume(lines(1)) is None
        now = 1.0
        assert 2 == await consumer.consume(lines(2))
        await consumer.stop()

    async def test_dropped_rows_advance(self, tmp_path: Path) -> None:
        """A run that drops every row reports its mark, and a restart knows it."""
        consumer = await started(tmp_path)
        await consumer.consume(Delivery(Batch.empty(), (), 9))

        assert 9 == await consumer.flush()
        assert 9 == await (await started(tmp_path)).durable_position()


class TestFileThatIsNotOurs:
    async def test_taken(self, tmp_path: Path) -> None:
        """A file that somebody else wrote is not added to, and not cut."""
        (tmp_path / "t.jsonl").write_bytes(b"precious\n")
        consumer = await started(tmp_path)

        with pytest.raises(Fatal, match="one of another writer"):
            await consumer.consume(lines(1))
        assert b"precious\n" == (tmp_path / "t.jsonl").read_bytes()

    async def test_shortened(self, tmp_path: Path) -> None:
        """Durable lines that are gone are an error, not a silent gap."""
        consumer = await started(tmp_path)
        await consumer.consume(lines(1))
        await consumer.flush()
        await consumer.stop()
        (tmp_path / "t.jsonl").write_bytes(b"")

        with pytest.raises(Fatal, match="expected 26 bytes at least, got 0"):
            await started(tmp_path)


class TestForget:
    async def test_deletes_what_it_wrote(self, tmp_path: Path) -> None:
        """Own files and the position go; anything else stays."""
        (tmp_path / "other.jsonl").write_bytes(b"x\n")
        consumer = await started(tmp_path)
        await consumer.consume(lines(1))
        await consumer.flush()
        await consumer.stop()

        done = await consumer.forget(CONTEXT)

        assert f"deleted `{tmp_path}/t.jsonl`" == done[0]
        assert [tmp_path / "other.jsonl"] == list(tmp_path.iterdir())
        assert [] == await consumer.forget(CONTEXT)


async def test_object_store_is_refused() -> None:
    """Lines cannot be appended in an object store."""
    with pytest.raises(ConfigInvalid, match="`path`: expected a local folder"):
        await SaveToJsonl().configure({"path": "s3://bucket/x"})


class TestOtherStage:
    async def test_one_file_for_two_stages(self, tmp_path: Path) -> None:
        """A second stage that names the same file is refused at its start; no line is lost."""
        path = tmp_path / "all.jsonl"
        first = await started(path)
        second = SaveToJsonl()
        await second.configure({"path": str(path)})

        with pytest.raises(Fatal, match="stage `jsonl` of pipeline `p` writes it too"):
            await second.start(Context("p", "copy"))

        await first.consume(lines(1))
        assert 1 == await first.flush()
        await first.stop()
        assert 1 == len(path.read_bytes().splitlines())
        assert 1 == await (await started(path)).durable_position()

    async def test_one_folder_for_two_stages(self, tmp_path: Path) -> None:
        """Stages may share a folder, but not a file in it: the second to come is refused."""
        first, second = await started(tmp_path), SaveToJsonl()
        await second.configure({"path": str(tmp_path)})
        await second.start(Context("p", "copy"))
        await first.consume(lines(1))

        with pytest.raises(Fatal, match="expected"):
            await second.consume(lines(1))
        assert 1 == await first.flush()
        assert 1 == len((tmp_path / "t.jsonl").read_bytes().splitlines())

    async def test_file_listed_twice(self, tmp_path: Path) -> None:
        """A start whose file another stage lists too touches nothing: it is not cut back."""
        first = await started(tmp_path)
        await first.consume(lines(1))
        await first.flush()
        await first.stop()
        marker = tmp_path / "_cdp" / "p.jsonl.json"
        copy = marker.read_text().replace('"stage":"jsonl"', '"stage":"copy"')
        (tmp_path / "_cdp" / "p.copy.json").write_text(copy)
        with (tmp_path / "t.jsonl").open("ab") as file:
            file.write(b"more\n")

        with pytest.raises(Fatal, match="stage `copy` of pipeline `p` writes it too"):
            await started(tmp_path)
        assert (tmp_path / "t.jsonl").read_bytes().endswith(b"more\n")
