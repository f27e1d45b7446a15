"""The contract: what a source, a processor and a consumer are.

The host calls the asynchronous forms below, whatever a plugin is written in. A native
plugin may write any of these methods as a plain function: the host then calls it on a
thread. `Base` gives every optional method a sensible default.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from cdpplugin.batch import Batch
from cdpplugin.delivery import Context, Delivery, Resume, SourceBatch, SourceDescription
from cdpplugin.metadata import HealthStatus, PluginMetadata
from cdpplugin.outputs import Outputs


@runtime_checkable
class Plugin(Protocol):
    """What every plugin has. Life: metadata, configure, start, work, stop."""

    def metadata(self) -> PluginMetadata:
        """Say who it is; needs no configuration and touches nothing."""

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Take the configuration; opens nothing yet.

        Raises:
            ConfigInvalid: The configuration cannot be used.
        """

    async def start(self, context: Context) -> None:
        """Open what is needed: files, connections, models."""

    async def stop(self) -> None:
        """Close everything. Called once, also after a failed start."""

    async def health(self) -> HealthStatus:
        """Say how it is; cheap, callable at any time."""


@runtime_checkable
class Source(Plugin, Protocol):
    """Reads a stream."""

    async def describe(self) -> SourceDescription:
        """Say what the stream is. Called after `start`."""

    def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        """Yield the stream from its start, or from the first row after *after*.

        A bounded stream ends; an unbounded one goes on until it is cancelled. The host
        pulls: nothing is asked for while the pipeline is busy.
        """

    async def acknowledge(self, completed_through: int) -> None:
        """Learn that everything at or before the position is durable.

        Called while the source is read, and after its end until `stop`.
        """


@runtime_checkable
class Processor(Plugin, Protocol):
    """Turns messages into messages."""

    async def process_batch(self, batch: Batch) -> Outputs:
        """Answer 0 to N outputs an input row.

        A `Retry` and a `Fatal` are for the whole batch, a `Drop` leaves it out. After any other
        exception the batch is halved and comes again, until the bad row is alone; a stateful
        plugin's batch fails in every row.
        """


@runtime_checkable
class Consumer(Plugin, Protocol):
    """Puts messages somewhere durable."""

    async def durable_position(self) -> int | None:
        """Return the position up to which this consumer already holds everything.

        None: it keeps no position of its own (at least once). -1: it keeps one, and holds
        nothing. Called after `start`, before the first delivery. Rows at or before the
        position may come again: the consumer leaves them out.
        """

    async def consume(self, delivery: Delivery) -> int | None:
        """Take *delivery*; return the position through which everything is now durable.

        Deliveries come one at a time, in order. None: nothing new is durable yet.
        """

    async def flush(self) -> int | None:
        """Make everything taken so far durable; return the position as `consume` does."""

    async def forget(self, context: Context) -> Sequence[str]:
        """Forget the durable position, and whatever a replay would double.

        Called without `start`, after `configure`. Returns what was done, a line each.
        """


@runtime_checkable
class KeepsState(Protocol):
    """What a stateful plugin has beside its kind's methods, if it can be replaced while it runs."""

    async def export_state(self) -> bytes:
        """Return everything the instance that replaces this one must know.

        Called after the last batch, before `stop`.
        """

    async def import_state(self, state: bytes) -> None:
        """Take what `export_state` of an earlier instance gave. Called after `start`.

        Raises:
            PluginError: The state cannot be used; the earlier instance stays.
        """


class Base:
    """Defaults for every optional method of the contract; a convenience, not a must."""

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Refuse nothing, keep nothing."""

    async def start(self, context: Context) -> None:
        """Open nothing."""

    async def stop(self) -> None:
        """Close nothing."""

    async def health(self) -> HealthStatus:
        """Healthy."""
        return HealthStatus()

    async def acknowledge(self, completed_through: int) -> None:
        """Ignore acknowledgements."""

    async def durable_position(self) -> int | None:
        """Keep no position."""
        return None

    async def flush(self) -> int | None:
        """Hold nothing back."""
        return None

    async def forget(self, context: Context) -> Sequence[str]:
        """Keep nothing to forget."""
        return []
