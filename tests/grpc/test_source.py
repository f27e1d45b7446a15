"""A source in another process: its stream, its positions, and its death."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.runtimes.grpc import reading
from cdp_pipeline.runtimes.grpc.faults import PluginCrashed
from cdp_pipeline.runtimes.grpc.restarts import RestartPolicy
from cdpplugin import PluginError, Resume
from tests.grpc.conftest import Workshop

SOURCE = """
import os
import asyncio
import cdpplugin
from cdpplugin import Base, Batch, PluginMetadata, SourceBatch, SourceDescription
from cdpplugin.serving import serve

MARKER = {marker!r}

class Numbers(Base):
    def metadata(self):
        return PluginMetadata("raw", "1.0.0", "source")

    async def describe(self):
        return SourceDescription("numbers", unit="numbers", first=0, last=99)

    async def read(self, after):
        first = after.position + 1 if after else 0
        cdpplugin.log.get_logger().info("reading", first=first)
        for n in range(first, 100):
            if n == 50 and MARKER and not os.path.exists(MARKER):
                open(MARKER, "w").close()
                os._exit(9)
            if n == {failing}:
                raise cdpplugin.Fatal("the well is dry", code="well.dry")
            yield SourceBatch(Batch.of("N", [n]), [n], token=str(n).encode())
            if n == {waiting}:
                await asyncio.Event().wait()

    async def acknowledge(self, completed_through):
        cdpplugin.log.get_logger().info("acknowledged", through=completed_through)

serve(Numbers())
"""


async def source(workshop: Workshop, marker: str = "", failing: int = -1, waiting: int = -1) -> Any:
    """A source of the numbers from 0 to 99; at *waiting* it stands still."""
    code = SOURCE.format(marker=marker, failing=failing, waiting=waiting)
    return await workshop.script(code, "source")


def told(workshop: Workshop) -> list[int]:
    """What reached the source of acknowledgements."""
    return [f["through"] for _, m, f in workshop.log.lines if m == "acknowledged"]


async def read(handle: Any, after: Resume | None, into: list[int]) -> None:
    async with aclosing(handle.read(after)) as stream:
        async for found in stream:
            into += found.positions


class TestRead:
    async def test_to_the_end(self, workshop: Workshop) -> None:
        """A bounded stream comes whole and in order, and ends."""
        handle = await source(workshop)
        assert ("numbers", 0, 99) == (
            (await handle.describe()).identity,
            (await handle.describe()).first,
            (await handle.describe()).last,
        )
        got: list[int] = []
        await read(handle, None, got)
        assert list(range(100)) == got

    async def test_after_a_position(self, workshop: Workshop) -> None:
        """A source goes on where it is told to."""
        handle = await source(workshop)
        got: list[int] = []
        await read(handle, Resume(95, b"95"), got)
        assert [96, 97, 98, 99] == got

    async def test_is_pulled(self, workshop: Workshop) -> None:
        """A stream that is left early ends; the next reading starts afresh."""
        handle = await source(workshop)
        async with aclosing(handle.read(None)) as stream:
            first = await anext(stream)
        assert [0] == list(first.positions)
        got: list[int] = []
        await read(handle, Resume(98), got)
        assert [99] == got

    async def test_acknowledges(self, workshop: Workshop) -> None:
        """What is durable is told to a source from its first reading to its stop, never before."""
        handle = await source(workshop)
        await handle.acknowledge(5)
        async with aclosing(handle.read(None)) as stream:
            for n in range(5):
                await anext(stream)
                await handle.acknowledge(n)
            async for _ in stream:
                pass
        await handle.acknowledge(99)
        await handle.stop()
        await handle.acknowledge(100)
        assert [0, 1, 2, 3, 4, 99] == told(workshop)

    async def test_acknowledges_what_was_left(self, workshop: Workshop) -> None:
        """A source that is no longer read hears of what was, though it waits for its next row."""
        handle = await source(workshop, waiting=3)
        async with aclosing(handle.read(None)) as stream:
            for _ in range(4):
                await anext(stream)
        await handle.acknowledge(3)
        await handle.stop()
        assert [3] == told(workshop)

    async def test_acknowledges_before_it_reads_again(self, workshop: Workshop) -> None:
        """A second reading begins when the source has heard of all that the first made durable."""
        handle = await source(workshop)
        for n in (97, 98):
            await read(handle, Resume(n), [])
            await handle.acknowledge(n)
        await handle.stop()
        lines = [(m, f) for _, m, f in workshop.log.lines if m in ("reading", "acknowledged")]
        seen = [(m, f.get("first"), f.get("through")) for m, f in lines]
        first = [("reading", 98, None), ("acknowledged", None, 97)]
        second = [("reading", 99, None), ("acknowledged", None, 98)]
        assert first + second == seen

    async def test_says_what_is_wrong(self, workshop: Workshop) -> None:
        """An error of the source comes with code and instruction."""
        handle = await source(workshop, failing=3)
        with pytest.raises(PluginError) as caught:
            await read(handle, None, [])
        assert "well.dry" == caught.value.code


class TestDeath:
    async def test_goes_on_after_it(self, workshop: Workshop, tmp_path: Path) -> None:
        """A source that dies asks for a repetition, which goes on in a new process."""
        handle = await source(workshop, str(tmp_path / "died"))
        handle._life._launcher.policy = RestartPolicy(initial_delay_s=0.01)
        got: list[int] = []
        with pytest.raises(PluginCrashed, match="status 9"):
            await read(handle, None, got)
        await read(handle, Resume(got[-1]), got)
        assert list(range(100)) == got


class TestEnd:
    """Plugins without the SDK, each of which ends its stream in a way of its own."""

    @pytest.mark.parametrize("mode", ["ends", "ends-with-last-row", "dies-after-the-end"])
    async def test_the_stream_comes_whole(self, workshop: Workshop, mode: str) -> None:
        """The end of the call is the end of the stream, and so is the word that it has ended."""
        handle = await workshop.raw(mode, keys={"type": "source"})
        got: list[int] = []
        await read(handle, None, got)
        assert [1, 2] == got

    async def test_it_hears_of_what_came_with_the_end(self, workshop: Workshop) -> None:
        """A source that said with its last row that it has ended hears when that row is durable."""
        handle = await workshop.raw("ends-with-last-row", keys={"type": "source"})
        await read(handle, None, [])
        await handle.acknowledge(2)
        await handle.stop()
        assert "acknowledged 2" in workshop.log.messages

    @pytest.mark.parametrize("mode", ["ends", "dies-after-the-end"])
    async def test_nobody_is_left_to_be_told(self, workshop: Workshop, mode: str) -> None:
        """A plugin that is gone after its end costs nothing: all of it is durable."""
        handle = await workshop.raw(mode, keys={"type": "source"})
        await read(handle, None, [])
        for position in (1, 2):
            await handle.acknowledge(position)
        await handle.stop()

    async def test_a_call_that_stays_open(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A plugin that does not end its side does not keep the host."""
        monkeypatch.setattr(reading, "_ENDED_S", 0.1)
        handle = await workshop.raw("never-hangs-up", keys={"type": "source"})
        for _ in range(2):
            got: list[int] = []
            await read(handle, None, got)
            assert [1] == got
        await handle.stop()
