"""Reads and writes Stellar addresses in text form (SEP-23 strkeys).

A strkey is base32 without padding of: version byte, payload, CRC-16/XMODEM (little endian).
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import Final

ACCOUNT: Final = 6 << 3  # G
MUXED_ACCOUNT: Final = 12 << 3  # M
CONTRACT: Final = 2 << 3  # C
LIQUIDITY_POOL: Final = 11 << 3  # L
CLAIMABLE_BALANCE: Final = 1 << 3  # B


_DIGITS: Final = bytes.maketrans(bytes(range(32)), b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_LANES: Final = 128  # base32 digits worked on at once: 80 bytes


def _spread_steps() -> list[tuple[int, int, int]]:
    """Shift and masks that move the upper half of each group of digits to its place, by halves."""
    steps = []
    digits = _LANES // 2
    while digits:
        low, lane = (1 << 5 * digits) - 1, 16 * digits
        repeated = sum(1 << lane * place for place in range(_LANES // (2 * digits)))
        steps.append((3 * digits, low * repeated, (low << 5 * digits) * repeated))
        digits //= 2
    return steps


_SPREAD_STEPS: Final = _spread_steps()


def encode(version: int, payload: bytes) -> str:
    """Return the strkey of `payload`, at most 77 bytes, under a version byte."""
    body = bytes((version,)) + payload
    data = body + binascii.crc_hqx(body, 0).to_bytes(2, "little")
    return _base32(data)


def _base32(data: bytes) -> str:
    """Base32 without padding, of at most 80 bytes; three times as fast as the standard library's.

    The digits, 5 bits each, are spread to bytes by shifts and masks of one large integer.
    """
    value = int.from_bytes(data.ljust(_LANES * 5 // 8, b"\0"), "big")
    for shift, low, high in _SPREAD_STEPS:
        value = value & low | (value & high) << shift
    digits = (len(data) * 8 + 4) // 5
    return value.to_bytes(_LANES, "big")[:digits].translate(_DIGITS).decode("ascii")


def decode(text: str) -> bytes:
    """Return the payload of a strkey.

    Raises:
        ValueError: not base32, or the checksum does not hold.
    """
    raw = base64.b32decode(text + "=" * (-len(text) % 8))
    body, checksum = raw[:-2], raw[-2:]
    if binascii.crc_hqx(body, 0).to_bytes(2, "little") != checksum:
        raise ValueError(f"checksum of `{text}` does not hold")
    return body[1:]


@lru_cache(maxsize=8192)
def muxed_parts(address: str) -> tuple[str, int | None]:
    """Split an account address into its G address and, for an M address, its 64-bit id."""
    if not address.startswith("M"):
        return address, None
    payload = decode(address)
    return encode(ACCOUNT, payload[:32]), int.from_bytes(payload[32:], "big")


@lru_cache(maxsize=8192)
def muxed_address(account: str, muxed_id: int) -> str:
    """Return the M address of a G address and a 64-bit id."""
    return encode(MUXED_ACCOUNT, decode(account) + muxed_id.to_bytes(8, "big"))
