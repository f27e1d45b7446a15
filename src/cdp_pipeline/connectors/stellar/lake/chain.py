"""Check that ledgers follow one another: sequence plus one, each naming the hash before it.

SEP-54 leaves the integrity of a lake to its readers.
"""

from __future__ import annotations

from .errors import BrokenChain
from .ledger import RawLedger


class LedgerChain:
    """The end of a chain of ledgers, to which the next one must fit.

    Invariant: every ledger that passed `extend` has the sequence after the one
    before it, and names that one's hash as its previous hash.
    """

    def __init__(self, next_sequence: int, previous_hash: bytes | None = None) -> None:
        """Start before *next_sequence*.

        Args:
            next_sequence: The first ledger to come.
            previous_hash: Hash of the ledger before it; None accepts any.
        """
        self.next_sequence = next_sequence
        self.previous_hash = previous_hash

    def extend(self, ledger: RawLedger) -> None:
        """Add *ledger* to the chain.

        Raises:
            BrokenChain: It is not the next ledger, or names another ledger as the one before it.
        """
        if ledger.sequence != self.next_sequence:
            raise BrokenChain(f"ledger {self.next_sequence} expected, got {ledger.sequence}")
        expected = self.previous_hash
        if expected is not None and ledger.previous_hash != expected:
            raise BrokenChain(
                f"ledger {ledger.sequence} does not follow ledger {ledger.sequence - 1}: "
                f"previous hash {expected.hex()} expected, got {ledger.previous_hash.hex()}"
            )
        self.next_sequence = ledger.sequence + 1
        self.previous_hash = ledger.hash
