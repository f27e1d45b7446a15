"""Packs contract values (`SCVal` of Stellar-contract.x)."""

from __future__ import annotations

from collections.abc import Sequence

from stellar_sdk import xdr

from .packing import PRESENT, array, opaque, tag, u32, u64

_KIND = {kind: tag(kind) for kind in xdr.SCValType}
_MASK_64 = 0xFFFFFFFFFFFFFFFF

VOID = _KIND[xdr.SCValType.SCV_VOID]
TRUE_VALUE = _KIND[xdr.SCValType.SCV_BOOL] + u32(1)
FALSE_VALUE = _KIND[xdr.SCValType.SCV_BOOL] + u32(0)
INSTANCE_KEY = _KIND[xdr.SCValType.SCV_LEDGER_KEY_CONTRACT_INSTANCE]

_SYMBOL = _KIND[xdr.SCValType.SCV_SYMBOL]
_STRING = _KIND[xdr.SCValType.SCV_STRING]
_BYTES = _KIND[xdr.SCValType.SCV_BYTES]
_I128 = _KIND[xdr.SCValType.SCV_I128]
_ADDRESS = _KIND[xdr.SCValType.SCV_ADDRESS]
_U32 = _KIND[xdr.SCValType.SCV_U32]
_U64 = _KIND[xdr.SCValType.SCV_U64]


def whole(kind: xdr.SCValType, number: int, words: int) -> bytes:
    """An integer kind of that many 64-bit words: U64, I64, TIMEPOINT, DURATION, U128 to I256."""
    parts = (number >> (64 * word) & _MASK_64 for word in range(words - 1, -1, -1))
    return _KIND[kind] + b"".join(map(u64, parts))


def i128(number: int) -> bytes:
    """SCV_I128, the kind of every amount in an event."""
    return _I128 + (number & (1 << 128) - 1).to_bytes(16, "big")


def value_u32(number: int) -> bytes:
    """SCV_U32."""
    return _U32 + u32(number)


def value_u64(number: int) -> bytes:
    """SCV_U64."""
    return _U64 + u64(number)


def symbol(name: str) -> bytes:
    """SCV_SYMBOL, at most 32 characters."""
    return _SYMBOL + opaque(name.encode("ascii"))


def string(text: bytes) -> bytes:
    """SCV_STRING; any bytes, as a text memo may hold any."""
    return _STRING + opaque(text)


def octets(data: bytes) -> bytes:
    """SCV_BYTES."""
    return _BYTES + opaque(data)


def vector(items: Sequence[bytes]) -> bytes:
    """SCV_VEC of packed values."""
    return _KIND[xdr.SCValType.SCV_VEC] + PRESENT + array(items)


def record(fields: dict[str, bytes]) -> bytes:
    """SCV_MAP with symbol keys, sorted as the host requires."""
    entries = [symbol(name) + fields[name] for name in sorted(fields)]
    return _KIND[xdr.SCValType.SCV_MAP] + PRESENT + array(entries)


def account_address(public_key: bytes) -> bytes:
    """SCV_ADDRESS of an account (G...)."""
    kind = tag(xdr.SCAddressType.SC_ADDRESS_TYPE_ACCOUNT)
    return _ADDRESS + kind + tag(xdr.PublicKeyType.PUBLIC_KEY_TYPE_ED25519) + public_key


def contract_address(contract_id: bytes) -> bytes:
    """SCV_ADDRESS of a contract (C...)."""
    return _ADDRESS + tag(xdr.SCAddressType.SC_ADDRESS_TYPE_CONTRACT) + contract_id


def pool_address(pool_id: bytes) -> bytes:
    """SCV_ADDRESS of a liquidity pool (L...), protocol 23."""
    return _ADDRESS + tag(xdr.SCAddressType.SC_ADDRESS_TYPE_LIQUIDITY_POOL) + pool_id


def claimable_balance_address(balance_id: bytes) -> bytes:
    """SCV_ADDRESS of a claimable balance (B...), protocol 23; takes a packed ClaimableBalanceID."""
    return _ADDRESS + tag(xdr.SCAddressType.SC_ADDRESS_TYPE_CLAIMABLE_BALANCE) + balance_id
