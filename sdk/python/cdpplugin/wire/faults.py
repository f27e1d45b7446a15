"""`PluginError` to and from `Error`: an instruction to the host, with its reason."""

from __future__ import annotations

from cdpplugin.errors import ConfigInvalid, Drop, Fatal, PluginError, Retry, UnsupportedEncoding
from cdpplugin.v1 import plugin_pb2 as pb

TEXT_LIMIT = 4000
"""Longest message or hint that travels, in characters; errors also ride in gRPC metadata."""

_BY_CODE = {kind.code: kind for kind in (ConfigInvalid, UnsupportedEncoding)}


def encode_error(error: PluginError) -> pb.Error:
    """Return *error* as it crosses to another process."""
    message = pb.Error(
        instruction=_instruction(error),
        code=error.code,
        message=_cut(error.message),
        hint=_cut(error.hint),
    )
    if isinstance(error, Retry) and error.after_s is not None:
        message.retry_after.FromNanoseconds(round(error.after_s * 1e9))
    return message


def _instruction(error: PluginError) -> pb.Error.Instruction:
    if isinstance(error, Retry):
        return pb.Error.INSTRUCTION_RETRY
    if isinstance(error, Drop):
        return pb.Error.INSTRUCTION_DROP
    if isinstance(error, Fatal):
        return pb.Error.INSTRUCTION_FATAL
    return pb.Error.INSTRUCTION_UNSPECIFIED


def _cut(text: str) -> str:
    """Return *text* as it can travel: short enough, and without half characters."""
    text = text.encode(errors="replace").decode()
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 4] + " ..."


def decode_error(message: pb.Error) -> PluginError:
    """Return the error that *message* stands for, of the class that gives its instruction."""
    text, code, hint = message.message, message.code or None, message.hint or None
    if message.instruction == pb.Error.INSTRUCTION_RETRY:
        wait = (
            message.retry_after.ToNanoseconds() / 1e9 if message.HasField("retry_after") else None
        )
        return Retry(text or "try again", after_s=wait, code=code, hint=hint)
    if message.instruction == pb.Error.INSTRUCTION_DROP:
        drop = Drop(text or "dropped")
        drop.code, drop.hint = code or drop.code, hint or drop.hint
        return drop
    if message.instruction == pb.Error.INSTRUCTION_FATAL:
        return Fatal(text, code=code, hint=hint)
    return _BY_CODE.get(message.code, PluginError)(text, code=code, hint=hint)
