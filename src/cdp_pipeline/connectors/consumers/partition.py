"""Sort rows into folders: by range of positions, or by the day of a time column."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from cdp_pipeline.connectors.consumers.rotation import last_before_multiple
from cdpplugin import Fatal

Split = tuple[str, pa.RecordBatch, Sequence[int]]

NO_DAY = "__HIVE_DEFAULT_PARTITION__"
_ENDINGS = ("_at", "_time", "_timestamp", "_date")


class PartitionColumnInvalid(Fatal):
    """Rows have no time column of the configured name."""

    code = "parquet.partition_column_invalid"
    hint = "name a timestamp column that every table has, or choose `tables` that have it"


class Partitioning(Protocol):
    """A rule that gives each row its folder below the table's own."""

    layout: str
    """The rule in words; files of two layouts are never mixed."""
    positions: int
    """Positions a folder spans, or 0."""

    def split(self, type: str, rows: pa.RecordBatch, positions: Sequence[int]) -> Iterator[Split]:  # noqa: A002
        """Yield folder, rows and positions, order kept within a folder."""


class NoPartitions:
    """All rows stand in the table's folder."""

    layout = "none"
    positions = 0

    def split(self, type: str, rows: pa.RecordBatch, positions: Sequence[int]) -> Iterator[Split]:  # noqa: A002
        yield "", rows, positions


class RangePartitions:
    """A folder a range of positions: `range=30784000-30847999`."""

    def __init__(self, positions: int) -> None:
        self.layout = f"ledger_range {positions}"
        self.positions = positions

    def split(self, type: str, rows: pa.RecordBatch, positions: Sequence[int]) -> Iterator[Split]:  # noqa: A002
        from bisect import bisect_right

        start = 0
        while start < len(positions):
            end = last_before_multiple(positions[start], self.positions)
            stop = bisect_right(positions, end, lo=start)
            folder = f"range={end - self.positions + 1}-{end}"
            yield folder, rows.slice(start, stop - start), positions[start:stop]
            start = stop


class DatePartitions:
    """A folder a day, UTC, as Hive names it: column `closed_at` gives `closed_date=2020-07-28`."""

    positions = 0

    def __init__(self, column: str) -> None:
        self.layout = f"date {column}"
        self._column = column
        stem = next((column.removesuffix(e) for e in _ENDINGS if column.endswith(e)), column)
        self._key = f"{stem}_date"

    def split(self, type: str, rows: pa.RecordBatch, positions: Sequence[int]) -> Iterator[Split]:  # noqa: A002
        days = self._days(type, rows)
        found = pc.unique(days)
        if len(found) == 1:
            yield self._folder(found[0]), rows, positions
            return
        numbers = pa.array(positions, pa.int64())
        for day in found:
            mask = pc.equal(days, day) if day.is_valid else pc.is_null(days)
            kept = array("q")
            kept.frombytes(_bytes(numbers.filter(mask)))
            yield self._folder(day), rows.filter(mask), kept

    def _days(self, type: str, rows: pa.RecordBatch) -> pa.Array:  # noqa: A002
        index = rows.schema.get_field_index(self._column)
        kind = rows.schema.field(index).type if index >= 0 else None
        if kind is None or not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
            got = "none" if kind is None else f"one of type `{kind}`"
            raise PartitionColumnInvalid(
                f"table `{type}`: expected a timestamp column `{self._column}`, got {got}"
            )
        return pc.cast(pc.floor_temporal(rows.column(index), unit="day"), pa.date32())

    def _folder(self, day: pa.Scalar) -> str:
        return f"{self._key}={day.as_py().isoformat() if day.is_valid else NO_DAY}"


def _bytes(numbers: pa.Array) -> bytes:
    """Return the values of an int64 array without nulls."""
    start = numbers.offset * 8
    return bytes(memoryview(numbers.buffers()[1])[start : start + 8 * len(numbers)])
