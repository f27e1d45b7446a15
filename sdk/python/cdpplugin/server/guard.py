"""What happens before a call reaches the plugin: the token is checked, the trace is taken on."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc
from grpc.aio import ServerInterceptor, ServicerContext

from cdpplugin.log import traceparent

TOKEN_KEY = "cdp-token"  # noqa: S105 - the name of a header
_OPEN = "/grpc.health.v1.Health/"

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
    Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]


async def _unauthenticated(requests: Any, context: ServicerContext[Any, Any]) -> None:
    await context.abort(
        grpc.StatusCode.UNAUTHENTICATED,
        f"expected the token of this launch in `{TOKEN_KEY}`",
    )


class Guard(ServerInterceptor):  # type: ignore[type-arg]
    """Refuses calls without the token, where there is one; keeps the caller's trace context."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._refusal: Handler = grpc.stream_stream_rpc_method_handler(_unauthenticated)

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        """Let a call pass, or give it a handler that refuses it."""
        headers: dict[str, str | bytes] = dict(handler_call_details.invocation_metadata)
        traceparent.set(_text(headers.get("traceparent", "")))
        if self._token and not handler_call_details.method.startswith(_OPEN):
            got = _text(headers.get(TOKEN_KEY, "")).encode()
            if not hmac.compare_digest(got, self._token):
                return self._refusal
        return await continuation(handler_call_details)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")
