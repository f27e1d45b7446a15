"""Run a command that builds something, its output into the log."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.processes.ending import with_last_lines
from cdp_pipeline.runtimes.processes.environment import basic_environment
from cdp_pipeline.runtimes.processes.logs import LogLines
from cdp_pipeline.runtimes.processes.process import PluginProcess

_TOOLS = re.compile(
    r"GO[A-Z0-9]+|CGO_\w+|CARGO(_\w+)?|RUST\w*|NPM_\w+|NODE_\w+|PIP_\w+|UV_\w+"
    r"|CC|CXX|AR|(C|CPP|CXX|LD)FLAGS|WASI_SDK_PATH|ZIG_\w+|SSL_\w+|XDG_\w+"
    r"|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy"
)
"""What compilers, package managers and their downloads need."""
_TOOL_MISSING = 127
"""How a shell, `env` and the SDKs' build scripts end where a tool is not there."""
_SECRETS = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|PRIVATE_KEY|_AUTH", re.IGNORECASE)


def build_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what of *environ* a build may see: what tools and downloads need, no secrets."""
    tools = [name for name in environ if _TOOLS.fullmatch(name)]
    return basic_environment(environ, [name for name in tools if not _SECRETS.search(name)])


def withheld(environ: Mapping[str, str]) -> list[str]:
    """Return the variables for tools that a build does not see: they look like secrets."""
    return sorted(n for n in environ if _TOOLS.fullmatch(n) and _SECRETS.search(n))


async def run_build(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    log: LogLines,
    what: str,
) -> None:
    """Run *command* in *folder*. What it has started ends with it, or with the host.

    Raises:
        ArtifactError: plugin.build_failed; it cannot be run, or says that it failed.
    """
    try:
        process = await PluginProcess.launch(
            command, folder=folder, environment=environment, log=log, has_lifeline=False
        )
    except ArtifactError as error:
        raise _tool_missing(f"{what}: {error.message}", folder) from error
    try:
        ending = await asyncio.shield(process.ended)
    except BaseException:
        process.kill()
        await asyncio.shield(process.ended)
        raise
    if ending.status != 0:
        why = f"{what}: `{' '.join(command)}` {ending}"
        failed = _tool_missing if ending.status == _TOOL_MISSING else _failed
        raise failed(with_last_lines(why, log.last_lines), folder)


def _tool_missing(message: str, folder: Path) -> ArtifactError:
    hint = "install what is missing, `flowctl doctor` tells how; or correct `build` in the manifest"
    return _failed(message, folder, hint)


def _failed(
    message: str,
    folder: Path,
    hint: str = "run the command in that folder to see all of its output",
) -> ArtifactError:
    return ArtifactError(message, code="plugin.build_failed", where=str(folder), hint=hint)
