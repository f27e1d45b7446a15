"""Turn YAML nodes into plain data and their places; refuse what a configuration never needs.

Refused: keys that are not scalars, own tags, aliases that contain themselves, and
documents that grow beyond `MOST_VALUES` by aliases.
"""

from __future__ import annotations

from typing import Any

from cdp_pipeline.config.locations import KeyPath, Position, dotted
from cdp_pipeline.config.scalars import read_scalar
from cdp_pipeline.errors import ConfigError

Node = Any
"""A node of ruamel.yaml: scalar, sequence or mapping, told apart by its `id`."""

MOST_VALUES = 100_000
_MERGE_TAG = "tag:yaml.org,2002:merge"
_CORE = "tag:yaml.org,2002:"
_TEXT = {_CORE + name for name in ("str", "timestamp", "merge", "value")}
_READ = {_CORE + name for name in ("null", "bool", "int", "float")}


def compose(text: str, file: str) -> Node:
    """Return the root node of *text*, or None where it holds no document.

    Raises:
        ConfigError: `config.syntax`.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.reader import ReaderError

    parser = YAML(typ="safe", pure=True)
    parser.composer.warn_double_anchors = False
    try:
        root: Node = parser.compose(text)
    except MarkedYAMLError as error:
        raise _marked(error, file) from None
    except ReaderError as error:
        raise _character(text, error.position, file) from None
    except RecursionError:
        raise _fault(file, Position(1, 1), "lists or mappings are nested too deeply") from None
    except Exception as error:  # whatever text does to a parser, it is a fault of the text
        raise _fault(file, Position(1, 1), f"not YAML: {type(error).__name__}") from None
    return root


class NodeReader:
    """Reads one tree of nodes.

    Attributes:
        values: Where each value starts, by key path.
        keys: Where each key starts, by key path.
        quoted: Paths of text values in quotes or blocks.
        faults: Duplicate keys.
    """

    def __init__(self, file: str) -> None:
        self.values: dict[KeyPath, Position] = {}
        self.keys: dict[KeyPath, Position] = {}
        self.quoted: set[KeyPath] = set()
        self.faults: list[ConfigError] = []
        self._file = file
        self._open: set[int] = set()
        self._count = 0

    def read(self, node: Node, path: KeyPath = ()) -> Any:
        """Return *node* as plain data.

        Raises:
            ConfigError: `config.syntax`.
        """
        place = _place(node)
        self._count += 1
        if self._count > MOST_VALUES:
            raise _fault(self._file, place, f"more than {MOST_VALUES} values")
        if id(node) in self._open:
            raise _fault(self._file, place, "an anchor contains an alias of itself")
        self.values.setdefault(path, place)
        self._open.add(id(node))
        try:
            return self._value(node, path)
        except RecursionError:
            message = "lists or mappings are nested too deeply"
            raise _fault(self._file, place, message) from None
        finally:
            self._open.discard(id(node))

    def _value(self, node: Node, path: KeyPath) -> Any:
        if not isinstance(node.value, list):
            return self._scalar(node, path)
        if node.id == "mapping" and node.tag == _CORE + "map":
            return self._mapping(node, path)
        if node.id == "sequence" and node.tag == _CORE + "seq":
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        raise self._tag(node)

    def _scalar(self, node: Node, path: KeyPath) -> Any:
        if node.tag in _TEXT:
            if node.style:
                self.quoted.add(path)
            return node.value
        if node.tag in _READ:
            if not node.value and path in self.keys:
                self.values[path] = self.keys[path]
            return read_scalar(node.value)
        raise self._tag(node)

    def _mapping(self, node: Node, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        merged: list[Node] = []
        for key, value in node.value:
            if key.tag == _MERGE_TAG:
                merged.append(value)
            else:
                self._entry(data, key, value, path)
        for value in merged:
            self._merge(data, value, path)
        return data

    def _entry(self, data: dict[str, Any], key: Node, value: Node, path: KeyPath) -> None:
        place = _place(key)
        if not isinstance(key.value, str):
            raise _fault(self._file, place, "a key is a list or mapping, expected text")
        name = (*path, key.value)
        if key.value in data:
            self.faults.append(self._duplicate(name, place))
            return
        self.keys[name] = place
        data[key.value] = self.read(value, name)

    def _merge(self, data: dict[str, Any], value: Node, path: KeyPath) -> None:
        for source in value.value if value.id == "sequence" else [value]:
            if source.id != "mapping":
                raise _fault(self._file, _place(source), "`<<` takes a mapping or a list of them")
            if id(source) in self._open:
                raise _fault(self._file, _place(source), "an anchor contains an alias of itself")
            self._open.add(id(source))
            self._add(data, source, path)
            self._open.discard(id(source))

    def _add(self, data: dict[str, Any], source: Node, path: KeyPath) -> None:
        for key, item in source.value:
            if key.tag == _MERGE_TAG:
                self._merge(data, item, path)
            elif key.value not in data:
                self._entry(data, key, item, path)

    def _duplicate(self, name: KeyPath, place: Position) -> ConfigError:
        first = self.keys.get(name, place)
        return ConfigError(
            f"key `{dotted(name)}` stands twice, first in line {first.line}",
            code="config.duplicate_key",
            where=f"{self._file}:{place.line}:{place.column}",
            hint="keep one of the two",
        )

    def _tag(self, node: Node) -> ConfigError:
        message = f"tag `{node.tag}` is not supported here"
        return _fault(self._file, _place(node), message, "remove the tag")


def _place(node: Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _fault(file: str, place: Position, message: str, hint: str = "") -> ConfigError:
    where = f"{file}:{place.line}:{place.column}"
    return ConfigError(message, code="config.syntax", where=where, hint=hint)


def _marked(error: Any, file: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    place = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
    problem = str(error.problem or "not YAML").replace("`", "'")
    context, hint = f", {error.context}" if error.context else "", ""
    if "'\\t'" in problem:
        problem, hint = "a tab stands where spaces are expected", "indent with spaces"
    elif "got '{'" in problem:
        hint = 'put quotes around a value with braces: "${NAME}"'
    elif "mapping values are not allowed" in problem:
        hint = "put quotes around a value that contains `: `"
    elif "another document" in problem:
        problem, context = "a second document starts here, expected one per file", ""
    message = problem if hint else problem + context
    return _fault(file, place, message.replace("'", "`"), hint)


def _character(text: str, position: int, file: str) -> ConfigError:
    before = text[:position]
    place = Position(before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
    message = f"character U+{ord(text[position]):04X} is not allowed in YAML"
    return _fault(file, place, message, "remove it")
