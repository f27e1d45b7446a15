"""Ledgers follow one another."""

from __future__ import annotations

from typing import Any

import pytest

from cdp_pipeline.connectors.stellar.lake.chain import LedgerChain
from cdp_pipeline.connectors.stellar.lake.errors import BrokenChain
from cdp_pipeline.connectors.stellar.lake.ledger import RawLedger, read_header


def raw(xdr: bytes) -> RawLedger:
    header = read_header(xdr)
    return RawLedger(
        sequence=header.sequence,
        closed_at_s=header.closed_at_s,
        protocol_version=header.protocol_version,
        hash=header.hash,
        xdr=xdr,
        previous_hash=header.previous_hash,
    )


class TestExtend:
    def test_accepts_a_chain(self, made: Any) -> None:
        """Ledgers that name the one before them pass, and the chain knows its end."""
        ledgers = [raw(each) for each in made.chain(10, 15)]
        chain = LedgerChain(10)
        for ledger in ledgers:
            chain.extend(ledger)

        assert (16, ledgers[-1].hash) == (chain.next_sequence, chain.previous_hash)

    def test_a_skipped_ledger_breaks_it(self, made: Any) -> None:
        """A ledger that is not the next one is refused."""
        chain = LedgerChain(10)

        with pytest.raises(BrokenChain, match="ledger 10 expected, got 11"):
            chain.extend(raw(made.ledger(11)))

    def test_another_past_breaks_it(self, made: Any) -> None:
        """A ledger that names another one before it is refused, naming both hashes."""
        chain = LedgerChain(10, previous_hash=b"a" * 32)

        with pytest.raises(BrokenChain, match=f"{'61' * 32} expected, got {'62' * 32}"):
            chain.extend(raw(made.ledger(10, b"b" * 32)))
