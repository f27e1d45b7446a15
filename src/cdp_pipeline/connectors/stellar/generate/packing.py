"""Puts XDR primitives into bytes (RFC 4506: big-endian, padded to four bytes).

Ledgers are put together from packed parts instead of objects, since a large lake repeats the same
few shapes millions of times; the tests decode every ledger with stellar-sdk and re-encode it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from enum import Enum

u32: Callable[[int], bytes] = struct.Struct(">I").pack
i32: Callable[[int], bytes] = struct.Struct(">i").pack
u64: Callable[[int], bytes] = struct.Struct(">Q").pack
i64: Callable[[int], bytes] = struct.Struct(">q").pack

ABSENT = FALSE = EMPTY = VERSION_0 = bytes(4)
PRESENT = TRUE = VERSION_1 = b"\0\0\0\1"

_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


def tag(member: Enum) -> bytes:
    """The discriminant of a union arm or the value of an enum."""
    return i32(member.value)


def opaque(data: bytes) -> bytes:
    """Variable-length opaque data or a string."""
    return u32(len(data)) + data + _PADDING[len(data) & 3]


def array(items: Sequence[bytes]) -> bytes:
    """A variable-length array of packed items."""
    return u32(len(items)) + b"".join(items)


def sha256(data: bytes) -> bytes:
    """The 32 bytes of SHA-256, Stellar's `Hash`."""
    return hashlib.sha256(data).digest()
