"""Writes the type table that the XDR kernel interprets, from Stellar's `.x` files.

    python scripts/xdr_schema.py FOLDER_WITH_X_FILES [--check]

The table holds the shape of every type and, ready to print, the SEP-51 names of fields, arms
and enum members. `--check` compares instead of writing. Layout: see `Schema` in
`cdp_pipeline/connectors/stellar/xdr/schema.py` and the structs in `kernel.c` beside it.
"""

from __future__ import annotations

import argparse
import re
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from xdr_definitions import Definitions, Enum, Struct, Typedef, TypeRef, Union, read_definitions
from xdr_kinds import KINDS, SPECIAL, shape_text

TARGET = Path(__file__).parents[1] / "src/cdp_pipeline/connectors/stellar/xdr/schema.bin"
MAGIC = b"CDPXDR01"
NO_NODE = 0xFFFFFFFF
UNFILLED = ""
LONGEST_LITERAL = 256  # what the kernel reserves for one name
PRIMITIVES = {
    "int": "i32",
    "unsigned int": "u32",
    "hyper": "i64",
    "unsigned hyper": "u64",
    "bool": "bool",
}


def snake_case(name: str) -> str:
    """The SEP-51 form of an identifier: `liquidityPoolID` -> `liquidity_pool_id`."""
    name = re.sub(r"([A-Z\d]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower().rstrip("_")


def member_names(enum: Enum) -> dict[int, str]:
    """SEP-51 names by value: snake case, without the words that all members begin with."""
    words = [name.split("_") for name, _ in enum.members]
    shared = 0
    if len(words) > 1:
        while all(len(w) > shared + 1 and w[shared] == words[0][shared] for w in words):
            shared += 1
    stripped = ["_".join(w[shared:]) for w in words]
    if any(name[0].isdigit() for name in stripped):
        # A name cannot begin with a digit; the initial of the dropped prefix goes before it.
        stripped = [words[0][0][0] + name for name in stripped]
    return {value: snake_case(n) for n, (_, value) in zip(stripped, enum.members, strict=True)}


@dataclass
class Node:
    """One type of the table; `a`, `b`, `c` mean what `kernel.c` says for its kind."""

    kind: str
    name: str = ""
    a: int = 0
    b: int = 0
    c: int = 0
    least_size: int = 0
    plain_size: int = 0


class Table:
    """Collects nodes, fields, arms and literals, then packs them."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._nodes: list[Node] = []
        self._ids: dict[TypeRef, int] = {}
        self._fields: list[tuple[int, int, int]] = []
        self._arms: list[tuple[int, int, int, int]] = []
        self._literals = bytearray()
        self._literal_at: dict[str, int] = {}
        for name in definitions.types:
            self._ids[TypeRef(name)] = len(self._nodes)
            self._nodes.append(Node(UNFILLED, name))
        for name in definitions.types:
            self._fill_named(name)
        self._measure()

    def pack(self) -> bytes:
        """The table as little-endian 32-bit words, then the literals, padded for over-reading."""
        words: list[int] = []
        for node in self._nodes:
            at, length = self._literal(node.name)
            words += [list(KINDS).index(node.kind), node.a, node.b, node.c]
            words += [at, length, node.least_size, node.plain_size]
        words += [word for row in self._fields for word in row]
        words += [word for row in self._arms for word in row]
        counts = (len(self._nodes), len(self._fields), len(self._arms), len(self._literals))
        body = struct.pack(f"<{len(words)}I", *(word & 0xFFFFFFFF for word in words))
        return MAGIC + struct.pack("<4I", *counts) + body + bytes(self._literals) + bytes(16)

    def _literal(self, text: str) -> tuple[int, int]:
        data = text.encode("ascii")
        if len(data) > LONGEST_LITERAL:
            raise ValueError(f"`{text}` is longer than {LONGEST_LITERAL} bytes")
        if text not in self._literal_at:
            self._literal_at[text] = len(self._literals)
            self._literals += data
        return self._literal_at[text], len(data)

    def _fill_named(self, name: str) -> None:
        node = self._nodes[self._ids[TypeRef(name)]]
        if node.kind != UNFILLED:
            return
        if name in SPECIAL:
            node.kind, shape = SPECIAL[name]
            if shape != shape_text(self._definitions, name):
                raise ValueError(f"`{name}` changed: {shape_text(self._definitions, name)}")
            return
        match self._definitions.types[name]:
            case Enum() as enum:
                self._fill_enum(node, enum)
            case Struct() as struct_:
                self._fill_struct(node, struct_)
            case Union() as union:
                self._fill_union(node, union)
            case Typedef(target):
                self._fill_reference(node, target)

    def _fill_enum(self, node: Node, enum: Enum) -> None:
        node.kind = "enum"
        names = member_names(enum)
        self._fill_arms(node, [(v, f'"{names[v]}"', NO_NODE) for v in names])

    def _fill_struct(self, node: Node, definition: Struct) -> None:
        rows = []
        for index, (name, ref) in enumerate(definition.fields):
            literal = f'{"," if index else "{"}"{snake_case(name)}":'
            rows.append((*self._literal(literal), self._reference(ref)))
        node.kind, node.a, node.b = "struct", len(self._fields), len(rows)
        self._fields += rows

    def _fill_union(self, node: Node, union: Union) -> None:
        node.kind = "union"
        names = self._discriminant_names(union.discriminant)
        rows = []
        for value, ref in union.arms:
            name = f'"{names[value] if names else f"v{value}"}"'
            rows.append(
                (value, name, NO_NODE)
                if ref is None
                else (value, f"{{{name}:", self._reference(ref))
            )
        self._fill_arms(node, rows)

    def _discriminant_names(self, discriminant: str) -> dict[int, str] | None:
        if discriminant in ("int", "uint32"):
            return None
        definition = self._definitions.types[discriminant]
        if not isinstance(definition, Enum):
            raise TypeError(f"`{discriminant}` cannot choose a union's arm")
        return member_names(definition)

    def _fill_arms(self, node: Node, rows: list[tuple[int, str, int]]) -> None:
        # Values close together become a directly indexed list, with holes (no literal) between.
        by_value = {value: (literal, target) for value, literal, target in rows}
        first, last = min(by_value), max(by_value)
        dense = last - first < 4 * len(rows)
        values = range(first, last + 1) if dense else sorted(by_value)
        node.a, node.b, node.c = len(self._arms), len(values), int(dense)
        for value in values:
            literal, target = by_value.get(value, ("", NO_NODE))
            self._arms.append((value, *self._literal(literal), target))

    def _fill_reference(self, node: Node, ref: TypeRef) -> None:
        if ref.shape == "plain":
            self._fill_alias(node, ref.base)
        elif ref.shape == "optional":
            node.kind, node.b = "optional", self._reference(TypeRef(ref.base))
        elif ref.base in ("opaque", "string"):
            kind = f"opaque_{ref.shape}" if ref.base == "opaque" else "string"
            node.kind, node.a = kind, ref.size
        else:
            node.kind, node.a = f"array_{ref.shape}", ref.size
            node.b = self._reference(TypeRef(ref.base))

    def _fill_alias(self, node: Node, base: str) -> None:
        if base in PRIMITIVES:
            node.kind = PRIMITIVES[base]
            return
        self._fill_named(base)
        target = self._nodes[self._ids[TypeRef(base)]]
        node.kind, node.a, node.b, node.c = target.kind, target.a, target.b, target.c

    def _reference(self, ref: TypeRef) -> int:
        if ref not in self._ids:
            self._ids[ref] = len(self._nodes)
            self._nodes.append(Node(UNFILLED))
            self._fill_reference(self._nodes[self._ids[ref]], ref)
        return self._ids[ref]

    def _measure(self) -> None:
        for node in self._nodes:
            node.least_size = self._least_size(node)
            node.plain_size = node.least_size if self._is_plain(node) else 0

    def _targets(self, node: Node) -> list[Node]:
        return [self._nodes[target] for *_, target in self._fields[node.a : node.a + node.b]]

    def _least_size(self, node: Node) -> int:
        match node.kind:
            case "struct":
                return sum(self._least_size(target) for target in self._targets(node))
            case "union":
                arms = [row for row in self._arms[node.a : node.a + node.b] if row[2]]
                if any(target == NO_NODE for *_, target in arms):
                    return 4
                return 4 + min(self._least_size(self._nodes[target]) for *_, target in arms)
            case "array_fixed":
                return node.a * self._least_size(self._nodes[node.b])
            case "opaque_fixed":
                return (node.a + 3) // 4 * 4
            case kind:
                return KINDS[kind].least_size

    def _is_plain(self, node: Node) -> bool:
        match node.kind:
            case "struct":
                return all(self._is_plain(target) for target in self._targets(node))
            case "array_fixed":
                return self._is_plain(self._nodes[node.b])
            case "opaque_fixed":
                return node.a % 4 == 0
            case kind:
                return KINDS[kind].is_plain


def main() -> int:
    """Write or check the table; exit status 1 when a check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the .x files are")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    table = Table(read_definitions(arguments.folder)).pack()
    if arguments.check:
        return int(not TARGET.exists() or TARGET.read_bytes() != table)
    TARGET.write_bytes(table)
    print(f"{TARGET.name}: {len(table)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
