"""Who may ask a TCP listener: those who know the token, and no web page.

A page in a browser can make the browser talk to this machine, under a name of its own
(DNS rebinding); so the `Host` header must name the loopback interface itself.
"""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from cdp_pipeline.admin.answers import Refusal
from cdp_pipeline.admin.encoding import respond
from cdp_pipeline.errors import UsageError


class Gate:
    """Lets requests with the token through to *app*."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if not _is_loopback(headers.get("host", "")):
            answer = respond(403, _REFUSED_HOST)
        elif not hmac.compare_digest(headers.get("authorization", "").encode(), self._expected):
            answer = respond(401, _REFUSED_TOKEN, headers={"www-authenticate": "Bearer"})
        else:
            await self._app(scope, receive, send)
            return
        await answer(scope, receive, send)


def _is_loopback(host: str) -> bool:
    name, colon, port = host.rpartition(":")
    bare = name if colon and port.isdigit() else host
    try:
        return bare == "localhost" or ip_address(bare.strip("[]")).is_loopback
    except ValueError:
        return False


_REFUSED_HOST = Refusal.of(
    UsageError(
        "expected the loopback address in the `Host` header, got another name",
        code="admin.host_refused",
        hint="ask `127.0.0.1` itself",
    )
)
_REFUSED_TOKEN = Refusal.of(
    UsageError(
        "expected `Authorization: Bearer TOKEN` with the token of this host",
        code="admin.token_refused",
        hint="the token stands in `admin-token` in the pipeline's state folder",
    )
)
