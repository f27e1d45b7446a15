"""What the SQL consumers share: rows wait, and are committed together with their position.

Exactly once, in these steps:

1. A delivery's rows at or before the stored position are left out.
2. The rest waits, one list a table, until `commit_rows`, `commit_bytes` or
   `commit_interval` is reached, or `flush` is called.
3. One transaction upserts the rows by `message_id` and stores the position through which
   everything has come. Rows of a position that is not whole yet may go with it: they are
   upserted again when they come again.
4. Only after the commit is the position given to the host.

When a step fails, the delivery is not kept: the host may hand it over again.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import Field, field_validator

from cdp_pipeline.connectors.consumers.sql_store import (
    EVERYTHING,
    MAX_NAME_BYTES,
    POSITIONS_TABLE,
    PositionLost,
    Store,
    TableMissing,
)
from cdp_pipeline.connectors.settings import DurationS, Settings, SizeBytes, settings_of
from cdpplugin import Base, Context, Delivery, HealthStatus, PluginError, Retry

if TYPE_CHECKING:
    import pyarrow as pa

    from cdp_pipeline.connectors.consumers.sql_rows import Pending

T = TypeVar("T")

NOTHING = -1


class SqlSettings(Settings):
    """What every SQL consumer is configured with."""

    tables: dict[str, str] = Field(
        default_factory=dict,
        description="Table name by message type; any other type is its own table name, made safe.",
        examples=[{"token_transfers": "transfers"}],
    )
    commit_rows: int = Field(
        default=10_000, ge=1, description="Rows that wait at the most before they are committed."
    )
    commit_bytes: SizeBytes = Field(
        default=64_000_000, description="Bytes of rows that wait at the most, e.g. `64MB`."
    )
    commit_interval: DurationS = Field(
        default=1.0, description="Time between two commits at the most while rows come, e.g. `1s`."
    )

    @field_validator("tables")
    @classmethod
    def _names(cls, tables: dict[str, str]) -> dict[str, str]:
        taken: dict[str, str] = {POSITIONS_TABLE: "the positions"}
        for kind, name in tables.items():
            if not 0 < len(name.encode()) <= MAX_NAME_BYTES or "\0" in name:
                raise ValueError(f"expected a name of 1 to {MAX_NAME_BYTES} bytes, got `{name}`")
            holder = taken.setdefault(name.casefold(), kind)
            if holder != kind:
                raise ValueError(f"expected a table for each type, got `{name}` twice")
        return tables


class SqlConsumer(Base, ABC):
    """A consumer that keeps its rows and its position in one database."""

    settings_model: ClassVar[type[SqlSettings]]

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._settings: Any = None
        self._store: Store | None = None
        self._schemas: Mapping[str, Mapping[str, Any]] = {}
        self._tables: dict[str, str] = {}
        self._written: set[str] = set()
        self._durable = NOTHING
        self._pending: Pending
        self._committed_at = 0.0

    @abstractmethod
    def store_of(self, settings: Any, context: Context) -> Store:
        """Return the database that *settings* name; nothing is opened."""

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Take the configuration.

        Raises:
            ConfigInvalid: It does not fit.
        """
        self._settings = settings_of(self.settings_model, config)

    async def start(self, context: Context) -> None:
        """Connect, and learn through which position everything is held.

        Raises:
            TableMissing: A table that was written before is gone.
        """
        await self._on_thread(self._start, context)

    async def stop(self) -> None:
        """Close the connection; rows that still wait come again after the next start."""
        await self._on_thread(self._close)

    async def durable_position(self) -> int | None:
        """Return the stored position, or -1."""
        return self._durable

    async def consume(self, delivery: Delivery) -> int | None:
        """Keep or commit the rows; return the position after a commit.

        Raises:
            Retry: The database is not to be had now; nothing of *delivery* was kept.
        """
        return await self._on_thread(self._consume, delivery)

    async def flush(self) -> int | None:
        """Commit whatever waits."""
        return await self._on_thread(self._flush)

    async def forget(self, context: Context) -> Sequence[str]:
        """Delete the stored position. The rows stay: a replay replaces them by `message_id`."""
        return await self._on_thread(self._forget, context)

    async def health(self) -> HealthStatus:
        """Ask the database; a commit that is under way is health enough."""
        return await asyncio.to_thread(self._health)

    async def _on_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.to_thread(self._alone, work, *args)

    def _alone(self, work: Callable[..., T], *args: Any) -> T:
        # A cancelled call goes on running on its thread: whoever comes next waits for it.
        with self._lock:
            return work(*args)

    def _start(self, context: Context) -> None:
        from cdp_pipeline.connectors.consumers.sql_rows import Pending

        self._schemas = context.schemas
        self._store = store = self.store_of(self._settings, context)
        store.open()
        held = store.positions()
        self._durable = held.pop(EVERYTHING, NOTHING)
        self._written = set(held)
        self._pending = Pending(mark=self._durable)
        self._committed_at = self._clock()
        gone = store.missing(sorted(held))
        if gone:
            raise TableMissing(
                f"table `{gone[0]}` of {store.where} is gone: expected its rows through "
                f"position {held[gone[0]]}",
                hint=f"bring it back, run `flowctl checkpoint reset` to fill it anew, or delete "
                f"its row from `{POSITIONS_TABLE}` to go on without the older rows",
            )

    def _consume(self, delivery: Delivery) -> int | None:
        before = self._durable
        rows = self._rows_by_table(delivery.after(before))
        if self._pending.clashes(rows):
            self._commit(self._pending)
        pending = self._pending.plus(rows, delivery.completed_through)
        if self._due(pending):
            self._commit(pending)
        else:
            self._pending = pending
        news = self._durable > before or self._durable >= delivery.completed_through
        return self._durable if news else None

    def _due(self, pending: Pending) -> bool:
        settings = self._settings
        if pending.rows >= settings.commit_rows or pending.size_bytes >= settings.commit_bytes:
            return True
        waiting = pending.rows > 0 or pending.mark > self._durable
        return waiting and self._clock() - self._committed_at >= settings.commit_interval

    def _flush(self) -> int | None:
        pending = self._pending
        if pending.rows or pending.mark > self._durable:
            self._commit(pending)
        return self._durable if self._durable != NOTHING else None

    def _commit(self, pending: Pending) -> None:
        """Write *pending* and forget it; leave everything as it was where that fails."""
        position = max(pending.mark, self._durable)
        tables = pending.tables()
        written = self._written | tables.keys()
        self._opened().write(tables, dict.fromkeys([EVERYTHING, *sorted(written)], position))
        self._written = written
        self._durable = position
        self._pending = pending.emptied()
        self._committed_at = self._clock()

    def _opened(self) -> Store:
        """Return the database, connected anew where the connection was lost.

        Raises:
            PositionLost: It came back without what it had confirmed.
        """
        store = self._store
        assert store is not None, "`start` comes first"
        if not store.is_open:
            store.open()
            held = store.positions().get(EVERYTHING, NOTHING)
            if held < self._durable:
                raise PositionLost(
                    f"{store.where} came back with less than it held: expected everything "
                    f"through position {self._durable}, got {held}"
                )
        return store

    def _rows_by_table(self, delivery: Delivery) -> dict[str, pa.RecordBatch]:
        from cdp_pipeline.connectors.consumers.sql_rows import checked
        from cdp_pipeline.connectors.tables import arrow_rows, split_by_type

        rows = {}
        for kind, batch, _ in split_by_type(delivery.batch, delivery.positions):
            table = self._table_of(kind)
            found = arrow_rows(batch, self._schemas.get(kind), message_id=True)
            rows[table] = checked(table, found)
        return rows

    def _table_of(self, kind: str) -> str:
        from cdp_pipeline.connectors.tables import NameTaken, safe_name

        if kind not in self._tables:
            name = self._settings.tables.get(kind) or safe_name(kind)
            for other, taken in self._tables.items():
                if taken.casefold() == name.casefold():
                    raise NameTaken(f"types `{other}` and `{kind}` would share the table `{name}`")
            if name.casefold() == POSITIONS_TABLE:
                raise NameTaken(f"type `{kind}` would take the table of positions `{name}`")
            self._tables[kind] = name
        return self._tables[kind]

    def _forget(self, context: Context) -> list[str]:
        store = self.store_of(self._settings, context)
        try:
            held = store.forget()
        finally:
            store.close()
        if not held:
            return [f"{store.where}: no position was stored"]
        tables = ", ".join(f"`{name}`" for name in sorted(held) if name != EVERYTHING)
        return [
            f"{store.where}: forgot position {held.get(EVERYTHING, max(held.values()))}; rows "
            f"stay in {tables or 'no table'}, and a replay replaces them by message id"
        ]

    def _health(self) -> HealthStatus:
        if not self._lock.acquire(blocking=False):
            return HealthStatus(message="a commit is under way")
        try:
            if self._store is None:
                return HealthStatus("unhealthy", "it has not been started")
            self._opened().ping()
        except Retry as error:
            return HealthStatus("degraded", error.message, {"code": error.code})
        except PluginError as error:
            return HealthStatus("unhealthy", error.message, {"code": error.code})
        finally:
            self._lock.release()
        return HealthStatus(details={"durable_position": self._durable})

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
