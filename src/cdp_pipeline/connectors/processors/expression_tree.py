"""The parsed form of an expression: which fields it reads, and equality that refuses mixed types.

A checked CEL expression serializes to `cel.expr.CheckedExpr` of the CEL specification
(syntax.proto, checked.proto). Only the few messages below are read, so that no generated
protobuf code is needed; fields that are not known here pass through unchanged.

CEL says that values of different types are simply unequal. For JSON rows that hides
mistakes, e.g. an amount that is text compared with a number, so `x == y` is rewritten:

    x == y || (type(x) == type(y) || x == null || y == null ? false : (x < y ? false : false))

whose last part fails where the two cannot be compared, and is false where they can.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

Field = tuple[int, int, Any]
Path = tuple[str, ...]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZE = {_FIXED64: 8, _FIXED32: 4}

# Field numbers of cel.expr.Expr and of the messages in it.
_ID, _CONSTANT, _IDENT, _SELECT, _CALL, _LIST = 2, 3, 4, 5, 6, 7
_IDENT_NAME = 1
_SELECT_OPERAND, _SELECT_FIELD, _SELECT_TEST_ONLY = 1, 2, 3
_CALL_FUNCTION, _CALL_ARGUMENTS = 2, 3
_LIST_ELEMENTS = 1
_CONSTANT_NULL, _CONSTANT_BOOL, _CONSTANT_STRING = 1, 2, 6
_CHECKED_EXPR = 4
_ANY_URL, _ANY_VALUE = 1, 2

_CHILDREN: dict[str, dict[int, str]] = {
    "Any": {_ANY_VALUE: "CheckedExpr"},
    "CheckedExpr": {_CHECKED_EXPR: "Expr"},
    "Expr": {3: "Leaf", 4: "Leaf", 5: "Select", 6: "Call", 7: "List", 8: "Struct", 9: "Fold"},
    "Select": {_SELECT_OPERAND: "Expr"},
    "Call": {1: "Expr", _CALL_ARGUMENTS: "Expr"},
    "List": {_LIST_ELEMENTS: "Expr"},
    "Struct": {2: "Entry"},
    "Entry": {3: "Expr", 4: "Expr"},
    "Fold": {2: "Expr", 4: "Expr", 5: "Expr", 6: "Expr", 7: "Expr"},
}
_STATIC_TEXT = ("id", "message.type")
_new_ids = count(1_000_000)


class Node:
    """One protobuf message: its fields in order, known messages in it as nodes too."""

    __slots__ = ("fields", "kind")

    def __init__(self, kind: str, fields: list[Field]) -> None:
        self.kind = kind
        self.fields = fields

    def get(self, number: int) -> Any:
        """Return the last value of field *number*, or None."""
        return next((value for n, _, value in reversed(self.fields) if n == number), None)

    def all(self, number: int) -> list[Any]:
        """Return every value of field *number*."""
        return [value for n, _, value in self.fields if n == number]

    def text(self, number: int) -> str:
        """Return field *number* as text, or empty."""
        value = self.get(number)
        return bytes(value).decode() if value is not None else ""

    @property
    def children(self) -> list[Node]:
        """The messages in it."""
        return [value for _, _, value in self.fields if isinstance(value, Node)]


def decode(data: bytes, kind: str = "Any") -> Node:
    """Read the protobuf message *data* of the given kind."""
    fields: list[Field] = []
    children = _CHILDREN.get(kind, {})
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        number, wire = key >> 3, key & 7
        value: Any
        if wire == _VARINT:
            value, at = _read_varint(data, at)
        else:
            size = _FIXED_SIZE.get(wire)
            if size is None:
                size, at = _read_varint(data, at)
            value, at = data[at : at + size], at + size
        if number in children and wire == _BYTES:
            value = decode(value, children[number])
        fields.append((number, wire, value))
    return Node(kind, fields)


def encode(node: Node) -> bytes:
    """Return the protobuf form of *node*."""
    out = bytearray()
    for number, wire, value in node.fields:
        out += _varint(number << 3 | wire)
        if wire == _VARINT:
            out += _varint(value)
            continue
        data = encode(value) if isinstance(value, Node) else value
        if wire == _BYTES:
            out += _varint(len(data))
        out += data
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def root(tree: Node) -> Node:
    """Return the expression itself of a decoded `CheckedExpr`."""
    expression: Node = tree.get(_ANY_VALUE).get(_CHECKED_EXPR)
    return expression


def path_of(node: Node, *, plain: bool = False) -> Path | None:
    """Return `("payload", "a", "b")` for `payload.a.b`, None for anything else.

    With *plain*, only for what is read as it stands: no `has`, no optional selection.
    """
    if (ident := node.get(_IDENT)) is not None:
        return (ident.text(_IDENT_NAME).removeprefix("message."),)
    if (select := node.get(_SELECT)) is not None:
        if plain and select.get(_SELECT_TEST_ONLY):
            return None
        operand = path_of(select.get(_SELECT_OPERAND), plain=plain)
        return operand and (*operand, select.text(_SELECT_FIELD))
    if (call := node.get(_CALL)) is not None:
        known = ("_[_]",) if plain else ("_[_]", "_[?_]", "_?._")
        arguments = call.all(_CALL_ARGUMENTS)
        if call.text(_CALL_FUNCTION) in known and len(arguments) == 2:
            key = arguments[1].get(_CONSTANT)
            operand = path_of(arguments[0], plain=plain)
            if key is not None and key.get(_CONSTANT_STRING) is not None:
                return operand and (*operand, key.text(_CONSTANT_STRING))
    return None


def paths(node: Node) -> Iterator[Path]:
    """Yield every path read in *node*, the longest form of each."""
    path = path_of(node) if node.kind == "Expr" else None
    if path is not None:
        yield path
        return
    for child in node.children:
        yield from paths(child)


def refuse_mixed_types(node: Node) -> None:
    """Rewrite every `==`, `!=` and `in` below *node* in place, as the module says."""
    for child in node.children:
        refuse_mixed_types(child)
    call = node.get(_CALL) if node.kind == "Expr" else None
    if call is None or len(call.all(_CALL_ARGUMENTS)) != 2:
        return
    name, (left, right) = call.text(_CALL_FUNCTION), call.all(_CALL_ARGUMENTS)
    if name in ("_==_", "_!=_") and _is_open(left, right):
        same = _call("_||_", _call("_==_", left, right), _mismatch(left, right))
        node.fields = (same if name == "_==_" else _call("!_", same)).fields
    elif name == "@in" and (first := _first_constant(right)) is not None and _is_open(left, first):
        node.fields = _call("_||_", Node("Expr", node.fields), _mismatch(left, first)).fields


def _is_open(left: Node, right: Node) -> bool:
    """Tell whether only the row decides if the two are of one type."""
    sides = (left, right)
    if any(_is_null(side) for side in sides):
        return False
    return any(_is_read(side) for side in sides)


def _is_read(node: Node) -> bool:
    select, call, ident = node.get(_SELECT), node.get(_CALL), node.get(_IDENT)
    if ident is not None:
        name = ident.text(_IDENT_NAME)
        return name not in _STATIC_TEXT and not name.startswith(("@", "__"))
    if select is not None:
        return not select.get(_SELECT_TEST_ONLY)
    return call is not None and call.text(_CALL_FUNCTION) == "_[_]"


def _is_null(node: Node) -> bool:
    constant = node.get(_CONSTANT)
    return constant is not None and constant.get(_CONSTANT_NULL) is not None


def _first_constant(node: Node) -> Node | None:
    elements = node.get(_LIST)
    first: Node | None = elements.get(_LIST_ELEMENTS) if elements is not None else None
    return first if first is not None and first.get(_CONSTANT) is not None else None


def _mismatch(left: Node, right: Node) -> Node:
    types = _call("_==_", _call("type", left), _call("type", right))
    nulls = _call("_||_", _call("_==_", left, _null()), _call("_==_", right, _null()))
    compared = _call("_?_:_", _call("_<_", left, right), _false(), _false())
    return _call("_?_:_", _call("_||_", types, nulls), _false(), compared)


def _call(function: str, *arguments: Node) -> Node:
    fields: list[Field] = [(_CALL_FUNCTION, _BYTES, function.encode())]
    fields += [(_CALL_ARGUMENTS, _BYTES, argument) for argument in arguments]
    return _expression(_CALL, Node("Call", fields))


def _null() -> Node:
    return _expression(_CONSTANT, Node("Leaf", [(_CONSTANT_NULL, _VARINT, 0)]))


def _false() -> Node:
    return _expression(_CONSTANT, Node("Leaf", [(_CONSTANT_BOOL, _VARINT, 0)]))


def _expression(number: int, value: Node) -> Node:
    return Node("Expr", [(_ID, _VARINT, next(_new_ids)), (number, _BYTES, value)])
