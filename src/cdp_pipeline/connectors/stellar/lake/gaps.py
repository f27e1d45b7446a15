"""Find the ledgers that a lake should hold and does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from cdpplugin import ConfigInvalid

from .catalog import Lake
from .errors import LakeCannotList
from .layout import FIRST_LEDGER
from .listing import LedgerFiles, Partition

_PARALLEL_PROBES = 32
_PARALLEL_LISTINGS = 4
_MAX_PROBES = 1_000_000


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Ledgers that are missing.

    Attributes:
        first: First missing ledger.
        last: Last missing ledger, inclusive.
    """

    first: int
    last: int

    @property
    def ledgers(self) -> int:
        """How many ledgers are missing."""
        return self.last - self.first + 1


async def find_gaps(
    lake: Lake,
    start: int | None = None,
    end: int | None = None,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> list[Gap]:
    """Return the gaps between *start* and *end*, in order; neighbouring ones are one.

    Listing costs a request per thousand files that exist, and nothing for
    those that do not. A store that cannot list is asked for every file.

    Args:
        lake: The lake.
        start: First ledger; None for the lake's oldest.
        end: Last ledger, inclusive; None for the lake's newest.
        on_progress: Called with the last ledger looked at, now and then.

    Raises:
        ConfigInvalid: *end* is before *start*.
        LakeCannotList: *start* or *end* is None, or they are too far apart, where a store
            cannot list.
        LakeError: The store did not answer.
    """
    given = start, end
    if not lake.store.can_list:
        if start is None or end is None:
            raise _too_wide(lake)
        spans = _probed_spans(lake, start, end)
    else:
        files = LedgerFiles(lake)
        start, end = await _bounds(files, start, end)
        spans = _listed_spans(files, start, end)
    if end < start and given != (None, None):
        raise ConfigInvalid(
            f"a range that ends at or after its first ledger {start} expected, got {end}",
            hint="swap `start` and `end`, or see the lake's ledgers with `flowctl lake inspect`",
        )
    return await _between(spans, max(start, FIRST_LEDGER), end, on_progress)


async def _bounds(files: LedgerFiles, start: int | None, end: int | None) -> tuple[int, int]:
    """Fill in the oldest and the newest ledger; an empty lake gives an empty range."""
    if start is None:
        oldest = await files.oldest()
        start = FIRST_LEDGER if oldest is None else oldest.first_ledger
    if end is None:
        newest = await files.newest()
        end = FIRST_LEDGER - 1 if newest is None else newest.end
    return start, end


async def _between(
    spans: AsyncIterator[tuple[int, int]],
    start: int,
    end: int,
    on_progress: Callable[[int], None] | None,
) -> list[Gap]:
    """Return what the ascending *spans* of ledgers leave out of *start* to *end*."""
    gaps: list[Gap] = []
    expected = start
    async for first, last in spans:
        if first > end:
            break
        if first > expected:
            gaps.append(Gap(expected, first - 1))
        expected = max(expected, last + 1)
        if on_progress is not None:
            on_progress(min(last, end))
    if expected <= end:
        gaps.append(Gap(expected, end))
    return gaps


async def _listed_spans(files: LedgerFiles, start: int, end: int) -> AsyncIterator[tuple[int, int]]:
    """Yield runs of ledgers that exist, ascending, a few partitions at once."""
    wanted = [each for each in await files.partitions() if each.start <= end and each.end >= start]
    for index in range(0, len(wanted), _PARALLEL_LISTINGS):
        group = wanted[index : index + _PARALLEL_LISTINGS]
        for runs in await asyncio.gather(*(_runs(files, each, start, end) for each in group)):
            for run in runs:
                yield run


async def _runs(
    files: LedgerFiles, partition: Partition, start: int, end: int
) -> list[tuple[int, int]]:
    """Return the unbroken runs of ledgers in one partition, ascending."""
    runs: list[tuple[int, int]] = []
    for name in await files.names(partition, start, end):
        if runs and name.start <= runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], max(runs[-1][1], name.end))
        else:
            runs.append((name.start, name.end))
    files.forget(partition)
    return runs


async def _probed_spans(lake: Lake, start: int, end: int) -> AsyncIterator[tuple[int, int]]:
    """Ask for every file between *start* and *end*; yield the spans of those that exist."""
    per_file = lake.layout.ledgers_per_file
    sequences = range(lake.layout.file_start(start), end + 1, per_file)
    if len(sequences) > _MAX_PROBES:
        raise _too_wide(lake)
    for index in range(0, len(sequences), _PARALLEL_PROBES):
        names = await asyncio.gather(
            *(lake.find(each) for each in sequences[index : index + _PARALLEL_PROBES])
        )
        for name in names:
            if name is not None:
                yield name.start, name.end


def _too_wide(lake: Lake) -> LakeCannotList:
    return LakeCannotList(
        f"`{lake.address}` cannot be listed: a range of at most {_MAX_PROBES} files expected",
        hint="give the first ledger and the last one",
    )
