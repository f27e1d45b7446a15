"""The table of XDR types: which there are, and how a place inside a value is named.

`schema.bin` is written by `scripts/xdr_schema.py`. Layout, in little-endian 32-bit words after
eight bytes of magic: the numbers of nodes, fields, arms and literal bytes; nodes (kind, a, b, c,
name offset, name length, least size, plain size); fields (literal offset, length, node); arms
(value, literal offset, length, node); then the literals. The kernel reads the same bytes.
"""

from __future__ import annotations

import difflib
import struct
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from cdp_pipeline.connectors.stellar.xdr.errors import XdrError

_MAGIC = b"CDPXDR01"
_STRUCT, _UNION, _OPTIONAL = 0, 1, 3


class Node(NamedTuple):
    """One type of the table; the words mean what `kernel.c` says for its kind."""

    kind: int
    a: int
    b: int
    c: int
    name_at: int
    name_length: int
    least_size: int
    plain_size: int


class Frame(NamedTuple):
    """A value that was open when the kernel stopped; `following` is its next part or its arm."""

    node: int
    following: int
    part_count: int
    span: int


class Schema:
    """All types of one protocol version.

    Attributes:
        data: The table as the kernel wants it.
        names: Name by node number, empty for types that have none.
    """

    def __init__(self, data: bytes) -> None:
        if not data.startswith(_MAGIC):
            raise ValueError(f"`schema.bin` starts with {data[:8]!r}, expected {_MAGIC!r}")
        node_count, field_count, arm_count, literal_size = struct.unpack_from("<4I", data, 8)
        fields_at = 24 + 32 * node_count
        arms_at = fields_at + 12 * field_count
        literals_at = arms_at + 16 * arm_count
        self.data = data
        self._nodes = [Node(*row) for row in struct.iter_unpack("<8I", data[24:fields_at])]
        self._fields = memoryview(data)[fields_at:arms_at]
        self._arms = memoryview(data)[arms_at:literals_at]
        self._literals = data[literals_at : literals_at + literal_size].decode("ascii")
        self.names = tuple(self._literal(n.name_at, n.name_length) for n in self._nodes)
        self._numbers = {name: number for number, name in enumerate(self.names) if name}

    def type_names(self) -> tuple[str, ...]:
        """Every type that can be decoded or recorded, in the order of its definition."""
        return tuple(self._numbers)

    def number(self, type_name: str) -> int:
        """The node of *type_name*; `XdrError` (``xdr.unknown_type``) if there is none."""
        number = self._numbers.get(type_name)
        if number is None:
            raise _unknown_type(type_name, self._numbers)
        return number

    def is_plain(self, number: int) -> bool:
        """Whether values have one size and any bytes are a value, so they may be skipped."""
        return self._nodes[number].plain_size > 0

    def path(self, root: int, frames: Iterable[Frame]) -> str:
        """The open values as text, e.g. ``TransactionMeta.v3.operations[0].changes[2]``."""
        return self.names[root] + "".join(map(self._step, frames))

    def innermost_name(self, node: int, frames: Iterable[Frame]) -> str:
        """The name of *node*, or of the closest value around it that has one."""
        numbers = [*(frame.node for frame in frames), node]
        return next((self.names[n] for n in reversed(numbers) if self.names[n]), "")

    def _step(self, frame: Frame) -> str:
        node = self._nodes[frame.node]
        if node.kind == _OPTIONAL:
            return ""
        if node.kind == _UNION:
            _, at, length, _ = struct.unpack_from(
                "<4I", self._arms, 16 * (node.a + frame.following)
            )
            return "." + self._literal(at, length).strip('{":')
        if frame.following == 0:
            return ""
        if node.kind == _STRUCT:
            row = 12 * (node.a + frame.following - 1)
            at, length, _ = struct.unpack_from("<3I", self._fields, row)
            return "." + self._literal(at, length).strip('{,":')
        return f"[{frame.following - 1}]"

    def _literal(self, at: int, length: int) -> str:
        return self._literals[at : at + length]


def _unknown_type(type_name: str, known: Iterable[str]) -> XdrError:
    nearest = difflib.get_close_matches(type_name, known, n=1, cutoff=0.4)
    return XdrError(
        f"`{type_name}` is not an XDR type",
        code="xdr.unknown_type",
        hint=f"did you mean `{nearest[0]}`?" if nearest else "see `type_names()`",
        type_name=type_name,
    )


@cache
def load_schema() -> Schema:
    """The table that comes with this package (protocol 27)."""
    return Schema(files(__package__).joinpath("schema.bin").read_bytes())


def type_names() -> tuple[str, ...]:
    """Every XDR type by its name in Stellar's `.x` files, e.g. ``LedgerCloseMeta``.

    A nested anonymous type is named after its parent and field, e.g. ``LedgerEntryData``.
    """
    return load_schema().type_names()
