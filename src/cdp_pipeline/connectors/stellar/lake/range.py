"""Find the ledgers at the edges of a lake and at a point in time.

A range given by times holds the ledgers that closed within it: it starts with
the first ledger closed at or after its start, and ends with the last one closed
at or before its end. Close times grow from ledger to ledger, so they are found
by halving: some 25 files are read, of each only its first ledger's header.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .batch_file import decode_file, read_first_header
from .catalog import Lake
from .errors import LakeError, LakeNotFound, LedgerGap
from .layout import FileName
from .listing import LedgerFiles, ProbedFiles, ledger_files


class TimeOutsideLake(LakeError):
    """The lake holds no ledger on that side of the time."""

    code = "lake.time_outside"


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """The files around a point in time: last that starts before it, first that does not."""

    before: FileName | None
    after: FileName | None


async def newest_ledger(lake: Lake, near: int | None = None) -> int | None:
    """Return the highest ledger of *lake*, None for an empty lake.

    A store that cannot list is probed upwards from *near* (from ledger 2 where
    None), which gives the end of the unbroken run of files around it.
    """
    newest = await ledger_files(lake, near).newest()
    return None if newest is None else newest.end


async def oldest_ledger(lake: Lake, near: int | None = None) -> int | None:
    """Return the lowest ledger of *lake*, None for an empty lake; *near* as in `newest_ledger`."""
    oldest = await ledger_files(lake, near).oldest()
    return None if oldest is None else oldest.first_ledger


async def first_ledger_at_or_after(lake: Lake, time: datetime, near: int | None = None) -> int:
    """Return the first ledger that closed at or after *time*: the start of a range by time.

    Later than every ledger, it is the ledger after the newest, the next to come.

    Raises:
        LakeNotFound: The lake is empty, or nothing is found at *near*.
        LakeCannotList: A file is missing in a lake that cannot be listed.
        CorruptFile, LakeUnreachable: A file on the way cannot be read.
    """
    # Close times are whole seconds: the first of them not before `time` is rounded up.
    wanted_s = -int(-time.timestamp() // 1)
    files = ledger_files(lake, near)
    around = await _search(lake, files, wanted_s)
    if around.before is not None:
        for sequence, closed_at_s in await _close_times(lake, around.before):
            if closed_at_s >= wanted_s:
                return sequence
    if around.after is not None:
        return around.after.first_ledger
    assert around.before is not None
    return around.before.end + 1


async def last_ledger_at_or_before(lake: Lake, time: datetime, near: int | None = None) -> int:
    """Return the last ledger that closed at or before *time*: the end of a range by time.

    Raises:
        TimeOutsideLake: Every ledger closed later.
        LakeNotFound, LakeCannotList, CorruptFile, LakeUnreachable: As for the start.
    """
    limit_s = int(time.timestamp() // 1)
    around = await _search(lake, ledger_files(lake, near), limit_s + 1)
    if around.before is None:
        raise TimeOutsideLake(
            f"`{lake.address}` has no ledger that closed at or before {time.isoformat()}",
            hint="give a later end, or see the lake's first ledger with `flowctl lake inspect`",
        )
    times = await _close_times(lake, around.before)
    return max(sequence for sequence, closed_at_s in times if closed_at_s <= limit_s)


async def _search(lake: Lake, files: LedgerFiles | ProbedFiles, time_s: int) -> _Neighbours:
    """Halve the lake until the files around *time_s* are neighbours."""
    oldest, newest = await files.oldest(), await files.newest()
    if oldest is None or newest is None:
        raise LakeNotFound(
            f"no ledgers found in `{lake.address}`", hint="check the address, or give a ledger"
        )
    before: FileName | None = None
    after: FileName | None = None
    low, high = oldest.start, newest.start + 1
    while low < high:
        middle = (low + high) // 2
        name = await files.at_or_before(middle)
        if name is None or name.start < low:
            low = middle + 1
        elif await first_closed_at_s(lake, name) < time_s:
            before, low = name, max(middle, name.end) + 1
        else:
            after, high = name, name.start
    return _Neighbours(before, after)


async def first_closed_at_s(lake: Lake, name: FileName) -> int:
    """Return when the first ledger of the file closed, Unix seconds."""
    return read_first_header(name, await _data(lake, name)).closed_at_s


async def _close_times(lake: Lake, name: FileName) -> list[tuple[int, int]]:
    ledgers = decode_file(name, await _data(lake, name), check_contents=False)
    return [(each.sequence, each.closed_at_s) for each in ledgers]


async def _data(lake: Lake, name: FileName) -> bytes:
    data = await lake.store.get(name.key)
    if data is None:
        raise LedgerGap(name.first_ledger, name.key, lake.address)
    return data
