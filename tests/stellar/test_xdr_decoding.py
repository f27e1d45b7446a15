"""Strictness, places of errors, spans, and where a value ends."""

from __future__ import annotations

import struct

import pytest
from stellar_sdk import Account, Asset, Keypair, Network, TransactionBuilder

from cdp_pipeline.connectors.stellar.xdr import (
    Span,
    XdrError,
    decode,
    scan,
    to_sep51,
    type_names,
    value_end,
)

SOURCE = Keypair.from_raw_ed25519_seed(bytes(32))


def uint(*values: int) -> bytes:
    return b"".join(struct.pack(">I", value & 0xFFFFFFFF) for value in values)


def envelope() -> bytes:
    """A payment and a path payment, signed."""
    builder = TransactionBuilder(
        Account(SOURCE.public_key, 1), Network.TESTNET_NETWORK_PASSPHRASE, base_fee=100
    )
    asset = Asset("LONGCODE", SOURCE.public_key)
    builder.append_payment_op(SOURCE.public_key, asset, "12.5")
    builder.append_path_payment_strict_send_op(
        SOURCE.public_key, asset, "1", Asset.native(), "2", [asset, Asset.native()]
    )
    transaction = builder.add_text_memo("héllo").set_timeout(30).build()
    transaction.sign(SOURCE)
    return transaction.to_xdr_object().to_xdr_bytes()


def nested_vectors(levels: int) -> bytes:
    """An SCVal of vectors inside each other; each level is a union and an array."""
    return uint(16, 1, 1) * levels + uint(1)


def refused(xdr: bytes, type_name: str) -> XdrError:
    """The error, which both modes must raise alike."""
    errors = []
    for call in (to_sep51, scan):
        with pytest.raises(XdrError) as caught:
            call(xdr, type_name)
        errors.append(caught.value)
    with_json, without = errors
    assert str(with_json) == str(without)
    return with_json


class TestRefusals:
    @pytest.mark.parametrize(
        ("code", "type_name", "xdr", "offset"),
        [
            ("xdr.truncated", "uint32", b"\0\0\0", 0),
            ("xdr.truncated", "uint64", bytes(7), 0),
            ("xdr.truncated", "Price", bytes(6), 4),
            ("xdr.truncated", "Hash", bytes(31), 0),
            ("xdr.truncated", "Signature", uint(5) + bytes(5), 4),
            ("xdr.truncated", "SCBytes", uint(0xFFFFFFFF), 4),
            ("xdr.truncated", "SCVec", uint(0xFFFFFFFF) + bytes(400), 4),
            ("xdr.truncated", "AccountID", uint(0) + bytes(31), 4),
            ("xdr.truncated", "Asset", b"", 0),
            ("xdr.trailing_bytes", "uint32", bytes(5), 4),
            ("xdr.trailing_bytes", "Asset", bytes(8), 4),
            ("xdr.unknown_arm", "Asset", uint(9), 0),
            ("xdr.unknown_arm", "Asset", uint(3), 0),
            ("xdr.unknown_arm", "TransactionMeta", uint(5), 0),
            ("xdr.unknown_arm", "LedgerCloseMeta", uint(-1), 0),
            ("xdr.unknown_arm", "AssetType", uint(4), 0),
            ("xdr.unknown_arm", "SCSpecType", uint(15), 0),
            ("xdr.unknown_arm", "AccountID", uint(1) + bytes(32), 0),
            ("xdr.unknown_arm", "MuxedAccount", uint(1) + bytes(32), 0),
            ("xdr.unknown_arm", "SCAddress", uint(5) + bytes(32), 0),
            ("xdr.unknown_arm", "SignerKey", uint(4) + bytes(32), 0),
            ("xdr.unknown_arm", "AssetCode", uint(0), 0),
            ("xdr.unknown_arm", "ClaimableBalanceID", uint(1) + bytes(32), 0),
            ("xdr.invalid", "SCVal", uint(0, 2), 4),
            ("xdr.invalid", "SponsorshipDescriptor", uint(2), 0),
            ("xdr.invalid", "Signature", uint(1) + b"x\0\0\1", 5),
            ("xdr.invalid", "SCString", uint(3) + b"abc!", 7),
            ("xdr.invalid", "SignerKey", uint(3) + bytes(32) + uint(1) + b"x\1\0\0", 41),
            ("xdr.too_long", "Signature", uint(65) + bytes(68), 0),
            ("xdr.too_long", "string32", uint(33) + bytes(36), 0),
            ("xdr.too_long", "SCSpecTypeTuple", uint(13) + bytes(4 * 13), 0),
            ("xdr.too_long", "SignerKey", uint(3) + bytes(32) + uint(65) + bytes(68), 36),
            ("xdr.too_deep", "SCVal", nested_vectors(751), 12 * 750),
        ],
    )
    def test_each_fault_has_its_code_and_place(
        self, code: str, type_name: str, xdr: bytes, offset: int
    ) -> None:
        """What is wrong is told apart, and the offset is that of the offending item."""
        error = refused(xdr, type_name)

        assert (code, offset) == (error.code, error.offset)
        assert error.hint

    def test_unknown_type_suggests_the_nearest(self) -> None:
        with pytest.raises(XdrError) as caught:
            to_sep51(b"", "LedgerClosemeta")

        assert ("xdr.unknown_type", "did you mean `LedgerCloseMeta`?") == (
            caught.value.code,
            caught.value.hint,
        )

    def test_every_prefix_is_truncated(self) -> None:
        """Wherever a value is cut, that is said; nothing is guessed."""
        xdr = envelope()
        codes = {refused(xdr[:end], "TransactionEnvelope").code for end in range(0, len(xdr))}

        assert {"xdr.truncated"} == codes

    def test_deepest_allowed(self) -> None:
        """1500 levels pass, and JSON comes out closed."""
        text = to_sep51(nested_vectors(750), "SCVal")

        assert b'{"vec":[' * 750 + b'"void"' + b"]}" * 750 == text


class TestPath:
    def test_names_fields_arms_and_elements(self) -> None:
        """The path leads to the item as it would through the JSON."""
        xdr = bytearray(envelope())
        operation = scan(xdr, "TransactionEnvelope", ["OperationBody"])[1]
        xdr[operation.start : operation.start + 4] = uint(99)
        error = refused(bytes(xdr), "TransactionEnvelope")

        assert "TransactionEnvelope.tx.tx.operations[1].body" == error.path
        assert "OperationBody" == error.type_name
        assert operation.start == error.offset
        assert "unknown arm of `OperationBody`, 99" in str(error)

    def test_innermost_name_of_an_unnamed_type(self) -> None:
        """An array without a name is told by the type around it."""
        error = refused(uint(13) + bytes(4 * 13), "SCSpecTypeTuple")

        assert ("SCSpecTypeTuple", "SCSpecTypeTuple.value_types") == (error.type_name, error.path)
        assert "has a length of 13, at most 12 is allowed" in str(error)


class TestSpans:
    def test_are_in_order_of_entry_and_cut_out_values(self) -> None:
        """Each span is the XDR of one value; outer values come before inner ones."""
        xdr = envelope()
        wanted = ["Transaction", "Operation", "Asset", "DecoratedSignature"]
        spans = decode(xdr, "TransactionEnvelope", wanted).spans

        assert ["Transaction", "Operation", "Asset", "Operation"] == [s[0] for s in spans[:4]]
        assert "DecoratedSignature" == spans[-1].type_name
        assert sorted(spans, key=lambda s: (s.start, -s.end)) == spans
        for span in spans:
            value = xdr[span.start : span.end]

            assert [(span.type_name, 0, len(value))] == scan(
                value, span.type_name, [span.type_name]
            )

    def test_are_the_same_without_json(self) -> None:
        """Skipping ahead in values of fixed size loses no span."""
        xdr = envelope()
        for name in type_names():
            expected = decode(xdr, "TransactionEnvelope", [name]).spans

            assert expected == scan(xdr, "TransactionEnvelope", [name])

    def test_outgrow_their_first_room(self) -> None:
        """More spans than were reserved push the JSON up without harming it."""
        count = 50_000
        xdr = uint(count) + uint(3, 7) * count
        decoded = decode(xdr, "SCVec", ["SCVal", "uint32"])

        assert 2 * count == len(decoded.spans)
        assert Span("uint32", len(xdr) - 4, len(xdr)) == decoded.spans[-1]
        assert b"[" + b",".join([b'{"u32":7}'] * count) + b"]" == decoded.json

    def test_selection_does_not_stick(self) -> None:
        """What one call asked for is not recorded for the next."""
        scan(uint(0), "Asset", ["Asset"])

        assert [] == scan(uint(0), "Asset")


class TestValueEnd:
    def test_walks_a_stream(self) -> None:
        """Values without framing are found one after the other."""
        first, second = envelope(), uint(0)
        stream = first + first + second
        end = value_end(stream, 0, "TransactionEnvelope")
        again = value_end(stream, end, "TransactionEnvelope")

        assert (len(first), 2 * len(first)) == (end, again)
        assert len(stream) == value_end(stream, again, "Asset")

    def test_asks_for_more(self) -> None:
        """A value that is not all there yet says so, counting from the start of the stream."""
        with pytest.raises(XdrError) as caught:
            value_end(bytes(10) + uint(0, 0)[:6], 10, "Price")

        assert ("xdr.truncated", 14) == (caught.value.code, caught.value.offset)

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_takes_any_bytes(self, kind: type) -> None:
        assert 4 == value_end(kind(uint(0)), 0, "Asset")
