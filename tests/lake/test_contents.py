"""A ledger's transactions and results are those that its header names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.connectors.stellar.lake.batch_file import decode_file
from cdp_pipeline.connectors.stellar.lake.contents import split_batch, verify_contents
from cdp_pipeline.connectors.stellar.lake.errors import (
    HashMismatch,
    LakeError,
    UnknownLedgerVersion,
)
from cdp_pipeline.connectors.stellar.lake.layout import parse_key
from cdp_pipeline.connectors.stellar.lake.ledger import LedgerHeader, read_header
from cdp_pipeline.connectors.stellar.xdr import scan

ONE_OF_EACH_VERSION = ("30822018", "53312000", "63092990", "997", "999")


def real_ledgers(data: Path) -> Iterator[bytes]:
    for path in sorted(data.glob("lake_[1t]*/**/*.xdr.zst")):
        if path.name.split("--")[1].split(".")[0] in ONE_OF_EACH_VERSION:
            yield zstandard.decompress(path.read_bytes())


def verify(batch: bytes, header: LedgerHeader | None = None) -> None:
    """Check the one ledger of a batch, against its own header where none is given."""
    (part,) = split_batch(batch)
    verify_contents(batch, header or read_header(batch, part.start), part.hashed)


class TestVerify:
    def test_real_ledgers(self, data: Path) -> None:
        """V0, V1 and V2 ledgers of pubnet and testnet agree with their headers."""
        ledgers = list(real_ledgers(data))
        for ledger in ledgers:
            verify(ledger)

        assert {0, 1, 2} == {read_header(ledger, 12).meta_version for ledger in ledgers}

    @pytest.mark.parametrize(
        ("span", "said"),
        [
            ("TransactionEnvelope", "transaction set hash"),
            ("TransactionResultPair", "transaction results hash"),
        ],
    )
    def test_a_changed_amount_shows(self, data: Path, span: str, said: str) -> None:
        """A changed envelope or result that is still good XDR differs from its hash."""
        for ledger in real_ledgers(data):
            places = scan(ledger, "LedgerCloseMetaBatch", [span])
            changed = bytearray(ledger)
            # The last bytes of a signature or the high bytes of a hash may be anything.
            at = places[-1].end - 1 if span == "TransactionEnvelope" else places[-1].start
            changed[at] ^= 1

            with pytest.raises(HashMismatch, match=said):
                verify(bytes(changed), read_header(ledger, 12))

    def test_an_empty_ledger(self, made: Any) -> None:
        """A ledger without transactions has hashes, too."""
        verify(made.batch(77, [made.ledger(77, b"p" * 32)]))


class TestSplit:
    def test_finds_every_ledger(self, made: Any) -> None:
        """The ledgers of a batch lie one behind the other, to its last byte."""
        ledgers = made.chain(100, 109)
        batch = made.batch(100, ledgers)

        assert ledgers == [batch[part.start : part.end] for part in split_batch(batch)]

    def test_names_the_ledger_that_is_damaged(self, made: Any) -> None:
        """A ledger of a batch that cannot be read is named by its sequence."""
        batch = bytearray(made.batch(100, made.chain(100, 109)))
        batch[split_batch(bytes(batch))[7].start + 3] = 9
        name = parse_key("FFFFFF9B--100-109.xdr.zst")
        assert name is not None

        with pytest.raises(UnknownLedgerVersion, match="ledger 107"):
            decode_file(name, zstandard.compress(bytes(batch)))


class TestFlippedBytes:
    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_envelopes_results_and_header(self, data: Path, draw: st.DataObject) -> None:
        """No flipped bit in header, transactions or results is ever read as a ledger."""
        path = data / "lake_testnet" / "FFFFFC1A--997.xdr.zst"
        name = parse_key(path.name)
        assert name is not None
        file = bytearray(zstandard.decompress(path.read_bytes()))
        header = read_header(bytes(file), 12)
        spans = [
            (12 + span.start, 12 + span.end)
            for span in scan(
                bytes(file[12:]), spans=["GeneralizedTransactionSet", "TransactionResultPair"]
            )
        ]
        start, end = draw.draw(
            st.sampled_from([(0, 16), (header.header_start - 32, header.header_end), *spans])
        )
        file[draw.draw(st.integers(start, end - 1))] ^= 1 << draw.draw(st.integers(0, 7))

        with pytest.raises(LakeError):
            decode_file(name, zstandard.compress(bytes(file)))
