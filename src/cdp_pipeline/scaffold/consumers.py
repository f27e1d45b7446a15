"""Turn the consumers of an ancestor's pipeline into stages."""

from __future__ import annotations

from typing import Any

from cdp_pipeline.config.suggest import hint_of
from cdp_pipeline.scaffold.ancestor import CONSUMERS, Counterpart
from cdp_pipeline.scaffold.documents import OldComponent
from cdp_pipeline.scaffold.findings import Converted, Findings
from cdp_pipeline.scaffold.options import convert_option
from cdp_pipeline.scaffold.pipeline_text import Step
from cdp_pipeline.scaffold.processors import LEDGERS
from cdp_pipeline.scaffold.values import RELATIVE, is_relative, number, translated

_PARQUET = "save-to-parquet"
_PLACES = ("storage_type", "bucket_name", "path_prefix", "local_path", "path", "output_path")
_PARTITIONS = ("partition_by", "ledgers_per_file")
_COMPRESSIONS = ("zstd", "snappy", "gzip", "lz4", "none")
_LEDGERS_A_FOLDER = 10_000
"""The ancestor's default of `ledgers_per_file`."""

_NEEDED = {_PARQUET: "path", "save-to-duckdb": "path"}
_IDENTITY = ("path", "dsn", "host", "port", "database", "schema")
"""Keys that tell where a consumer writes."""


def convert_consumer(
    old: OldComponent, flowing: tuple[str, ...], before: list[Step], findings: Findings
) -> Step:
    """Return the stage that writes what *old* wrote, or comments alone.

    Args:
        old: The consumer.
        flowing: Message types that come to it.
        before: The stages so far: two that write to one place would write everything twice.
        findings: Where to note what becomes of it.
    """
    known = CONSUMERS.get(old.type)
    if known is None or not known.stage:
        message = known.lacking if known else "the ancestor has no such consumer"
        hint = known.hint if known else hint_of(old.type, CONSUMERS) or "leave it out"
        return Step(comments=[findings.lacking_component(old, message, hint)])
    note = findings.begin(old)
    step = _converted(old, known, note, findings)
    if any(_same_place(step, other) for other in before):
        note.notes = ["not written again: a stage above writes to the same place"]
        return Step(comments=[f"{old.type}: {note.notes[0]}"])
    note.new = [known.stage]
    if known.note:
        note.notes.insert(0, known.note)
    if flowing == LEDGERS and known.stage != "stdout":
        note.notes.append("whole ledgers come here: put `rows` in front to save tables")
    step.comments[:0] = [f"{old.type}: {text}" for text in note.notes]
    return step


def _converted(old: OldComponent, known: Counterpart, note: Converted, findings: Findings) -> Step:
    step = Step(known.stage)
    handled: tuple[str, ...] = ()
    if known.stage == _PARQUET:
        handled = (*_PLACES, *_PARTITIONS)
        _parquet_place(old.config, step, note)
        _partition(old, step, note, findings)
    for option, value in old.config.items():
        if option not in handled:
            convert_option(old, option, value, known.options, step, note, findings)
    if known.stage == _PARQUET:
        _compression(old, step, findings)
    if is_relative(str(step.config.get("path", "/"))):
        note.notes.append(RELATIVE)
    if "password" in step.config and "$" not in str(step.config["password"]):
        note.notes.append("the password stands in this file: `${PGPASSWORD}` would keep it out")
    needed = _NEEDED.get(known.stage)
    if needed and needed not in step.config:
        hint = f"give `{needed}`"
        comment = findings.lacking_component(old, "nothing says where it writes to", hint)
        step.comments.append(comment)
    return step


def _same_place(step: Step, other: Step) -> bool:
    def place(of: Step) -> dict[str, Any]:
        return {key: of.config[key] for key in _IDENTITY if key in of.config}

    return step.type == other.type and place(step) == place(other)


def _parquet_place(config: Any, step: Step, note: Converted) -> None:
    given = {key: str(translated(config[key])) for key in _PLACES if config.get(key)}
    storage = given.pop("storage_type", "").upper()
    local = given.get("local_path") or given.get("output_path") or given.get("path", "")
    bucket, prefix = given.get("bucket_name", ""), given.get("path_prefix", "").strip("/")
    if bucket:
        scheme = "s3" if storage == "S3" or (not storage and "region" in config) else "gs"
        address = bucket if "://" in bucket else f"{scheme}://{bucket}"
        step.config["path"] = "/".join(part for part in (address.rstrip("/"), prefix) if part)
    elif local or prefix:
        joined = [part for part in (local.rstrip("/"), prefix) if part] if local else []
        step.config["path"] = "/".join(joined) or given["path_prefix"]


def _partition(old: OldComponent, step: Step, note: Converted, findings: Findings) -> None:
    rule = old.config.get("partition_by")
    if rule in (None, "", "none"):
        return
    if rule == "ledger_range":
        ledgers = number(old.config.get("ledgers_per_file") or _LEDGERS_A_FOLDER)
        step.config["partition_by"] = {"ledger_range": ledgers}
    elif not str(rule).startswith("$"):
        # Whatever the ancestor did not know meant a folder a day.
        step.config["partition_by"] = {"date": "closed_at"}
        if rule != "ledger_day":
            note.notes.append(f"`partition_by: {rule}` becomes a folder a day of `closed_at`")
    else:
        hint = "write `{date: closed_at}` or `{ledger_range: N}`"
        step.comments.append(findings.lacking_option(old, "partition_by", hint))


def _compression(old: OldComponent, step: Step, findings: Findings) -> None:
    given = step.config.pop("compression", None)
    if given is None:
        return
    plain = str(given).lower().replace("uncompressed", "none")
    if plain in _COMPRESSIONS or plain.startswith("${"):
        step.config["compression"] = plain if not plain.startswith("${") else given
    else:
        hint = f"use one of {', '.join(_COMPRESSIONS)}"
        step.comments.append(findings.lacking_option(old, "compression", hint))
