"""Details of Soroban operations."""

from __future__ import annotations

from hashlib import sha256

import pytest
import stellar_sdk as sdk
from stellar_sdk import scval, xdr

from tests.stellar.built_ledger import (
    CONTRACT,
    HASH,
    ISSUED_BY,
    LONGER,
    B,
    details,
    soroban_data,
)

FOOTPRINT = {
    "contract_id": CONTRACT,
    "contract_code_hash": "00" * 32,
    "ledger_key_hash": [
        sha256(key.to_xdr_bytes()).hexdigest()
        for keys in (
            soroban_data().resources.footprint.read_only,
            soroban_data().resources.footprint.read_write,
        )
        for key in keys
    ],
}
ARGUMENTS = [scval.to_uint32(7), scval.to_vec([scval.to_symbol("x"), scval.to_void()])]
FUNCTIONS = xdr.HostFunctionType


def invoke() -> sdk.InvokeHostFunction:
    arguments = xdr.InvokeContractArgs(
        sdk.Address(CONTRACT).to_xdr_sc_address(), xdr.SCSymbol(b"swap"), ARGUMENTS
    )
    return sdk.InvokeHostFunction(
        xdr.HostFunction(FUNCTIONS.HOST_FUNCTION_TYPE_INVOKE_CONTRACT, invoke_contract=arguments)
    )


def test_a_contract_call_shows_its_parameters() -> None:
    """Contract, function and arguments: as XDR, as text and as SEP-51, each with its type."""
    shown = details(invoke(), soroban=True)
    called = [sdk.Address(CONTRACT).to_xdr_sc_val(), scval.to_symbol("swap"), *ARGUMENTS]
    encoded = [value.to_xdr() for value in called]

    assert {
        "function": "HostFunctionTypeHostFunctionTypeInvokeContract",
        "type": "invoke_contract",
        **FOOTPRINT,
        "parameters": [
            {"type": kind, "value": value}
            for kind, value in zip(["Address", "Sym", "U32", "Vec"], encoded, strict=True)
        ],
        "parameters_decoded": [
            {"type": "Address", "value": CONTRACT},
            {"type": "Sym", "value": "swap"},
            {"type": "U32", "value": "7"},
            {"type": "Vec", "value": "[x (void)]"},
        ],
        "parameters_json": encoded,
        "parameters_json_decoded": [
            {"address": CONTRACT},
            {"symbol": "swap"},
            {"u32": 7},
            {"vec": [{"symbol": "x"}, "void"]},
        ],
        "asset_balance_changes": [],
    } == shown


def preimage(asset: bool) -> xdr.ContractIDPreimage:
    if asset:
        return xdr.ContractIDPreimage(
            xdr.ContractIDPreimageType.CONTRACT_ID_PREIMAGE_FROM_ASSET,
            from_asset=LONGER.to_xdr_object(),
        )
    address = xdr.ContractIDPreimageFromAddress(
        sdk.Address(B).to_xdr_sc_address(), xdr.Uint256(bytes(32))
    )
    return xdr.ContractIDPreimage(
        xdr.ContractIDPreimageType.CONTRACT_ID_PREIMAGE_FROM_ADDRESS, from_address=address
    )


def executable(asset: bool) -> xdr.ContractExecutable:
    if asset:
        return xdr.ContractExecutable(xdr.ContractExecutableType.CONTRACT_EXECUTABLE_STELLAR_ASSET)
    return xdr.ContractExecutable(
        xdr.ContractExecutableType.CONTRACT_EXECUTABLE_WASM, wasm_hash=HASH
    )


PREIMAGES = {
    True: {"from": "asset", "asset": f"LONGER:{ISSUED_BY}"},
    False: {"from": "address", "address": B},
}


@pytest.mark.parametrize("asset", [True, False])
def test_deployments_show_where_the_contract_came_from(asset: bool) -> None:
    """From an asset or an address; the second kind has constructor parameters too."""
    first = xdr.CreateContractArgs(preimage(asset), executable(asset))
    second = xdr.CreateContractArgsV2(preimage(asset), executable(asset), ARGUMENTS)
    create = sdk.InvokeHostFunction(
        xdr.HostFunction(FUNCTIONS.HOST_FUNCTION_TYPE_CREATE_CONTRACT, create_contract=first)
    )
    create_v2 = sdk.InvokeHostFunction(
        xdr.HostFunction(FUNCTIONS.HOST_FUNCTION_TYPE_CREATE_CONTRACT_V2, create_contract_v2=second)
    )

    assert {
        "function": "HostFunctionTypeHostFunctionTypeCreateContract",
        "type": "create_contract",
        **FOOTPRINT,
        **PREIMAGES[asset],
    } == details(create, soroban=True)
    shown = details(create_v2, soroban=True)
    assert shown["type"] == "create_contract_v2"
    assert [value.to_xdr() for value in ARGUMENTS] == shown["parameters_json"]
    assert PREIMAGES[asset].items() <= shown.items()


def test_uploads_and_entry_lifetimes_show_their_footprint() -> None:
    """An upload names no contract; the others name the first of the footprint."""
    wasm = xdr.HostFunction(FUNCTIONS.HOST_FUNCTION_TYPE_UPLOAD_CONTRACT_WASM, wasm=b"\0asm")
    upload = details(sdk.InvokeHostFunction(wasm), soroban=True)

    assert {
        "function": "HostFunctionTypeHostFunctionTypeUploadContractWasm",
        "type": "upload_wasm",
        "contract_code_hash": FOOTPRINT["contract_code_hash"],
        "ledger_key_hash": FOOTPRINT["ledger_key_hash"],
    } == upload
    assert details(sdk.ExtendFootprintTTL(99), soroban=True) == {
        "type": "extend_footprint_ttl",
        "extend_to": 99,
        **FOOTPRINT,
    }
    assert details(sdk.RestoreFootprint(), soroban=True) == {
        "type": "restore_footprint",
        **FOOTPRINT,
    }
