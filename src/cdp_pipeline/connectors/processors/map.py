"""Change messages one by one: set, keep, remove and rename fields, change type and metadata.

The order, whatever the order in the file: first every expression is evaluated on the
message as it came in; then `keep`, `remove`, `rename`, `set`; then `type` and `metadata`.
The message keeps its id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field, JsonValue, model_validator

from cdpplugin import (
    Base,
    Batch,
    ConfigInvalid,
    JsonPayloads,
    OutputPart,
    Outputs,
    PluginError,
    PluginMetadata,
    encode_json,
)
from cdpplugin.function import as_plugin_error

from ..settings import Settings, settings_of
from . import field_path
from .expressions import Expression, ExpressionFailed, FieldMissing, compile_expression
from .field_path import FieldAbsent, FieldPath, parse_path
from .payload_shape import PayloadShape
from .variables import VariableReader


class MapSettings(Settings):
    """Settings of `map`. Every expression sees the message as it came in."""

    keep: tuple[str, ...] = Field(
        default=(),
        description="Payload fields to keep, dotted paths; the others are left out. "
        "Empty: all are kept. Done first.",
        examples=[["id", "asset.code"]],
    )
    remove: tuple[str, ...] = Field(
        default=(),
        description="Payload fields to leave out, dotted paths; one that is not there is fine. "
        "Done after `keep`.",
    )
    rename: dict[str, str] = Field(
        default_factory=dict,
        description="Payload fields to rename, old name to new name, dotted paths. "
        "Done after `remove`; all at once, so that two names can be swapped.",
        examples=[{"from": "sender"}],
    )
    set_: dict[str, JsonValue] = Field(
        default_factory=dict,
        alias="set",
        description="Payload fields to set, dotted paths (objects are made where there are none). "
        "Text is an expression in CEL over `payload`, `type`, `id`, `metadata` and `source` "
        "(a text constant has quotes of its own); any other value is put as it stands. "
        "Done after `rename`.",
        examples=[{"amount_xlm": "double(payload.amount) / 10000000.0", "reviewed": False}],
    )
    type_: str | None = Field(
        default=None,
        alias="type",
        min_length=1,
        description="New message type, as it stands. Unset: the type is kept.",
    )
    type_expression: str | None = Field(
        default=None,
        description="New message type as an expression in CEL that gives text, in place of `type`.",
        examples=['payload.amount > 1000 ? "LargePayment" : type'],
    )
    metadata: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Metadata to set, key to value, written as in `set`.",
    )
    on_missing: Literal["error", "drop", "pass"] = Field(
        default="error",
        description="What happens where an expression or `rename` needs a field that the message "
        "does not have: `error` (the stage's `on_error` decides), `drop` the message, or `pass` "
        "it on without that one change.",
    )

    @model_validator(mode="after")
    def _one_type(self) -> MapSettings:
        if self.type_ is not None and self.type_expression is not None:
            raise ValueError("`type` or `type_expression` expected, got both")
        return self


@dataclass(frozen=True, slots=True)
class _Change:
    """One setting, compiled: where the value goes, and the value or what gives it."""

    path: FieldPath
    value: JsonValue
    expression: Expression | None


@dataclass(slots=True)
class _Row:
    """What became of one row; None leaves that column as it was."""

    payload: bytes | None = None
    type: str | None = None
    metadata: dict[str, Any] | None = None


@dataclass(slots=True)
class _Plan:
    """The settings, compiled."""

    shape: PayloadShape = field(default_factory=PayloadShape)
    fields: list[_Change] = field(default_factory=list)
    metadata: list[_Change] = field(default_factory=list)
    type: _Change | None = None
    on_missing: str = "error"

    @property
    def changes_payload(self) -> bool:
        return self.shape.changes or bool(self.fields)

    @property
    def expressions(self) -> list[Expression]:
        changes = [*self.fields, *self.metadata, *([self.type] if self.type else [])]
        return [change.expression for change in changes if change.expression is not None]


class Map(Base):
    """The `map` processor. Safe to call from several threads at once."""

    def __init__(self) -> None:
        self._plan = _Plan()
        self._reader = VariableReader(())

    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            name="map",
            version="0.1.0",
            type="processor",
            description="Changes messages one by one: fields, type and metadata",
            config_schema=MapSettings.model_json_schema(by_alias=True),
        )

    async def configure(self, config: Mapping[str, Any]) -> None:
        self._plan = _plan(settings_of(MapSettings, config))
        whole = self._plan.changes_payload
        self._reader = VariableReader(self._plan.expressions, whole_payload=whole)

    def process_batch(self, batch: Batch) -> Outputs:
        """Answer one message a row; a row that fails is an error of that row alone."""
        variables = self._reader.rows(batch)
        rows: list[int] = []
        done: list[_Row] = []
        errors: dict[int, PluginError] = {}
        dropped = 0
        for row in range(len(batch)):
            try:
                done.append(self._change(variables(row), batch.metadata[row]))
                rows.append(row)
            except (FieldMissing, FieldAbsent) as error:
                if self._plan.on_missing == "drop":
                    dropped += 1
                else:
                    errors[row] = error
            except Exception as error:
                errors[row] = as_plugin_error(error)
        parts = (OutputPart(_columns(batch, rows, done), rows),) if rows else ()
        return Outputs(parts, errors, {"field missing": dropped} if dropped else {})

    def _change(self, known: dict[str, Any], metadata: Mapping[str, Any]) -> _Row:
        plan = self._plan
        fields = self._values(plan.fields, known)
        tags = self._values(plan.metadata, known)
        kind = self._values([plan.type], known) if plan.type else []
        row = _Row()
        if kind:
            row.type = _type_text(kind[0][1])
        if tags:
            row.metadata = {**metadata, **{path[0]: value for path, value in tags}}
        if plan.changes_payload:
            skip = plan.on_missing == "pass"
            payload = plan.shape.apply(known["payload"], skip_missing=skip)
            for path, value in fields:
                field_path.put(payload, path, value)
            row.payload = encode_json(payload)
        return row

    def _values(
        self, changes: Sequence[_Change], known: Mapping[str, Any]
    ) -> list[tuple[FieldPath, Any]]:
        values = []
        for change in changes:
            if change.expression is None:
                values.append((change.path, change.value))
                continue
            try:
                values.append((change.path, change.expression.evaluate(known)))
            except FieldMissing:
                if self._plan.on_missing != "pass":
                    raise
        return values


def _plan(settings: MapSettings) -> _Plan:
    kind: _Change | None = None
    if settings.type_ is not None:
        kind = _Change((), settings.type_, None)
    elif settings.type_expression is not None:
        expression = compile_expression(settings.type_expression, setting="type_expression")
        kind = _Change((), None, expression)
    plan = _Plan(
        shape=PayloadShape(
            keep=[parse_path(text, setting="keep") for text in settings.keep],
            remove=[parse_path(text, setting="remove") for text in settings.remove],
            rename=[
                (parse_path(old, setting="rename"), parse_path(new, setting="rename"))
                for old, new in settings.rename.items()
            ],
        ),
        fields=[
            _compiled(parse_path(name, setting="set"), value, f"set.{name}")
            for name, value in settings.set_.items()
        ],
        metadata=[
            _compiled((name,), value, f"metadata.{name}")
            for name, value in settings.metadata.items()
        ],
        type=kind,
        on_missing=settings.on_missing,
    )
    if not (plan.changes_payload or plan.metadata or plan.type):
        raise ConfigInvalid(
            "`map` changes nothing",
            hint="give one of `set`, `keep`, `remove`, `rename`, `type`, `metadata`",
        )
    return plan


def _compiled(path: FieldPath, value: JsonValue, setting: str) -> _Change:
    if not isinstance(value, str):
        return _Change(path, value, None)
    return _Change(path, None, compile_expression(value, setting=setting))


def _type_text(value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise ExpressionFailed(
        f"`type_expression`: text that is not empty expected, got `{value}`",
        hint="make it give text, e.g. with `string(...)`",
    )


def _columns(batch: Batch, rows: Sequence[int], done: Sequence[_Row]) -> Batch:
    """Return *batch* at *rows* with the columns that were changed."""
    kept = batch if len(rows) == len(batch) else batch.take(rows)
    columns: dict[str, Any] = {}
    if any(row.payload is not None for row in done):
        columns["payloads"] = JsonPayloads([row.payload or b"" for row in done])
    if any(row.type is not None for row in done):
        pairs = zip(done, kept.types, strict=True)
        columns["types"] = [row.type or before for row, before in pairs]
    if any(row.metadata is not None for row in done):
        tags = zip(done, kept.metadata, strict=True)
        columns["metadata"] = [row.metadata or before for row, before in tags]
    return kept.replace(**columns) if columns else kept
