"""Let through the ledgers of a stream that were asked for, and only if they fit together.

Every ledger of the stream is checked, also those that are skipped: sequence plus one, the
hash of the one before, the header's own hash, and what the header says of its transactions
and results. A resumed stream must go on where the last
one stopped, with the very ledger that was last.

Errors
    LedgerStreamGap     ledger_stream.gap          the next ledger is not in the stream
    LedgerStreamEnded   ledger_stream.ended_early  it ended before the last ledger asked for
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdpplugin import Fatal, Resume

from ..stellar.ledger_token import known_ledger
from .ledger_frames import LedgerFrames, LedgerStreamInvalid

if TYPE_CHECKING:
    from ..stellar.lake.chain import LedgerChain
    from ..stellar.lake.ledger import LedgerHeader, RawLedger


class LedgerStreamGap(Fatal):
    """The stream does not hold the ledger that should come next."""

    code = "ledger_stream.gap"


class LedgerStreamEnded(Fatal):
    """The stream ended, between two ledgers, before the last ledger that was asked for."""

    code = "ledger_stream.ended_early"


class LedgerGate:
    """Reads the ledgers that *frames* gives.

    Attributes:
        closed: Whether the last ledger asked for has come.
        verify: Whether hashes and the chain are checked; sequences must grow in any case.
        verify_contents: Whether transactions and results are checked against the header, too.
    """

    def __init__(
        self,
        frames: LedgerFrames,
        *,
        start: int | None = None,
        end: int | None = None,
        after: Resume | None = None,
    ) -> None:
        self.closed = False
        self.verify = True
        self.verify_contents = True
        self._frames = frames
        self._first = max(start or 0, after.position + 1 if after else 0) or None
        self._end = end
        self._chain: LedgerChain | None = None
        self._known = known_ledger(after)

    def take(self, *, eager: bool) -> RawLedger | None:
        """Return the next ledger of the stream, checked, or None where it has not come yet.

        Raises:
            LedgerStreamGap, LedgerStreamInvalid, BrokenChain, HashMismatch: See there.
            UnknownLedgerVersion: It is of a newer protocol than can be walked through.
        """
        offset = self._frames.offset
        xdr = self._frames.take(eager=eager)
        if xdr is None:
            return None
        ledger = self._read(xdr, offset)
        self._check(ledger)
        self._frames.last_ledger = ledger.sequence
        self.closed = self._end is not None and ledger.sequence >= self._end
        return ledger

    def passes(self, ledger: RawLedger) -> bool:
        """Tell whether *ledger* was asked for."""
        sequence = ledger.sequence
        return sequence >= (self._first or 0) and (self._end is None or sequence <= self._end)

    def finish(self) -> None:
        """Check that the stream held all that was asked for.

        Raises:
            LedgerStreamEnded: It did not.
        """
        last = self._frames.last_ledger
        wanted = self._end if self._end is not None else self._first
        if wanted is None or self.closed:
            return
        if self._end is None and (last or 0) >= wanted - 1:
            return
        came = "without a ledger" if last is None else f"with ledger {last}"
        raise LedgerStreamEnded(
            f"the stream ended {came}, ledger {wanted} expected",
            hint="let the writer go on to that ledger, or set `end` to the last one there is",
        )

    def _read(self, xdr: bytes, offset: int) -> RawLedger:
        from ..stellar.lake.ledger import (
            LedgerTruncated,
            RawLedger,
            read_header,
            verify_header_hash,
        )

        try:
            header = read_header(xdr)
        except LedgerTruncated as error:
            raise LedgerStreamInvalid(
                f"no LedgerCloseMeta at offset {offset}: {error.message}",
                hint="give ledgers as raw XDR, framed as stellar-core writes them or one after "
                "another; decompress them first",
            ) from error
        if self.verify:
            verify_header_hash(xdr, header)
        if self.verify and self.verify_contents:
            _verify_contents(xdr, header, offset)
        return RawLedger(
            sequence=header.sequence,
            closed_at_s=header.closed_at_s,
            protocol_version=header.protocol_version,
            hash=header.hash,
            xdr=xdr,
            previous_hash=header.previous_hash,
        )

    def _check(self, ledger: RawLedger) -> None:
        from ..stellar.lake.chain import LedgerChain
        from ..stellar.lake.errors import BrokenChain

        if self._chain is None:
            self._check_first(ledger)
            self._chain = LedgerChain(ledger.sequence, self._known_hash(ledger.sequence - 1))
        if not self.verify:
            if ledger.sequence < self._chain.next_sequence:
                expected = self._chain.next_sequence
                raise BrokenChain(f"ledger {expected} or later expected, got {ledger.sequence}")
            self._chain = LedgerChain(ledger.sequence)
        self._chain.extend(ledger)
        known = self._known_hash(ledger.sequence)
        if self.verify and known not in (None, ledger.hash):
            raise BrokenChain(
                f"ledger {ledger.sequence} is not the one that was read before: "
                f"hash {known.hex() if known else ''} expected, got {ledger.hash.hex()}",
                hint="the stream is of another network or run: give the one that was begun with, "
                "or begin anew with `flowctl checkpoint reset`",
            )

    def _check_first(self, ledger: RawLedger) -> None:
        if self._first is not None and ledger.sequence > self._first:
            raise LedgerStreamGap(
                f"ledger {self._first} expected, but the stream begins with {ledger.sequence}",
                hint="let the writer begin at that ledger or before it",
            )

    def _known_hash(self, sequence: int) -> bytes | None:
        """Return the hash that a resumed stream must have for *sequence*, if it is known."""
        return self._known[1] if self._known and self._known[0] == sequence else None


def _verify_contents(xdr: bytes, header: LedgerHeader, offset: int) -> None:
    from ..stellar.lake.contents import hashed_parts, verify_contents
    from ..stellar.lake.errors import UnknownLedgerVersion
    from ..stellar.xdr import XdrError

    try:
        parts = hashed_parts(xdr)
    except XdrError as error:
        text = f"ledger {header.sequence} at offset {offset}: {error.message}"
        if error.code == "xdr.unknown_arm":
            raise UnknownLedgerVersion(text) from error
        raise LedgerStreamInvalid(
            text, hint="the bytes are damaged: write the stream again from that ledger on"
        ) from error
    verify_contents(xdr, header, parts)
