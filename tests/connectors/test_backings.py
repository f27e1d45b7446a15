"""Payload columns of the host on the wire to and from plugins in other processes."""

from __future__ import annotations

import pytest

from cdp_pipeline.connectors.backings import HOST_BACKINGS, XdrPayloads
from cdpplugin import Batch, SourceInfo, UnsupportedEncoding, wire


def ledgers(**columns: object) -> Batch:
    payloads = XdrPayloads([b"\x01", b"\x02"], network="net", type_name="LedgerCloseMeta")
    source = SourceInfo("galexie", "net")
    batch = Batch(types="LedgerCloseMeta", payloads=payloads, sources=source)
    return batch.replace(**columns)


def test_raw_ledgers_come_back_as_ledgers() -> None:
    """Raw XDR that a plugin passes on is XDR of its type and network again."""
    batch = wire.decode_batch(wire.encode_batch(ledgers(), "xdr"), HOST_BACKINGS)
    payloads = batch.payloads
    assert isinstance(payloads, XdrPayloads)
    assert ([b"\x01", b"\x02"], "net") == (payloads.xdr, payloads.network)
    assert "LedgerCloseMeta" == payloads.type_name


def test_a_column_is_of_one_network() -> None:
    """Raw XDR of two networks in one batch is refused: nobody could read it rightly."""
    mixed = ledgers(sources=[SourceInfo("a", "net"), SourceInfo("a", "other")])
    with pytest.raises(UnsupportedEncoding, match="one type and network"):
        wire.decode_batch(wire.encode_batch(mixed), HOST_BACKINGS)
