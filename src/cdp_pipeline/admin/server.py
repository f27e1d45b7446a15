"""Serve the admin API in the event loop of the host, for as long as a run takes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from cdp_pipeline.admin.app import application
from cdp_pipeline.admin.desk import Desk
from cdp_pipeline.admin.endpoint import Endpoint, Listen
from cdp_pipeline.admin.gate import Gate
from cdp_pipeline.admin.listening import open_tcp, open_unix, remove_stale
from cdp_pipeline.admin.subject import Subject
from cdp_pipeline.errors import StateError
from cdp_pipeline.observability.logs import logger

_MOST_CONNECTIONS = 64
_END_S = 1
"""How long requests in progress may take once the run is over, in seconds."""
_TICK_S = 1.0
_UNIX = Listen("unix")


@asynccontextmanager
async def serving(
    subject: Subject,
    folder: Path,
    environ: Mapping[str, str],
    listen: Listen = _UNIX,
) -> AsyncIterator[Endpoint | None]:
    """Serve *subject* inside the block; the run's lock must be held.

    A server that cannot be started is a warning: it never keeps a run from its work.

    Args:
        subject: The run.
        folder: The pipeline's state folder.
        environ: Environment variables, for the folder of sockets.
        listen: Where to listen.

    Yields:
        Where it listens; None where it does not.
    """
    opened = _opened(subject.name, folder, environ, listen)
    if opened is None:
        yield None
        return
    listener, endpoint = opened
    desk = Desk(subject)
    server = _Server(_protected(application(desk), endpoint))
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield endpoint
    finally:
        endpoint.remove(folder)
        desk.closing.set()
        server.end()
        await _ended(task, subject.name)


async def _ended(task: asyncio.Task[None], pipeline: str) -> None:
    """Wait until the server has ended; what went wrong with it is no fault of the run."""
    try:
        await task
    except Exception as error:
        logger(pipeline=pipeline).warning("the admin API ended with an error", error=str(error))


def _opened(
    pipeline: str, folder: Path, environ: Mapping[str, str], listen: Listen
) -> tuple[socket.socket, Endpoint] | None:
    remove_stale(folder)
    if listen.kind == "off":
        return None
    try:
        return _listening(pipeline, folder, environ, listen)
    except (OSError, StateError) as error:
        logger(pipeline=pipeline).warning(
            "the admin API is not available: no socket can be opened for it",
            code="admin.unavailable",
            error=str(error),
            hint="`flowctl status` and `flowctl plugin list` do not see this run",
        )
        return None


def _listening(
    pipeline: str, folder: Path, environ: Mapping[str, str], listen: Listen
) -> tuple[socket.socket, Endpoint]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if listen.kind == "tcp":
        listener, endpoint = open_tcp(pipeline, folder, listen)
    else:
        listener, endpoint = open_unix(pipeline, folder, environ)
    try:
        endpoint.write(folder)
    except OSError:
        listener.close()
        endpoint.remove(folder)
        raise
    return listener, endpoint


def _protected(app: ASGIApp, endpoint: Endpoint) -> ASGIApp:
    """Return *app* behind what its listener needs: the socket's permissions are enough for it."""
    if not endpoint.token_file:
        return app
    return Gate(app, Path(endpoint.token_file).read_text(encoding="ascii"))


class _Server(uvicorn.Server):
    """A server that is a guest in its loop: it leaves signals alone and ends when told."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                workers=1,
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=_MOST_CONNECTIONS,
                timeout_graceful_shutdown=_END_S,
            )
        )
        self._ending = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take no signals: they are the host's."""
        yield

    def end(self) -> None:
        """Begin to end."""
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        """Wait until told to end, the date for answers kept fresh."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _TICK_S)
