"""Read the header of a LedgerCloseMeta without decoding the ledger.

The header stands at the start of every LedgerCloseMeta, so a few hundred bytes
tell its sequence, time, protocol and hashes. Layouts are those of
`Stellar-ledger.x` (stellar-xdr, protocol 27; the value type 2 of protocol 28):

    LedgerCloseMeta          int v = 0, 1, 2; for 1 and 2 a LedgerCloseMetaExt first
    LedgerHeaderHistoryEntry hash, LedgerHeader, ext
    hash                     sha256 of the XDR of LedgerHeader
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256

from .errors import HashMismatch, LakeError, UnknownLedgerVersion

_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")
_MAX_UPGRADES = 6
_MAX_UPGRADE_BYTES = 128
_MAX_SIGNATURE_BYTES = 64
_HASH_BYTES = 32
_AFTER_SEQUENCE_BYTES = 8 + 8 + 4 + 8 + 4 + 4 + 4 + 4 * _HASH_BYTES
"""totalCoins, feePool, inflationSeq, idPool, baseFee, baseReserve, maxTxSetSize, skipList."""


class LedgerTruncated(LakeError):
    """The bytes end inside a ledger header, or a length in it is out of bounds."""

    code = "lake.ledger_truncated"


@dataclass(frozen=True, slots=True)
class LedgerHeader:
    """What the header of one ledger says.

    Attributes:
        sequence: Ledger sequence.
        closed_at_s: Close time, Unix seconds.
        protocol_version: Protocol version of the ledger.
        hash: Hash of the header as stored beside it, 32 bytes.
        previous_hash: Hash of the ledger before, 32 bytes.
        transaction_set_hash: Hash of the transaction set; None for a value whose set was
            replaced by an empty one (StellarValue type 2), which is hashed otherwise.
        result_set_hash: Hash of the transaction results.
        meta_version: Arm of the LedgerCloseMeta: 0, 1 or 2.
        header_start: Offset of the XDR LedgerHeader in the bytes that were read.
        header_end: Offset just after it.
    """

    sequence: int
    closed_at_s: int
    protocol_version: int
    hash: bytes
    previous_hash: bytes
    transaction_set_hash: bytes | None
    result_set_hash: bytes
    meta_version: int
    header_start: int
    header_end: int


@dataclass(frozen=True, slots=True)
class RawLedger:
    """One ledger as the network published it, not decoded.

    Attributes:
        sequence: Ledger sequence.
        closed_at_s: Close time, Unix seconds.
        protocol_version: Protocol version of the ledger.
        hash: Hash of the ledger header, 32 bytes.
        xdr: XDR of the LedgerCloseMeta.
        previous_hash: Hash of the ledger before, 32 bytes.
    """

    sequence: int
    closed_at_s: int
    protocol_version: int
    hash: bytes
    xdr: bytes
    previous_hash: bytes


class _Cursor:
    """Reads forward through bytes and never past their end."""

    __slots__ = ("data", "offset")

    def __init__(self, data: bytes, offset: int) -> None:
        self.data = data
        self.offset = offset

    def skip(self, size: int) -> int:
        start = self.offset
        if size > len(self.data) - start:
            raise LedgerTruncated(
                f"ledger header ends early: {size} bytes wanted at offset {start}, "
                f"{max(0, len(self.data) - start)} left",
                hint="the bytes are damaged or are no LedgerCloseMeta",
            )
        self.offset = start + size
        return start

    def u32(self) -> int:
        value: int = _U32.unpack_from(self.data, self.skip(4))[0]
        return value

    def u64(self) -> int:
        value: int = _U64.unpack_from(self.data, self.skip(8))[0]
        return value

    def hash(self) -> bytes:
        start = self.skip(_HASH_BYTES)
        return self.data[start : start + _HASH_BYTES]

    def opaque(self, max_bytes: int, what: str) -> None:
        size = self.u32()
        if size > max_bytes:
            raise LedgerTruncated(
                f"{what} of at most {max_bytes} bytes expected, got a length of {size}",
                hint="the bytes are damaged or are no LedgerCloseMeta",
            )
        self.skip(size + -size % 4)

    def arm(self, known: int, what: str) -> int:
        """Read a union discriminant that must be below *known*."""
        value = self.u32()
        if value >= known:
            raise UnknownLedgerVersion(
                f"unknown {what} {value}: this reader knows 0 to {known - 1}; "
                "the ledger is of a newer protocol, or damaged"
            )
        return value


def read_header(xdr: bytes, offset: int = 0) -> LedgerHeader:
    """Read the header of the LedgerCloseMeta that starts at *offset* of *xdr*.

    Raises:
        LedgerTruncated: The bytes end inside the header, or a length is out of bounds.
        UnknownLedgerVersion: The ledger or its header has an arm that is not known.
    """
    cursor = _Cursor(xdr, offset)
    meta_version = cursor.arm(3, "LedgerCloseMeta version")
    if meta_version and cursor.arm(2, "LedgerCloseMetaExt"):
        cursor.arm(1, "LedgerCloseMetaExtV1 extension")
        cursor.skip(8)
    stored_hash = cursor.hash()
    header_start = cursor.offset
    protocol_version = cursor.u32()
    previous_hash = cursor.hash()
    transaction_set_hash, closed_at_s = _read_value(cursor)
    result_set_hash = cursor.hash()
    cursor.skip(_HASH_BYTES)
    sequence = cursor.u32()
    cursor.skip(_AFTER_SEQUENCE_BYTES)
    if cursor.arm(2, "LedgerHeader extension"):
        cursor.skip(4)
        cursor.arm(1, "LedgerHeaderExtensionV1 extension")
    header_end = cursor.offset
    cursor.arm(1, "LedgerHeaderHistoryEntry extension")
    return LedgerHeader(
        sequence=sequence,
        closed_at_s=closed_at_s,
        protocol_version=protocol_version,
        hash=stored_hash,
        previous_hash=previous_hash,
        transaction_set_hash=transaction_set_hash,
        result_set_hash=result_set_hash,
        meta_version=meta_version,
        header_start=header_start,
        header_end=header_end,
    )


def _read_value(cursor: _Cursor) -> tuple[bytes | None, int]:
    """Step over a StellarValue and return its transaction set hash and close time."""
    transaction_set_hash = cursor.hash()
    closed_at_s = cursor.u64()
    upgrades = cursor.u32()
    if upgrades > _MAX_UPGRADES:
        raise LedgerTruncated(
            f"at most {_MAX_UPGRADES} upgrades expected, got {upgrades}",
            hint="the bytes are damaged or are no LedgerCloseMeta",
        )
    for _ in range(upgrades):
        cursor.opaque(_MAX_UPGRADE_BYTES, "upgrade")
    value_type = cursor.arm(3, "StellarValue type")
    if value_type == 2:  # proposedValue: txSetHash, previousLedgerHash, previousLedgerVersion
        cursor.skip(2 * _HASH_BYTES + 4)
    if value_type:
        cursor.arm(1, "NodeID key type")
        cursor.skip(_HASH_BYTES)
        cursor.opaque(_MAX_SIGNATURE_BYTES, "signature")
    return (None if value_type == 2 else transaction_set_hash), closed_at_s


def verify_header_hash(xdr: bytes, header: LedgerHeader) -> None:
    """Check that sha256 of the header's XDR equals the hash stored beside it.

    Raises:
        HashMismatch: It does not.
    """
    computed = sha256(memoryview(xdr)[header.header_start : header.header_end]).digest()
    if computed != header.hash:
        raise HashMismatch(
            f"ledger {header.sequence}: header hash {header.hash.hex()} expected, "
            f"its bytes give {computed.hex()}"
        )
