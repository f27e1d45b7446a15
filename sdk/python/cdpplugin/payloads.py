"""The payload column: opaque until somebody reads it, turned into another form at most once.

A column never changes once made: whoever reads a payload as a Python object gets
an object of their own. The JSON backing lives here; a host or a plugin may bring
others (raw XDR, Arrow) by implementing `Payloads`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import chain
from typing import Any, Self

from cdpplugin.errors import UnsupportedEncoding
from cdpplugin.json import PayloadInvalid, decode_json, encode_json
from cdpplugin.metadata import Encoding

__all__ = [
    "JsonPayloads",
    "PayloadInvalid",
    "Payloads",
    "Sep51Payloads",
    "decode_json",
    "encode_json",
]


class Payloads(ABC):
    """A column of payloads, one a row. Its backing decides what it holds."""

    __slots__ = ()

    encoding: Encoding

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    @abstractmethod
    def to(self, encoding: Encoding) -> Payloads:
        """Return the same rows in *encoding*, converted at most once.

        Raises:
            UnsupportedEncoding: This backing has no such form.
        """

    @abstractmethod
    def json(self) -> Sequence[bytes]:
        """Return each row as JSON bytes."""

    @abstractmethod
    def take(self, rows: Sequence[int]) -> Self:
        """Return a column of the given rows, in the given order."""

    @abstractmethod
    def slice(self, start: int, stop: int) -> Self:
        """Return rows *start* to *stop* (exclusive), sharing their bytes."""

    @abstractmethod
    def concat(self, others: Sequence[Payloads]) -> Payloads | None:
        """Return this column followed by *others*, or None where the backings do not mix."""

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """Bytes held, for cutting batches and for back-pressure."""

    def value(self, row: int) -> Any:
        """Return row *row* as a Python value that the caller owns."""
        return decode_json(self.json()[row])

    def wire_rows(self) -> Sequence[bytes]:
        """Return each row's bytes in `encoding`, as they cross to another process."""
        return self.json()

    def arrow_ipc(self) -> bytes:
        """Return all rows as one Arrow IPC stream; only a column in `arrow` has one.

        Raises:
            UnsupportedEncoding: It is held in another encoding.
        """
        raise UnsupportedEncoding(f"a `{self.encoding}` column is no Arrow IPC stream")


class JsonPayloads(Payloads):
    """Payloads held as JSON bytes."""

    __slots__ = ("_rows", "_size_bytes")

    encoding: Encoding = "json"

    def __init__(self, rows: Sequence[bytes]) -> None:
        self._rows = rows
        self._size_bytes = -1

    @classmethod
    def of(cls, values: Sequence[Any]) -> JsonPayloads:
        """Encode Python *values*, one a row."""
        return cls([encode_json(value) for value in values])

    def __len__(self) -> int:
        return len(self._rows)

    def to(self, encoding: Encoding) -> Payloads:
        if encoding == self.encoding:
            return self
        raise UnsupportedEncoding(
            f"a JSON payload has no `{encoding}` form",
            hint="put a stage that gives that form before this one, or read the payload as json",
        )

    def json(self) -> Sequence[bytes]:
        return self._rows

    def take(self, rows: Sequence[int]) -> Self:
        held = self._rows
        return type(self)([held[row] for row in rows])

    def slice(self, start: int, stop: int) -> Self:
        return type(self)(self._rows[start:stop])

    def concat(self, others: Sequence[Payloads]) -> Payloads | None:
        alike = [each for each in others if isinstance(each, JsonPayloads)]
        if len(alike) < len(others) or any(each.encoding != self.encoding for each in alike):
            return None
        columns = chain([self._rows], (other.json() for other in others))
        return type(self)(list(chain.from_iterable(columns)))

    @property
    def size_bytes(self) -> int:
        if self._size_bytes < 0:
            self._size_bytes = sum(map(len, self._rows))
        return self._size_bytes


class Sep51Payloads(JsonPayloads):
    """Payloads held as SEP-51 XDR-JSON: JSON bytes, told apart by their encoding's name."""

    __slots__ = ()

    encoding: Encoding = "sep51"

    def to(self, encoding: Encoding) -> Payloads:
        return JsonPayloads(self._rows) if encoding == "json" else super().to(encoding)
