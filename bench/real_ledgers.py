"""Real ledgers of the public network, from the shared test data; and a lake made of them."""

from __future__ import annotations

import json
import os
import struct
from itertools import cycle, islice
from pathlib import Path

import zstandard

from bench.case import Skip
from bench.machine import ROOT
from cdp_pipeline.connectors.stellar.lake import Layout, read_header
from cdp_pipeline.connectors.stellar.networks import PUBNET_PASSPHRASE

LARGE = (63092990, 57500008)
"""Ledgers of about 1 MB: protocols 26 and 23, with Soroban calls and CAP-67 events."""

FIRST = 60_000_000
_HEAD = struct.Struct(">III")
_SEQUENCE = struct.Struct(">I")
_DATA = Path(os.environ.get("CDP_TEST_DATA", ROOT / "../shared/data"))
_LAKE = _DATA / "lake_1x64000/ledgers/pubnet"


def ledger_batch_xdr(sequence: int) -> bytes:
    """Return a file of the lake decompressed: the XDR of a LedgerCloseMetaBatch of one ledger.

    Raises:
        Skip: The test data is not there.
    """
    path = _LAKE / Layout(1, 64000).key_for(sequence)
    if not path.is_file():
        raise Skip(f"no ledger {sequence} in the test data; set CDP_TEST_DATA to its folder")
    return zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())


def ledger_xdr(sequence: int) -> bytes:
    """Return the XDR of one LedgerCloseMeta.

    Raises:
        Skip: The test data is not there.
    """
    return ledger_batch_xdr(sequence)[_HEAD.size :]


def write_renumbered_lake(folder: Path, ledgers: int) -> None:
    """Write a lake of real ledgers that come again and again under consecutive numbers.

    Only the sequence in the header is changed, so the hash of the header no longer fits:
    such a lake is read with `verify: false`.

    Raises:
        Skip: The test data is not there.
    """
    layout = Layout(1, 64000)
    manifest = {
        "networkPassphrase": PUBNET_PASSPHRASE,
        "version": "1.0",
        "compression": "zstd",
        "ledgersPerBatch": layout.ledgers_per_file,
        "batchesPerPartition": layout.files_per_partition,
    }
    folder.mkdir(parents=True)
    (folder / ".config.json").write_text(json.dumps(manifest))
    originals = [ledger_xdr(sequence) for sequence in LARGE]
    for sequence, xdr in enumerate(islice(cycle(originals), ledgers), FIRST):
        path = folder / layout.key_for(sequence)
        path.parent.mkdir(exist_ok=True)
        batch = _HEAD.pack(sequence, sequence, 1) + _renumbered(xdr, sequence)
        path.write_bytes(zstandard.compress(batch))


def _renumbered(xdr: bytes, sequence: int) -> bytes:
    header = read_header(xdr, 0)
    old = _SEQUENCE.pack(header.sequence)
    place = xdr.index(old, header.header_start, header.header_end)
    changed = xdr[:place] + _SEQUENCE.pack(sequence) + xdr[place + len(old) :]
    assert read_header(changed, 0).sequence == sequence
    return changed
