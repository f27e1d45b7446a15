"""Write tables as Parquet files, each row exactly once, whatever crashes when.

1. A file holds whole positions only: every row of its table at the positions in its name.
2. A file becomes visible at once, whole (`file_store`).
3. On start, what is durable is read from the names of the files and from the marker; rows
   at or before it are left out, so that it does not matter how a replay cuts its batches.
4. The marker is written after all files up to it, and before the position is reported. It
   stands for tables without rows, too.
5. A table is listed in the marker before its first file.
6. No position of a table is kept twice: where another writer's file of the table holds it,
   it is refused. Disjoint ranges of several pipelines may share a folder.
7. An error leaves things as they were before the delivery, which then may come again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from cdp_pipeline.connectors.consumers.file_store import FileStore, put_bytes
from cdp_pipeline.connectors.consumers.other_writers import other_marker_keys
from cdp_pipeline.connectors.consumers.parquet_files import TableFiles, file_name
from cdp_pipeline.connectors.consumers.partition import Partitioning
from cdp_pipeline.connectors.consumers.pending_rows import Chunk, PendingRows, Piece
from cdp_pipeline.connectors.consumers.position_marker import (
    Marker,
    marker_key,
    read_marker,
    writer_token,
)
from cdp_pipeline.connectors.consumers.rotation import Rotation
from cdp_pipeline.connectors.tables import TableNames, arrow_rows, split_by_type
from cdpplugin import Batch, Context, Delivery, Fatal

_ROW_GROUP_ROWS = 122_880
_MARKER_INTERVAL_S = 1.0

Incoming = list[tuple[PendingRows, Chunk]]


class LayoutChanged(Fatal):
    """The folders were laid out by another rule, and files of it are not settled yet."""

    code = "parquet.layout_changed"
    hint = (
        "put `partition_by` back, or begin anew with `flowctl checkpoint reset`, "
        "or write to another `path`"
    )


class _Table:
    """A message type's folder: what is durable and what waits, by partition folder."""

    def __init__(self, type: str, folder: str, files: TableFiles) -> None:  # noqa: A002
        self.type = type
        self.folder = folder
        self.files = files
        self.ends = files.ends()
        self.pending: dict[str, PendingRows] = {}

    def rows_of(self, partition: str) -> PendingRows:
        return self.pending.setdefault(partition, PendingRows(self.type))

    def drop_idle(self) -> None:
        kept = {name: rows for name, rows in self.pending.items() if rows.rows or rows.tried}
        self.pending = kept

    def key(self, partition: str, name: str) -> str:
        return "/".join(part for part in (self.folder, partition, name) if part)


class ParquetTables:
    """The tables of one consumer. Calls block; they may come from any thread.

    Args:
        files: Where files are published.
        context: Whose files they are.
        rotation: When rows become a file.
        partitioning: Which folder a row belongs to.
        clock: Returns seconds that only grow.
        compression: Parquet's compression.
        tables: The message types to keep; empty keeps all.
        message_id: Whether rows begin with the message id.
    """

    def __init__(
        self,
        files: FileStore,
        context: Context,
        *,
        rotation: Rotation,
        partitioning: Partitioning,
        clock: Callable[[], float],
        compression: str = "zstd",
        tables: Sequence[str] = (),
        message_id: bool = False,
    ) -> None:
        self._files = files
        self._context = context
        self._rotation = rotation
        self._partitioning = partitioning
        self._clock = clock
        self._compression = compression
        self._wanted = frozenset(tables)
        self._message_id = message_id
        self._token = writer_token(context)
        self._names = TableNames()
        self._tables: dict[str, _Table] = {}
        self._marker = Marker(context.pipeline, context.stage, layout=partitioning.layout)
        self._marked_s = clock()
        self._floor = self._mark = -1
        self._delivery = 0
        self._published = False
        self._lock = threading.Lock()

    @property
    def completed_through(self) -> int:
        """The position through which everything is durable; -1 for nothing."""
        return self._marker.completed_through

    @property
    def pending_rows(self) -> int:
        """Rows that are in no file yet."""
        tables = list(self._tables.values())
        return sum(rows.rows for table in tables for rows in list(table.pending.values()))

    def open(self) -> None:
        """Learn what is durable, and sweep what a killed run left half-written.

        Raises:
            LayoutChanged: Files of another partitioning reach beyond the marker.
            RangeTaken: Rows of this writer stand in another one's files, too.
            MarkerInvalid, StorageDenied, StorageInvalid: The place cannot be used.
        """
        key = marker_key(self._context)
        content = self._files.read(key)
        if content is None:
            self._save(self._marker)
            return
        marker = read_marker(content, self._context, f"{self._files.address}/{key}")
        for type in marker.tables:  # noqa: A001
            self._files.sweep(self._names.of(type), self._token)
            self._table(type).files.check_own(self._files.address)
        if marker.layout != self._partitioning.layout:
            self._check_settled(marker)
            marker = replace(marker, layout=self._partitioning.layout)
        self._marker = marker
        self._floor = self._mark = marker.completed_through

    def _check_settled(self, marker: Marker) -> None:
        for type in marker.tables:  # noqa: A001
            if max(self._table(type).ends.values(), default=-1) > marker.completed_through:
                raise LayoutChanged(
                    f"`partition_by` of `{self._files.address}`: expected `{marker.layout}` as "
                    f"before, got `{self._partitioning.layout}`, and files reach beyond "
                    f"position {marker.completed_through}"
                )

    def take(self, delivery: Delivery) -> int | None:
        """Take *delivery* and write what is due; return what is durable now, or None.

        Raises:
            StorageFull, StorageUnreachable: Try again with the same delivery.
            SchemaChanged, ValueInvalid: The rows cannot be kept; nothing of them was taken.
            RangeTaken: Another writer keeps rows of the same table and positions.
        """
        with self._lock:
            self._delivery += 1
            before = self._mark
            incoming = self._incoming(delivery)
            try:
                for rows, chunk in incoming:
                    rows.add(chunk, self._clock())
                self._mark = max(before, delivery.completed_through)
                self._rotate()
                return self._settle(force=False)
            except BaseException:
                self._mark = before
                for rows, _ in incoming:
                    rows.drop_delivery(self._delivery)
                raise

    def flush(self) -> int | None:
        """Write every whole position; return what is durable now, or None for nothing.

        Raises:
            StorageFull, StorageUnreachable: Try again.
        """
        with self._lock:
            self._rotate()
            for table in self._tables.values():
                for partition, rows in table.pending.items():
                    while rows.rows and rows.first <= self._mark:
                        if not self._publish(table, partition, rows, self._mark):
                            break
            return self._settle(force=True)

    def _incoming(self, delivery: Delivery) -> Incoming:
        incoming: Incoming = []
        for type, batch, positions in split_by_type(delivery.batch, delivery.positions):  # noqa: A001
            if not self._wanted or type in self._wanted:
                incoming.extend(self._chunks(self._table(type), batch, positions))
        return incoming

    def _chunks(self, table: _Table, batch: Batch, positions: Sequence[int]) -> Incoming:
        schema = self._context.schemas.get(table.type)
        rows = arrow_rows(batch, schema, message_id=self._message_id)
        chunks: Incoming = []
        for partition, part, at in self._partitioning.split(table.type, rows, positions):
            whole = Chunk.of(part, at, self._delivery)
            floor = max(self._floor, table.ends.get(partition, -1))
            chunk = whole.between(floor + 1, whole.positions[-1])
            if chunk is not None:
                first, last = chunk.positions[0], chunk.positions[-1]
                table.files.check_free(first, last, self._files.address)
                pending = table.rows_of(partition)
                pending.check(chunk.rows.schema, chunk.positions[0])
                chunks.append((pending, chunk))
        return chunks

    def _table(self, type: str) -> _Table:  # noqa: A002
        if type not in self._tables:
            folder = self._names.of(type)
            self._tables[type] = _Table(type, folder, self._found(folder))
        return self._tables[type]

    def _found(self, folder: str) -> TableFiles:
        return TableFiles(self._files, folder, self._token)

    def _check_free(self, table: _Table, piece: Piece) -> None:
        """Look again before a file is published: another pipeline may run at the same time."""
        if other_marker_keys(self._files, self._context):
            found = self._found(table.folder)
            found.check_free(piece.first, piece.last, self._files.address)

    def _rotate(self) -> None:
        for table in self._tables.values():
            for partition, rows in table.pending.items():
                while (cut := self._rotation.cut(rows, self._mark, self._clock())) is not None:
                    if not self._publish(table, partition, rows, cut):
                        break
            table.drop_idle()

    def _publish(self, table: _Table, partition: str, rows: PendingRows, cut: int) -> bool:
        """Write the rows through *cut*; False while an attempt that failed must come first."""
        if rows.tried is not None and rows.tried > self._mark:
            return False
        rows.tried = cut = rows.tried if rows.tried is not None else cut
        if table.type not in self._marker.tables:
            self._save(self._marker.with_table(table.type))
        for piece in rows.pieces(cut):
            self._check_free(table, piece)
            name = file_name(piece.first, piece.last, self._token)
            self._files.publish(table.key(partition, name), self._writer(piece))
            rows.drop_through(piece.last, self._clock())
            table.ends[partition] = piece.last
            self._published = True
        rows.tried = None
        return True

    def _writer(self, piece: Piece) -> Callable[[IO[bytes]], None]:
        def write(file: IO[bytes]) -> None:
            pq.write_table(
                piece.rows,
                pa.PythonFile(file, "w"),
                compression=self._compression,
                row_group_size=_ROW_GROUP_ROWS,
            )

        return write

    def _settle(self, *, force: bool) -> int | None:
        """Write the marker if it is worth it; return the position it holds."""
        claim = self._claim()
        idle_s = self._clock() - self._marked_s
        due = force or self._published or idle_s >= _MARKER_INTERVAL_S
        if due and claim > self._marker.completed_through:
            self._save(self._marker.advanced(claim))
            self._published = False
        return self.completed_through if self.completed_through >= 0 else None

    def _claim(self) -> int:
        """Return the position before the first row that waits, the mark at most."""
        waiting = [
            rows.first - 1
            for table in self._tables.values()
            for rows in table.pending.values()
            if rows.rows
        ]
        return min([self._mark, *waiting])

    def _save(self, marker: Marker) -> None:
        put_bytes(self._files, marker_key(self._context), marker.encode())
        self._marker = marker
        self._marked_s = self._clock()
