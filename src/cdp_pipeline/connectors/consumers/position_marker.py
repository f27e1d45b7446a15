"""What an exactly-once consumer keeps beside its files: how far everything is durable."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any

from cdp_pipeline.connectors.tables import safe_name
from cdpplugin import Context, Fatal, PluginError, decode_json, encode_json

FOLDER = "_cdp"
"""Folder below a consumer's root in which the markers of all its writers lie."""

_FORMAT = 1


class MarkerInvalid(Fatal):
    """The file that keeps a consumer's position cannot be used."""

    code = "storage.marker_invalid"
    hint = (
        "write to another `path`, or delete this file and all files of its stage, then begin anew"
    )


@dataclass(frozen=True, slots=True)
class Marker:
    """A consumer's position, as it is stored.

    Attributes:
        pipeline: Name of the pipeline.
        stage: Name of the stage.
        completed_through: Everything at or before it is durable, in every table; -1: nothing.
        tables: Message types of the tables that may have files.
        layout: How the files are laid out, in words.
        files: Bytes of each file that are part of what is durable, where files grow.
    """

    pipeline: str
    stage: str
    completed_through: int = -1
    tables: tuple[str, ...] = ()
    layout: str = ""
    files: tuple[tuple[str, int], ...] = ()

    def advanced(self, completed_through: int) -> Marker:
        """Return this marker, further on."""
        return replace(self, completed_through=completed_through)

    def with_table(self, type: str) -> Marker:  # noqa: A002
        """Return this marker with one table more."""
        return replace(self, tables=(*self.tables, type))

    def encode(self) -> bytes:
        """Return the marker as a JSON object with a line's end."""
        return encode_json({"format": _FORMAT, **asdict(self)}) + b"\n"


def marker_key(context: Context) -> str:
    """Return the key of the marker below the consumer's root."""
    return f"{FOLDER}/{safe_name(context.pipeline)}.{safe_name(context.stage)}.json"


def writer_token(context: Context) -> str:
    """Return eight hex digits that tell one consumer's files from those of all others."""
    name = f"{context.pipeline}\0{context.stage}"
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def read_marker(content: bytes, context: Context, place: str) -> Marker:
    """Return the marker that *content* holds.

    Raises:
        MarkerInvalid: It holds none, or that of another pipeline or stage.
    """
    marker = decode_marker(content)
    if marker is None:
        raise MarkerInvalid(f"`{place}`: expected a position marker, got something else")
    if (marker.pipeline, marker.stage) != (context.pipeline, context.stage):
        raise MarkerInvalid(
            f"`{place}`: expected the marker of stage `{context.stage}` of `{context.pipeline}`, "
            f"got that of `{marker.stage}` of `{marker.pipeline}`"
        )
    return marker


def decode_marker(content: bytes) -> Marker | None:
    """Return the marker that *content* holds, whoever's it is; None where it holds none."""
    try:
        return _decoded(decode_json(content))
    except (PluginError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _decoded(values: dict[str, Any]) -> Marker:
    if values.pop("format") != _FORMAT:
        raise ValueError
    values["tables"] = tuple(map(str, values["tables"]))
    values["files"] = tuple((str(name), int(size)) for name, size in values["files"])
    values["completed_through"] = int(values["completed_through"])
    return Marker(**values)
