"""Launch a local plugin, learn of its end, and end it: politely, then not.

Between the host and the plugin stands `keeper.py`, which sees to it that nothing of the
plugin outlives it or the host.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.confining.bounds import Confinement
from cdp_pipeline.runtimes.processes import keeper
from cdp_pipeline.runtimes.processes.ending import Ending
from cdp_pipeline.runtimes.processes.listeners import listening
from cdp_pipeline.runtimes.processes.liveness import ProcessIdentity, identify
from cdp_pipeline.runtimes.processes.logs import LogLines, LogPump

GRACE_S = 10.0
"""Time between SIGTERM and SIGKILL, in seconds."""
_KEEPER_S = 10.0
"""Longest wait for the keeper itself, on top of the grace."""


class PluginProcess:
    """A running plugin.

    Launch it on the thread that lives as long as the host: on Linux the plugin is ended
    when the launching *thread* ends.

    Attributes:
        pid: The plugin's process number; 0 where its executable could not be run.
        keeper: The keeper's identity, for the launch's record.
        ended: How it ended, once it has.
        lost_keeper: Whether it ended because its keeper was killed; its children may live on.
    """

    def __init__(
        self,
        running: subprocess.Popen[bytes],
        log: LogLines,
        grace_s: float,
        confinement: Confinement | None = None,
    ) -> None:
        self.pid = 0
        self.keeper: ProcessIdentity | None = identify(running.pid)
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.lost_keeper = False
        self._running = running
        self._log = log
        self._grace_s = grace_s
        self._confinement = confinement
        self._watching: asyncio.Task[None] | None = None
        assert running.stdout is not None
        assert running.stderr is not None
        # The pump owns the descriptors: it closes them when the streams have ended.
        stdout, stderr = os.dup(running.stdout.fileno()), os.dup(running.stderr.fileno())
        running.stdout.close()
        running.stderr.close()
        self._pump = LogPump(log, stdout, stderr)

    @classmethod
    async def launch(
        cls,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        log: LogLines,
        grace_s: float = GRACE_S,
        has_lifeline: bool = True,
        confinement: Confinement | None = None,
    ) -> PluginProcess:
        """Start *command*, its executable first, in *folder*.

        With a lifeline its standard input ends with the host; without one it is empty. Its
        *confinement* is in force before anything of it is executed.

        Raises:
            ArtifactError: plugin.executable_invalid or plugin.not_confined; it cannot be run,
                or not be confined.
        """
        said, saying = os.pipe()
        try:
            given = "lifeline" if has_lifeline else "nothing"
            terms = confinement.terms() if confinement else ""
            running = _run_keeper(
                [str(grace_s), given, terms, *command], folder, environment, saying
            )
        except (OSError, ValueError) as error:  # the latter is a null byte in an argument
            os.close(said)
            raise _not_runnable(command[0], getattr(error, "errno", errno.EINVAL)) from error
        finally:
            os.close(saying)
        process = cls(running, log, grace_s, confinement)
        started: asyncio.Future[ArtifactError | None] = asyncio.get_running_loop().create_future()
        process._watching = asyncio.create_task(process._watch(said, command[0], started))
        try:
            failed = await started
        except BaseException:
            process.kill()
            raise
        if failed:
            await process.ended
            raise failed
        return process

    @property
    def last_lines(self) -> list[str]:
        """The last lines it printed."""
        return self._log.last_lines

    def listening(self) -> Sequence[str]:
        """Return the TCP addresses where it and its children listen."""
        return listening(self.pid)

    def kill(self) -> None:
        """End it and all it has started, at once."""
        self._signal(signal.SIGQUIT)

    async def stop(self) -> Ending:
        """End it: SIGTERM to its group, SIGKILL after the grace. Returns how it ended."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._grace_s + _KEEPER_S):
                return await asyncio.shield(self.ended)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._running.kill()
            return await asyncio.shield(self.ended)

    def _signal(self, number: int) -> None:
        if self._running.returncode is None:
            self._running.send_signal(number)

    async def _watch(
        self, said: int, executable: str, started: asyncio.Future[ArtifactError | None]
    ) -> None:
        """Follow what the keeper says until it has ended."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(said, "rb")
        )
        ending = Ending(reason="lost its keeper process, which somebody killed")
        exceeded: int | None = None
        self.lost_keeper = True
        try:
            async for line in reader:
                word, number = line.decode().split()
                if word == "pid":
                    self.pid = int(number)
                if not started.done():
                    failure = _failure(word, int(number), executable)
                    started.set_result(failure)
                if word == "exceeded":
                    exceeded = int(number)
                if word in ("exited", "signalled"):
                    ending = replace(_ending(word, int(number)), memory_bytes=exceeded)
                self.lost_keeper = word in ("pid", "exceeded")
        finally:
            transport.close()
            await asyncio.shield(self._settle(ending))
            if not started.done():
                started.set_result(_not_runnable(executable, errno.ESRCH))

    async def _settle(self, ending: Ending) -> None:
        """Take the keeper's leave; what was printed has been read by then."""
        await asyncio.to_thread(self._running.wait)
        if self._running.stdin is not None:
            self._running.stdin.close()
        await asyncio.to_thread(self._pump.join, _KEEPER_S)
        if self._confinement is not None and self._confinement.ran_out_of_memory:
            ending = _of_memory(ending, self._confinement.limits.memory)
        if not self.ended.done():
            self.ended.set_result(ending)


def _of_memory(ending: Ending, limit_bytes: int | None) -> Ending:
    """Return *ending* with what is known of it: a process was killed for its memory.

    It need not have been the plugin's first; a shell tells of its child's by a status.
    """
    if signal.SIGKILL in (ending.signal_number, (ending.status or 0) - 128):
        return replace(ending, memory_bytes=limit_bytes)
    return replace(ending, reason="one of its processes was killed at `limits.memory`")


def _failure(word: str, number: int, executable: str) -> ArtifactError | None:
    """Return why the executable was not run, None where it was."""
    if word == "failed":
        return _not_runnable(executable, number)
    if word == "unconfined":
        return ArtifactError(
            f"`{executable}` cannot be confined: {os.strerror(number)}",
            code="plugin.not_confined",
            hint="set `sandbox: off` and remove its limits to run it all the same",
        )
    return None


def _ending(word: str, number: int) -> Ending:
    return Ending(signal_number=number) if word == "signalled" else Ending(status=number)


def _run_keeper(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], saying: int
) -> subprocess.Popen[bytes]:
    own = [sys.executable, "-I", "-S", keeper.__file__, str(os.getpid()), str(saying)]
    return subprocess.Popen(  # noqa: S603 - the command is the manifest's
        [*own, *arguments],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(saying,),
        start_new_session=True,
    )


def _not_runnable(executable: str, number: int) -> ArtifactError:
    hint = "check `executable` in the manifest, and its `build`"
    if number == errno.EACCES:
        hint = f"chmod +x {executable}"
    elif number == errno.ENOEXEC:
        hint = "its first line must name its interpreter, such as `#!/usr/bin/env node`"
    elif number == errno.E2BIG:
        hint = "its configuration is too large for an environment variable; use `Configure`"
    return ArtifactError(
        f"`{executable}` cannot be run: {os.strerror(number)}",
        code="plugin.executable_invalid",
        hint=hint,
    )
