"""A Docker Engine for tests: the one that runs, else one that is started for them (as root)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_BOUND_S = 90.0
_SOCKET = "/var/run/docker.sock"


@contextmanager
def docker_client() -> Iterator[Any]:
    """Give a client of an engine; the test skips where there is none and none can be started."""
    docker: Any = pytest.importorskip("docker")
    engine = None
    client = _client(docker)
    if client is None:
        if os.geteuid() != 0 or shutil.which("dockerd") is None:
            pytest.skip("no Docker Engine runs, and none can be started")
        log = Path(tempfile.mkdtemp(prefix="dockerd-")) / "log"
        with log.open("wb") as output:
            engine = subprocess.Popen(["dockerd"], stdout=output, stderr=output)
        client = _wait(docker, engine, log)
    try:
        yield client
    finally:
        client.close()
        if engine is not None:
            engine.terminate()
            engine.wait(_BOUND_S)


def _client(docker: Any) -> Any:
    """Return a client whose engine answers, or None."""
    if not _listens():  # the library leaves a socket open where nobody answers
        return None
    try:
        return docker.from_env()
    except docker.errors.DockerException:
        return None


def _listens() -> bool:
    """Tell whether somebody listens where the engine's socket is."""
    if "DOCKER_HOST" in os.environ:
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(_SOCKET)
        except OSError:
            return False
    return True


def _wait(docker: Any, engine: subprocess.Popen[bytes], log: Path) -> Any:
    deadline = time.monotonic() + _BOUND_S
    while (client := _client(docker)) is None:
        ended = engine.poll() is not None
        if ended or time.monotonic() > deadline:
            engine.kill()
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
            pytest.skip(f"dockerd does not come up on {_SOCKET}: {tail}")
        time.sleep(0.2)
    return client
