"""A payload column whose values were decoded all at once, with everything around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any, Self, overload

from cdpplugin.json import encode_json
from cdpplugin.metadata import Encoding
from cdpplugin.payloads import JsonPayloads, Payloads, Sep51Payloads


class Values:
    """Decoded payloads. Each is handed out once as it is, then as copies of an untouched one."""

    __slots__ = ("_again", "_given", "_untouched", "_values")

    def __init__(self, values: list[Any], again: Callable[[], list[Any]]) -> None:
        self._values = values
        self._again = again
        self._given = bytearray(len(values))
        self._untouched: list[Any] | None = None

    def own(self, row: int) -> Any:
        """Return the payload of *row* as an object that the caller owns."""
        if not self._given[row]:
            self._given[row] = 1
            return self._values[row]
        return deepcopy(self._original(row))

    def text(self, row: int) -> bytes:
        """Return the payload of *row* as JSON."""
        return encode_json(self._original(row) if self._given[row] else self._values[row])

    def _original(self, row: int) -> Any:
        if self._untouched is None:
            self._untouched = self._again()
        return self._untouched[row]


class _Texts(Sequence[bytes]):
    """Payloads as JSON, written when somebody reads them."""

    __slots__ = ("_rows", "_values")

    def __init__(self, values: Values, rows: Sequence[int]) -> None:
        self._values = values
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, row: int) -> bytes: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[bytes]: ...
    def __getitem__(self, row: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(row, slice):
            return _Texts(self._values, self._rows[row])
        return self._values.text(self._rows[row])

    def __iter__(self) -> Iterator[bytes]:
        return map(self._values.text, self._rows)


class ParsedPayloads(JsonPayloads):
    """Payloads that came within the text of a whole batch.

    Attributes:
        values: The payloads of that batch.
        rows: Which of them this column has.
    """

    __slots__ = ("encoding", "rows", "values")

    def __init__(self, values: Values, rows: Sequence[int], encoding: Encoding) -> None:
        super().__init__(_Texts(values, rows))
        self.values = values
        self.rows = rows
        self.encoding = encoding

    def value(self, row: int) -> Any:
        return self.values.own(self.rows[row])

    def to(self, encoding: Encoding) -> Payloads:
        if encoding == self.encoding:
            return self
        return self._plain().to(encoding)

    def take(self, rows: Sequence[int]) -> Self:
        held = self.rows
        return type(self)(self.values, [held[row] for row in rows], self.encoding)

    def slice(self, start: int, stop: int) -> Self:
        return type(self)(self.values, self.rows[start:stop], self.encoding)

    def concat(self, others: Sequence[Payloads]) -> Payloads | None:
        return self._plain().concat(others)

    def _plain(self) -> JsonPayloads:
        kind = Sep51Payloads if self.encoding == "sep51" else JsonPayloads
        return kind(self.json())
