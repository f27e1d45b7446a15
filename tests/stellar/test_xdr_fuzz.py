"""Damaged bytes: refused, or understood exactly as another decoder understands them."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import pytest
import stellar_sdk.xdr
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from stellar_sdk import Account, Asset, Keypair, Network, TransactionBuilder, scval

from cdp_pipeline.connectors.stellar.xdr import XdrError, decode, scan, value_end

DATA = Path(os.environ.get("CDP_TEST_DATA", Path(__file__).parents[2] / "../shared/data"))
LEDGER = DATA / "lake_testnet/FFFFFC19--998.xdr.zst"
SPANS = ("TransactionEnvelope", "LedgerEntryChanges", "SCVal", "Asset", "uint64")

mutations = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.floats(0, 1), st.sampled_from([0, 1, 2, 5, 0x7F, 0x80, 0xFF])),
        st.tuples(st.just("flip"), st.floats(0, 1), st.integers(1, 255)),
        st.tuples(st.just("cut"), st.floats(0.5, 1), st.just(0)),
        st.tuples(st.just("drop"), st.floats(0, 1), st.integers(1, 8)),
        st.tuples(st.just("repeat"), st.floats(0, 1), st.integers(1, 64)),
    ),
    min_size=1,
    max_size=3,
)


def damaged(xdr: bytes, changes: list[tuple[str, float, int]]) -> bytes:
    """The bytes after each change at its relative place."""
    data = bytearray(xdr)
    for kind, place, value in changes:
        at = min(int(place * len(data)), len(data) - 1)
        match kind:
            case _ if at < 0:
                break
            case "set":
                data[at] = value
            case "flip":
                data[at] ^= value
            case "cut":
                del data[at:]
            case "drop":
                del data[at : at + value]
            case "repeat":
                data[at:at] = data[at : at + value]
    return bytes(data)


@cache
def envelope() -> bytes:
    """A transaction with a payment and a contract call."""
    key = Keypair.from_raw_ed25519_seed(bytes(32))
    passphrase = Network.TESTNET_NETWORK_PASSPHRASE
    builder = TransactionBuilder(Account(key.public_key, 1), passphrase, base_fee=100)
    builder.append_payment_op(key.public_key, Asset("USD", key.public_key), "1")
    arguments = [scval.to_vec([scval.to_int128(-5), scval.to_symbol("abc")]), scval.to_bool(True)]
    contract = "CA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUWDA"
    builder.append_invoke_contract_function_op(contract, "swap", arguments)
    transaction = builder.set_timeout(30).build()
    transaction.sign(key)
    return transaction.to_xdr_object().to_xdr_bytes()


@cache
def ledger() -> bytes:
    """A small real ledger, as a lake holds it."""
    return zstandard.ZstdDecompressor().decompressobj().decompress(LEDGER.read_bytes())


def check(xdr: bytes, type_name: str) -> None:
    """All modes agree; what they accept, stellar-sdk accepts and writes back unchanged."""
    try:
        decoded = decode(xdr, type_name, SPANS)
    except XdrError as error:
        refusal = error
    else:
        json.loads(decoded.json)
        assert decoded.spans == scan(xdr, type_name, SPANS)
        assert len(xdr) == value_end(xdr, 0, type_name)
        theirs = getattr(stellar_sdk.xdr, type_name).from_xdr_bytes(xdr)
        assert xdr == theirs.to_xdr_bytes()
        return
    assert 0 <= refusal.offset <= len(xdr)
    assert refusal.path.startswith(type_name)
    for spans in ((), SPANS):
        with pytest.raises(XdrError) as caught:
            scan(xdr, type_name, spans)
        assert str(refusal) == str(caught.value)


@given(mutations)
@settings(max_examples=400, deadline=None)
def test_damaged_transactions(changes: list[tuple[str, float, int]]) -> None:
    """No damage to a transaction crashes the kernel or slips through it."""
    check(damaged(envelope(), changes), "TransactionEnvelope")


@pytest.mark.skipif(not LEDGER.exists(), reason=f"no real ledger at {LEDGER}")
@given(mutations)
@settings(max_examples=200, deadline=None)
def test_damaged_ledgers(changes: list[tuple[str, float, int]]) -> None:
    """No damage to a ledger crashes the kernel or slips through it."""
    check(damaged(ledger(), changes), "LedgerCloseMetaBatch")


@given(st.sampled_from(["SCVal", "LedgerEntry", "TransactionMeta", "SCPEnvelope"]), st.binary())
@settings(max_examples=400, deadline=None)
def test_noise(type_name: str, xdr: bytes) -> None:
    """Bytes that were never a value are treated no differently."""
    check(xdr, type_name)
