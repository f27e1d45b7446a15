"""Writes generated ledgers to a folder as a Galexie lake (SEP-54).

A lake that was cut short is completed by writing it again: what is there is compared with what
would be written, by content and not by compressed bytes, since those depend on the version of the
zstandard library. Files appear under their names only when they are whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

from ..lake.errors import CorruptFile
from ..lake.frame import decompress
from ..lake.layout import parse_key
from ..lake.manifest import MANIFEST_KEY
from .ledgers import GeneratedLedger, generate_ledgers
from .packing import array, u32
from .spec import LakeOccupied, LakeSpec

_LEVEL = 3
_UNFINISHED = ".part"
_OTHER_OPTIONS = (
    "it was written with another seed or other options, or is damaged: repeat the options it was "
    "written with, or choose an empty folder"
)
_LONGER = "ask for all the ledgers that the lake there has, or choose an empty folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeSummary:
    """What is in the folder now.

    Attributes:
        first_ledger, last_ledger: In the lake; wider than asked where files hold several ledgers.
        files: How many ledger files there are.
        written_files: How many of them were not there before.
        transactions, operations: In all ledgers, failed ones included.
        size_bytes: Of the ledger files.
        last_hash: Header hash of the last ledger, 32 bytes.
    """

    first_ledger: int
    last_ledger: int
    files: int
    written_files: int
    transactions: int
    operations: int
    size_bytes: int
    last_hash: bytes

    @property
    def was_complete(self) -> bool:
        """Whether the whole lake was there already."""
        return self.written_files == 0


def write_lake(
    spec: LakeSpec, out: Path, *, progress: Callable[[int], None] | None = None
) -> LakeSummary:
    """Write the lake of a spec to a folder, or complete it there.

    Only whole files are written: with several ledgers to a file the range is widened to file
    boundaries, as Galexie does it. The first file of a lake that starts at ledger 2 is named from
    0 but starts at 2.

    Args:
        spec: What to write.
        out: The folder; made if it does not exist.
        progress: Called after each file with how many ledgers are done.

    Raises:
        LakeOccupied: The folder holds anything but (part of) this very lake.
        OSError: The folder cannot be written.
    """
    spec = spec.whole_files()
    if out.exists() and not out.is_dir():
        raise LakeOccupied(f"`{out}` is a file, expected a folder")
    out.mkdir(parents=True, exist_ok=True)
    _check_strangers(spec, out)
    _put(out / MANIFEST_KEY, _manifest(spec), out)
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    done = files = written = transactions = operations = size_bytes = 0
    last_hash = b""
    for batch in _batches(spec):
        path = out / spec.layout.key_for(batch[0].sequence)
        written += _put_batch(path, _pack_batch(batch), compressor, out)
        files += 1
        size_bytes += path.stat().st_size
        transactions += sum(ledger.transactions for ledger in batch)
        operations += sum(ledger.operations for ledger in batch)
        last_hash = batch[-1].hash
        done += len(batch)
        if progress is not None:
            progress(done)
    return LakeSummary(
        first_ledger=spec.first_ledger,
        last_ledger=spec.last_ledger,
        files=files,
        written_files=written,
        transactions=transactions,
        operations=operations,
        size_bytes=size_bytes,
        last_hash=last_hash,
    )


def _batches(spec: LakeSpec) -> Iterator[list[GeneratedLedger]]:
    """The ledgers, file by file."""
    batch: list[GeneratedLedger] = []
    for ledger in generate_ledgers(spec):
        batch.append(ledger)
        if ledger.sequence == spec.layout.file_end(ledger.sequence):
            yield batch
            batch = []


def _pack_batch(batch: list[GeneratedLedger]) -> bytes:
    """`LedgerCloseMetaBatch`: first and last sequence, then the ledgers."""
    bounds = u32(batch[0].sequence) + u32(batch[-1].sequence)
    return bounds + array([ledger.xdr for ledger in batch])


def _manifest(spec: LakeSpec) -> bytes:
    document = {
        "networkPassphrase": spec.network_passphrase,
        "version": "1.0",
        "compression": "zstd",
        "ledgersPerBatch": spec.ledgers_per_file,
        "batchesPerPartition": spec.files_per_partition,
    }
    return json.dumps(document).encode()


def _check_strangers(spec: LakeSpec, out: Path) -> None:
    """Refuse a folder with a file that this lake does not have, before anything is written."""
    size = spec.ledgers_per_file
    starts = range(spec.layout.file_start(spec.first_ledger), spec.last_ledger + 1, size)
    expected: set[str] = set()
    for path in out.rglob("*"):
        if path.is_dir():
            continue
        expected = expected or {MANIFEST_KEY, *map(spec.layout.key_for, starts)}
        key = path.relative_to(out).as_posix()
        if key.removesuffix(_UNFINISHED) not in expected:
            _check_first(spec, out)
            raise LakeOccupied(
                f"`{out}` holds `{key}`, which is no file of the lake to write",
                hint=_LONGER if parse_key(key) else None,
            )


def _check_first(spec: LakeSpec, out: Path) -> None:
    """Tell a longer lake of other options from a longer one of the same, by its first file."""
    batch = next(_batches(spec))
    path = out / spec.layout.key_for(batch[0].sequence)
    if path.exists() and not _holds(path, _pack_batch(batch)):
        raise _different(path, out)


def _put_batch(path: Path, content: bytes, compressor: zstandard.ZstdCompressor, out: Path) -> bool:
    """Write a ledger file unless it is there; True if it was written."""
    if not path.exists():
        _replace(path, compressor.compress(content))
        return True
    if not _holds(path, content):
        raise _different(path, out)
    return False


def _holds(path: Path, content: bytes) -> bool:
    try:
        return decompress(path.name, path.read_bytes()) == content
    except CorruptFile:
        return False


def _put(path: Path, content: bytes, out: Path) -> None:
    if not path.exists():
        _replace(path, content)
    elif path.read_bytes() != content:
        raise _different(path, out)


def _replace(path: Path, content: bytes) -> None:
    """Write beside the name, then rename: nobody sees half a file."""
    unfinished = path.with_name(path.name + _UNFINISHED)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished.write_bytes(content)
    os.replace(unfinished, path)


def _different(path: Path, out: Path) -> LakeOccupied:
    key = path.relative_to(out).as_posix()
    return LakeOccupied(
        f"`{key}` in `{out}` differs from the file of the lake to write", hint=_OTHER_OPTIONS
    )
