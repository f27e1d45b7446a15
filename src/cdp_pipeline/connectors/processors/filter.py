"""Keep the messages for which a condition is true, drop the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from cdpplugin import Base, Batch, Constant, OutputPart, Outputs, PluginError, PluginMetadata
from cdpplugin.function import as_plugin_error

from ..settings import Settings, settings_of
from .expression_faults import kind_of
from .expressions import Expression, ExpressionFailed, FieldMissing, compile_condition
from .variables import VariableReader


class FilterSettings(Settings):
    """Settings of `filter`."""

    where: str = Field(
        description="Condition in CEL over `payload`, `type`, `id`, `metadata` and `source`; "
        "messages for which it is true are passed on, untouched.",
        examples=['payload.amount > 1000 && payload.asset_type == "native"'],
    )
    types: tuple[str, ...] = Field(
        default=(),
        description="Message types to judge; messages of other types are passed on. "
        "Empty: all are judged.",
        examples=[["operations"]],
    )
    on_missing: Literal["error", "drop", "pass"] = Field(
        default="error",
        description="What happens where the answer depends on a field that the message does not "
        "have: `error` (the stage's `on_error` decides), `drop` it, or `pass` it on.",
    )


class Filter(Base):
    """The `filter` processor. Safe to call from several threads at once."""

    def __init__(self) -> None:
        self._settings: FilterSettings | None = None
        self._where: Expression | None = None
        self._reader = VariableReader(())

    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            name="filter",
            version="0.1.0",
            type="processor",
            description="Keeps the messages for which a condition is true, drops the others",
            config_schema=FilterSettings.model_json_schema(),
        )

    async def configure(self, config: Mapping[str, Any]) -> None:
        settings = settings_of(FilterSettings, config)
        self._where = compile_condition(settings.where, setting="where")
        self._reader = VariableReader([self._where])
        self._settings = settings

    def process_batch(self, batch: Batch) -> Outputs:
        """Answer the rows that pass, as they came: no payload is encoded anew."""
        judged = self._judged(batch)
        if not judged:
            return Outputs.each(batch)
        verdict = _Verdict(len(batch), judged)
        variables = self._reader.rows(batch)
        for row in judged:
            try:
                verdict.take(row, self._answer(variables(row)))
            except FieldMissing as error:
                self._take_missing(verdict, row, error)
            except Exception as error:
                verdict.errors[row] = as_plugin_error(error)
        return verdict.outputs(batch)

    def _judged(self, batch: Batch) -> Sequence[int]:
        types = self._settings.types if self._settings else ()
        if not types:
            return range(len(batch))
        if isinstance(batch.types, Constant):
            return range(len(batch)) if batch.types.value in types else ()
        return [row for row, kind in enumerate(batch.types) if kind in types]

    def _answer(self, variables: Mapping[str, Any]) -> bool:
        assert self._where is not None, "configured before it is called"
        answer = self._where.evaluate(variables)
        if not isinstance(answer, bool):
            raise ExpressionFailed(
                f"`where`: true or false expected, `{self._where.text}` gave {kind_of(answer)}",
                hint="compare it with something, e.g. `payload.amount > 0`",
            )
        return answer

    def _take_missing(self, verdict: _Verdict, row: int, error: FieldMissing) -> None:
        rule = self._settings.on_missing if self._settings else "error"
        if rule == "error":
            verdict.errors[row] = error
        else:
            verdict.take(row, rule == "pass", reason="field missing")


class _Verdict:
    """Which rows of a batch pass; rows that are not judged do."""

    def __init__(self, length: int, judged: Sequence[int]) -> None:
        self._passes = [True] * length
        self._judged = judged
        self.errors: dict[int, PluginError] = {}
        self.dropped: dict[str, int] = {}

    def take(self, row: int, passes: bool, *, reason: str = "condition false") -> None:
        if not passes:
            self._passes[row] = False
            self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def outputs(self, batch: Batch) -> Outputs:
        for row in self.errors:
            self._passes[row] = False
        rows = [row for row, passes in enumerate(self._passes) if passes]
        if len(rows) == len(batch):
            return Outputs.each(batch)
        parts = (OutputPart(batch.take(rows), rows),) if rows else ()
        return Outputs(parts, self.errors, self.dropped)
