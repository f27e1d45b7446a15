"""Run a command that builds something, its output into the log."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.grpc.ending import Ending, with_last_lines
from cdp_pipeline.runtimes.grpc.environment import basic_environment
from cdp_pipeline.runtimes.grpc.logs import LogLines

_TOOLS = ("GO", "CARGO", "RUST", "NPM_", "NODE_", "PIP_", "UV_", "CC", "CXX", "SSL_", "XDG_")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_CHUNK_BYTES = 65536


def build_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what of *environ* a build may see: what tools and downloads need, no secrets."""
    names = [n for n in environ if n.startswith(_TOOLS) or n.lower() in _PROXIES]
    return basic_environment(environ, names)


async def run_build(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    log: LogLines,
    what: str,
) -> None:
    """Run *command* in *folder*. Cancelled, it ends all that the command has started.

    Raises:
        ArtifactError: plugin.build_failed; it cannot be run, or says that it failed.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise _failed(what, command, f"cannot be run: {error.strerror}", folder) from error
    assert process.stdout is not None
    try:
        while data := await process.stdout.read(_CHUNK_BYTES):
            log.feed("stdout", data)
        status = await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        log.close()
    if status:
        ending = Ending(signal_number=-status) if status < 0 else Ending(status=status)
        raise _failed(what, command, with_last_lines(str(ending), log.last_lines), folder)


def _failed(what: str, command: Sequence[str], why: str, folder: Path) -> ArtifactError:
    return ArtifactError(
        f"{what}: `{' '.join(command)}` {why}",
        code="plugin.build_failed",
        where=str(folder),
        hint="run the command in that folder to see all of its output",
    )
