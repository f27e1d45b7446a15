"""Finds where contract values (SCVal) end in XDR, and gives their bytes as base64.

The raw bytes of single topics and arguments are columns of their own, so they are cut out of the
ledger's XDR here instead of being encoded again from JSON.
"""

from __future__ import annotations

import binascii
import struct

# Bytes after the discriminant for the types of fixed size, by SCValType number.
_FIXED = (4, 0, 8, 4, 4, 8, 8, 8, 8, 16, 16, 32, 32)
_BYTES, _STRING, _SYMBOL, _VEC, _MAP, _ADDRESS, _INSTANCE, _INSTANCE_KEY, _NONCE = range(13, 22)
_NONCE_SIZE = 8
# Bytes after the discriminant of an SCAddress: account, contract, muxed, claimable balance, pool.
_ADDRESS_SIZES = (36, 32, 40, 36, 32)
_WASM_EXECUTABLE, _WASM_HASH_SIZE = 0, 32
_PREIMAGE_FROM_ADDRESS, _SALT_SIZE = 0, 32
# Bytes after the discriminant of an Asset: native, four-byte and twelve-byte codes.
_ASSET_SIZES = (0, 40, 48)
_word = struct.Struct(">I").unpack_from
_base64 = binascii.b2a_base64


def _blob_end(data: bytes, offset: int) -> int:
    size: int = _word(data, offset)[0]
    return offset + 4 + (size + 3 & ~3)


def _optional_count(data: bytes, offset: int) -> tuple[int, int]:
    if _word(data, offset)[0] == 0:
        return offset + 4, 0
    return offset + 8, _word(data, offset + 4)[0]


def _instance_storage(data: bytes, offset: int) -> tuple[int, int]:
    wasm = _word(data, offset)[0] == _WASM_EXECUTABLE
    return _optional_count(data, offset + 4 + (_WASM_HASH_SIZE if wasm else 0))


def scval_end(data: bytes, offset: int) -> int:
    """Return the offset just after the SCVal that starts at `offset` of valid XDR.

    Raises:
        ValueError: the type is unknown.
    """
    pending = 1
    while pending:
        pending -= 1
        (kind,) = _word(data, offset)
        offset += 4
        if kind == _ADDRESS:
            offset += 4 + _ADDRESS_SIZES[_word(data, offset)[0]]
        elif kind < _BYTES:
            offset += _FIXED[kind]
        elif kind <= _SYMBOL:
            offset += 4 + (_word(data, offset)[0] + 3 & ~3)
        elif kind == _VEC:
            offset, count = _optional_count(data, offset)
            pending += count
        elif kind == _MAP:
            offset, count = _optional_count(data, offset)
            pending += 2 * count
        elif kind == _INSTANCE:
            offset, count = _instance_storage(data, offset)
            pending += 2 * count
        elif kind == _NONCE:
            offset += _NONCE_SIZE
        elif kind != _INSTANCE_KEY:
            raise ValueError(f"SCVal type must be 0 to {_NONCE}, got {kind}")
    return offset


def base64_text(data: bytes) -> str:
    """Return standard base64 on one line."""
    return _base64(data, newline=False).decode("ascii")


def scval_array(data: bytes, offset: int) -> tuple[list[str], int]:
    """Return the base64 XDR of each value of an SCVal array at `offset`, and where it ends."""
    count = _word(data, offset)[0]
    offset += 4
    values: list[str] = []
    for _ in range(count):
        if _word(data, offset)[0] == _ADDRESS:  # the most frequent by far, and of known size
            end = offset + 8 + _ADDRESS_SIZES[_word(data, offset + 4)[0]]
        else:
            end = scval_end(data, offset)
        values.append(_base64(data[offset:end], newline=False).decode("ascii"))
        offset = end
    return values, offset


def event_values(data: bytes, start: int, end: int) -> tuple[list[str], str]:
    """Return the base64 XDR of the topics and of the data of the ContractEvent at `start`."""
    has_contract = data[start + 7]
    topics, offset = scval_array(data, start + 16 + 32 * has_contract)
    return topics, base64_text(data[offset:end])


def invocation_values(data: bytes, start: int) -> list[str]:
    """Return the base64 SCVals of InvokeContractArgs: contract, function, then the arguments."""
    address_end = start + 4 + _ADDRESS_SIZES[_word(data, start)[0]]
    name_end = _blob_end(data, address_end)
    address = struct.pack(">I", _ADDRESS) + data[start:address_end]
    name = struct.pack(">I", _SYMBOL) + data[address_end:name_end]
    arguments, _ = scval_array(data, name_end)
    return [base64_text(address), base64_text(name), *arguments]


def constructor_values(data: bytes, start: int) -> list[str]:
    """Return the base64 SCVals that a CreateContractArgsV2 passes to the constructor."""
    if _word(data, start)[0] == _PREIMAGE_FROM_ADDRESS:
        executable = start + 8 + _ADDRESS_SIZES[_word(data, start + 4)[0]] + _SALT_SIZE
    else:
        executable = start + 8 + _ASSET_SIZES[_word(data, start + 4)[0]]
    wasm = _word(data, executable)[0] == _WASM_EXECUTABLE
    values, _ = scval_array(data, executable + 4 + (_WASM_HASH_SIZE if wasm else 0))
    return values
