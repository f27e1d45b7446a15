"""The header of a ledger, read without decoding the ledger."""

from __future__ import annotations

import struct
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.connectors.stellar.lake.errors import (
    HashMismatch,
    LakeError,
    UnknownLedgerVersion,
)
from cdp_pipeline.connectors.stellar.lake.ledger import (
    LedgerTruncated,
    read_header,
    verify_header_hash,
)

SIGNED = struct.pack(">II", 0, 1) + bytes(4) + bytes(32) + struct.pack(">I", 64) + bytes(64)
EMPTY_TX_SET = struct.pack(">II", 0, 2) + bytes(68) + SIGNED[8:]
UPGRADED = struct.pack(">II8sI5s3xI", 2, 8, b"u" * 8, 5, b"v" * 5, 0)


class TestRead:
    def test_real_ledgers(self, pubnet: Path) -> None:
        """V0, V1 and V2 ledgers of pubnet say their sequence, time, protocol and hashes."""
        import zstandard

        from cdp_pipeline.connectors.stellar.lake.layout import parse_key

        seen = set()
        for path in sorted(pubnet.rglob("*.xdr.zst")):
            name = parse_key(path.name)
            assert name is not None
            xdr = zstandard.decompress(path.read_bytes())
            header = read_header(xdr, 12)
            verify_header_hash(xdr, header)
            assert name.start == header.sequence
            seen.add((header.meta_version, header.protocol_version))

        assert {(0, 13), (1, 21), (1, 22), (2, 26)} == seen

    @pytest.mark.parametrize("value", [bytes(8), SIGNED, EMPTY_TX_SET, UPGRADED])
    @pytest.mark.parametrize("meta_version", [0, 1, 2])
    @pytest.mark.parametrize("extended", [False, True])
    def test_every_arm(self, made: Any, value: bytes, meta_version: int, extended: bool) -> None:
        """Every arm of the header's unions is stepped over; the hash covers the header alone."""
        xdr = b"??" + made.ledger(
            77, b"p" * 32, closed_at_s=99, meta_version=meta_version, extended=extended, value=value
        )
        header = read_header(xdr, 2)
        verify_header_hash(xdr, header)

        assert (77, 99, 13, b"p" * 32, meta_version) == (
            header.sequence,
            header.closed_at_s,
            header.protocol_version,
            header.previous_hash,
            header.meta_version,
        )
        assert header.hash == sha256(xdr[header.header_start : header.header_end]).digest()

    def test_unknown_version(self, made: Any) -> None:
        """A LedgerCloseMeta of a version to come is refused by name, not misread."""
        xdr = struct.pack(">I", 3) + made.ledger(77)[4:]

        with pytest.raises(UnknownLedgerVersion, match="unknown LedgerCloseMeta version 3"):
            read_header(xdr)

    @pytest.mark.parametrize(
        ("value", "error"),
        [
            (struct.pack(">II", 0, 3), UnknownLedgerVersion),
            (struct.pack(">II", 7, 0), LedgerTruncated),
            (struct.pack(">II", 1, 129), LedgerTruncated),
        ],
    )
    def test_bounds(self, made: Any, value: bytes, error: type[LakeError]) -> None:
        """Unknown arms and lengths beyond the format's bounds are refused."""
        with pytest.raises(error):
            read_header(made.ledger(77, value=value))

    @given(size=st.integers(0, 400))
    def test_cut_anywhere(self, made: Any, size: int) -> None:
        """A ledger cut inside its header is an error, never a header."""
        xdr = made.ledger(77, meta_version=2, extended=True)
        whole = read_header(xdr).header_end + 4

        if size < whole:
            with pytest.raises(LedgerTruncated, match="ends early"):
                read_header(xdr[:size])

    @given(data=st.binary(max_size=600))
    def test_any_bytes(self, data: bytes) -> None:
        """Whatever the bytes, the answer is a header within them or a lake error."""
        try:
            header = read_header(data)
        except LakeError:
            return
        assert header.header_end + 4 <= len(data)


class TestVerify:
    @given(st.data())
    def test_any_flipped_bit_shows(self, made: Any, data: st.DataObject) -> None:
        """No bit of hash or header can change unseen."""
        xdr = bytearray(made.ledger(77))
        end = read_header(bytes(xdr)).header_end
        at = data.draw(st.integers(4, end - 1))
        xdr[at] ^= 1 << data.draw(st.integers(0, 7))

        with pytest.raises((HashMismatch, LedgerTruncated, UnknownLedgerVersion)):
            verify_header_hash(bytes(xdr), read_header(bytes(xdr)))
