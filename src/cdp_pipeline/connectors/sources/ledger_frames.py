"""Cut a stream of bytes into ledgers: LedgerCloseMeta XDR, framed or one after another.

Framed is what stellar-core writes to its metadata pipe, RFC 5531 section 11 (record marking):
4 bytes, big-endian, the top bit set on the last fragment of a record, the other 31 bits its
length in bytes; then so many bytes. Bare is the XDR values alone. They are told apart by the
first byte: a LedgerCloseMeta begins with its version, a small number.

Errors
    LedgerStreamInvalid      ledger_stream.not_ledgers  the bytes are no ledgers
    LedgerStreamTruncated    ledger_stream.truncated    the stream ends inside a ledger
    LedgerTooLarge           ledger_stream.too_large    a ledger is over the configured limit
"""

from __future__ import annotations

import struct
from typing import Literal

from cdpplugin import Fatal

Framing = Literal["auto", "framed", "bare"]

_HEADER = struct.Struct(">I")
_LAST_FRAGMENT = 0x8000_0000
_FIRST_WINDOW_BYTES = 64 * 1024
_KNOWN_VERSIONS = 8
"""Versions of LedgerCloseMeta that a first word may name; 0 to 2 are in use."""


class LedgerStreamInvalid(Fatal):
    """The bytes are not what the framing promises."""

    code = "ledger_stream.not_ledgers"


class LedgerStreamTruncated(Fatal):
    """The stream ends inside a ledger."""

    code = "ledger_stream.truncated"


class LedgerTooLarge(Fatal):
    """A ledger is larger than the configured limit."""

    code = "ledger_stream.too_large"


class LedgerFrames:
    """Takes bytes as they come, gives whole ledgers.

    Attributes:
        offset: Where in the stream the next ledger begins, in bytes.
        last_ledger: Sequence of the last whole ledger, set by the reader for error messages.
    """

    def __init__(self, framing: Framing = "auto", *, max_ledger_bytes: int) -> None:
        self.offset = 0
        self.last_ledger: int | None = None
        self._framing = framing
        self._max_ledger_bytes = max_ledger_bytes
        self._buffer = bytearray()
        self._fragments = bytearray()
        self._framed_bytes = 0
        self._size_hint_bytes = _FIRST_WINDOW_BYTES
        self._cut_from_bytes = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the stream."""
        self._buffer += chunk

    def take(self, *, eager: bool = True) -> bytes | None:
        """Return the next whole ledger, or None where its end has not come yet.

        Args:
            eager: Whether to look for the end of a bare ledger at once. Looking costs time in
                proportion to its size, so that without it a large one waits for more bytes.

        Raises:
            LedgerStreamInvalid, LedgerTooLarge: See there.
        """
        if self._framing == "auto" and not self._detect():
            return None
        return self._take_framed() if self._framing == "framed" else self._take_bare(eager)

    def finish(self) -> None:
        """Check that the stream ends between two ledgers.

        Raises:
            LedgerStreamTruncated: It does not.
        """
        left = len(self._buffer) + self._framed_bytes
        if not left:
            return
        if self._framing == "auto":
            self._framing = "bare"
        after = "before any ledger" if self.last_ledger is None else f"after {self.last_ledger}"
        raise LedgerStreamTruncated(
            f"the stream ends inside a ledger: {left} bytes of it from offset {self.offset}, "
            f"{after}",
            hint="the writer was cut off: write the stream again from that ledger on",
        )

    def _detect(self) -> bool:
        if len(self._buffer) < _HEADER.size:
            return False
        (word,) = _HEADER.unpack_from(self._buffer)
        if word & _LAST_FRAGMENT:
            self._framing = "framed"
        elif word < _KNOWN_VERSIONS:
            self._framing = "bare"
        else:
            raise self._invalid(f"the stream begins with `{self._buffer[:4].hex()}`")
        return True

    def _take_framed(self) -> bytes | None:
        while len(self._buffer) >= _HEADER.size:
            (word,) = _HEADER.unpack_from(self._buffer)
            size, last = word & ~_LAST_FRAGMENT, word & _LAST_FRAGMENT
            if not last and not self._fragments and size < _KNOWN_VERSIONS:
                raise self._invalid(f"frame header with the top bit set expected, got `{word:08x}`")
            self._check_size(len(self._fragments) + size)
            end = _HEADER.size + size
            if len(self._buffer) < end:
                return None
            fragment = bytes(memoryview(self._buffer)[_HEADER.size : end])
            del self._buffer[:end]
            self._framed_bytes += end
            if last and not self._fragments:
                return self._whole(fragment)
            self._fragments += fragment
            if last:
                return self._whole(bytes(self._fragments))
        return None

    def _whole(self, ledger: bytes) -> bytes:
        self.offset += self._framed_bytes
        self._framed_bytes = 0
        self._fragments.clear()
        return ledger

    def _take_bare(self, eager: bool) -> bytes | None:
        held = len(self._buffer)
        if not held or (not eager and held < self._cut_from_bytes):
            return None
        end = self._bare_end()
        if end is None:
            self._check_size(held)
            self._cut_from_bytes = 2 * held
            return None
        self._check_size(end)
        ledger = bytes(memoryview(self._buffer)[:end])
        del self._buffer[:end]
        self.offset += end
        self._size_hint_bytes = max(_FIRST_WINDOW_BYTES, 2 * end)
        self._cut_from_bytes = 0
        return ledger

    def _bare_end(self) -> int | None:
        """Return the length of the ledger that the buffer begins with, None if it goes on."""
        from ..stellar.xdr import XdrError, value_end

        held = len(self._buffer)
        window = min(held, self._size_hint_bytes)
        while True:
            try:
                with memoryview(self._buffer) as view, view[:window] as part:
                    return value_end(part)
            except XdrError as error:
                if error.code != "xdr.truncated":
                    raise self._invalid(error.message) from error
            if window == held:
                return None
            window = min(held, 4 * window)

    def _check_size(self, size: int) -> None:
        if size > self._max_ledger_bytes:
            raise LedgerTooLarge(
                f"a ledger of {size} bytes or more at offset {self.offset}, "
                f"at most {self._max_ledger_bytes} expected",
                hint="raise `max_ledger`, or check `framing`: other bytes look like huge frames",
            )

    def _invalid(self, message: str) -> LedgerStreamInvalid:
        return LedgerStreamInvalid(
            f"no LedgerCloseMeta at offset {self.offset}: {message}",
            hint="give ledgers as raw XDR, framed as stellar-core writes them or one after "
            "another; decompress them first",
        )
