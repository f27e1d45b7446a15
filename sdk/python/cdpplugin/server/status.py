"""Errors of a plugin as gRPC statuses: a status code for the instruction, details in a trailer."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import grpc
from grpc.aio import AbortError, ServicerContext

from cdpplugin.errors import Fatal, PluginError, Retry
from cdpplugin.function import as_plugin_error
from cdpplugin.log import get_logger
from cdpplugin.wire import encode_error

ERROR_TRAILER = "cdp-error-bin"

_MESSAGE_BYTES, _HINT_BYTES, _DETAILS_BYTES = 2000, 500, 800
"""Trailers have room for 8 KB in all, base64 and percent encoding included."""


@asynccontextmanager
async def refusing(
    context: ServicerContext[Any, Any], foreign: grpc.StatusCode = grpc.StatusCode.INTERNAL
) -> AsyncIterator[None]:
    """Answer a call with the status of whatever is raised inside.

    An exception that is no `PluginError` has the status *foreign*.
    """
    try:
        yield
    except AbortError:
        raise
    except Exception as error:
        await refuse(context, error, foreign)


async def refuse(
    context: ServicerContext[Any, Any], caught: Exception, foreign: grpc.StatusCode
) -> NoReturn:
    """End a call with the status of *caught*."""
    error = as_plugin_error(caught)
    if error is not caught:
        lines = "".join(traceback.format_exception(caught))
        get_logger().error(f"a call failed: {error}", traceback=lines)
    message = encode_error(error)
    message.message = _cut(error.message, _MESSAGE_BYTES)
    message.hint = _cut(error.hint, _HINT_BYTES)
    trailer = ((ERROR_TRAILER, message.SerializeToString()),)
    details = _cut(error.message, _DETAILS_BYTES)
    other = grpc.StatusCode.INVALID_ARGUMENT if error is caught else foreign
    await context.abort(_status(error, other), details, trailer)
    raise AssertionError("abort raises")


def _status(error: PluginError, other: grpc.StatusCode) -> grpc.StatusCode:
    if isinstance(error, Retry):
        return grpc.StatusCode.UNAVAILABLE
    return grpc.StatusCode.FAILED_PRECONDITION if isinstance(error, Fatal) else other


def _cut(text: str, size_bytes: int) -> str:
    held = text.encode(errors="replace")
    if len(held) <= size_bytes:
        return held.decode()
    return held[: size_bytes - 4].decode(errors="ignore") + " ..."
