"""Hashes an issued asset to its 64-bit `asset_id`: FarmHash Fingerprint64, as in Hubble.

Only the branch for more than 64 bytes is here: the key of an issued asset (code, issuer, type)
has 73 to 85.
"""

from __future__ import annotations

import struct

_MASK = (1 << 64) - 1
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F
_SEED = 81
_BLOCK = 64


def _rotate(value: int, bits: int) -> int:
    value &= _MASK
    return (value >> bits | value << (64 - bits)) & _MASK


def _shift_mix(value: int) -> int:
    value &= _MASK
    return value ^ value >> 47


def _mix(left: int, right: int, factor: int) -> int:
    first = _shift_mix(((left ^ right) & _MASK) * factor)
    second = _shift_mix((right ^ first) * factor)
    return second * factor & _MASK


def _weak(words: tuple[int, ...], first: int, second: int) -> tuple[int, int]:
    first += words[0]
    second = _rotate(second + first + words[3], 21)
    start = first
    first += words[1] + words[2]
    second += _rotate(first, 44)
    return (first + words[3]) & _MASK, (second + start) & _MASK


class _State:
    """The five running values of the hash: x, y, z and the pairs v and w."""

    __slots__ = ("v", "w", "x", "y", "z")

    def __init__(self) -> None:
        self.x = _SEED * _K2 & _MASK
        self.y = (_SEED * _K1 + 113) & _MASK
        self.z = _shift_mix(self.y * _K2 + 113) * _K2 & _MASK
        self.v = (0, 0)
        self.w = (0, 0)

    def block(self, words: tuple[int, ...], factor: int, last: bool) -> None:
        """Take in eight words; the last block weighs two of the values by nine."""
        weight = 9 if last else 1
        x = _rotate(self.x + self.y + self.v[0] + words[1], 37) * factor
        y = _rotate(self.y + self.v[1] + words[6], 42) * factor
        x = (x ^ self.w[1] * weight) & _MASK
        y = (y + self.v[0] * weight + words[5]) & _MASK
        z = _rotate(self.z + self.w[0], 33) * factor & _MASK
        self.v = _weak(words[:4], self.v[1] * factor, x + self.w[0])
        self.w = _weak(words[4:], z + self.w[1], y + words[2])
        self.x, self.y, self.z = z, y, x


def fingerprint64(data: bytes) -> int:
    """Return the signed 64-bit fingerprint of `data`, which must be longer than 64 bytes."""
    if len(data) <= _BLOCK:
        raise ValueError(f"`data` must be longer than {_BLOCK} bytes, got {len(data)}")
    state = _State()
    state.x = (state.x + int.from_bytes(data[:8], "little")) & _MASK
    for start in range(0, (len(data) - 1) // _BLOCK * _BLOCK, _BLOCK):
        state.block(struct.unpack_from("<8Q", data, start), _K1, last=False)
    factor = _K1 + ((state.z & 0xFF) << 1)
    tail = state.w[0] + ((len(data) - 1) & 63)
    state.v = ((state.v[0] + tail) & _MASK, state.v[1])
    state.w = ((tail + state.v[0]) & _MASK, state.w[1])
    state.block(struct.unpack_from("<8Q", data, len(data) - _BLOCK), factor, last=True)
    left = _mix(state.v[0], state.w[0], factor) + _shift_mix(state.y) * _K0 + state.z
    right = _mix(state.v[1], state.w[1], factor) + state.x
    value = _mix(left & _MASK, right & _MASK, factor)
    return value - (1 << 64) if value >> 63 else value
