"""Say what a lake holds: its layout, its ledgers, its files, and what is odd about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from .batch_file import read_first_header
from .catalog import Lake
from .layout import FileName, Layout, parse_key
from .ledger import LedgerHeader
from .listing import ledger_files
from .manifest import MANIFEST_KEY

_SAMPLES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeSummary:
    """What a lake holds.

    Attributes:
        address: The lake's address, without secrets.
        network: Name of its network, None where nothing tells.
        passphrase: Passphrase of its network, None where nothing tells.
        manifest_version: Version of the manifest, None where there is none.
        layout: Ledgers per file, files per partition.
        oldest_ledger: Lowest ledger, None for an empty lake.
        newest_ledger: Highest ledger.
        oldest_closed_at: When the first ledger of the oldest file closed, RFC 3339 in UTC.
        newest_closed_at: When the first ledger of the newest file closed.
        files: Ledger files; None where the store cannot list.
        size_bytes: Their size, compressed; None where the store cannot list.
        all_files_counted: Whether `files` and `size_bytes` are those of the whole lake; a count
            that stopped early says "at least". It does not say that no ledger is missing.
        extensions: Ledger files by suffix.
        other_files: Files that are neither ledgers nor the manifest.
        protocol_versions: Protocol versions of sampled ledgers, ascending.
        meta_versions: LedgerCloseMeta versions of sampled ledgers, ascending.
        notes: What is odd about the lake, one sentence each.
    """

    address: str
    network: str | None
    passphrase: str | None
    manifest_version: str | None
    layout: Layout
    oldest_ledger: int | None
    newest_ledger: int | None
    oldest_closed_at: str | None
    newest_closed_at: str | None
    files: int | None
    size_bytes: int | None
    all_files_counted: bool
    extensions: dict[str, int]
    other_files: int
    protocol_versions: list[int]
    meta_versions: list[int]
    notes: list[str]


@dataclass(slots=True)
class _Count:
    files: int = 0
    size_bytes: int = 0
    other_files: int = 0
    is_complete: bool = True


async def summarize(
    lake: Lake, *, near: int | None = None, max_files: int = 1_000_000
) -> LakeSummary:
    """Return what *lake* holds.

    Args:
        lake: The lake.
        near: A ledger known to exist, for stores that cannot list.
        max_files: Count at most so many files; a listing costs a request per thousand.

    Raises:
        CorruptFile, UnknownLedgerVersion: A sampled file cannot be read.
        LakeError: The store did not answer.
    """
    files = ledger_files(lake, near)
    oldest, newest = await files.oldest(), await files.newest()
    headers: list[LedgerHeader] = []
    if oldest is not None and newest is not None:
        names = {oldest, newest}
        if lake.store.can_list:
            for sequence in _spread(oldest.start, newest.start):
                name = await files.at_or_before(sequence)
                names.update(() if name is None else (name,))
        headers = [await _header(lake, name) for name in sorted(names)]
    extensions: Counter[str] = Counter()
    count = await _count(lake, extensions, max_files) if lake.store.can_list else None
    notes = list(lake.notes)
    if lake.manifest is None:
        notes.append(f"no `{MANIFEST_KEY}`: the layout is that of the settings and file names")
    if len(extensions) > 1:
        notes.append("file suffixes are mixed: both are read")
    if oldest is not None and newest is not None and count is not None and count.is_complete:
        notes.extend(_missing(lake, oldest, newest, count.files))
    if count is None:
        notes.append(
            "the store cannot list: files are not counted, and the newest ledger is "
            "the end of the unbroken run of files that was found"
        )
    return LakeSummary(
        address=lake.address,
        network=None if lake.network is None else lake.network.name,
        passphrase=None if lake.network is None else lake.network.passphrase,
        manifest_version=None if lake.manifest is None else lake.manifest.version,
        layout=lake.layout,
        oldest_ledger=None if oldest is None else oldest.first_ledger,
        newest_ledger=None if newest is None else newest.end,
        oldest_closed_at=_time(headers[0].closed_at_s) if headers else None,
        newest_closed_at=_time(headers[-1].closed_at_s) if headers else None,
        files=None if count is None else count.files,
        size_bytes=None if count is None else count.size_bytes,
        all_files_counted=count is not None and count.is_complete,
        extensions=dict(extensions),
        other_files=0 if count is None else count.other_files,
        protocol_versions=sorted({header.protocol_version for header in headers}),
        meta_versions=sorted({header.meta_version for header in headers}),
        notes=notes,
    )


def _missing(lake: Lake, oldest: FileName, newest: FileName, files: int) -> list[str]:
    promised = (newest.start - oldest.start) // lake.layout.ledgers_per_file + 1
    if files >= promised:
        return []
    return [
        f"{promised - files} of {promised} files between the oldest and the newest ledger are "
        f"missing: see `flowctl lake gaps {lake.address}`"
    ]


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _spread(first: int, last: int) -> list[int]:
    """Return sequences spread evenly between two files."""
    return [first + (last - first) * step // (_SAMPLES + 1) for step in range(1, _SAMPLES + 1)]


async def _header(lake: Lake, name: FileName) -> LedgerHeader:
    return read_first_header(name, await lake.store.get(name.key) or b"")


async def _count(lake: Lake, extensions: Counter[str], max_files: int) -> _Count:
    count = _Count()
    async for page in lake.store.pages():
        for each in page:
            name = parse_key(each.key)
            if name is not None:
                count.files += 1
                count.size_bytes += each.size_bytes
                extensions[name.extension] += 1
            elif each.key != MANIFEST_KEY:
                count.other_files += 1
        if count.files >= max_files:
            count.is_complete = False
            break
    return count
