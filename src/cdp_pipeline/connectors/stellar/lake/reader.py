"""Read the ledgers of a lake: in order, fast, and proved to be an unbroken chain.

Files are fetched, decompressed and hashed ahead of whoever reads, several at
once, within bounds on files and bytes. A bounded range ends with its last
ledger, and a missing file in it is an error. Without an end the reader follows
the tip: a file that is not there yet is waited for, and one that is there in
part, because its writer does not put it in place at once, is read again.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cdpplugin import ConfigInvalid

from .batch_file import decode_file
from .catalog import Lake
from .chain import LedgerChain
from .errors import CorruptFile, LedgerGap
from .layout import FIRST_LEDGER
from .ledger import RawLedger
from .listing import LedgerFiles
from .prefetch import Prefetch, PrefetchLimits

_MANY_LEDGERS_PER_FILE = 64
_DECODE_THREADS = 4
_TIP_READS = 6
"""Times that the newest file is read before it counts as damaged, a poll interval apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How to read a lake.

    Attributes:
        parallel_files: Files fetched at the same time; None: 10, or 2 from 64 ledgers a file on.
        buffer_files: Files held ahead of the reader; None: 100, or 10 from 64 ledgers a file on.
        buffer_bytes: Decompressed bytes held ahead of the reader; one file is always allowed.
        poll_interval_s: At the tip, the wait between two looks for the next file, in seconds.
        verify: Check header hashes and the chain of previous hashes; False checks neither
            these nor the contents.
        verify_contents: Check also transactions and results against the header, and that each
            ledger is whole; some 1.5 ms per MB of XDR.
    """

    parallel_files: int | None = None
    buffer_files: int | None = None
    buffer_bytes: int = 512 << 20
    poll_interval_s: float = 2.0
    verify: bool = True
    verify_contents: bool = True

    def limits(self, ledgers_per_file: int) -> PrefetchLimits:
        """Return the bounds for a lake with so many ledgers a file."""
        many = ledgers_per_file >= _MANY_LEDGERS_PER_FILE
        items = self.buffer_files or (10 if many else 100)
        parallel = min(self.parallel_files or (2 if many else 10), items)
        return PrefetchLimits(parallel=parallel, items=items, size_bytes=self.buffer_bytes)


async def read_ledgers(
    lake: Lake,
    start: int,
    end: int | None = None,
    *,
    options: ReadOptions | None = None,
    previous_hash: bytes | None = None,
) -> AsyncGenerator[list[RawLedger], None]:
    """Yield the ledgers from *start* to *end*, those of one file at a time.

    Args:
        lake: The lake.
        start: First ledger; below 2 means 2, the first ledger that a lake can hold.
        end: Last ledger, inclusive; None follows the tip and never ends.
        options: How to read.
        previous_hash: Hash of ledger *start* - 1, to which the first ledger must fit.

    Raises:
        ConfigInvalid: *end* is before *start*.
        LedgerGap: A file is missing in a bounded range, or missing while later ones are there.
        CorruptFile, UnknownLedgerVersion, HashMismatch, BrokenChain: A file cannot be trusted.
        LakeUnreachable: The store did not serve a file, after all retries (a `Retry`).
        LakePermissionDenied: The store refuses.
    """
    options = ReadOptions() if options is None else options
    start = max(start, FIRST_LEDGER)
    if end is not None and end < start:
        raise ConfigInvalid(
            f"a range that ends at or after its first ledger {start} expected, got {end}",
            hint="swap `start` and `end`",
        )
    chain = LedgerChain(start, previous_hash)
    files = _FileReader(lake, options)
    try:
        async for ledgers in files.read(start, end):
            wanted = [each for each in ledgers if start <= each.sequence <= (end or each.sequence)]
            if options.verify:
                for ledger in wanted:
                    chain.extend(ledger)
            yield wanted
    finally:
        await files.aclose()


class _FileReader:
    """Reads whole files of a lake, by their number: ledger sequence // ledgers per file."""

    def __init__(self, lake: Lake, options: ReadOptions) -> None:
        self._lake = lake
        self._options = options
        self._per_file = lake.layout.ledgers_per_file
        limits = options.limits(self._per_file)
        self._threads = ThreadPoolExecutor(
            min(limits.parallel, _DECODE_THREADS), thread_name_prefix="lake"
        )
        self._prefetch: Prefetch[list[RawLedger] | None] = Prefetch(self._load, _size, limits)

    async def read(self, start: int, end: int | None) -> AsyncGenerator[list[RawLedger], None]:
        number = start // self._per_file
        last = None if end is None else end // self._per_file
        await self._prefetch.start(number, last)
        while last is None or number <= last:
            ledgers = await self._next(bounded=last is not None)
            if ledgers is None and last is not None:
                raise self._gap(number, start)
            if ledgers is None:
                await self._prefetch.start(number, number - 1)
                ledgers = await self._wait_for(number, start)
                # At the tip the next file is mostly not there yet: look ahead carefully.
                await self._prefetch.start(number + 1, None, window=1)
            yield ledgers
            number += 1

    async def _next(self, *, bounded: bool) -> list[RawLedger] | None:
        """Return the next file's ledgers; None where it is not there, or only in part so far."""
        try:
            return await self._prefetch.read()
        except CorruptFile:
            if bounded:
                raise
            return None

    async def aclose(self) -> None:
        await self._prefetch.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _load(self, number: int) -> list[RawLedger] | None:
        found = await self._lake.fetch(number * self._per_file)
        if found is None:
            return None
        decode = functools.partial(
            decode_file,
            found.name,
            found.data,
            verify=self._options.verify,
            check_contents=self._options.verify and self._options.verify_contents,
        )
        return await asyncio.get_running_loop().run_in_executor(self._threads, decode)

    async def _wait_for(self, number: int, start: int) -> list[RawLedger]:
        """Look for a file until it is there; a file that was passed over is a gap."""
        looks = 0
        while True:
            ledgers = await self._load_at_tip(number)
            if ledgers is not None:
                return ledgers
            # A listing costs more than a look, so it comes after 1, 2, 4, 8 ... looks.
            if looks & (looks - 1) == 0 and await self._passed_over(number):
                raise self._gap(number, start)
            looks += 1
            await asyncio.sleep(self._options.poll_interval_s)

    async def _load_at_tip(self, number: int) -> list[RawLedger] | None:
        """Load a file that may be being written; where a later one is there, the next read counts.

        Raises:
            CorruptFile: It stays as it is.
        """
        reads, settled = 0, False
        while True:
            try:
                return await self._load(number)
            except CorruptFile:
                reads += 1
                if settled or reads == _TIP_READS:
                    raise
            settled = await self._lake.find((number + 1) * self._per_file) is not None
            await asyncio.sleep(self._options.poll_interval_s)

    async def _passed_over(self, number: int) -> bool:
        """Tell whether later files are there although this one is still missing."""
        if self._lake.store.can_list:
            newest = await LedgerFiles(self._lake).newest()
            later = newest is not None and newest.start > number * self._per_file
        else:
            later = await self._lake.find((number + 1) * self._per_file) is not None
        return later and await self._lake.find(number * self._per_file) is None

    def _gap(self, number: int, start: int) -> LedgerGap:
        sequence = number * self._per_file
        return LedgerGap(max(sequence, start), self._lake.key_for(sequence), self._lake.address)


def _size(ledgers: list[RawLedger] | None) -> int:
    return 0 if ledgers is None else sum(len(each.xdr) for each in ledgers)
