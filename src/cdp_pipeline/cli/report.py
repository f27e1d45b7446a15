"""Show an error: what, where, and what to do; understandable without colour."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import Any, NoReturn

from cdp_pipeline.errors import CdpError, ExitCode, UsageError
from cdp_pipeline.observability.text import printable
from cdpplugin.errors import PluginError

_LEAVE_S = 1.0
"""How long plugins have to come back from calls that nobody waits for any more."""


def as_host_error(error: CdpError | PluginError) -> CdpError:
    """Return *error* as one of the host's; a connector's own error is about what was asked."""
    if isinstance(error, CdpError):
        return error
    return UsageError(error.message, code=error.code, hint=error.hint)


def usage_error(refused: Any) -> UsageError:
    """Return what the command line says of arguments that do not fit, in our form."""
    context = getattr(refused, "ctx", None)
    command = context.command_path if context else "flowctl"
    message = " ".join(refused.format_message().split()).rstrip(".").replace("'", "`")
    message = message.replace("Value error, ", "")
    return UsageError(message[:1].lower() + message[1:], hint=f"`{command} --help` shows its use")


def internal_error(unexpected: Exception) -> CdpError:
    """Return a fault of ours as the user is told; FLOWCTL_TRACEBACK=1 shows where it arose."""
    if os.environ.get("FLOWCTL_TRACEBACK"):
        traceback.print_exception(unexpected)
    return CdpError(
        f"{type(unexpected).__name__}: {unexpected}",
        hint="this is a fault of flowctl: run it again with FLOWCTL_TRACEBACK=1 and report "
        "what it prints",
    )


def silence_stdout() -> None:
    """Point stdout to nowhere once its reader has gone, so that the exit does not complain."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def leave(code: int | None) -> NoReturn:
    """End the process with *code*, waiting for no plugin that has not come back from a call."""
    handles: Any = sys.modules.get("cdpplugin.handles")  # without it no plugin was called
    deadline_s = time.monotonic() + _LEAVE_S
    for thread in threading.enumerate() if handles is not None else ():
        if thread.name.startswith(handles.THREADS):
            thread.join(max(0.0, deadline_s - time.monotonic()))
            if thread.is_alive():
                exit_at_once(code or 0)
    sys.exit(code)


def exit_at_once(code: int = ExitCode.INTERRUPTED) -> NoReturn:
    """End the process, as an interrupted one by default, waiting for no thread of a plugin."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def print_error(error: CdpError) -> None:
    """Print *error*, or each of the faults it stands for, to stderr; as JSON where lines are."""
    # What was never imported was never configured, and may be what is broken.
    logs: Any = sys.modules.get("cdp_pipeline.observability.logs")
    for fault in getattr(error, "faults", [error]):
        if logs is not None and logs.log_format() == "json":
            details = {"where": fault.where, "hint": fault.hint}
            given = {key: text for key, text in details.items() if text}
            logs.logger().error(fault.message, code=fault.code, **given)
        else:
            print(error_text(fault), file=sys.stderr)


def error_text(error: CdpError) -> str:
    """Return *error* as the user sees it.

    The first line is `error[CODE]: message`, then where it is, then the hint.
    """
    lines = [f"error[{error.code}]: {error.message}"]
    if error.where:
        lines.append(f"  at {error.where}")
    if error.hint:
        lines += [f"  hint: {error.hint}"]
    return printable("\n".join(lines))
