"""In-memory source, processor and consumer: real ones, whose faults are part of their script."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from cdpplugin import (
    Base,
    Batch,
    Context,
    Delivery,
    Outputs,
    PluginMetadata,
    Resume,
    SourceBatch,
    SourceDescription,
)
from cdpplugin.function import as_outputs

Script = Sequence[SourceBatch | Exception]


class ScriptedSource(Base):
    """Reads what it is told to: batches, and exceptions in their place.

    An exception is raised once; when the source is read again it goes on behind it.

    Attributes:
        resumes: What each `read` was asked to go on after.
        acknowledged: Positions the host called durable.
    """

    def __init__(self, script: Script, description: SourceDescription | None = None) -> None:
        self._script = list(script)
        self._raised: set[int] = set()
        self._description = description or SourceDescription(identity="scripted")
        self.resumes: list[Resume | None] = []
        self.acknowledged: list[int] = []

    def metadata(self) -> PluginMetadata:
        """Return a fixed identity."""
        return PluginMetadata("scripted-source", "1.0.0", "source")

    async def describe(self) -> SourceDescription:
        """Return what it was given."""
        return self._description

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        """Play the script; batches wholly at or before *after* are left out."""
        self.resumes.append(after)
        for index, item in enumerate(self._script):
            if isinstance(item, Exception):
                if index not in self._raised:
                    self._raised.add(index)
                    raise item
            elif after is None or item.mark is None or item.mark > after.position:
                yield item

    async def acknowledge(self, completed_through: int) -> None:
        """Remember the position."""
        self.acknowledged.append(completed_through)


class ScriptedProcessor(Base):
    """Answers with a function of the batch; sees every call.

    Attributes:
        calls: Every batch it was handed, in order of the calls.
    """

    def __init__(
        self, answer: Callable[[Batch], Batch | Outputs], name: str = "scripted-processor"
    ) -> None:
        self._answer = answer
        self._name = name
        self.calls: list[Batch] = []

    def metadata(self) -> PluginMetadata:
        """Return a fixed identity."""
        return PluginMetadata(self._name, "1.0.0", "processor")

    async def process_batch(self, batch: Batch) -> Outputs:
        """Answer *batch*."""
        self.calls.append(batch)
        return as_outputs(self._answer(batch), batch)


class MemoryConsumer(Base):
    """Keeps what it is given; durable at once, or only when flushed.

    Attributes:
        rows: (position, type, id, payload as JSON bytes) of every row taken.
        marks: The completed-through mark of every delivery.
        faults: Exceptions to raise, one a `consume`, before anything is taken.
        position: Where an exactly-once consumer stands; None keeps no position.
    """

    def __init__(
        self,
        faults: Sequence[Exception] = (),
        *,
        buffered: bool = False,
        position: int | None = None,
    ) -> None:
        self.rows: list[tuple[int, str, str, bytes]] = []
        self.marks: list[int] = []
        self.faults = list(faults)
        self.position = position
        self.forgotten = 0
        self._buffered = buffered
        self._taken_through = -1

    def metadata(self) -> PluginMetadata:
        """Return a fixed identity."""
        return PluginMetadata("memory", "1.0.0", "consumer")

    async def durable_position(self) -> int | None:
        """Return where it stands."""
        return self.position

    async def consume(self, delivery: Delivery) -> int | None:
        """Take *delivery*, or raise the next fault."""
        if self.faults and len(delivery.batch):
            raise self.faults.pop(0)
        if self.position is not None:
            delivery = delivery.after(self.position)
        batch = delivery.batch
        columns = (delivery.positions, batch.types, batch.ids, batch.payloads.json())
        self.rows += zip(*columns, strict=True)
        self.marks.append(delivery.completed_through)
        self._taken_through = delivery.completed_through
        return None if self._buffered else await self.flush()

    async def flush(self) -> int | None:
        """Call everything taken durable."""
        if self.position is not None:
            self.position = max(self.position, self._taken_through)
        return self._taken_through

    async def forget(self, context: Context) -> Sequence[str]:
        """Forget the position."""
        self.forgotten += 1
        if self.position is not None:
            self.position = -1
        return ["forgot the position"]
