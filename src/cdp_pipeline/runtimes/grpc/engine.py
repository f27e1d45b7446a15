"""The Docker Engine: its calls on a thread, its refusals as errors that say what to do."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.observability.logs import logger
from cdp_pipeline.runtimes.grpc.reaper import is_dead
from cdp_pipeline.runtimes.processes.liveness import ProcessIdentity, own_identity

T = TypeVar("T")

HOST_LABEL = "cdp.host"
PLUGIN_LABEL = "cdp.plugin"
_TIMEOUT_S = 60


class Engine:
    """One connection to the engine.

    Attributes:
        docker: The client library's module.
        client: Its `DockerClient`.
    """

    def __init__(self, docker: Any, client: Any) -> None:
        self.docker = docker
        self.client = client
        # The library lets through what its HTTP client raises when the engine goes away.
        self._refusals = (docker.errors.DockerException, OSError)

    @classmethod
    async def connect(cls, environ: Mapping[str, str]) -> Engine:
        """Return a connection to the engine that *environ* names (`DOCKER_HOST`).

        Raises:
            ArtifactError: docker.client_missing or docker.unavailable.
        """
        try:
            docker: Any = importlib.import_module("docker")
        except ImportError as error:
            raise ArtifactError(
                "the client of the Docker Engine is not installed",
                code="docker.client_missing",
                hint="pip install 'cdp-pipeline[docker]'",
            ) from error

        def connected() -> Any:
            return docker.from_env(environment=dict(environ), timeout=_TIMEOUT_S)

        try:
            return cls(docker, await asyncio.to_thread(connected))
        except (docker.errors.DockerException, OSError) as error:
            raise ArtifactError(
                f"the Docker Engine cannot be reached: {_first_line(error)}",
                code="docker.unavailable",
                hint="start it (`systemctl start docker`), or set DOCKER_HOST",
            ) from error

    async def call(
        self, function: Callable[[], T], doing: str, undo: Callable[[T], Any] | None = None
    ) -> T:
        """Return what *function* gives, called on a thread.

        A thread cannot be cancelled. Where it is told how, a call whose caller is gone undoes
        what it has done.

        Raises:
            ArtifactError: docker.refused; the engine says why.
        """
        work = asyncio.ensure_future(asyncio.to_thread(function))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            if undo is not None:
                with suppress(*self._refusals):
                    await asyncio.to_thread(undo, await work)
            raise
        except self._refusals as error:
            raise ArtifactError(
                f"the Docker Engine could not {doing}: {_first_line(error)}",
                code="docker.refused",
                hint="`docker` on the command line shows the same",
            ) from error

    async def image(self, name: str) -> Any:
        """Return the image called *name*, pulled where it is not here yet."""

        def found() -> Any:
            try:
                return self.client.images.get(name)
            except self.docker.errors.ImageNotFound:
                logger().info("pulling an image", image=name)
                return self.client.images.pull(name)

        return await self.call(found, f"get the image `{name}`")

    def quietly(self, function: Callable[[], Any]) -> None:
        """Call *function*, whose object, or the engine itself, may be gone already."""
        with suppress(*self._refusals):
            function()

    async def reap(self) -> list[str]:
        """Remove the containers and networks of dead hosts; return the plugins they ran."""
        return await asyncio.to_thread(self._reap)

    def _reap(self) -> list[str]:
        labelled = {"label": HOST_LABEL}
        reaped = []
        for container in self.client.containers.list(
            all=True, filters=labelled, ignore_removed=True
        ):
            if _is_left_behind(container.labels):
                reaped.append(container.labels.get(PLUGIN_LABEL, ""))
                self.quietly(partial(container.remove, force=True, v=True))
        for network in self.client.networks.list(filters=labelled):
            if _is_left_behind(network.attrs.get("Labels") or {}):
                self.quietly(network.remove)
        for plugin in reaped:
            logger(plugin=plugin).warning("removed a container that a dead host had left")
        return reaped


def labels(plugin: str) -> dict[str, str]:
    """Return the labels of what this host makes for *plugin*."""
    return {HOST_LABEL: json.dumps(own_identity().as_record()), PLUGIN_LABEL: plugin}


def _is_left_behind(found: Mapping[str, str]) -> bool:
    try:
        host = ProcessIdentity.read(json.loads(found.get(HOST_LABEL, "")))
    except ValueError:
        return False
    return host is not None and is_dead(host)


def _first_line(error: BaseException) -> str:
    explanation = getattr(error, "explanation", None)
    return str(explanation or error).strip().splitlines()[0]
