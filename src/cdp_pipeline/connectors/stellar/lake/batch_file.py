"""Open a file of the lake: zstd frame, LedgerCloseMetaBatch, single ledgers.

SEP-54: the file is a zstd frame of the XDR
`LedgerCloseMetaBatch{uint32 startSequence; uint32 endSequence; LedgerCloseMeta ledgers<>}`.
The batch's own numbers count, not the file's name: the first file of a lake is
named from 0 but holds ledgers from 2 on.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from .contents import LedgerPart, split_batch, verify_contents
from .errors import CorruptFile, LakeError, UnknownLedgerVersion
from .frame import MAX_FILE_BYTES, decompress, decompress_start
from .layout import FIRST_LEDGER, FileName
from .ledger import LedgerHeader, LedgerTruncated, RawLedger, read_header, verify_header_hash

if TYPE_CHECKING:
    from cdp_pipeline.connectors.stellar.xdr import XdrError

_BATCH_HEAD = struct.Struct(">III")
_MIN_LEDGER_BYTES = 4 + 32
_INDEX = re.compile(r"\[(\d+)\]")
_HEADER_STEP_BYTES = 4096


def decode_file(
    name: FileName,
    data: bytes,
    *,
    verify: bool = True,
    check_contents: bool = True,
    max_bytes: int = MAX_FILE_BYTES,
) -> list[RawLedger]:
    """Return the ledgers of one file, in order.

    Args:
        name: What the file's key says.
        data: The file's bytes.
        verify: Check each header against the hash stored beside it.
        check_contents: Walk through each ledger, and check its transactions and results
            against its header.
        max_bytes: The most that the file may decompress to.

    Raises:
        CorruptFile: The file is empty, cut, damaged, or holds other ledgers than its name says.
        UnknownLedgerVersion: A ledger is of an XDR version that is not known.
        HashMismatch: A header, transactions or results differ from their hash.
    """
    xdr = decompress(name.key, data, max_bytes=max_bytes)
    return decode_batch(name, xdr, verify=verify, check_contents=check_contents)


def decode_batch(
    name: FileName, xdr: bytes, *, verify: bool = True, check_contents: bool = True
) -> list[RawLedger]:
    """Return the ledgers of a LedgerCloseMetaBatch, in order; see `decode_file`."""
    first, count = _read_head(name, xdr)
    ledgers: list[RawLedger] = []
    for sequence, part in enumerate(_parts(name.key, xdr, first, count, check_contents), first):
        header = _read_ledger_header(name.key, xdr, part.start, sequence)
        if verify:
            verify_header_hash(xdr, header)
        if check_contents:
            verify_contents(xdr, header, part.hashed)
        ledgers.append(
            RawLedger(
                sequence=sequence,
                closed_at_s=header.closed_at_s,
                protocol_version=header.protocol_version,
                hash=header.hash,
                xdr=xdr[part.start : part.end],
                previous_hash=header.previous_hash,
            )
        )
    return ledgers


def read_first_header(name: FileName, data: bytes) -> LedgerHeader:
    """Return the header of the first ledger of a file, decompressing no more than its start.

    Raises:
        CorruptFile: The file is empty, cut or damaged, or does not start as its name says.
    """
    xdr = decompress_start(name.key, data, _HEADER_STEP_BYTES)
    first, _ = _read_head(name, xdr, whole=False)
    return _read_ledger_header(name.key, xdr, _BATCH_HEAD.size, first)


def _read_head(name: FileName, xdr: bytes, *, whole: bool = True) -> tuple[int, int]:
    """Return first ledger and number of ledgers, checked against the file's name."""
    if len(xdr) < _BATCH_HEAD.size:
        raise CorruptFile(
            name.key, f"a LedgerCloseMetaBatch expected, got {len(xdr)} bytes decompressed"
        )
    first, last, count = _BATCH_HEAD.unpack_from(xdr)
    # The first file of a lake is named from 0 (or 1) on, and no ledger is below 2.
    if not name.start <= first <= max(name.start, FIRST_LEDGER) or last != name.end:
        raise CorruptFile(
            name.key,
            f"ledgers {name.first_ledger} to {name.end} expected by its name, "
            f"got a batch of {first} to {last}",
        )
    if count != last - first + 1:
        raise CorruptFile(
            name.key, f"{last - first + 1} ledgers ({first} to {last}) expected, got {count}"
        )
    if whole and count * _MIN_LEDGER_BYTES > len(xdr):
        raise CorruptFile(name.key, f"{count} ledgers expected, got only {len(xdr)} bytes")
    return first, count


def _parts(key: str, xdr: bytes, first: int, count: int, check_contents: bool) -> list[LedgerPart]:
    """Return where each ledger of the batch lies, and what of it is hashed."""
    start = _BATCH_HEAD.size
    # The first header tells an unknown version better than a walk, and costs nothing.
    _read_ledger_header(key, xdr, start, first)
    if count == 1 and not check_contents:
        return [LedgerPart(start, len(xdr), [])]
    from cdp_pipeline.connectors.stellar.xdr import XdrError

    try:
        return split_batch(xdr)
    except XdrError as error:
        raise _unreadable(key, first, count, error) from error


def _unreadable(key: str, first: int, count: int, error: XdrError) -> LakeError:
    index = _INDEX.search(error.path)
    sequence = first + min(int(index[1]) if index else 0, count - 1)
    if error.code == "xdr.unknown_arm":
        return UnknownLedgerVersion(
            f"file `{key}`, ledger {sequence}: {error}; "
            "the ledger is of a newer protocol, or damaged"
        )
    return CorruptFile(key, f"ledger {sequence} cannot be read: {error}")


def _read_ledger_header(key: str, xdr: bytes, start: int, sequence: int) -> LedgerHeader:
    try:
        header = read_header(xdr, start)
    except UnknownLedgerVersion as error:
        raise UnknownLedgerVersion(f"file `{key}`, ledger {sequence}: {error}") from error
    except LedgerTruncated as error:
        raise CorruptFile(key, f"ledger {sequence}: {error}") from error
    if header.sequence != sequence:
        raise CorruptFile(key, f"ledger {sequence} expected, got ledger {header.sequence}")
    return header
