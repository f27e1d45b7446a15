"""The small parts rows are made of: ids, addresses, amounts, names, contract values."""

from __future__ import annotations

import base64
import os
import re
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stellar_sdk import Asset as SdkAsset
from stellar_sdk import LiquidityPoolAsset, StrKey, scval
from stellar_sdk import xdr as sdk

from cdp_pipeline.connectors.stellar.rows.amounts import decimal, price, units
from cdp_pipeline.connectors.stellar.rows.assets import (
    NATIVE,
    asset_contract,
    asset_id,
    asset_xdr,
    code_asset,
    parse_canonical,
    pool_id,
)
from cdp_pipeline.connectors.stellar.rows.fingerprint import fingerprint64
from cdp_pipeline.connectors.stellar.rows.operation_details import READERS, TYPE_NUMBERS
from cdp_pipeline.connectors.stellar.rows.operations import trace_code
from cdp_pipeline.connectors.stellar.rows.scval import scval_end
from cdp_pipeline.connectors.stellar.rows.scval_text import render, type_name
from cdp_pipeline.connectors.stellar.rows.strkey import decode, encode, muxed_address, muxed_parts
from cdp_pipeline.connectors.stellar.rows.text import camel, string_bytes, string_text
from cdp_pipeline.connectors.stellar.rows.toid import parts, toid

DATA = Path(os.environ.get("CDP_TEST_DATA", Path(__file__).parents[2] / "../shared/data"))
PASSPHRASE = "Test SDF Network ; September 2015"
NETWORK_ID = sha256(PASSPHRASE.encode()).digest()
# The key and the M address are the examples of SEP-23.
G = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"
M = "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ"


def test_toid_is_the_example_of_sep_35() -> None:
    """Ledger, transaction and operation take 32, 20 and 12 bits."""
    assert toid(0) == 0
    assert toid(1) == 4294967296
    assert toid(1, 0, 1) == 4294967297
    assert toid(1, 1) == 4294971392
    assert parts(toid(63092990, 236, 100)) == (63092990, 236, 100)


@pytest.mark.parametrize("value", [(1 << 31,), (1, 1 << 20), (1, 1, 1 << 12), (-1,)])
def test_toid_refuses_what_does_not_fit(value: tuple[int, ...]) -> None:
    """No part runs over into the next."""
    with pytest.raises(ValueError, match="got"):
        toid(*value)


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**20 - 1), st.integers(0, 2**12 - 1))
def test_toid_and_its_parts_are_inverse(ledger: int, transaction: int, operation: int) -> None:
    """Splitting an id gives what it was made of."""
    assert (ledger, transaction, operation) == parts(toid(ledger, transaction, operation))


def test_muxed_addresses_split_and_join() -> None:
    """An M address is a G address and an id (SEP-23); a G address has no id."""
    assert muxed_parts(G) == (G, None)
    assert muxed_parts(muxed_address(G, 1 << 63)) == (G, 9223372036854775808)
    assert muxed_address(*muxed_parts(M)) == M  # type: ignore[arg-type]


def test_strkeys_are_those_of_the_sdk() -> None:
    """Encoding agrees with stellar-sdk; a wrong character is found by the checksum."""
    key = StrKey.decode_ed25519_public_key(G)

    assert encode(6 << 3, key) == G
    assert key == decode(G)
    with pytest.raises(ValueError, match="checksum"):
        decode(G[:-1] + "A")


@given(st.binary(max_size=77))
def test_strkeys_of_any_length_are_base32(payload: bytes) -> None:
    """Up to 77 bytes of payload; the standard library reads back what was written."""
    text = encode(6 << 3, payload)
    raw = base64.b32decode(text + "=" * (-len(text) % 8))

    assert bytes([6 << 3]) + payload == raw[:-2]
    assert payload == decode(text)


@pytest.mark.parametrize(
    ("stroops", "number", "text"),
    [
        ("0", 0.0, "0.0000000"),
        ("1", 1e-7, "0.0000001"),
        ("55641021", 5.5641021, "5.5641021"),
        ("-5", -5e-7, "-0.0000005"),
        (str(2**63 - 1), 922337203685.4775807, "922337203685.4775807"),
    ],
)
def test_amounts_have_seven_decimals(stroops: str, number: float, text: str) -> None:
    """As a number, the float nearest to the exact value; as text, always seven decimals."""
    assert number == units(stroops)
    assert text == decimal(stroops)


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        (1, 10_000_000, 1e-7),
        (1, 20_000_000, 1e-7),
        (1, 3, 0.3333333),
        (2, 3, 0.6666667),
        (1, 0, None),
    ],
)
def test_prices_are_rounded_half_away_from_zero(
    numerator: int, denominator: int, expected: float | None
) -> None:
    """Seven decimals; a price over zero is none."""
    assert expected == price(numerator, denominator)


def test_asset_ids_are_hubbles() -> None:
    """Known ids of an asset of four, one of twelve characters, and of the native one."""
    usd = parse_canonical("USD:GDUKMGUGDZQK6YHYA5Z6AY2G4XDSZPSZ3SW5UN3ARVMO6QSRDWP5YLEX")
    treep = parse_canonical("TREEP:GAVBWV24PZ6POVQGQO5UEWGO3TO7ERYXRFFI6V5VH3BMTPDZOHVOFA3G")

    assert usd is not None
    assert treep is not None
    assert asset_id(usd) == -3581730783529410773
    assert asset_id(treep) == -6631270795602234013
    assert asset_id(NATIVE) == -5706705804583548011
    with pytest.raises(ValueError, match="longer than 64"):
        fingerprint64(b"short")


@pytest.mark.parametrize("code", ["A", "USDC", "ABCDE", "ABCDEFGHIJKL"])
def test_asset_xdr_and_contracts_are_those_of_the_sdk(code: str) -> None:
    """XDR and contract address of an issued asset agree with stellar-sdk."""
    asset = parse_canonical(f"{code}:{G}")

    assert asset is not None
    assert SdkAsset(code, G).to_xdr_object().to_xdr_bytes() == asset_xdr(asset)
    assert SdkAsset(code, G).contract_id(PASSPHRASE) == asset_contract(asset, NETWORK_ID)
    assert SdkAsset.native().contract_id(PASSPHRASE) == asset_contract(NATIVE, NETWORK_ID)


@pytest.mark.parametrize("text", ["", "USD", "USD:", f"ABCDEFGHIJKLM:{G}", "USD:GSHORT", f":{G}"])
def test_text_that_names_no_asset_is_none(text: str) -> None:
    """Only `native` and `CODE:ISSUER` are read."""
    assert parse_canonical(text) is None


def test_a_padded_code_is_one_of_twelve_bytes() -> None:
    """SEP-51 pads a twelve-byte code of fewer than five characters with zero bytes."""
    assert code_asset("ABC", G) == ("credit_alphanum4", "ABC", G)
    assert code_asset("ABC\\0\\0", G) == ("credit_alphanum12", "ABC", G)


def test_pool_ids_are_those_of_the_sdk() -> None:
    """The id of a pool is the hash of its parameters."""
    issued = {"credit_alphanum4": {"asset_code": "USDC", "issuer": G}}
    pool = LiquidityPoolAsset(SdkAsset.native(), SdkAsset("USDC", G))

    got = pool_id({"asset_a": "native", "asset_b": issued, "fee": 30})
    assert pool.liquidity_pool_id == got.hex()


@pytest.mark.parametrize(
    ("escaped", "raw"),
    [
        ("plain", b"plain"),
        (r"a\\b", rb"a\b"),
        (r"\0\t\n\r", b"\0\t\n\r"),
        (r"caf\xc3\xa9", b"caf\xc3\xa9"),
    ],
)
def test_strings_lose_their_escapes(escaped: str, raw: bytes) -> None:
    """SEP-51's escapes stand for single bytes."""
    assert raw == string_bytes(escaped)
    assert raw.decode() == string_text(escaped)


def test_text_that_is_not_utf8_gets_replacement_characters() -> None:
    """A memo may hold any bytes; the row stays valid text."""
    assert string_text(r"a\xffb") == "a\ufffdb"


def _result_enums() -> dict[str, list[str]]:
    text = (DATA / "xdr/py-stellar-base_xdr/Stellar-transaction.x").read_text()
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    enums = re.findall(r"enum (\w+ResultCode)\s*\{(.*?)\}", text, re.DOTALL)
    return {name: re.findall(r"([A-Za-z_0-9]+)\s*=", body) for name, body in enums}


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no test data at {DATA}; set CDP_TEST_DATA")
@pytest.mark.parametrize("operation", READERS)
def test_trace_codes_are_named_after_their_xdr_constants(operation: str) -> None:
    """`<enum><constant>` in camel case for each result of each operation type of the protocol."""
    kind = "manage_sell_offer" if operation == "create_passive_sell_offer" else operation
    enums = {name.lower(): (name, constants) for name, constants in _result_enums().items()}
    name, constants = enums[kind.replace("_", "") + "resultcode"]
    for constant in constants:
        arm = constant.lower().removeprefix(kind + "_")
        expected = name.replace("TTL", "Ttl") + camel(constant.lower())  # as xdrgen writes it in Go
        assert expected == trace_code(operation, f'"{arm}"'.encode())
        assert expected == trace_code(operation, f'{{"{arm}":{{}}}}'.encode())


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no test data at {DATA}; set CDP_TEST_DATA")
def test_every_operation_type_of_the_protocol_has_details() -> None:
    """Names and numbers are those of OperationType."""
    text = (DATA / "xdr/py-stellar-base_xdr/Stellar-transaction.x").read_text()
    body = re.search(r"enum OperationType\s*\{(.*?)\}", text, re.DOTALL)

    assert body is not None
    expected = {name.lower(): int(value) for name, value in re.findall(r"(\w+) = (\d+)", body[1])}
    assert expected == TYPE_NUMBERS


SIMPLE = st.one_of(
    st.booleans().map(scval.to_bool),
    st.just(scval.to_void()),
    st.integers(0, 2**32 - 1).map(scval.to_uint32),
    st.integers(-(2**31), 2**31 - 1).map(scval.to_int32),
    st.integers(0, 2**64 - 1).map(scval.to_uint64),
    st.integers(-(2**127), 2**127 - 1).map(scval.to_int128),
    st.integers(0, 2**256 - 1).map(scval.to_uint256),
    st.binary(max_size=9).map(scval.to_bytes),
    st.text("abcXYZ_09", max_size=9).map(scval.to_symbol),
    st.binary(max_size=9).map(scval.to_string),
    st.just(scval.to_address(G)),
    st.just(scval.to_address(SdkAsset.native().contract_id(PASSPHRASE))),
    st.just(sdk.SCVal(sdk.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE)),
    st.just(sdk.SCVal(sdk.SCValType.SCV_LEDGER_KEY_NONCE, nonce_key=sdk.SCNonceKey(sdk.Int64(5)))),
    st.just(
        sdk.SCVal(
            sdk.SCValType.SCV_ERROR,
            error=sdk.SCError(sdk.SCErrorType.SCE_CONTRACT, contract_code=sdk.Uint32(7)),
        )
    ),
)


def _instance(storage: list[tuple[sdk.SCVal, sdk.SCVal]], wasm: bool) -> sdk.SCVal:
    executable = sdk.ContractExecutable(
        sdk.ContractExecutableType.CONTRACT_EXECUTABLE_WASM, sdk.Hash(bytes(32))
    )
    if not wasm:
        executable = sdk.ContractExecutable(
            sdk.ContractExecutableType.CONTRACT_EXECUTABLE_STELLAR_ASSET
        )
    entries = sdk.SCMap([sdk.SCMapEntry(key, value) for key, value in storage])
    instance = sdk.SCContractInstance(executable, entries if storage else None)
    return sdk.SCVal(sdk.SCValType.SCV_CONTRACT_INSTANCE, instance=instance)


def _map(pairs: list[tuple[sdk.SCVal, sdk.SCVal]]) -> sdk.SCVal:
    entries = sdk.SCMap([sdk.SCMapEntry(key, value) for key, value in pairs])
    return sdk.SCVal(sdk.SCValType.SCV_MAP, map=entries)


VALUES = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(scval.to_vec),
        st.lists(st.tuples(inner, inner), max_size=3).map(_map),
        st.builds(_instance, st.lists(st.tuples(inner, inner), max_size=2), st.booleans()),
    ),
    max_leaves=12,
)


@given(VALUES, st.integers(0, 3), st.binary(max_size=8))
def test_contract_values_end_where_the_sdk_ends_them(
    value: sdk.SCVal, words: int, after: bytes
) -> None:
    """The end is found for every type, nested, at any offset, whatever follows."""
    encoded = value.to_xdr_bytes()
    before = bytes(4 * words)

    assert len(before + encoded) == scval_end(before + encoded + after, len(before))


def test_an_unknown_contract_value_is_refused() -> None:
    """A type beyond those known has no length to skip."""
    with pytest.raises(ValueError, match="got 99"):
        scval_end((99).to_bytes(4, "big"), 0)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ({"bool": True}, "B", "true"),
        ("void", "", "(void)"),
        ({"i128": "-5"}, "I128", "-5"),
        ({"symbol": "swap"}, "Sym", "swap"),
        ({"string": r"a\n"}, "Str", "a\n"),
        ({"bytes": "00ff"}, "Bytes", "00ff"),
        ({"address": G}, "Address", G),
        ({"vec": [{"u32": 1}, {"symbol": "a"}]}, "Vec", "[1 a]"),
        ({"vec": None}, "Vec", "nil"),
        ({"map": [{"key": {"symbol": "k"}, "val": {"u32": 1}}]}, "Map", "[{k 1}]"),
        ({"timepoint": "0"}, "Timepoint", "1970-01-01 00:00:00 +0000 UTC"),
        ({"error": {"contract": 3}}, "Error", "ScErrorTypeSceContract(3)"),
        (
            {"error": {"wasm_vm": "invalid_action"}},
            "Error",
            "ScErrorTypeSceWasmVm(ScErrorCodeScecInvalidAction)",
        ),
        ({"ledger_key_nonce": {"nonce": "255"}}, "NonceKey", "{FF}"),
        ("ledger_key_contract_instance", "", "(LedgerKeyContractInstance)"),
        (
            {"contract_instance": {"executable": "stellar_asset", "storage": None}},
            "Instance",
            "(StellarAssetContract)",
        ),
    ],
)
def test_contract_values_as_parameters_show_them(value: object, kind: str, text: str) -> None:
    """The type's name and the value as text, for every kind of value."""
    assert kind == type_name(value)  # type: ignore[arg-type]
    assert text == render(value)  # type: ignore[arg-type]
