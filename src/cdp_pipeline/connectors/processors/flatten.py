"""Make rows and columns of what is nested: one message an array element, `a_b` for `{a: {b}}`.

With both settings, `explode` comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from cdpplugin import (
    Base,
    Batch,
    JsonPayloads,
    OutputPart,
    Outputs,
    PluginError,
    PluginMetadata,
    decode_json,
    encode_json,
)
from cdpplugin.batch import take_column
from cdpplugin.function import as_plugin_error

from ..settings import Settings, settings_of
from . import field_path
from .field_path import FieldAbsent, FieldExists, FieldNotObject, FieldPath, parse_path
from .variables import json_rows


class NestedSettings(Settings):
    """How nested objects become columns."""

    separator: str = Field(
        default="_", min_length=1, description="Text between the names, `_` gives `asset_code`."
    )
    max_depth: int = Field(
        default=0,
        ge=0,
        description="Levels of nesting to take apart; what lies deeper stays an object. "
        "0: all of them.",
    )


class FlattenSettings(Settings):
    """Settings of `flatten`."""

    explode: str | None = Field(
        default=None,
        description="Payload field that holds an array, a dotted path: one message is made of "
        "each element, with `index` (from 0) and `parent_id` in its metadata. An empty array "
        "gives none.",
        examples=["operations"],
    )
    as_: Literal["item", "replace"] = Field(
        default="item",
        alias="as",
        description="What the new payload is: `item`, the element itself; or `replace`, the whole "
        "payload with the array replaced by the element, as `unnest` in SQL.",
    )
    keep: tuple[str, ...] = Field(
        default=(),
        description="Fields of the whole payload, dotted paths. With `item`: copied into each "
        "element under their last name (an element that is no object goes into a field named "
        "like the array). With `replace`: the only ones to keep; empty keeps all.",
        examples=[["sequence", "closed_at"]],
    )
    type_: str | None = Field(
        default=None,
        alias="type",
        min_length=1,
        description="Type of the new messages. Unset: that of the message they come from.",
        examples=["Operation"],
    )
    nested: NestedSettings | None = Field(
        default=None,
        description="Turn nested objects into fields of the payload itself; arrays and empty "
        "objects stay as they are.",
        examples=[{"separator": "_"}],
    )
    on_missing: Literal["error", "drop", "pass"] = Field(
        default="error",
        description="What happens where `explode` or `keep` names a field that is missing, or "
        "`explode` one that is no array: `error` (the stage's `on_error` decides), `drop` the "
        "message, or `pass` it on as it came.",
    )

    @model_validator(mode="after")
    def _does_something(self) -> FlattenSettings:
        if self.explode is None and self.nested is None:
            raise ValueError("`explode`, `nested` or both expected")
        return self


class NotArray(FieldAbsent):
    """The field to explode is no array."""

    code = "field.not_array"


class Flatten(Base):
    """The `flatten` processor. Safe to call from several threads at once."""

    def __init__(self) -> None:
        self._settings = FlattenSettings(nested=NestedSettings())
        self._explode: FieldPath = ()
        self._keep: list[FieldPath] = []

    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            name="flatten",
            version="0.1.0",
            type="processor",
            description="Makes one message of each array element, and columns of nested objects",
            config_schema=FlattenSettings.model_json_schema(by_alias=True),
        )

    async def configure(self, config: Mapping[str, Any]) -> None:
        settings = settings_of(FlattenSettings, config)
        self._explode = parse_path(settings.explode, setting="explode") if settings.explode else ()
        self._keep = [parse_path(text, setting="keep") for text in settings.keep]
        self._settings = settings

    def process_batch(self, batch: Batch) -> Outputs:
        """Answer the flattened messages; a row that fails is an error of that row alone."""
        json = json_rows(batch)
        made = _Made()
        for row in range(len(batch)):
            try:
                text = json(row)
                made.add(row, self._flat(decode_json(text)), exploded=bool(self._explode))
            except FieldAbsent as error:
                self._take_missing(made, row, text, error)
            except Exception as error:
                made.errors[row] = as_plugin_error(error)
        return made.outputs(batch, self._settings.type_)

    def _take_missing(self, made: _Made, row: int, text: bytes, error: FieldAbsent) -> None:
        rule = self._settings.on_missing
        if rule == "error":
            made.errors[row] = error
        elif rule == "drop":
            made.drop("field missing")
        else:
            made.pass_on(row, text)

    def _flat(self, payload: Any) -> list[bytes]:
        """Return the new payloads, all of them or an error."""
        pieces = self._exploded(payload) if self._explode else iter([payload])
        nested = self._settings.nested
        if nested is None:
            return [encode_json(piece) for piece in pieces]
        return [encode_json(_columns(piece, nested)) for piece in pieces]

    def _exploded(self, payload: Any) -> Iterator[Any]:
        items = field_path.read(payload, self._explode)
        if not isinstance(items, list):
            raise NotArray(
                f"`{field_path.dotted(self._explode)}` is `{type(items).__name__}`, "
                "an array expected",
                hint="name the array itself, or set `on_missing`",
            )
        kept = [(path, field_path.read(payload, path)) for path in self._keep]
        for item in items:
            if self._settings.as_ == "item":
                yield self._item(item, kept)
            else:
                yield self._replaced(payload, item, kept)

    def _item(self, item: Any, kept: list[tuple[FieldPath, Any]]) -> Any:
        if not kept:
            return item
        fields = dict(item) if isinstance(item, dict) else {self._explode[-1]: item}
        for path, value in kept:
            _add(fields, path[-1], value)
        return fields

    def _replaced(self, payload: Any, item: Any, kept: list[tuple[FieldPath, Any]]) -> Any:
        if not kept:
            return _with(payload, self._explode, item)
        fields: dict[str, Any] = {}
        for path, value in kept:
            field_path.put(fields, path, value)
        field_path.put(fields, self._explode, item)
        return fields


class _Made:
    """The new messages of one batch."""

    def __init__(self) -> None:
        self.errors: dict[int, PluginError] = {}
        self._rows: list[int] = []
        self._payloads: list[bytes] = []
        self._indexes: list[int | None] = []
        self._passed: set[int] = set()
        self._dropped: dict[str, int] = {}

    def add(self, row: int, payloads: list[bytes], *, exploded: bool) -> None:
        if not payloads:
            self.drop("empty array")
        self._rows += [row] * len(payloads)
        self._payloads += payloads
        self._indexes += range(len(payloads)) if exploded else [None] * len(payloads)

    def drop(self, reason: str) -> None:
        self._dropped[reason] = self._dropped.get(reason, 0) + 1

    def pass_on(self, row: int, text: bytes) -> None:
        self.add(row, [text], exploded=False)
        self._passed.add(row)

    def outputs(self, batch: Batch, kind: str | None) -> Outputs:
        if not self._rows:
            return Outputs((), self.errors, self._dropped)
        columns = {
            name: take_column(getattr(batch, name), self._rows)
            for name in ("sources", "trace_ids", "content_types")
        }
        made = Batch(
            payloads=JsonPayloads(self._payloads),
            types=self._types(batch, kind),
            ids=[self._id(batch, at) for at in range(len(self._rows))],
            metadata=[self._metadata(batch, at) for at in range(len(self._rows))],
            **columns,
        )
        return Outputs((OutputPart(made, self._rows),), self.errors, self._dropped)

    def _types(self, batch: Batch, kind: str | None) -> Any:
        if kind is None:
            return take_column(batch.types, self._rows)
        return [batch.types[row] if row in self._passed else kind for row in self._rows]

    def _id(self, batch: Batch, at: int) -> str:
        # An element has no id of its own: the host derives one from its parent's.
        return "" if self._indexes[at] is not None else batch.ids[self._rows[at]]

    def _metadata(self, batch: Batch, at: int) -> Mapping[str, Any]:
        row, index = self._rows[at], self._indexes[at]
        if index is None:
            return batch.metadata[row]
        return {**batch.metadata[row], "index": index, "parent_id": batch.ids[row]}


def _columns(payload: Any, nested: NestedSettings) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise FieldNotObject(
            f"the payload is `{type(payload).__name__}`, an object expected",
            hint="let only messages with an object as payload reach this stage",
        )
    columns: dict[str, Any] = {}
    depth = nested.max_depth if nested.max_depth else -1
    for name, value in _leaves(payload, nested.separator, depth):
        _add(columns, name, value)
    return columns


def _leaves(fields: dict[str, Any], separator: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield names and values; *depth* levels below are taken apart, all if it is negative."""
    for name, value in fields.items():
        if isinstance(value, dict) and value and depth != 0:
            for inner, leaf in _leaves(value, separator, depth - 1):
                yield name + separator + inner, leaf
        else:
            yield name, value


def _add(fields: dict[str, Any], name: str, value: Any) -> None:
    if name in fields:
        raise FieldExists(
            f"two values for field `{name}`",
            hint="rename one of them with a `map` stage before this one, or change `separator`",
        )
    fields[name] = value


def _with(payload: dict[str, Any], path: FieldPath, value: Any) -> dict[str, Any]:
    """Return *payload* with the field at *path* replaced; what is not on the path is shared."""
    inner = value if len(path) == 1 else _with(payload[path[0]], path[1:], value)
    return {**payload, path[0]: inner}
