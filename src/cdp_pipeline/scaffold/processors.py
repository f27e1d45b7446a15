"""Turn the processors of an ancestor's pipeline into stages, in their order.

What flows decides: the ancestor's processors take whole ledgers and give what is theirs; here
`rows` makes the rows, once, and a `filter` keeps those that such a processor kept.
"""

from __future__ import annotations

from cdp_pipeline.config.suggest import hint_of
from cdp_pipeline.scaffold.ancestor import PROCESSORS, Condition, Counterpart
from cdp_pipeline.scaffold.documents import OldComponent
from cdp_pipeline.scaffold.findings import Converted, Findings
from cdp_pipeline.scaffold.options import convert_option
from cdp_pipeline.scaffold.pipeline_text import Step
from cdp_pipeline.scaffold.values import (
    asset_condition,
    in_condition,
    number_in_condition,
    translated,
)

LEDGERS = ("LedgerCloseMeta",)
_CONTRACT = {"operations": "payload.details.contract_id"}
_NETWORK = ("network", "network_passphrase")
_TAKE_LEDGERS = ("latest-ledger", "ledger-to-json")


class ProcessorChain:
    """Grows stage by stage.

    Attributes:
        steps: The stages so far.
        flowing: Message types behind them: `LEDGERS`, tables of `rows`, or another one.
    """

    def __init__(self, findings: Findings) -> None:
        self.steps: list[Step] = []
        self.flowing: tuple[str, ...] = LEDGERS
        self._rows: Step | None = None
        self._findings = findings

    def add(self, old: OldComponent) -> None:
        """Add what *old* becomes, or a comment that says why it becomes nothing."""
        known = PROCESSORS.get(old.type)
        if known is None:
            hint = hint_of(old.type, PROCESSORS) or "leave it out"
            self._comment(old, "the ancestor has no such processor", hint)
        elif known.lacking and not known.tables:
            self._comment(old, known.lacking, known.hint)
        elif self._has_ledgers_for(known):
            self._convert(old, known)
        else:
            given = " or ".join(f"`{name}`" for name in self.flowing)
            message = f"it takes ledgers, and {given} come to it (there, it failed)"
            self._comment(old, message, "make a pipeline of its own of it")

    def _comment(self, old: OldComponent, message: str, hint: str) -> None:
        comment = self._findings.lacking_component(old, message, hint)
        self.steps.append(Step(comments=[comment]))

    def _has_ledgers_for(self, known: Counterpart) -> bool:
        if known.stage in _TAKE_LEDGERS:
            return self.flowing == LEDGERS
        if not known.tables or self.flowing == LEDGERS:
            return True
        return self._rows is not None and (known.any_rows or set(known.tables) <= set(self.flowing))

    def _convert(self, old: OldComponent, known: Counterpart) -> None:
        note = self._findings.begin(old)
        if known.note:
            note.notes.append(known.note)
        first = Step()
        if known.tables:
            first = self._with_rows(known, note)
        elif known.stage:
            first = self._with_stage(known.stage, note)
        filtered = Step("filter")
        self._options(old, known, first, filtered, note)
        if known.lacking:
            comment = self._findings.lacking_component(old, known.lacking, known.hint)
            first.comments.append(comment)
        if filtered.config:
            self.steps.append(filtered)
            note.new.append("filter")
        self._put_notes(first, filtered, note)

    def _put_notes(self, first: Step, filtered: Step, note: Converted) -> None:
        place = first if first in self.steps else filtered
        if place not in self.steps:
            place = Step()
            self.steps.append(place)
        place.comments += [f"{note.old}: {text}" for text in note.notes]

    def _with_rows(self, known: Counterpart, note: Converted) -> Step:
        """Return the `rows` stage, made now or narrowed to what this processor reads."""
        note.new.append("rows")
        if self._rows is None:
            self._rows = Step("rows")
            self.steps.append(self._rows)
            self.flowing = known.tables
        elif not known.any_rows:
            self.flowing = known.tables
        self._rows.config["tables"] = list(self.flowing)
        return self._rows

    def _with_stage(self, stage: str, note: Converted) -> Step:
        step = Step(stage)
        self.steps.append(step)
        note.new.append(stage)
        if stage == "latest-ledger":
            self.flowing = ("LatestLedger",)
        elif stage == "ledger-to-json":
            self.flowing = ("LedgerCloseMetaJson",)
        return step

    def _options(
        self, old: OldComponent, known: Counterpart, first: Step, filtered: Step, note: Converted
    ) -> None:
        conditions = [known.where] if known.where else []
        for option, value in old.config.items():
            becomes = known.options.get(option)
            if isinstance(becomes, Condition):
                if value not in (None, "", []):
                    conditions.append(self._condition(becomes.cel, translated(value)))
            elif option not in _NETWORK:
                convert_option(old, option, value, known.options, first, note, self._findings)
        if conditions:
            filtered.config["where"] = " && ".join(conditions)
            if "payload.details" in filtered.config["where"]:
                filtered.config["on_missing"] = "drop"

    def _condition(self, cel: str, value: object) -> str:
        if cel == "{asset}":
            return asset_condition(str(value))
        is_amount = "details.amount" in cel
        return (
            cel.replace("{contract}", _CONTRACT.get(self.flowing[0], "payload.contract_id"))
            .replace("{bare}", str(value))
            .replace("{value}", number_in_condition(value) if is_amount else in_condition(value))
        )
