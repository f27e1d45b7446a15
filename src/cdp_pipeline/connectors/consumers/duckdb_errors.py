"""What a DuckDB error means to the host: try again, or stop, and what the user can do."""

from __future__ import annotations

import re

from cdpplugin import Fatal, PluginError, Retry

_HOLDER = re.compile(r"lock is held in (?P<program>.*?) \(PID (?P<pid>\d+)\)(?: by user (\S+))?")
_RETRIES = (
    (
        re.compile(r"no space left|file too large|disk quota|no disk space", re.IGNORECASE),
        "duckdb.disk_full",
        "free space on the disk; a run that has ended is run again, and goes on where it was",
    ),
    (
        re.compile(
            r"write-write conflict|conflict on|failed to commit: .*constraint violation",
            re.IGNORECASE,
        ),
        "duckdb.conflict",
        "let no other stage of this process write the same tables",
    ),
)
_FATALS = (
    (
        re.compile(r"permission denied|read-only|not permitted", re.IGNORECASE),
        "duckdb.permission_denied",
        "give this user the right to write the file and its folder, or choose another `path`",
    ),
    (
        re.compile(r"not a valid duckdb|newer version|older version|serialization", re.IGNORECASE),
        "duckdb.not_a_database",
        "choose another `path`, or move the file away",
    ),
    (
        re.compile(r"out of memory|failed to allocate|memory limit", re.IGNORECASE),
        "duckdb.out_of_memory",
        "raise `memory_limit`, or lower `commit_rows` and `commit_bytes`",
    ),
)


def instruction(error: Exception, where: str) -> PluginError:
    """Return what the host is to do about *error*, which came from *where*."""
    text = str(error).split("\n\n")[0].splitlines()[0] if str(error) else type(error).__name__
    if "lock on file" in text:
        return _locked(text, where)
    for pattern, code, hint in _RETRIES:
        if pattern.search(text):
            return Retry(f"{where}: {text}", code=code, hint=hint)
    for pattern, code, hint in _FATALS:
        if pattern.search(text):
            return Fatal(f"{where}: {text}", code=code, hint=hint)
    return Fatal(f"{where}: {text}", code="duckdb.refused")


def _locked(text: str, where: str) -> Fatal:
    found = _HOLDER.search(text)
    holder = f"process {found['pid']} (`{found['program']}`)" if found else "another process"
    return Fatal(
        f"{where} is held by {holder}",
        code="duckdb.locked",
        hint="close it there, or choose another `path`: DuckDB lets one process at a time write",
    )
