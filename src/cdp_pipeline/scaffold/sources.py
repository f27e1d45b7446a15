"""Turn a source of the ancestor's into one of ours."""

from __future__ import annotations

from typing import Any

from cdp_pipeline.config.suggest import hint_of
from cdp_pipeline.scaffold.ancestor import (
    LAKES,
    OTHER_SOURCES,
    PUBLIC_LAKES,
    SOURCE_OPTIONS,
)
from cdp_pipeline.scaffold.documents import OldComponent
from cdp_pipeline.scaffold.findings import Findings
from cdp_pipeline.scaffold.options import convert_option
from cdp_pipeline.scaffold.pipeline_text import Step, flow
from cdp_pipeline.scaffold.values import RELATIVE, is_relative, moment, number, translated

_START = ("start_ledger", "start_time", "start_time_ago")
_END = ("end_ledger", "end_time", "end_time_ago")
_PLACES = ("bucket_name", "path_prefix", "path", "base_path", "directory")
_SIZES = ("ledgers_per_file", "files_per_partition")
_HANDLED = {
    *_START,
    *_END,
    *_PLACES,
    *_SIZES,
    "ledgers",
    "network",
    "network_passphrase",
    "continuous_mode",
}


def convert_source(old: OldComponent, network: str, findings: Findings) -> Step:
    """Return the source that reads what *old* read, or comments alone."""
    if old.type in LAKES:
        return _lake(old, findings)
    known = OTHER_SOURCES.get(old.type)
    if known is None:
        hint = hint_of(old.type, [*LAKES, *OTHER_SOURCES])
        comment = findings.lacking_component(old, "the ancestor has no such source", hint)
        return Step(comments=[comment])
    step = Step(comments=[findings.lacking_component(old, known.lacking, known.hint)])
    if old.config.get("filters"):
        hint = "put a `filter` on `payload.contract_id` and `payload.topics_decoded` behind `rows`"
        step.comments.append(findings.lacking_option(old, "filters", hint))
    step.suggestions = _suggestion(old, network)
    return step


def _suggestion(old: OldComponent, network: str) -> list[str]:
    """Return a public lake of the same ledgers, where there is one."""
    lake = PUBLIC_LAKES.get(network)
    if lake is None:
        return []
    config = {**lake, **_range(old)}
    return ["type: galexie", f"config: {flow(config)}"]


def _lake(old: OldComponent, findings: Findings) -> Step:
    note = findings.begin(old)
    note.new = ["galexie"]
    step = Step("galexie")
    place = _place(old)
    if place:
        step.config["path"] = place
        if is_relative(place):
            note.notes.append(RELATIVE)
    else:
        hint = "give the folder or address of the lake"
        message = "nothing says where the lake is"
        step.comments.append(findings.lacking_component(old, message, hint))
    step.config |= _range(old)
    for option, value in old.config.items():
        if option not in _HANDLED:
            convert_option(old, option, value, SOURCE_OPTIONS, step, note, findings)
    step.comments += note.notes
    step.suggestions = [
        f"{option}: {flow(old.config[option])}" for option in _SIZES if option in old.config
    ]
    if step.suggestions:
        step.suggestions.insert(0, "Keys of `config` for a lake without `.config.json`:")
    return step


def _place(old: OldComponent) -> str:
    parts = [str(translated(old.config[key])) for key in _PLACES if old.config.get(key)]
    if not parts:
        return ""
    scheme = LAKES[old.type]
    joined = "/".join([parts[0].rstrip("/"), *(part.strip("/") for part in parts[1:])])
    return joined if not scheme or "://" in joined else f"{scheme}://{joined}"


def _range(old: OldComponent) -> dict[str, Any]:
    """Return `start` and `end`; without an end the tip is followed, here as there."""
    found: dict[str, Any] = {}
    first, _, last = str(old.config.get("ledgers") or "").partition("-")
    for key, options, given in (("start", _START, first), ("end", _END, last)):
        values = [old.config[option] for option in options if old.config.get(option)]
        if values or given:
            found[key] = number(moment(translated((values or [given])[0])))
    if found.get("start") == "latest":
        found["start"] = "0s"
    if old.config.get("continuous_mode") is True:
        found.pop("end", None)
    return found
