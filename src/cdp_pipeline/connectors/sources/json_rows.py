"""Lines of JSON to the columns of a batch: a payload a line, or a whole message.

Errors
    LineInvalid   jsonl.line_invalid   a line is not what is expected of it
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from cdpplugin import Batch, Fatal, JsonPayloads, SourceInfo

from .text_lines import Line

Format = Literal["payload", "message"]


class LineInvalid(Fatal):
    """A line is not what is expected of it.

    Attributes:
        line: Its number in its file.
    """

    code = "jsonl.line_invalid"
    hint = "mend or take out the line, or set `on_invalid: skip`"

    def __init__(self, name: str, line: int, message: str) -> None:
        super().__init__(f"{name}:{line}: {message}")
        self.line = line


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """A message as `save-to-jsonl` writes it with `content: message`."""

    payload: msgspec.Raw
    id: str = ""
    type: str = ""
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class _Message(_Envelope, forbid_unknown_fields=True, kw_only=True):
    """A message that tells its type, which no payload looks like by chance."""

    type: str


_raw = msgspec.json.Decoder(msgspec.Raw)
_envelope = msgspec.json.Decoder(_Envelope)
_message = msgspec.json.Decoder(_Message)


@dataclass(slots=True)
class JsonRows:
    """The columns made of some lines.

    Attributes:
        numbers: For each row, the number of its line in its file.
        skipped: What was wrong with each line that was left out.
        error: What is wrong with the line that ended it, if one did.
    """

    numbers: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[LineInvalid] = field(default_factory=list)
    error: LineInvalid | None = None

    def batch(self, source: SourceInfo) -> Batch:
        """Return them as a batch."""
        types: Sequence[str] | str = self.types
        if len(set(self.types)) == 1:
            types = self.types[0]
        return Batch(
            types=types,
            payloads=JsonPayloads(self.payloads),
            ids=self.ids,
            metadata=self.metadata if any(self.metadata) else None,
            sources=source,
        )


class JsonRowReader:
    """Reads lines as messages; blank lines are none.

    Args:
        layout: What a line holds; `either` is a message where it has the members of one, at
            least `type` and `payload` and no others, else a payload.
        type: Type of messages whose line tells none.
        id_field: Payload field that holds the id, by its parts; empty for `file:line`.
        skip_invalid: Whether an invalid line is left out; else it ends the reading.
    """

    def __init__(
        self,
        layout: Format | Literal["either"],
        *,
        type: str,  # noqa: A002
        id_field: Sequence[str] = (),
        skip_invalid: bool = False,
    ) -> None:
        self._read_line = _READERS[layout]
        self._type = type
        self._id_field = tuple(id_field)
        self._skip_invalid = skip_invalid

    def read(self, lines: Sequence[Line], name: str) -> JsonRows:
        """Return what *lines* of the file *name* hold."""
        rows = JsonRows()
        for line in lines:
            if not line.text.strip():
                continue
            try:
                self._add(rows, line, name)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                invalid = LineInvalid(name, line.number, _reason(error))
                if not self._skip_invalid:
                    rows.error = invalid
                    break
                rows.skipped.append(invalid)
        return rows

    def _add(self, rows: JsonRows, line: Line, name: str) -> None:
        # The JSON decoder does not look into text that it passes over.
        line.text.decode()
        message = self._read_line(line.text)
        payload = bytes(message.payload)
        identity = message.id
        if self._id_field:
            identity = self._id_of(payload)
        rows.numbers.append(line.number)
        rows.ids.append(identity or f"{name}:{line.number}")
        rows.types.append(message.type or self._type)
        rows.payloads.append(payload)
        rows.metadata.append(message.metadata)

    def _id_of(self, payload: bytes) -> str:
        value = msgspec.json.decode(payload)
        for part in self._id_field:
            if not isinstance(value, dict) or part not in value:
                raise ValueError(f"no field `{'.'.join(self._id_field)}` for the id")
            value = value[part]
        if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
            where = ".".join(self._id_field)
            raise ValueError(f"text or a whole number expected as id in `{where}`, got `{value}`")
        return str(value)


def _payload_only(text: bytes) -> _Envelope:
    return _Envelope(payload=_raw.decode(text))


def _either(text: bytes) -> _Envelope:
    try:
        return _message.decode(text)
    except msgspec.ValidationError:
        return _payload_only(text)


_READERS: Mapping[str, Callable[[bytes], _Envelope]] = {
    "payload": _payload_only,
    "message": _envelope.decode,
    "either": _either,
}


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"UTF-8 expected, got byte {error.object[error.start]:#04x} at byte {error.start}"
    if isinstance(error, msgspec.ValidationError):
        text = str(error)
        return f"a message (`id`, `type`, `payload`, `metadata`) expected: {_lower(text)}"
    if isinstance(error, msgspec.DecodeError):
        return f"JSON expected: {_lower(str(error))}"
    if isinstance(error, RecursionError):
        return "JSON expected: nested too deeply to be read"
    return str(error)


def _lower(text: str) -> str:
    # `JSON` and other abbreviations stay as they are.
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
