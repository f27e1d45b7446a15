"""Turn one option of a component of the ancestor's into what it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdp_pipeline.config.suggest import nearest
from cdp_pipeline.scaffold.ancestor import EVERYWHERE, Condition, Dropped, Key, Option
from cdp_pipeline.scaffold.documents import OldComponent
from cdp_pipeline.scaffold.findings import Converted, Findings
from cdp_pipeline.scaffold.pipeline_text import Step
from cdp_pipeline.scaffold.values import number, translated

_NUMBERS = {"parallel_files", "max_rows", "commit_rows", "port"}
_EMPTY: tuple[object, ...] = (None, "", [], {})


def convert_option(
    old: OldComponent,
    option: str,
    value: Any,
    options: Mapping[str, Option],
    step: Step,
    note: Converted,
    findings: Findings,
) -> None:
    """Put *option* into the configuration of *step*, or say why it is left out."""
    becomes = options.get(option) or EVERYWHERE.get(option)
    if becomes is None or isinstance(becomes, Condition):
        near = nearest(option, options)
        hint = f"did you mean `{near}`?" if near else "leave it out, or see `flowctl explain`"
        message = f"`{old.type}` of the ancestor is not known to have it"
        step.comments.append(findings.lacking_option(old, option, hint, message))
    elif isinstance(becomes, Key):
        if value not in _EMPTY:
            step.config[becomes.name] = _written(becomes, value)
    elif isinstance(becomes, Dropped):
        note.notes.append(f"`{option}` is left out: {becomes.why}")
    elif value != becomes.default and value not in _EMPTY:
        step.comments.append(findings.lacking_option(old, option, becomes.hint))


def _written(key: Key, value: Any) -> Any:
    given = translated(value)
    if key.form != "{}":
        return key.form.format(given)
    return number(given) if key.name in _NUMBERS else given
