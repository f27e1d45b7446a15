"""Open a file of the lake: zstd frame, LedgerCloseMetaBatch, single ledgers.

SEP-54: the file is a zstd frame of the XDR
`LedgerCloseMetaBatch{uint32 startSequence; uint32 endSequence; LedgerCloseMeta ledgers<>}`.
The batch's own numbers count, not the file's name: the first file of a lake is
named from 0 but holds ledgers from 2 on.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator

import zstandard

from cdpplugin import PluginError

from .errors import CorruptFile, UnknownLedgerVersion
from .layout import FIRST_LEDGER, FileName
from .ledger import LedgerHeader, RawLedger, read_header, verify_header_hash

MAX_FILE_BYTES = 2 << 30
"""Default bound on what one file may decompress to."""

_BATCH_HEAD = struct.Struct(">III")
_MIN_LEDGER_BYTES = 4 + 32
_STEP_BYTES = 4096
_zstd = threading.local()


def decode_file(
    name: FileName, data: bytes, *, verify: bool = True, max_bytes: int = MAX_FILE_BYTES
) -> list[RawLedger]:
    """Return the ledgers of one file, in order.

    Args:
        name: What the file's key says.
        data: The file's bytes.
        verify: Check each header against the hash stored beside it.
        max_bytes: The most that the file may decompress to.

    Raises:
        CorruptFile: The file is empty, cut, damaged, or holds other ledgers than its name says.
        UnknownLedgerVersion: A ledger is of an XDR version that is not known.
        HashMismatch: A header's bytes and the hash stored beside it differ.
    """
    xdr = decompress(name.key, data, max_bytes=max_bytes)
    first, count = _read_head(name, xdr)
    ledgers: list[RawLedger] = []
    for sequence, start, end in _spans(name.key, xdr, first, count):
        header = _read_ledger_header(name.key, xdr, start, sequence)
        if verify:
            verify_header_hash(xdr, header)
        ledgers.append(
            RawLedger(
                sequence=sequence,
                closed_at_s=header.closed_at_s,
                protocol_version=header.protocol_version,
                hash=header.hash,
                xdr=xdr[start:end],
                previous_hash=header.previous_hash,
            )
        )
    return ledgers


def read_first_header(name: FileName, data: bytes) -> LedgerHeader:
    """Return the header of the first ledger of a file, decompressing no more than its start.

    Raises:
        CorruptFile: The file is empty, cut or damaged, or does not start as its name says.
    """
    if not data:
        raise CorruptFile(name.key, "a zstd frame expected, got an empty file")
    try:
        with zstandard.ZstdDecompressor().stream_reader(data) as reader:
            xdr = reader.read(_STEP_BYTES)
    except zstandard.ZstdError as error:
        raise CorruptFile(
            name.key, f"a zstd frame expected, got damaged bytes ({error})"
        ) from error
    first, _ = _read_head(name, xdr, whole=False)
    return _read_ledger_header(name.key, xdr, _BATCH_HEAD.size, first)


def decompress(key: str, data: bytes, *, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Return what the zstd frame *data* holds.

    Raises:
        CorruptFile: It is no whole frame, or holds more than *max_bytes*.
    """
    if not data:
        raise CorruptFile(key, "a zstd frame expected, got an empty file")
    try:
        size = zstandard.get_frame_parameters(data).content_size
        if size == zstandard.CONTENTSIZE_UNKNOWN:
            return _decompress_stepwise(key, data, max_bytes)
        _check_size(key, size, max_bytes)
        return _decompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise CorruptFile(
            key, f"a whole zstd frame expected, got cut or damaged bytes ({error})"
        ) from error


def _decompressor() -> zstandard.ZstdDecompressor:
    """One per thread: it is costly to make and must not be shared."""
    decompressor: zstandard.ZstdDecompressor | None = getattr(_zstd, "decompressor", None)
    if decompressor is None:
        decompressor = _zstd.decompressor = zstandard.ZstdDecompressor()
    return decompressor


def _decompress_stepwise(key: str, data: bytes, max_bytes: int) -> bytes:
    """Decompress a frame that does not say its size, stopping soon after the bound."""
    stream = zstandard.ZstdDecompressor().decompressobj()
    parts: list[bytes] = []
    size = 0
    for start in range(0, len(data), _STEP_BYTES):
        part = stream.decompress(data[start : start + _STEP_BYTES])
        parts.append(part)
        size += len(part)
        _check_size(key, size, max_bytes)
        if stream.eof:
            left = len(data) - start - _STEP_BYTES + len(stream.unused_data)
            if left > 0 or stream.unused_data:
                raise CorruptFile(key, "one zstd frame expected, got more bytes behind it")
            break
    if not stream.eof:
        raise CorruptFile(key, "a whole zstd frame expected, got one cut short")
    return b"".join(parts)


def _check_size(key: str, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise CorruptFile(key, f"at most {max_bytes} bytes expected, got {size} decompressed")


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


def _spans(key: str, xdr: bytes, first: int, count: int) -> Iterator[tuple[int, int, int]]:
    """Yield sequence, start and end offset of each ledger in the batch."""
    start = _BATCH_HEAD.size
    for index in range(count):
        # The last ledger fills the file, so a file of one ledger needs no walk through its XDR.
        last = index == count - 1
        end = len(xdr) if last else _ledger_end(key, xdr, start, first + index)
        yield first + index, start, end
        start = end


def _ledger_end(key: str, xdr: bytes, start: int, sequence: int) -> int:
    from cdp_pipeline.connectors.stellar.xdr import value_end

    try:
        end: int = value_end(xdr, start, "LedgerCloseMeta")
    except PluginError as error:
        raise CorruptFile(key, f"ledger {sequence} cannot be read: {error}") from error
    return end


def _read_ledger_header(key: str, xdr: bytes, start: int, sequence: int) -> LedgerHeader:
    try:
        header = read_header(xdr, start)
    except UnknownLedgerVersion as error:
        raise UnknownLedgerVersion(f"file `{key}`, ledger {sequence}: {error}") from error
    except PluginError as error:
        raise CorruptFile(key, f"ledger {sequence}: {error}") from error
    if header.sequence != sequence:
        raise CorruptFile(key, f"ledger {sequence} expected, got ledger {header.sequence}")
    return header
