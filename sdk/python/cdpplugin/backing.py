"""Payload columns as they come from another process, and who makes a column of the bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

from cdpplugin.errors import UnsupportedEncoding
from cdpplugin.metadata import Encoding, SourceInfo
from cdpplugin.payloads import JsonPayloads, Payloads, Sep51Payloads


@dataclass(frozen=True, slots=True)
class Received:
    """The payload column of a batch as it came, with what a backing may need to know of it.

    Attributes:
        rows: The bytes of each row; empty where the encoding is `arrow`.
        arrow: One Arrow IPC stream, where the encoding is `arrow`.
        types: The message types.
        sources: Where each message came from; raw XDR needs its network.
    """

    rows: Sequence[bytes]
    arrow: bytes
    types: Sequence[str]
    sources: Sequence[SourceInfo]


Backing = Callable[[Received], Payloads]
Backings = Mapping[str, Backing]


class RawPayloads(Payloads):
    """Raw XDR as a plugin sees it: a payload is its bytes, which only the plugin can read."""

    __slots__ = ("_rows",)

    encoding: Encoding = "xdr"

    def __init__(self, rows: Sequence[bytes]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def to(self, encoding: Encoding) -> Payloads:
        if encoding == self.encoding:
            return self
        raise UnsupportedEncoding(
            f"raw XDR has no `{encoding}` form in a plugin",
            hint="set `input_encoding: json`; one batch's answer cannot hold both XDR and JSON",
        )

    def json(self) -> Sequence[bytes]:
        return self.to("json").json()

    def value(self, row: int) -> Any:
        return self._rows[row]

    def wire_rows(self) -> Sequence[bytes]:
        return self._rows

    def take(self, rows: Sequence[int]) -> Self:
        held = self._rows
        return type(self)([held[row] for row in rows])

    def slice(self, start: int, stop: int) -> Self:
        return type(self)(self._rows[start:stop])

    def concat(self, others: Sequence[Payloads]) -> Payloads | None:
        if any(not isinstance(other, RawPayloads) for other in others):
            return None
        columns = [self._rows, *(other.wire_rows() for other in others)]
        return type(self)(list(chain.from_iterable(columns)))

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self._rows))


def arrow_payloads(received: Received) -> Payloads:
    """Return typed rows.

    Raises:
        UnsupportedEncoding: pyarrow is not installed.
        PayloadInvalid: The bytes are not one Arrow IPC stream.
    """
    try:
        from cdpplugin.arrow import ArrowPayloads
    except ImportError as error:
        raise UnsupportedEncoding(
            "payloads in `arrow` need pyarrow, which is not installed",
            hint="pip install 'cdpplugin[arrow]', or set `input_encoding: json`",
        ) from error
    return ArrowPayloads.from_ipc(received.arrow)


BACKINGS: Backings = {
    "json": lambda received: JsonPayloads(received.rows),
    "sep51": lambda received: Sep51Payloads(received.rows),
    "xdr": lambda received: RawPayloads(received.rows),
    "arrow": arrow_payloads,
}
"""What a plugin reads payloads with; a host brings its own for `xdr` and `arrow`."""
