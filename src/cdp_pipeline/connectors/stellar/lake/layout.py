"""Where each ledger lies: from a sequence to the key of its file, and back.

A Galexie lake (SEP-54) keeps `ledgers_per_file` ledgers in a file and
`files_per_partition` files in a folder. Names start with `0xFFFFFFFF - start`
in hexadecimal, so that the newest file sorts first:

    FFFF05FF--64000-127999/FFFF05FF--64000.xdr.zst        1 a file, 64000 files a folder
    FFFFFF9B--100-199/FFFFFF69--150-199.xdr.zst           50 a file, 2 files a folder
    FFFFFFFF--0-9.xdr.zst                                 10 a file, no folders
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_SEQUENCE = 0xFFFFFFFF
FIRST_LEDGER = 2
"""Galexie never writes ledgers 0 and 1: the first file's name starts lower than its content."""

EXTENSIONS = ("xdr.zst", "xdr.zstd")
"""The suffix of today, and the one that Galexie wrote before version 23."""

_NUMBER = r"(?:0|[1-9][0-9]{0,9})"
_SPAN = rf"(?P<hex>[0-9A-F]{{8}})--(?P<start>{_NUMBER})(?:-(?P<end>{_NUMBER}))?"
_FILE = re.compile(rf"{_SPAN}\.(?P<extension>xdr\.[A-Za-z0-9._-]+)")
_PARTITION = re.compile(_SPAN)


@dataclass(frozen=True, slots=True, order=True)
class FileName:
    """What the key of a ledger file says.

    Attributes:
        start: First ledger by name (the first file of a lake may hold less: see FIRST_LEDGER).
        end: Last ledger, inclusive.
        extension: What follows the numbers, e.g. `xdr.zst`.
        partition: First and last ledger of the folder, None without one.
        key: The whole key, relative to the lake.
    """

    start: int
    end: int
    extension: str
    partition: tuple[int, int] | None
    key: str

    @property
    def first_ledger(self) -> int:
        """The first ledger that can be in the file."""
        return max(self.start, FIRST_LEDGER)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a lake spreads ledgers over files and folders (SEP-54).

    Attributes:
        ledgers_per_file: Ledgers in one file, at least 1.
        files_per_partition: Files in one folder; 0 and 1 mean no folders.
    """

    ledgers_per_file: int
    files_per_partition: int

    def __post_init__(self) -> None:
        if self.ledgers_per_file < 1 or self.files_per_partition < 0:
            raise ValueError(
                "ledgers_per_file must be at least 1 and files_per_partition at least 0, "
                f"got {self.ledgers_per_file} and {self.files_per_partition}"
            )

    @property
    def has_partitions(self) -> bool:
        """Whether files lie in folders."""
        return self.files_per_partition > 1

    @property
    def ledgers_per_partition(self) -> int:
        """Ledgers in one folder (in one file where there are no folders)."""
        return self.ledgers_per_file * max(1, self.files_per_partition)

    def file_start(self, sequence: int) -> int:
        """Return the first ledger, by name, of the file that holds *sequence*."""
        return sequence // self.ledgers_per_file * self.ledgers_per_file

    def file_end(self, sequence: int) -> int:
        """Return the last ledger of the file that holds *sequence*."""
        return min(self.file_start(sequence) + self.ledgers_per_file - 1, MAX_SEQUENCE)

    def partition_for(self, sequence: int) -> str:
        """Return the folder that holds *sequence*, without a slash; empty without folders."""
        if not self.has_partitions:
            return ""
        size = self.ledgers_per_partition
        start = sequence // size * size
        return f"{_reversed_hex(start)}--{start}-{min(start + size - 1, MAX_SEQUENCE)}"

    def key_for(self, sequence: int, extension: str = EXTENSIONS[0]) -> str:
        """Return the key of the file that holds *sequence*, relative to the lake.

        Raises:
            ValueError: *sequence* is no unsigned 32-bit number.
        """
        return f"{self.sort_key(sequence)}--{self._numbers(sequence)}.{extension}"

    def sort_key(self, sequence: int) -> str:
        """Return the part of the key that every suffix shares and that sorts just before it."""
        if not 0 <= sequence <= MAX_SEQUENCE:
            raise ValueError(f"a ledger sequence is 0 to {MAX_SEQUENCE}, got {sequence}")
        folder = self.partition_for(sequence)
        name = _reversed_hex(self.file_start(sequence))
        return f"{folder}/{name}" if folder else name

    def _numbers(self, sequence: int) -> str:
        start = self.file_start(sequence)
        return f"{start}" if self.ledgers_per_file == 1 else f"{start}-{self.file_end(sequence)}"


def parse_key(key: str) -> FileName | None:
    """Read the key of a ledger file; None for the key of anything else.

    The folder is read where there is one. A name whose hexadecimal part does
    not belong to its start is not a ledger file.
    """
    folder, _, name = key.rpartition("/")
    match = _FILE.fullmatch(name)
    span = _span(match)
    if match is None or span is None:
        return None
    partition = parse_partition(folder.rpartition("/")[2])
    return FileName(span[0], span[1], match["extension"], partition, key)


def parse_partition(folder: str) -> tuple[int, int] | None:
    """Read the name of a partition folder: its first and last ledger; None for anything else."""
    match = _PARTITION.fullmatch(folder)
    return _span(match) if match is not None and match["end"] is not None else None


def _span(match: re.Match[str] | None) -> tuple[int, int] | None:
    if match is None:
        return None
    start = int(match["start"])
    end = start if match["end"] is None else int(match["end"])
    consistent = start <= end <= MAX_SEQUENCE and match["hex"] == _reversed_hex(start)
    return (start, end) if consistent else None


def _reversed_hex(start: int) -> str:
    return f"{MAX_SEQUENCE - start:08X}"
