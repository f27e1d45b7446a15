"""The admin API as an application: paths, methods and errors, from the table of operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from cdp_pipeline.admin.answers import Refusal
from cdp_pipeline.admin.desk import Asked, Desk
from cdp_pipeline.admin.encoding import respond
from cdp_pipeline.admin.operations import OPERATIONS, Operation
from cdp_pipeline.errors import CdpError, StateError, UsageError
from cdp_pipeline.observability.logs import logger
from cdpplugin.errors import PluginError

Endpoint = Callable[[Request], Awaitable[Response]]


def application(desk: Desk) -> ASGIApp:
    """Return the application that answers for *desk*."""
    app = Starlette(
        routes=[
            Route(operation.path, _endpoint(operation, desk), methods=[operation.method])
            for operation in OPERATIONS
        ],
        exception_handlers={HTTPException: _no_such_thing},
    )
    app.router.redirect_slashes = False

    async def by_sent_path(scope: Scope, receive: Receive, send: Send) -> None:
        """Take the path as it was sent: a stage may have any name, also one with a slash."""
        sent = scope.get("raw_path", b"").decode("ascii", errors="replace")
        await app({**scope, "path": sent}, receive, send)

    return by_sent_path


def _endpoint(operation: Operation, desk: Desk) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return respond(*await operation.perform(desk, _asked(operation, request)))
        except (CdpError, PluginError) as error:
            return _refused(error)
        except Exception as unexpected:
            logger().exception("the admin API failed", path=operation.path)
            text = f"{type(unexpected).__name__}: {unexpected}"
            return _refused(CdpError(text, hint="the host's log has the whole of it; report it"))

    return answer


def _asked(operation: Operation, request: Request) -> Asked:
    """Return what stands in *request*.

    Raises:
        UsageError: admin.parameter_invalid.
    """
    numbers: dict[str, float] = {}
    for parameter in operation.parameters:
        text = request.query_params.get(parameter.name)
        value = parameter.value_of(text)
        if value is None:
            raise UsageError(
                f"`{parameter.name}` is {parameter.expected}, got `{text}`",
                code="admin.parameter_invalid",
                hint=parameter.description,
            )
        numbers[parameter.name] = value
    return Asked(unquote(request.path_params.get("name", "")), numbers, partial(_gone, request))


async def _gone(request: Request) -> None:
    """Return once the client has hung up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _refused(error: CdpError | PluginError) -> Response:
    return respond(_status(error), Refusal.of(error))


def _status(error: CdpError | PluginError) -> int:
    if error.code == "plugin.unknown":
        return 404
    if isinstance(error, UsageError):
        return 400
    return 409 if isinstance(error, StateError) else 500


async def _no_such_thing(request: Request, error: Exception) -> Response:
    """Answer a path or a method that there is not."""
    assert isinstance(error, HTTPException)
    path, method, hint = request.url.path, request.method, "`/openapi.json` says what there is"
    if error.status_code == 405:
        refused = UsageError(
            f"`{path}` does not take {method}", code="admin.method_not_allowed", hint=hint
        )
    else:
        refused = UsageError(f"there is nothing at `{path}`", code="admin.unknown_path", hint=hint)
    return respond(error.status_code, Refusal.of(refused), headers=error.headers or {})
