"""Messages in bulk: columns, not rows.

A `Batch` is what moves through a pipeline. Any column may be constant or lazy, so
that a stage pays only for what it reads. A `Message` is a view on one row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, TypeVar, overload

from cdpplugin.metadata import SourceInfo
from cdpplugin.payloads import JsonPayloads, Payloads, encode_json

T = TypeVar("T")

JSON_CONTENT = "application/json"
NO_SOURCE = SourceInfo()
NO_METADATA: Mapping[str, Any] = MappingProxyType({})


class Constant(Sequence[T]):
    """A column whose rows are all the same value."""

    __slots__ = ("_length", "value")

    def __init__(self, value: T, length: int) -> None:
        self.value = value
        self._length = length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, row: int) -> T: ...
    @overload
    def __getitem__(self, row: slice) -> Constant[T]: ...
    def __getitem__(self, row: int | slice) -> T | Constant[T]:
        if isinstance(row, slice):
            return Constant(self.value, len(range(self._length)[row]))
        if not -self._length <= row < self._length:
            raise IndexError(f"row {row} of a column of {self._length}")
        return self.value

    def __iter__(self) -> Iterator[T]:
        return iter([self.value] * self._length)


class Lazy(Sequence[T]):
    """A column computed on first reading, at most once."""

    __slots__ = ("_length", "_make", "_rows")

    def __init__(self, length: int, make: Callable[[], Sequence[T]]) -> None:
        self._length = length
        self._make: Callable[[], Sequence[T]] | None = make
        self._rows: Sequence[T] = ()

    def _read(self) -> Sequence[T]:
        make = self._make
        if make is not None:
            rows = make()
            if len(rows) != self._length:
                raise ValueError(f"a lazy column of {self._length} rows was made of {len(rows)}")
            self._rows = rows
            self._make = None
        return self._rows

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, row: int) -> T: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[T]: ...
    def __getitem__(self, row: int | slice) -> T | Sequence[T]:
        return self._read()[row]

    def __iter__(self) -> Iterator[T]:
        return iter(self._read())

    def take(self, rows: Sequence[int]) -> Lazy[T]:
        """Return the given rows, without reading any yet."""
        return Lazy(len(rows), lambda: [self[row] for row in rows])

    def slice(self, start: int, stop: int) -> Lazy[T]:
        """Return rows *start* to *stop* (exclusive), without reading any yet."""
        return Lazy(stop - start, lambda: self[start:stop])


def take_column(column: Sequence[T], rows: Sequence[int]) -> Sequence[T]:
    """Return *column* at the given rows, without reading what is not read yet."""
    if rows == range(len(column)):
        return column
    if isinstance(column, Constant):
        return Constant(column.value, len(rows))
    if isinstance(column, Lazy):
        return column.take(rows)
    return [column[row] for row in rows]


def slice_column(column: Sequence[T], start: int, stop: int) -> Sequence[T]:
    """Return rows *start* to *stop* of *column*, without reading what is not read yet."""
    if isinstance(column, Lazy):
        return column.slice(start, stop)
    return column[start:stop]


def concat_columns(columns: Sequence[Sequence[T]]) -> Sequence[T]:
    """Return the columns one after another; equal constants stay one constant."""
    length = sum(map(len, columns))
    if all(isinstance(column, Constant) for column in columns):
        values = [column.value for column in columns if isinstance(column, Constant)]
        if all(_same(value, values[0]) for value in values):
            return Constant(values[0], length)
    if any(isinstance(column, Lazy) for column in columns):
        return Lazy(length, lambda: list(chain.from_iterable(columns)))
    return list(chain.from_iterable(columns))


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values may stand for one another; 1, 1.0 and True in metadata may not."""
    return one is other or (one == other and isinstance(one, (str, SourceInfo)))


class Batch:
    """A number of messages as columns of equal length.

    Attributes:
        ids: Message ids; an empty id is given one by the host (see `Message.id`).
        types: Message types.
        payloads: The payload column.
        metadata: JSON objects; read-only here, a `Message` hands out its own copy.
        sources: Where each message came from.
        trace_ids: Trace ids, or empty.
        content_types: Media types of the payloads.
    """

    __slots__ = (
        "content_types",
        "ids",
        "metadata",
        "payloads",
        "sources",
        "trace_ids",
        "types",
    )

    def __init__(
        self,
        *,
        types: Sequence[str] | str,
        payloads: Payloads,
        ids: Sequence[str] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
        sources: Sequence[SourceInfo] | SourceInfo = NO_SOURCE,
        trace_ids: Sequence[str] | None = None,
        content_types: Sequence[str] | str = JSON_CONTENT,
    ) -> None:
        length = len(payloads)
        self.payloads = payloads
        self.types = Constant(types, length) if isinstance(types, str) else types
        self.ids = Constant("", length) if ids is None else ids
        self.metadata = Constant(NO_METADATA, length) if metadata is None else metadata
        self.sources = Constant(sources, length) if isinstance(sources, SourceInfo) else sources
        self.trace_ids = Constant("", length) if trace_ids is None else trace_ids
        self.content_types = (
            Constant(content_types, length) if isinstance(content_types, str) else content_types
        )
        self._check(length)

    def _check(self, length: int) -> None:
        for name in ("types", "ids", "metadata", "sources", "trace_ids", "content_types"):
            if len(getattr(self, name)) != length:
                raise ValueError(
                    f"column `{name}` has {len(getattr(self, name))} rows, payloads have {length}"
                )

    @classmethod
    def of(cls, type: str, values: Iterable[Any], **columns: Any) -> Batch:  # noqa: A002
        """Return a batch of one type from Python *values*, one message each."""
        payloads = JsonPayloads([encode_json(value) for value in values])
        return cls(types=type, payloads=payloads, **columns)

    @classmethod
    def empty(cls) -> Batch:
        """Return a batch of no messages."""
        return cls(types="", payloads=JsonPayloads(()))

    def __len__(self) -> int:
        return len(self.payloads)

    def __repr__(self) -> str:
        kinds = ", ".join(sorted(set(self.types)))
        return f"Batch({len(self)} x {kinds or 'nothing'}, {self.payloads.encoding})"

    @property
    def size_bytes(self) -> int:
        """Bytes of the payloads, plus a flat 64 bytes a row for the other columns."""
        return self.payloads.size_bytes + 64 * len(self)

    def replace(self, **columns: Any) -> Batch:
        """Return this batch with some columns put in place of its own."""
        kept = {name: getattr(self, name) for name in self.__slots__}
        return Batch(**(kept | columns))

    def take(self, rows: Sequence[int]) -> Batch:
        """Return the given rows, in the given order."""
        if rows == range(len(self)):
            return self
        return self._each(lambda c: take_column(c, rows), self.payloads.take(rows))

    def slice(self, start: int, stop: int) -> Batch:
        """Return rows *start* to *stop* (exclusive); those beyond the end are not there."""
        if start == 0 and stop >= len(self):
            return self
        stop = min(stop, len(self))
        start = min(start, stop)
        return self._each(lambda c: slice_column(c, start, stop), self.payloads.slice(start, stop))

    def _each(self, apply: Callable[[Sequence[Any]], Sequence[Any]], payloads: Payloads) -> Batch:
        columns = {
            name: apply(getattr(self, name)) for name in self.__slots__ if name != "payloads"
        }
        return Batch(payloads=payloads, **columns)

    def to(self, encoding: Any) -> Batch:
        """Return the same messages with payloads in *encoding*.

        Raises:
            UnsupportedEncoding: The payloads have no such form.
        """
        payloads = self.payloads.to(encoding)
        return self if payloads is self.payloads else self.replace(payloads=payloads)


def concat(batches: Sequence[Batch]) -> Batch | None:
    """Return *batches* as one, or None where their payload backings do not mix."""
    if len(batches) == 1:
        return batches[0]
    payloads = batches[0].payloads.concat([batch.payloads for batch in batches[1:]])
    if payloads is None:
        return None
    columns: dict[str, Any] = {
        name: concat_columns([getattr(batch, name) for batch in batches])
        for name in Batch.__slots__
        if name != "payloads"
    }
    return Batch(payloads=payloads, **columns)
