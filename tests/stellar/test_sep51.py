"""SEP-51 JSON: equal to the official decoder's on real ledgers, and right in every special case."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.connectors.stellar.xdr import XdrError, to_sep51, value_end

DATA = Path(os.environ.get("CDP_TEST_DATA", Path(__file__).parents[2] / "../shared/data"))
GOLDEN = DATA / "golden/xdr-json"
LEDGERS = {
    **{path.stem.split("--")[1].split(".")[0]: path for path in DATA.glob("lake_1x*/**/*--*.zst*")},
    **{
        "testnet-" + path.stem.split("--")[1].split(".")[0]: path
        for path in DATA.glob("lake_testnet/*--*.zst")
    },
}
BATCH_HEADER_BYTES = 12

# The key and addresses are the examples of SEP-23.
KEY = bytes.fromhex("3f0c34bf93ad0d9971d04ccc90f705511c838aad9734a4a2fb0d7a03fc7fe89a")
G = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"
M = "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ"
C = "CA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUWDA"
L = "LA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUPJN"
B = "BAAD6DBUX6J22DMZOHIEZTEQ64CVCHEDRKWZONFEUL5Q26QD7R76RGR4TU"
P = (
    "PA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAQACAQDAQCQMBYIBEFAWDANBYHRAEISCMKB"
    "KFQXDAMRUGY4DUPB6IBZGM"
)


def uint(value: int) -> bytes:
    return struct.pack(">I", value)


def opaque(data: bytes) -> bytes:
    return uint(len(data)) + data + bytes(-len(data) % 4)


def decoded(xdr: bytes, type_name: str) -> Any:
    return json.loads(to_sep51(xdr, type_name))


def unpacked(path: Path) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())


def as_sep51_now(value: Any) -> Any:
    """The golden files write `type_` where SEP-51 says `type`."""
    if isinstance(value, dict):
        return {"type" if k == "type_" else k: as_sep51_now(v) for k, v in value.items()}
    return [as_sep51_now(v) for v in value] if isinstance(value, list) else value


@pytest.mark.skipif(not GOLDEN.exists(), reason=f"no golden JSON in {GOLDEN}")
class TestRealLedgers:
    def test_all_are_here(self) -> None:
        """None of the 19 golden ledgers is left out by accident."""
        assert 19 == len(LEDGERS) == len(list(GOLDEN.iterdir()))

    @pytest.mark.parametrize("name", LEDGERS)
    def test_equals_the_official_decoder(self, name: str) -> None:
        """Versions 0, 1 and 2 give the official JSON, with its keys in its order."""
        golden = unpacked(next(GOLDEN.glob(f"{name}.*")))
        ledger = unpacked(LEDGERS[name])[BATCH_HEADER_BYTES:]
        expected = json.dumps(as_sep51_now(json.loads(golden)))

        assert expected == json.dumps(decoded(ledger, "LedgerCloseMeta"))

    @pytest.mark.parametrize("name", LEDGERS)
    def test_a_batch_holds_the_same_ledger(self, name: str) -> None:
        """The object of a lake decodes as a whole, its range before its ledgers."""
        batch = unpacked(LEDGERS[name])
        sequence = int(name.removeprefix("testnet-"))
        ledger = to_sep51(batch[BATCH_HEADER_BYTES:])
        head = f'{{"start_sequence":{sequence},"end_sequence":{sequence},"ledger_close_metas":['

        assert head.encode() + ledger + b"]}" == to_sep51(batch, "LedgerCloseMetaBatch")
        assert len(batch) == value_end(batch, BATCH_HEADER_BYTES)


class TestAddresses:
    @pytest.mark.parametrize(
        ("type_name", "xdr", "expected"),
        [
            ("AccountID", uint(0) + KEY, G),
            ("PublicKey", uint(0) + KEY, G),
            ("NodeID", uint(0) + KEY, G),
            ("MuxedAccount", uint(0) + KEY, G),
            ("MuxedAccount", uint(0x100) + bytes(8) + KEY, M),
            ("MuxedEd25519Account", bytes(8) + KEY, M),
            ("ContractID", KEY, C),
            ("PoolID", KEY, L),
            ("ClaimableBalanceID", uint(0) + KEY, B),
            ("SignerKey", uint(0) + KEY, G),
            ("SignerKey", uint(3) + KEY + opaque(bytes(range(1, 33))), P),
            ("SCAddress", uint(0) + uint(0) + KEY, G),
            ("SCAddress", uint(1) + KEY, C),
            ("SCAddress", uint(2) + bytes(8) + KEY, M),
            ("SCAddress", uint(3) + uint(0) + KEY, B),
            ("SCAddress", uint(4) + KEY, L),
        ],
    )
    def test_are_strkeys(self, type_name: str, xdr: bytes, expected: str) -> None:
        """Every kind of address is its SEP-23 string."""
        assert expected == decoded(xdr, type_name)

    @pytest.mark.parametrize(("kind", "letter"), [(1, "T"), (2, "X")])
    def test_hash_signers_have_their_letters(self, kind: int, letter: str) -> None:
        """A pre-authorised transaction begins with T, a hash with X."""
        assert letter == decoded(uint(kind) + KEY, "SignerKey")[0]


class TestNumbers:
    @given(st.integers(0, 2**64 - 1))
    def test_u64_is_a_string(self, value: int) -> None:
        """64 bits do not fit a JSON number safely."""
        assert str(value) == decoded(value.to_bytes(8, "big"), "uint64")

    @given(st.integers(-(2**63), 2**63 - 1))
    def test_i64_is_a_string(self, value: int) -> None:
        assert str(value) == decoded(value.to_bytes(8, "big", signed=True), "int64")

    @given(st.integers(0, 2**32 - 1))
    def test_u32_is_a_number(self, value: int) -> None:
        assert value == decoded(uint(value), "uint32")

    @given(st.integers(-(2**31), 2**31 - 1))
    def test_i32_is_a_number(self, value: int) -> None:
        assert value == decoded(struct.pack(">i", value), "int32")

    @pytest.mark.parametrize("bits", [128, 256])
    @given(data=st.data())
    def test_wide_integers_are_one_decimal(self, bits: int, data: st.DataObject) -> None:
        """The parts of 128 and 256 bits are joined, signed and unsigned."""
        value = data.draw(st.integers(0, 2**bits - 1))
        xdr = value.to_bytes(bits // 8, "big")
        signed = int.from_bytes(xdr, "big", signed=True)

        assert str(value) == decoded(xdr, f"UInt{bits}Parts")
        assert str(signed) == decoded(xdr, f"Int{bits}Parts")

    @pytest.mark.parametrize("value", [0, 9, 10**9, 10**18, 2**64 - 1, 2**64, 10**36, 2**127])
    def test_wide_integers_at_group_borders(self, value: int) -> None:
        """Zeros inside a long number are not lost between groups of digits."""
        assert str(value) == decoded(value.to_bytes(32, "big"), "UInt256Parts")


class TestText:
    def test_every_byte(self) -> None:
        """Each byte of a string has one escape, lower-case, and survives JSON."""
        special = {0: r"\0", 9: r"\t", 10: r"\n", 13: r"\r", 92: "\\\\"}
        expected = [
            special.get(b, chr(b) if 0x20 <= b <= 0x7E else f"\\x{b:02x}") for b in range(256)
        ]

        assert "".join(expected) == decoded(opaque(bytes(range(256))), "SCString")

    @pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 31, 32, 33, 63, 64])
    def test_opaque_is_lower_hex(self, size: int) -> None:
        """Lengths around the width of the fast path come out whole."""
        data = bytes(0xF0 - index for index in range(size))

        assert data.hex() == decoded(opaque(data), "Signature")

    @pytest.mark.parametrize(
        ("type_name", "xdr", "expected"),
        [
            ("AssetCode4", b"USD\0", "USD"),
            ("AssetCode4", b"A\0B\0", r"A\0B"),
            ("AssetCode4", bytes(4), ""),
            ("AssetCode12", b"LONGERCODE\0\0", "LONGERCODE"),
            ("AssetCode12", b"USD".ljust(12, b"\0"), r"USD\0\0"),
            ("AssetCode", uint(1) + b"USD\0", "USD"),
            ("AssetCode", uint(2) + b"USD".ljust(12, b"\0"), r"USD\0\0"),
        ],
    )
    def test_asset_codes(self, type_name: str, xdr: bytes, expected: str) -> None:
        """Trailing zeros go, but a long code keeps five characters, so it stays a long code."""
        assert expected == decoded(xdr, type_name)


class TestShapes:
    def test_void_arm_is_its_name(self) -> None:
        assert "native" == decoded(uint(0), "Asset")

    def test_arm_is_an_object(self) -> None:
        assert {"u32": 7} == decoded(uint(3) + uint(7), "SCVal")

    def test_integer_arm_is_v(self) -> None:
        assert "v0" == decoded(uint(0), "ExtensionPoint")

    def test_absent_is_null(self) -> None:
        assert {"vec": None} == decoded(uint(16) + uint(0), "SCVal")

    def test_enum_loses_the_shared_prefix(self) -> None:
        assert "credit_alphanum4" == decoded(uint(1), "AssetType")

    def test_enum_of_one_keeps_its_name(self) -> None:
        """With one member there is nothing shared to remove."""
        assert "public_key_type_ed25519" == decoded(uint(0), "PublicKeyType")

    def test_mixed_case_names_are_split(self) -> None:
        assert "tx_success" == decoded(uint(0), "TransactionResultCode")

    def test_field_named_type(self) -> None:
        """SEP-51 says `type`; only older decoders write `type_`."""
        event = uint(0) + uint(0) + uint(2) + uint(0) + uint(0) + uint(1)
        expected = {
            "ext": "v0",
            "contract_id": None,
            "type": "diagnostic",
            "body": {"v0": {"topics": [], "data": "void"}},
        }

        assert expected == decoded(event, "ContractEvent")


class TestLimit:
    def test_json_may_be_bounded(self) -> None:
        """A bound below the JSON's size refuses, one of exactly its size does not."""
        xdr = opaque(bytes(100_000))
        size = len(to_sep51(xdr, "SCBytes"))

        assert size == len(to_sep51(xdr, "SCBytes", max_json_bytes=size))
        with pytest.raises(XdrError) as caught:
            to_sep51(xdr, "SCBytes", max_json_bytes=size - 1)
        assert "xdr.output_too_large" == caught.value.code
