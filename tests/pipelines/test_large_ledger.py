"""One ledger of more than 40 MB, from lake to Parquet and to SEP-51 JSON."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import zstandard

from cdp_pipeline.connectors.stellar.xdr import scan
from tests._workshop import Lake, Workshop, count, galexie, parquet, rows

LEDGER = 63092990
COPIES = 52
"""How often the ledger of 0.99 MB holds its transactions' results, for one of over 40 MB."""


def large_ledger(path: Path) -> tuple[bytes, int]:
    """Return the file of a ledger with its transactions' results many times over.

    Its header is as it was, so the hashes of its contents no longer fit: it is to be read
    without verification.
    """
    content = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    head, ledger = content[:12], content[12:]
    spans = scan(ledger, spans=["TransactionResultMetaV1"])
    start, end = spans[0].start, spans[-1].end
    many = struct.pack(">I", COPIES * len(spans)) + ledger[start:end] * COPIES
    large = head + ledger[: start - 4] + many + ledger[end:]
    return zstandard.ZstdCompressor(level=1).compress(large), len(large)


@pytest.fixture
def large_lake(lake: Lake) -> Lake:
    path = lake.file(LEDGER)
    content, size_bytes = large_ledger(path)
    assert size_bytes > 40_000_000
    path.write_bytes(content)
    return lake


class TestLargeLedger:
    def test_passes_into_rows(self, workshop: Workshop, large_lake: Lake) -> None:
        """A ledger far above the batch size in bytes goes alone, and whole."""
        done = workshop.run(
            "large",
            source=galexie(large_lake, LEDGER, LEDGER, verify=False),
            pipeline=[rows("ledgers"), parquet()],
        )

        assert 0 == done.code, done.err
        assert [LEDGER] == workshop.ledgers("out")
        assert 1 == count(workshop.folder / "out" / "ledgers")

    def test_passes_into_json(self, workshop: Workshop, large_lake: Lake) -> None:
        """Its SEP-51 JSON is one line, and names its sequence and every result."""
        done = workshop.run(
            "large",
            source=galexie(large_lake, LEDGER, LEDGER, verify=False),
            pipeline=["ledger-to-json", {"type": "save-to-jsonl", "config": {"path": "l.jsonl"}}],
        )
        [line] = (workshop.folder / "l.jsonl").read_bytes().splitlines()
        close = next(iter(json.loads(line).values()))

        assert 0 == done.code, done.err
        assert LEDGER == close["ledger_header"]["header"]["ledger_seq"]
        assert 0 == len(close["tx_processing"]) % COPIES
