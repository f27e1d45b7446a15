"""What goes wrong between host and plugin, as the stage's policy sees it.

PluginError
├── PluginTimeout        plugin.timeout               an answer was late
├── ProtocolViolation    plugin.protocol_violation    an answer makes no sense
├── MessageTooLarge      message.too_large            a message exceeds the limit
├── MessageAtFault       (that of the failure)        a message that the plugin cannot stand
├── Retry
│   ├── PluginCrashed    plugin.crashed               it died; it is started again
│   │   └── MemoryExceeded plugin.memory_exceeded     it needed more than `limits.memory`
│   └── PluginUnavailable plugin.unavailable          it cannot be reached for now
└── Fatal
    ├── PluginLost                                    in `runtimes/lost.py`
    │   ├── PluginWornOut plugin.crashed              it died too often
    │   └── StateLost    plugin.state_lost            it died, and its state with it
    └── StartFailed      plugin.start_failed          it never became ready
        ├── StartTimeout plugin.start_timeout
        ├── TlsFailed    plugin.tls_failed            in `tls.py`
        └── ProtocolUnsupported plugin.protocol_unsupported
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from cdp_pipeline.runtimes.lost import PluginLost
from cdp_pipeline.runtimes.processes.ending import Ending, with_last_lines
from cdpplugin import Fatal, PluginError, Retry
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import decode_error

ERROR_TRAILER = "cdp-error-bin"
_LARGER = "larger than max"
"""How gRPC core words the refusal of a message beyond the receiver's limit."""


class PluginTimeout(PluginError):
    """An answer did not come in time."""

    code = "plugin.timeout"
    hint = "raise `limits.timeout` of the plugin, or find out what keeps it busy"


class ProtocolViolation(PluginError):
    """An answer is not what the protocol allows."""

    code = "plugin.protocol_violation"
    hint = "this is a fault of the plugin; tell its author"


class MessageTooLarge(PluginError):
    """A message exceeds the limit of the connection."""

    code = "message.too_large"
    hint = "raise the limit on message size, or make the message smaller in a stage before"


class PluginCrashed(Retry):
    """The plugin died. It is started again with the next call."""

    code = "plugin.crashed"


class MemoryExceeded(PluginCrashed):
    """The plugin was ended because it needed more memory than it may have."""

    code = "plugin.memory_exceeded"
    hint = "raise `limits.memory` of the plugin, or make batches smaller"


class MessageAtFault(PluginError):
    """A message ends the plugin, hangs it, or is answered with nonsense, also when asked alone."""

    code = "plugin.crashed"
    hint = "mend the plugin; until then `on_error: dead_letter` keeps the message and goes on"

    @classmethod
    def of(cls, failed: PluginCrashed | PluginTimeout | ProtocolViolation) -> MessageAtFault:
        """Return the error of the one message with which the plugin *failed*."""
        if isinstance(failed, PluginCrashed):
            message = f"this message ends the plugin each time: {failed}"
            return cls(message, **_of_memory(isinstance(failed, MemoryExceeded)))
        return cls(f"this message alone: {failed}", code=failed.code, hint=failed.hint)


class PluginUnavailable(Retry):
    """The plugin cannot be reached for now."""

    code = "plugin.unavailable"


class PluginWornOut(PluginLost):
    """The plugin died too often to be started again."""

    code = "plugin.crashed"
    hint = "its last lines say why it dies; run it by hand to see all that it prints"


class StateLost(PluginLost):
    """A stateful plugin died, and what it had gathered is gone."""

    code = "plugin.state_lost"
    hint = "run the pipeline again: it goes on from the checkpoint, with an empty state"


class StartFailed(Fatal):
    """The plugin never became ready."""

    code = "plugin.start_failed"
    hint = "run its executable by hand to see what it does"


class StartTimeout(StartFailed):
    """The plugin did not become ready in time."""

    code = "plugin.start_timeout"


class ProtocolUnsupported(StartFailed):
    """Host and plugin have no protocol version in common."""

    code = "plugin.protocol_unsupported"


def crashed(reference: str, ending: Ending, lines: Sequence[str], doing: str) -> PluginCrashed:
    """Return the error for a plugin that died while *doing* something."""
    message = f"plugin `{reference}` {ending} {doing}"
    kind = PluginCrashed if ending.memory_bytes is None else MemoryExceeded
    return kind(with_last_lines(message, list(lines)))


def cause(ending: Ending) -> dict[str, str]:
    """Return code and hint of an error that comes of *ending*, where it has its own."""
    return _of_memory(ending.memory_bytes is not None)


def _of_memory(was_exceeded: bool) -> dict[str, str]:
    return {"code": MemoryExceeded.code, "hint": MemoryExceeded.hint} if was_exceeded else {}


def refused(error: grpc.aio.AioRpcError, reference: str, method: str) -> PluginError:
    """Return what a plugin that lives meant by ending a call with *error*."""
    if told := _told(error):
        return told
    code, details = error.code(), error.details() or ""
    said = details or f"status {code.name}"
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _LARGER in details:
        return ProtocolViolation(
            f"plugin `{reference}` answered {method} with more than the limit: {details.lower()}"
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        return PluginUnavailable(said)
    if code is grpc.StatusCode.FAILED_PRECONDITION:
        return Fatal(said)
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return Fatal(
            f"plugin `{reference}` refuses the host's token: {said}",
            code="plugin.unauthenticated",
            hint="give the token that it was started with in `token` (or `--token-env`)",
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ProtocolViolation(f"plugin `{reference}` has no call {method}: {said}")
    return PluginError(said)


def _told(error: grpc.aio.AioRpcError) -> PluginError | None:
    """Return the error that the plugin put into the trailing metadata, if it did."""
    trailer: Any = error.trailing_metadata()
    for key, value in trailer or ():
        if key == ERROR_TRAILER and isinstance(value, bytes):
            try:
                return decode_error(pb.Error.FromString(value))
            except DecodeError:
                return None
    return None
