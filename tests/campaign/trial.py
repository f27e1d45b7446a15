"""One pipeline run again and again until it completes, killed at moments that a seed draws."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from cdp_pipeline.config.paths import state_folder
from tests._flowctl import BOUND_S, finish, start
from tests.campaign.targets import Targets

PIPELINE = Path(__file__).with_name("campaign.yaml")
UNDISTURBED = {
    "BATCH_ROWS": "1000",
    "BATCH_BYTES": "4MiB",
    "LINGER": "0s",
    "CONSUMER_ROWS": "10000",
    "CHECKPOINT_INTERVAL": "1s",
    "PARALLEL_FILES": "10",
    "WORKERS": "1",
    "FILE_ROWS": "500000",
    "FILE_POSITIONS": "64000",
    "FILE_AGE": "10m",
    "COMMIT_ROWS": "10000",
    "COMMIT_INTERVAL": "1s",
    "LINES_BYTES": "0",
    "LINES_AGE": "1s",
}
CHOICES = {
    "BATCH_ROWS": ("1", "3", "7", "20", "1000"),
    "BATCH_BYTES": ("32KB", "256KB", "4MiB"),
    "LINGER": ("0s", "2ms", "20ms"),
    "CONSUMER_ROWS": ("40", "333", "2000", "10000"),
    "CHECKPOINT_INTERVAL": ("10ms", "100ms", "1s"),
    "PARALLEL_FILES": ("1", "4", "10"),
    "WORKERS": ("1", "2", "3"),
    "FILE_ROWS": ("150", "1000", "500000"),
    "FILE_POSITIONS": ("5", "16", "64000"),
    "FILE_AGE": ("20ms", "200ms", "10m"),
    "COMMIT_ROWS": ("50", "700", "10000"),
    "COMMIT_INTERVAL": ("10ms", "100ms", "1s"),
    "LINES_BYTES": ("0", "100KB"),
    "LINES_AGE": ("10ms", "1s"),
}
"""How a run cuts its batches, files and transactions; drawn anew for each attempt."""

WATCHED = {
    "a Parquet file": "parquet/[!_]*/*.parquet",
    "the Parquet marker": "parquet/_cdp/*",
    "the DuckDB file": "rows.duckdb*",
    "a file of lines": "jsonl/*.jsonl",
    "the checkpoint": "",
}


@dataclass(frozen=True)
class Moment:
    """When a run is killed.

    Attributes:
        after_s: Seconds after its start, where nothing is watched for.
        watched: What is watched; it is killed as soon as that has changed `changes` times.
        changes: How often.
    """

    after_s: float = 0.0
    watched: str = ""
    changes: int = 1


def moment(random: Random, duration_s: float) -> Moment:
    """Draw a moment: two in three by the clock, the others by what is seen on the disk."""
    if random.random() < 2 / 3:
        return Moment(after_s=random.uniform(0.1, duration_s))
    return Moment(watched=random.choice(list(WATCHED)), changes=random.randint(1, 6))


@dataclass
class Trial:
    """A pipeline with a state folder and targets of its own.

    Attributes:
        lake: The variables that name what is read.
        targets: Where it writes.
        state: Its state folder's home.
        attempts: What was done, for the record.
    """

    lake: Mapping[str, str]
    targets: Targets
    state: Path
    attempts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of this pipeline."""
        folder = state_folder("campaign", {"XDG_STATE_HOME": str(self.state)})
        return folder / "checkpoint.json"

    def start(self, cut: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a run that cuts its batches as *cut* says."""
        env = {
            **self.lake,
            **cut,
            "OUT": str(self.targets.folder),
            "DSN": self.targets.dsn,
            "SCHEMA": self.targets.schema,
            "XDG_STATE_HOME": str(self.state),
        }
        return start("run", PIPELINE, env=env)

    def complete(self, cut: Mapping[str, str]) -> float:
        """Run undisturbed to the end; return how long it took, in seconds."""
        begun = time.monotonic()
        done = finish(self.start(cut))
        assert done.code == 0, done.err
        return time.monotonic() - begun

    def attempt(self, cut: Mapping[str, str], kill_at: Moment) -> bool:
        """Run and kill at a moment; return whether it was still running then."""
        begun = time.monotonic()
        process = self.start(cut)
        due = self._due(kill_at, begun)
        while process.poll() is None and not due():
            assert time.monotonic() - begun < BOUND_S, "the run hangs"
            time.sleep(0.001)
        lived_s = time.monotonic() - begun
        process.kill()
        done = _end(process)
        killed = done == -9
        self.attempts.append(
            {
                "cut": {key: cut[key] for key in sorted(cut)},
                "killed_at_s": round(lived_s, 3) if killed else None,
                "drawn": _said(kill_at),
            }
        )
        return killed

    def _due(self, kill_at: Moment, begun: float) -> Callable[[], bool]:
        if not kill_at.watched:
            return lambda: time.monotonic() - begun >= kill_at.after_s
        seen, changes = self._look(kill_at.watched), 0

        def changed() -> bool:
            nonlocal seen, changes
            now = self._look(kill_at.watched)
            changes += now != seen
            seen = now
            return changes >= kill_at.changes

        return changed

    def _look(self, watched: str) -> frozenset[tuple[str, int, int]]:
        """Return names, inodes and sizes of what is watched."""
        pattern = WATCHED[watched]
        files = [self.checkpoint] if not pattern else list(self.targets.folder.glob(pattern))
        found = set()
        for file in files:
            try:
                status = os.stat(file)
            except FileNotFoundError:
                continue
            found.add((file.name, status.st_ino, status.st_size))
        return frozenset(found)


def _end(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code; a run that ended by itself must have ended well."""
    _, err = process.communicate(timeout=BOUND_S)
    assert process.returncode in (0, -9), err.decode()
    return process.returncode


def _said(kill_at: Moment) -> str:
    if kill_at.watched:
        return f"{kill_at.watched}, change {kill_at.changes}"
    return f"{kill_at.after_s:.3f} s"


def cut(random: Random) -> dict[str, str]:
    """Draw how a run cuts its batches, files and transactions."""
    return {key: random.choice(values) for key, values in CHOICES.items()}
