"""What a guest answers: a status and bytes; and the errors that a status stands for.

Source: `spec/wasm-abi.md`, sections 2 and 6.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, NamedTuple

from cdp_pipeline.runtimes.wasm.faults import AnswerInvalid
from cdpplugin import ConfigInvalid, Drop, Fatal, PluginError, Retry, decode_json

RECORD = struct.Struct("<III")
"""Status, address, size."""


class Status(IntEnum):
    """How a call ended."""

    OK = 0
    DROPPED = 1
    RETRY = 2
    ERROR = 3
    FATAL = 4
    INVALID = 5
    NO_MEMORY = 6


class Answer(NamedTuple):
    """What a call gave."""

    status: int
    data: bytes


INSTRUCTIONS = {
    "retry": Status.RETRY,
    "drop": Status.DROPPED,
    "fatal": Status.FATAL,
    "invalid": Status.INVALID,
}
"""What an error text of a component or of an Extism module may say beside its message."""


def error_of(answer: Answer, during: str) -> PluginError:
    """Return the error that *answer* stands for; its status is not OK."""
    status, facts = answer.status, _facts(answer.data)
    message = facts["message"] or f"{during} failed"
    told: dict[str, Any] = {"code": facts.get("code"), "hint": facts.get("hint")}
    if status == Status.DROPPED:
        return Drop(message if facts["message"] else "dropped")
    if status == Status.RETRY:
        return Retry(message, after_s=facts.get("retry_after_s"), **told)
    if status == Status.FATAL:
        return Fatal(message, **told)
    if status == Status.INVALID:
        return ConfigInvalid(message, **told)
    if status == Status.ERROR:
        return PluginError(message, **told)
    return AnswerInvalid(f"expected a status from 0 to 5 of {during}, got {status}")


def instructed(text: bytes) -> Answer:
    """Return an error text that names its own instruction as an answer."""
    try:
        found = decode_json(text)
        instruction = found.get("instruction") if isinstance(found, dict) else None
    except PluginError:
        instruction = None
    return Answer(INSTRUCTIONS.get(str(instruction), Status.ERROR), text)


def _facts(data: bytes) -> dict[str, Any]:
    """Return what an error says: its message at least, anything else only if it is usable."""
    text = data.decode(errors="replace")
    try:
        found = decode_json(data)
    except PluginError:
        return {"message": text}
    if not isinstance(found, dict) or not isinstance(found.get("message"), str):
        return {"message": text}
    facts = {
        name: found[name]
        for name in ("message", "code", "hint")
        if isinstance(found.get(name), str) and (found[name] or name == "message")
    }
    after_s = found.get("retry_after_s")
    if isinstance(after_s, int | float) and not isinstance(after_s, bool) and after_s >= 0:
        facts["retry_after_s"] = float(after_s)
    return facts
