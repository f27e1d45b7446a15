"""One run of a pipeline at a time: a lock in its state folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cdp_pipeline.errors import StateError


@contextmanager
def run_lock(folder: Path, pipeline: str) -> Iterator[None]:
    """Hold the lock of *pipeline*; the kernel gives it back however the process ends.

    Raises:
        StateError: run.already_running, naming the process; or state.unwritable.
    """
    path = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StateError(
            f"the state folder cannot be written: {error.strerror}",
            code="state.unwritable",
            where=str(folder),
            hint="set XDG_STATE_HOME to a folder that can be written",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise StateError(
                f"the pipeline `{pipeline}` is already running, in process {file.read().strip()}",
                code="run.already_running",
                where=str(path),
                hint="stop it first, or give this pipeline another `name`",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
