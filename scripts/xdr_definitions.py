"""Reads XDR interface definitions (RFC 4506 section 6, as Stellar writes its `.x` files).

Only what those files use is understood: constants, enums, structs, unions on an enum or an
integer, typedefs, and nested anonymous structs and unions. Anything else is refused by name.

Anonymous types get the names the official bindings give them: the enclosing struct's (or named
union's) name followed by the field's, e.g. `TrustLineEntryExt`, `TrustLineEntryV1`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_TOKEN = re.compile(r"[A-Za-z_]\w*|-?(?:0[xX][0-9a-fA-F]+|\d+)|[{}()\[\]<>;:,=*]")
_NOISE = re.compile(r"/\*.*?\*/|//[^\n]*|^\s*%[^\n]*", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class TypeRef:
    """A type as a field uses it: `base`, and whether it is optional or an array.

    `shape` is ``plain``, ``optional``, ``fixed`` or ``variable``; `size` is the length of a
    fixed array or opaque, or the bound of a variable one (2**32 - 1 where none is given).
    """

    base: str
    shape: str = "plain"
    size: int = 0


@dataclass(frozen=True)
class Enum:
    """Named signed 32-bit values, in the order of the source."""

    members: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Struct:
    """Fields in wire order."""

    fields: tuple[tuple[str, TypeRef], ...]


@dataclass(frozen=True)
class Union:
    """Arms by discriminant value; an arm without a type is `None`."""

    discriminant: str
    arms: tuple[tuple[int, TypeRef | None], ...]


@dataclass(frozen=True)
class Typedef:
    """Another name for a type."""

    target: TypeRef


Definition = Enum | Struct | Union | Typedef


@dataclass
class Definitions:
    """All named types of a set of `.x` files, in the order of definition."""

    types: dict[str, Definition] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)


def read_definitions(folder: Path) -> Definitions:
    """Parse every `.x` file of *folder*, those that define constants for others first."""
    definitions = Definitions()
    texts = {path.name: _NOISE.sub("", path.read_text()) for path in sorted(folder.glob("*.x"))}
    for text in texts.values():
        for name, value in re.findall(r"\bconst\s+(\w+)\s*=\s*(-?\w+)\s*;", text):
            definitions.constants[name] = int(value, 0)
        _read_enum_values(text, definitions.constants)
    for name, text in texts.items():
        if "#if" in text:
            raise ValueError(f"`{name}` has conditional sections: preprocess it first")
        _Parser(text, definitions).run()
    return definitions


def _read_enum_values(text: str, constants: dict[str, int]) -> None:
    for body in re.findall(r"\benum\s+\w+\s*\{([^}]*)\}", text):
        for name, value in re.findall(r"(\w+)\s*=\s*(-?\w+)", body):
            constants[name] = constants[value] if value in constants else int(value, 0)


class _Parser:
    """Recursive descent over the tokens of one file."""

    def __init__(self, text: str, definitions: Definitions) -> None:
        self._tokens: list[str] = _TOKEN.findall(text)
        self._position = 0
        self._definitions = definitions

    @property
    def _ahead(self) -> str:
        if self._position >= len(self._tokens):
            raise ValueError("the file ends inside a definition")
        return self._tokens[self._position]

    def run(self) -> None:
        self._expect("namespace")
        self._take()
        self._expect("{")
        while self._ahead != "}":
            self._definition()

    def _take(self) -> str:
        token = self._ahead
        self._position += 1
        return token

    def _expect(self, *wanted: str) -> None:
        for token in wanted:
            got = self._take()
            if got != token:
                raise ValueError(f"expected `{token}`, found `{got}`")

    def _accept(self, token: str) -> bool:
        if self._ahead == token:
            self._take()
            return True
        return False

    def _number(self) -> int:
        token = self._take()
        constants = self._definitions.constants
        return constants[token] if token in constants else int(token, 0)

    def _definition(self) -> None:
        keyword = self._take()
        if keyword == "const":
            self._take()
            self._expect("=")
            self._number()
        elif keyword == "typedef":
            name, target = self._declaration("")
            self._definitions.types[name] = Typedef(target)
        elif keyword in ("enum", "struct", "union"):
            name = self._take()
            # Reserved before its parts, so that the order is that of the source.
            self._definitions.types[name] = Typedef(TypeRef("int"))
            self._definitions.types[name] = self._body(keyword, name, name)
        else:
            raise ValueError(f"`{keyword}` does not start a definition")
        self._expect(";")

    def _body(self, keyword: str, name: str, scope: str) -> Definition:
        if keyword == "enum":
            return self._enum()
        if keyword == "struct":
            return self._struct(name)
        return self._union(scope)

    def _enum(self) -> Enum:
        self._expect("{")
        members: list[tuple[str, int]] = []
        while not self._accept("}"):
            name = self._take()
            self._expect("=")
            members.append((name, self._number()))
            self._accept(",")
        return Enum(tuple(members))

    def _struct(self, scope: str) -> Struct:
        self._expect("{")
        fields: list[tuple[str, TypeRef]] = []
        while not self._accept("}"):
            fields.append(self._declaration(scope))
            self._expect(";")
        return Struct(tuple(fields))

    def _union(self, scope: str) -> Union:
        self._expect("switch", "(")
        discriminant = self._type_name()
        self._take()
        self._expect(")", "{")
        arms: list[tuple[int, TypeRef | None]] = []
        while not self._accept("}"):
            values = self._cases()
            target = None if self._accept("void") else self._declaration(scope)[1]
            self._expect(";")
            arms.extend((value, target) for value in values)
        return Union(discriminant, tuple(arms))

    def _cases(self) -> list[int]:
        values: list[int] = []
        while self._accept("case"):
            values.append(self._number())
            self._expect(":")
        if not values:
            raise ValueError(f"`{self._ahead}` is not supported inside a union")
        return values

    def _type_name(self) -> str:
        token = self._take()
        return f"unsigned {self._take()}" if token == "unsigned" else token

    def _declaration(self, scope: str) -> tuple[str, TypeRef]:
        keyword = self._type_name()
        if keyword in ("struct", "union"):
            return self._anonymous(keyword, scope)
        optional = self._accept("*")
        name = self._take()
        if optional:
            return name, TypeRef(keyword, "optional")
        if self._accept("["):
            size = self._number()
            self._expect("]")
            return name, TypeRef(keyword, "fixed", size)
        if self._accept("<"):
            bound = 0xFFFFFFFF if self._ahead == ">" else self._number()
            self._expect(">")
            return name, TypeRef(keyword, "variable", bound)
        return name, TypeRef(keyword)

    def _anonymous(self, keyword: str, scope: str) -> tuple[str, TypeRef]:
        name = self._name_after_body()
        type_name = scope + name[0].upper() + name[1:]
        # Reserved before its parts, so that the order is that of the source.
        self._definitions.types[type_name] = Typedef(TypeRef("int"))
        inner_scope = scope if keyword == "union" else type_name
        self._definitions.types[type_name] = self._body(keyword, type_name, inner_scope)
        self._expect(name)
        return name, TypeRef(type_name)

    def _name_after_body(self) -> str:
        # The name follows the body, but the parts of the body are named after it.
        depth = 0
        for index in range(self._position, len(self._tokens)):
            token = self._tokens[index]
            depth += {"{": 1, "}": -1}.get(token, 0)
            if token == "}" and depth == 0:
                return self._tokens[index + 1]
        raise ValueError("an anonymous body is not closed")
