"""A file of the lake, opened: frame, batch, ledgers."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import pytest
import zstandard

from cdp_pipeline.connectors.stellar.lake.batch_file import (
    decode_file,
    read_first_header,
)
from cdp_pipeline.connectors.stellar.lake.errors import (
    CorruptFile,
    HashMismatch,
    UnknownLedgerVersion,
)
from cdp_pipeline.connectors.stellar.lake.layout import FileName, Layout, parse_key


def name_of(sequence: int, per_file: int = 1) -> FileName:
    name = parse_key(Layout(per_file, 1).key_for(sequence))
    assert name is not None
    return name


def stream_compress(data: bytes) -> bytes:
    """A frame that does not say its size, as a streaming encoder writes it."""
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(data) + compressor.flush()


class TestDecode:
    def test_real_file_of_five(self, pubnet_by_five: Path, pubnet: Path) -> None:
        """A file of five ledgers holds the same ledgers as five files of one."""
        single = {
            ledger.sequence: ledger
            for path in pubnet.rglob("*--308220*.xdr.zst")
            for ledger in decode_file(name_of_path(path), path.read_bytes())
        }

        for path in sorted(pubnet_by_five.rglob("*.xdr.zst")):
            ledgers = decode_file(name_of_path(path), path.read_bytes())
            assert [single[ledger.sequence] for ledger in ledgers] == ledgers
            assert 5 == len(ledgers)

    def test_first_file_of_a_lake(self, made: Any) -> None:
        """A file named 0-63 may hold ledgers 2-63: the batch's own numbers count."""
        data = zstandard.compress(made.batch(2, made.chain(2, 63)))

        ledgers = decode_file(name_of(2, 64), data)

        assert list(range(2, 64)) == [ledger.sequence for ledger in ledgers]

    def test_empty_file(self) -> None:
        """An empty file is an error that names it."""
        with pytest.raises(CorruptFile, match=r"`FFFFFF9B--100\.xdr\.zst`.*empty file"):
            decode_file(name_of(100), b"")

    @pytest.mark.parametrize(
        ("sequence", "first", "last", "said"),
        [
            (100, 101, None, "ledgers 100 to 100 expected by its name, got a batch of 101 to 101"),
            (100, 100, 101, "got a batch of 100 to 101"),
            (100, 100, 99, "got a batch of 100 to 99"),
        ],
    )
    def test_other_ledgers(
        self, made: Any, sequence: int, first: int, last: int | None, said: str
    ) -> None:
        """A batch of other ledgers than the name says is an error."""
        data = zstandard.compress(made.batch(first, [made.ledger(sequence)], last=last))

        with pytest.raises(CorruptFile, match=said):
            decode_file(name_of(sequence), data)

    def test_wrong_count(self, made: Any) -> None:
        """A batch with more or less ledgers than its numbers span is an error."""
        data = zstandard.compress(made.batch(100, [made.ledger(100)], last=101))

        with pytest.raises(CorruptFile, match=r"2 ledgers .* expected, got 1"):
            decode_file(name_of(100, 2), data)

    def test_wrong_sequence_inside(self, made: Any) -> None:
        """A ledger whose header says another sequence is an error."""
        data = zstandard.compress(made.batch(100, [made.ledger(101)]))

        with pytest.raises(CorruptFile, match="ledger 100 expected, got ledger 101"):
            decode_file(name_of(100), data)

    def test_flipped_byte_in_the_header(self, made: Any) -> None:
        """A changed header does not pass, unless the check is switched off."""
        xdr = bytearray(made.batch(100, [made.ledger(100)]))
        xdr[12 + 4 + 32 + 4 + 1] ^= 1
        data = zstandard.compress(bytes(xdr))

        with pytest.raises(HashMismatch, match="ledger 100"):
            decode_file(name_of(100), data)
        assert 1 == len(decode_file(name_of(100), data, verify=False))

    def test_unknown_version_names_the_ledger(self, made: Any) -> None:
        """A ledger of a version to come is refused, naming file and ledger."""
        data = zstandard.compress(made.batch(100, [struct.pack(">I", 9) + made.ledger(100)[4:]]))

        with pytest.raises(UnknownLedgerVersion, match=r"`FFFFFF9B--100.*ledger 100.*version 9"):
            decode_file(name_of(100), data)

    @pytest.mark.parametrize("size", [0, 4, 11])
    def test_no_batch(self, size: int) -> None:
        """A frame too small for a batch is an error."""
        with pytest.raises(CorruptFile, match="a LedgerCloseMetaBatch expected"):
            decode_file(name_of(100), zstandard.compress(bytes(size)))


class TestFirstHeader:
    def test_needs_only_the_start(self, made: Any) -> None:
        """The first header of a file is read from its first bytes."""
        noise = random.Random(0).randbytes(1_000_000)
        data = stream_compress(made.batch(100, made.chain(100, 149)) + noise)

        assert 100 == read_first_header(name_of(100, 50), data[:500_000]).sequence

    @pytest.mark.parametrize("data", [b"", b"no frame"])
    def test_damaged(self, data: bytes) -> None:
        """An empty or damaged file is an error that names it."""
        with pytest.raises(CorruptFile, match="`FFFFFF9B--100"):
            read_first_header(name_of(100), data)


def name_of_path(path: Path) -> FileName:
    name = parse_key(path.name)
    assert name is not None
    return name
