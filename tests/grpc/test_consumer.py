"""A consumer in another process: what it takes, what is durable, and its death in between."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.runtimes.grpc.faults import ProtocolViolation
from cdp_pipeline.runtimes.grpc.replay import Replay
from cdpplugin import Batch, Context, Delivery, Fatal, PluginError, Retry
from tests.grpc.conftest import RAW, Workshop

FILE = """
import json, os
import cdpplugin
from cdpplugin import Base, PluginMetadata, Retry, PluginError
from cdpplugin.serving import serve

FILE = {file!r}

def lines():
    return open(FILE).read().splitlines() if os.path.exists(FILE) else []

class Keeper(Base):
    '''Holds back what it was given until it is told to flush.'''

    def __init__(self):
        self.held, self.mark = [], -1

    def metadata(self):
        return PluginMetadata("raw", "1.0.0", "consumer")

    async def durable_position(self):
        return max((json.loads(line)[0] for line in lines()), default=-1)

    def consume(self, delivery):
        values = [delivery.batch.payloads.value(row) for row in range(len(delivery.batch))]
        if "again" in values and not os.path.exists(FILE + ".again"):
            open(FILE + ".again", "w").close()
            raise Retry("not now")
        if "bad" in values:
            raise PluginError("a bad value", code="value.bad")
        self.held += zip(delivery.positions, values)
        self.mark = delivery.completed_through

    def flush(self):
        with open(FILE, "a") as file:
            for position, value in self.held:
                file.write(json.dumps([position, value]) + chr(10))
        self.held = []
        return self.mark

    async def forget(self, context):
        os.remove(FILE)
        return ["removed the file of " + context.pipeline]

serve(Keeper())
"""


def delivery(*positions: int, value: Any = "v") -> Delivery:
    """Rows at *positions*, each complete."""
    return Delivery(Batch.of("T", [value] * len(positions)), positions, positions[-1])


class Kept:
    """A consumer and the file that it writes."""

    def __init__(self, handle: Any, file: Path) -> None:
        self.handle = handle
        self.file = file

    @property
    def positions(self) -> list[int]:
        return [json.loads(line)[0] for line in self.file.read_text().splitlines()]

    async def die(self) -> None:
        instance = self.handle._life.current.instance
        os.kill(instance.process.pid, signal.SIGKILL)
        await instance.ended


@pytest.fixture
async def kept(workshop: Workshop, tmp_path: Path) -> Kept:
    file = tmp_path / "rows"
    return Kept(await workshop.script(FILE.format(file=str(file)), "consumer"), file)


class TestDurability:
    async def test_is_what_the_plugin_says(self, kept: Kept) -> None:
        """Nothing is durable before the plugin says so; a flush asks it to."""
        assert -1 == await kept.handle.durable_position()
        assert None is await kept.handle.consume(delivery(1, 2))
        assert 2 == await kept.handle.flush()
        assert [1, 2] == kept.positions

    async def test_of_more_than_it_was_handed(self, workshop: Workshop) -> None:
        """A consumer that claims more than it was handed breaks the protocol."""
        manifest = workshop.manifest(str(RAW), "lossy", type="consumer")
        handle = await workshop.launch(manifest, {})
        await handle.start(Context())
        with pytest.raises(ProtocolViolation, match="1000000"):
            await handle.consume(delivery(1))

    async def test_of_single_messages(self, workshop: Workshop) -> None:
        """A consumer that offers only Process is durable when it answers."""
        manifest = workshop.manifest(str(RAW), "single-consumer", type="consumer")
        handle = await workshop.launch(manifest, {})
        await handle.start(Context())
        assert None is await handle.durable_position()
        assert 2 == await handle.consume(delivery(1, 2))
        assert None is await handle.flush()

    async def test_forget(self, kept: Kept) -> None:
        """A consumer says what it did to forget."""
        await kept.handle.consume(delivery(1))
        await kept.handle.flush()
        assert ["removed the file of p"] == await kept.handle.forget(Context("p"))
        assert not kept.file.exists()


class TestErrors:
    async def test_keep_their_instruction(self, kept: Kept) -> None:
        """A `Retry` comes as such, and the same delivery may then pass."""
        with pytest.raises(Retry, match="not now"):
            await kept.handle.consume(delivery(1, value="again"))
        await kept.handle.consume(delivery(1, value="again"))
        await kept.handle.flush()
        assert [1] == kept.positions

    async def test_keep_their_code(self, kept: Kept) -> None:
        """An error comes with its code; the consumer goes on."""
        with pytest.raises(PluginError) as caught:
            await kept.handle.consume(delivery(1, value="bad"))
        assert "value.bad" == caught.value.code
        await kept.handle.consume(delivery(2))


class TestDeath:
    async def test_loses_nothing_that_was_not_durable(self, kept: Kept) -> None:
        """What a consumer had taken is handed over again to the one started after it."""
        await kept.handle.consume(delivery(1))
        await kept.handle.flush()
        await kept.handle.consume(delivery(2, 3))
        await kept.handle.consume(delivery(4))
        await kept.die()
        await kept.handle.consume(delivery(5))
        assert 5 == await kept.handle.flush()
        assert [1, 2, 3, 4, 5] == kept.positions

    async def test_at_a_flush(self, kept: Kept) -> None:
        """Also a flush finds everything again after a death."""
        await kept.handle.consume(delivery(1))
        await kept.die()
        assert 1 == await kept.handle.flush()
        assert [1] == kept.positions


class TestReplay:
    def test_forgets_what_is_durable(self) -> None:
        """A delivery is kept until all its rows are durable, those beyond its mark too."""
        replay = Replay("raw@1.0.0")
        first = Delivery(Batch.of("T", [1, 2]), [1, 2], 1)
        replay.keep(first)
        replay.let_go(1)
        assert (first,) == tuple(replay.deliveries())
        replay.let_go(2)
        assert () == tuple(replay.deliveries())

    def test_has_its_limits(self) -> None:
        """Where there is no room for what is not durable, a death ends the run."""
        replay = Replay("raw@1.0.0", limit_bytes=1000)
        for position in range(10):
            replay.keep(delivery(position, value="x" * 100))
        with pytest.raises(Fatal, match="not made durable"):
            replay.deliveries()
        replay.let_go(9)
        assert () == tuple(replay.deliveries())
