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


def encode(version: int, payload: bytes) -> str:
    """Return the strkey of `payload`, any length, under a version byte."""
    body = bytes((version,)) + payload
    checksum = binascii.crc_hqx(body, 0).to_bytes(2, "little")
    return base64.b32encode(body + checksum).decode("ascii").rstrip("=")


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
