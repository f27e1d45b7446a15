"""Show an error: what, where, and what to do; understandable without colour."""

from __future__ import annotations

import sys

from cdp_pipeline.errors import CdpError, UsageError
from cdpplugin.errors import PluginError


def as_host_error(error: CdpError | PluginError) -> CdpError:
    """Return *error* as one of the host's; a connector's own error is about what was asked."""
    if isinstance(error, CdpError):
        return error
    return UsageError(error.message, code=error.code, hint=error.hint)


def print_error(error: CdpError) -> None:
    """Print *error*, or each of the faults it stands for, to stderr."""
    for fault in getattr(error, "faults", [error]):
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
    return "\n".join(lines)
