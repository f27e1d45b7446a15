"""Find out which ledger files a lake holds, with as few listings as its store allows.

Names sort newest first. A store that lists in order (S3, GCS, Azure) answers
"the newest file at or before ledger N" with one request that starts at N's
name; a folder is listed partition by partition, each once per `LedgerFiles`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .catalog import Lake
from .errors import LakeCannotList
from .layout import FIRST_LEDGER, MAX_SEQUENCE, FileName, parse_key, parse_partition


@dataclass(frozen=True, slots=True)
class Partition:
    """One folder of ledger files; the lake's root where it has no folders.

    Attributes:
        start: First ledger that can be in it.
        end: Last ledger that can be in it, inclusive.
        folder: Its key, empty for the root.
    """

    start: int
    end: int
    folder: str


class LedgerFiles:
    """What one lake holds, as its store lists it. Made for one question, then dropped."""

    def __init__(self, lake: Lake) -> None:
        """Look at *lake*, whose store must be able to list."""
        self._lake = lake
        self._partitions: list[Partition] | None = None
        self._listed: dict[str, list[FileName]] = {}

    async def newest(self) -> FileName | None:
        """Return the file with the highest ledgers, None for an empty lake."""
        if self._lake.store.lists_in_order:
            return await self._first_after("")
        for partition in reversed(await self.partitions()):
            if names := await self.names(partition):
                return names[-1]
        return None

    async def oldest(self) -> FileName | None:
        """Return the file with the lowest ledgers, None for an empty lake."""
        if self._lake.store.lists_in_order:
            return await self._oldest_in_order()
        for partition in await self.partitions():
            if names := await self.names(partition):
                return names[0]
        return None

    async def at_or_before(self, sequence: int) -> FileName | None:
        """Return the newest file that starts at or before *sequence*, None without one."""
        if self._lake.store.lists_in_order:
            return await self._first_after(self._lake.layout.sort_key(sequence))
        for partition in reversed(await self.partitions()):
            if partition.start > sequence:
                continue
            names = [name for name in await self.names(partition) if name.start <= sequence]
            if names:
                return names[-1]
        return None

    async def partitions(self) -> list[Partition]:
        """Return the lake's folders, oldest first; the root alone where it has none."""
        if self._partitions is None:
            self._partitions = await self._list_partitions()
        return self._partitions

    async def names(
        self, partition: Partition, start: int = 0, end: int = MAX_SEQUENCE
    ) -> list[FileName]:
        """Return the ledger files of *partition*, oldest first, one per start.

        Files wholly outside *start* to *end* may be left out.
        """
        if self._lake.store.lists_in_order:
            return await self._list_names(partition, start, end)
        if partition.folder not in self._listed:
            self._listed[partition.folder] = await self._list_names(partition, 0, MAX_SEQUENCE)
        return self._listed[partition.folder]

    async def _list_names(self, partition: Partition, start: int, end: int) -> list[FileName]:
        in_order = self._lake.store.lists_in_order
        after = self._lake.layout.sort_key(end) if in_order and end < partition.end else ""
        found: dict[int, FileName] = {}
        async for page in self._lake.store.pages(partition.folder, after):
            names = [name for name in (parse_key(each.key) for each in page) if name is not None]
            # One ledger under both suffixes is one file, not two.
            found.update((name.start, name) for name in names if _in(name, partition))
            if in_order and names and names[-1].end < start:
                break
        return sorted(found.values())

    def forget(self, partition: Partition) -> None:
        """Drop the names of *partition*, so that a walk over a large lake stays small."""
        self._listed.pop(partition.folder, None)

    async def _list_partitions(self) -> list[Partition]:
        if not self._lake.layout.has_partitions:
            return [Partition(0, MAX_SEQUENCE, "")]
        root = await self._lake.store.list_folder()
        spans = ((parse_partition(folder), folder) for folder in root.folders)
        return sorted(
            (Partition(span[0], span[1], folder) for span, folder in spans if span is not None),
            key=lambda partition: partition.start,
        )

    async def _first_after(self, sort_key: str) -> FileName | None:
        async for page in self._lake.store.pages(after=sort_key):
            for each in page:
                name = parse_key(each.key)
                if name is not None:
                    return name
        return None

    async def _oldest_in_order(self) -> FileName | None:
        """Halve the range until nothing is listed below it: some 30 requests for any lake."""
        oldest = await self.newest()
        low = 0
        while oldest is not None and low < oldest.start:
            middle = (low + oldest.start - 1) // 2
            found = await self.at_or_before(middle)
            if found is None:
                low = middle + 1
            else:
                oldest = found
        return oldest


class ProbedFiles:
    """The same questions for a store that cannot list: by asking for single files.

    It sees the unbroken run of files around one that is known to exist.
    """

    def __init__(self, lake: Lake, near: int | None = None) -> None:
        """Look at *lake* around ledger *near* (the first ledger of all where None)."""
        self._lake = lake
        self._near = FIRST_LEDGER if near is None else near

    async def newest(self) -> FileName | None:
        """Return the last file of the run."""
        return await self._edge(1)

    async def oldest(self) -> FileName | None:
        """Return the first file of the run."""
        return await self._edge(-1)

    async def at_or_before(self, sequence: int) -> FileName | None:
        """Return the file that holds *sequence*.

        Raises:
            LakeCannotList: It is missing, and without a listing its neighbours are unknown.
        """
        name = await self._lake.find(sequence)
        if name is None:
            raise LakeCannotList(
                f"ledger {sequence} is missing in `{self._lake.address}`, "
                "and a plain web server does not list what is beside it",
                hint="give ledger numbers instead of times",
            )
        return name

    async def _edge(self, direction: int) -> FileName | None:
        """Step away from the known file, doubling, then halve down to the last one found."""
        known = await self._lake.find(self._near)
        if known is None:
            return None
        step = 1
        while True:
            found = await self._at(known, direction * step)
            if found is None:
                break
            known, step = found, step * 2
        while step > 1:
            step //= 2
            found = await self._at(known, direction * step)
            known = known if found is None else found
        return known

    async def _at(self, name: FileName, files: int) -> FileName | None:
        sequence = name.start + files * self._lake.layout.ledgers_per_file
        return await self._lake.find(sequence) if 0 <= sequence <= MAX_SEQUENCE else None


def ledger_files(lake: Lake, near: int | None = None) -> LedgerFiles | ProbedFiles:
    """Return the way to look at *lake* that its store allows.

    Args:
        lake: The lake.
        near: A ledger known to exist, for stores that cannot list.
    """
    return LedgerFiles(lake) if lake.store.can_list else ProbedFiles(lake, near)


def _in(name: FileName, partition: Partition) -> bool:
    return name.key.rpartition("/")[0] == partition.folder
