"""A deterministic stream of three tables, cut into deliveries as a seed says."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cdp_pipeline.connectors.backings import ArrowPayloads
from cdpplugin import Batch, Delivery

TIMESTAMP = pa.timestamp("us", tz="UTC")
EPOCH = datetime(2020, 7, 28, 20, tzinfo=UTC)
ROWS_PER_POSITION = {
    "ledgers": lambda position: 1,
    "operations": lambda position: position % 7,
    "rare": lambda position: 2 * (position % 37 == 0),
}

Row = tuple[str, int, int]


def rows_of(first: int, last: int) -> Counter[Row]:
    """Return every row at the positions, as (table, position, number within it)."""
    return Counter(
        (table, position, number)
        for table, count in ROWS_PER_POSITION.items()
        for position in range(first, last + 1)
        for number in range(count(position))
    )


def table_rows(table: str, first: int, last: int) -> list[tuple[int, int]]:
    """Return (position, number) of the rows of one table, in order."""
    count = ROWS_PER_POSITION[table]
    return [(p, number) for p in range(first, last + 1) for number in range(count(p))]


def arrow_batch(table: str, rows: list[tuple[int, int]]) -> Batch:
    """Return rows as the `rows` processor gives them: Arrow, one type."""
    positions = [position for position, _ in rows]
    columns = {
        "position": pa.array(positions, pa.int64()),
        "number": pa.array([number for _, number in rows], pa.int64()),
        "closed_at": pa.array([EPOCH + timedelta(minutes=p) for p in positions], TIMESTAMP),
    }
    ids = [f"net:{position}:{table}:{number}" for position, number in rows]
    return Batch(types=table, payloads=ArrowPayloads(pa.record_batch(columns)), ids=ids)


def deliveries(first: int, last: int, seed: int = 0, most: int = 9) -> Iterator[Delivery]:
    """Yield the stream: a part a table, positions split at random, the mark with the last part."""
    dice = random.Random(seed)
    mark = first - 1
    held: dict[str, list[tuple[int, int]]] = {table: [] for table in ROWS_PER_POSITION}
    for start in _starts(dice, first, last, most):
        end = min(start[1], last)
        for table, rows in held.items():
            rows.extend(table_rows(table, start[0], end))
            while rows:
                taken = dice.randint(1, len(rows))
                part = rows[:taken]
                del rows[:taken]
                yield Delivery(arrow_batch(table, part), [p for p, _ in part], mark)
        mark = end
        yield Delivery(Batch.empty(), (), mark)


def _starts(dice: random.Random, first: int, last: int, most: int) -> Iterator[tuple[int, int]]:
    while first <= last:
        end = first + dice.randint(1, most) - 1
        yield first, end
        first = end + 1


def read_rows(root: Path) -> Counter[Row]:
    """Return every row in the visible Parquet files below *root*."""
    found: Counter[Row] = Counter()
    for path in root.rglob("*.parquet"):
        table = path.relative_to(root).parts[0]
        columns = pq.ParquetFile(path).read(["position", "number"]).to_pydict()
        found.update((table, *pair) for pair in zip(*columns.values(), strict=True))
    return found
