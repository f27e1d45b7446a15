"""Total order ids: one int64 for a ledger, transaction or operation (SEP-35).

Bits, high to low: 32 ledger sequence, 20 transaction order, 12 operation index.
Transactions and operations count from 1; 0 stands for the ledger or the transaction itself.
"""

from __future__ import annotations

_TRANSACTION_SHIFT = 12
_LEDGER_SHIFT = 32
TRANSACTION_MAX = (1 << 20) - 1
OPERATION_MAX = (1 << 12) - 1


def toid(ledger: int, transaction: int = 0, operation: int = 0) -> int:
    """Return the id of a ledger, of its transaction, or of an operation of that transaction.

    Raises:
        ValueError: a part does not fit its bits.
    """
    if not 0 <= ledger < 1 << 31:
        raise ValueError(f"`ledger` must fit 31 bits, got {ledger}")
    if not 0 <= transaction <= TRANSACTION_MAX:
        raise ValueError(f"`transaction` must be 0 to {TRANSACTION_MAX}, got {transaction}")
    if not 0 <= operation <= OPERATION_MAX:
        raise ValueError(f"`operation` must be 0 to {OPERATION_MAX}, got {operation}")
    return ledger << _LEDGER_SHIFT | transaction << _TRANSACTION_SHIFT | operation


def parts(value: int) -> tuple[int, int, int]:
    """Return (ledger, transaction, operation) of an id."""
    return (
        value >> _LEDGER_SHIFT,
        value >> _TRANSACTION_SHIFT & TRANSACTION_MAX,
        value & OPERATION_MAX,
    )
