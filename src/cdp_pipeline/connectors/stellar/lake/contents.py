"""Split a batch into ledgers, and check each one's contents against its header.

The header holds two hashes over what follows it in a LedgerCloseMeta:

    scpValue.txSetHash   generalized set: sha256 of its XDR; older set: sha256 of the
                         previous ledger's hash followed by the envelopes
    txSetResultHash      sha256 of the XDR of TransactionResultSet, which is the
                         TransactionResultPair of every transaction in apply order

A changed byte in an envelope or a result shows here. The meta of transactions
is covered by no hash in the ledger; its structure is checked all the same.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from .errors import HashMismatch
from .ledger import LedgerHeader

if TYPE_CHECKING:
    from cdp_pipeline.connectors.stellar.xdr import Span

_LEDGER = "LedgerCloseMeta"
_SET = "TransactionSet"
_GENERALIZED_SET = "GeneralizedTransactionSet"
_RESULT = "TransactionResultPair"
_HASHED = (_SET, _GENERALIZED_SET, _RESULT)
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class LedgerPart:
    """Where one ledger lies in a batch.

    Attributes:
        start: Offset of its first byte.
        end: Offset just after its last byte.
        hashed: Its transaction set and its results, in this order.
    """

    start: int
    end: int
    hashed: list[Span]


def split_batch(xdr: bytes) -> list[LedgerPart]:
    """Walk through a LedgerCloseMetaBatch and return where each of its ledgers lies.

    Raises:
        cdp_pipeline.connectors.stellar.xdr.XdrError: The bytes are not exactly one batch.
    """
    from cdp_pipeline.connectors.stellar.xdr import scan

    parts: list[LedgerPart] = []
    for span in scan(xdr, "LedgerCloseMetaBatch", (_LEDGER, *_HASHED)):
        if span.type_name == _LEDGER:
            parts.append(LedgerPart(span.start, span.end, []))
        else:
            parts[-1].hashed.append(span)
    return parts


def hashed_parts(xdr: bytes) -> list[Span]:
    """Walk through one LedgerCloseMeta and return its transaction set and its results.

    Raises:
        cdp_pipeline.connectors.stellar.xdr.XdrError: The bytes are not exactly one ledger.
    """
    from cdp_pipeline.connectors.stellar.xdr import scan

    return scan(xdr, _LEDGER, _HASHED)


def verify_contents(xdr: bytes, header: LedgerHeader, hashed: Sequence[Span]) -> None:
    """Check both hashes of one ledger.

    Args:
        xdr: The bytes that the spans point into.
        header: The ledger's header.
        hashed: Its transaction set and results, as `split_batch` or `hashed_parts` finds
            them.

    Raises:
        HashMismatch: Transactions or results are not those that the header names.
    """
    view = memoryview(xdr)
    pairs: list[memoryview] = []
    for span in hashed:
        value = view[span.start : span.end]
        if span.type_name == _RESULT:
            pairs.append(value)
        elif header.transaction_set_hash is not None:
            computed = _set_hash(span.type_name, value)
            _compare(header.sequence, "transaction set", header.transaction_set_hash, computed)
    results = sha256(struct.pack(">I", len(pairs)))
    for pair in pairs:
        results.update(pair)
    _compare(header.sequence, "transaction results", header.result_set_hash, results.digest())


def _set_hash(type_name: str, value: memoryview) -> bytes:
    if type_name == _GENERALIZED_SET:
        return sha256(value).digest()
    # The number of envelopes, which stands between the two, is not hashed.
    content = sha256(value[:_HASH_BYTES])
    content.update(value[_HASH_BYTES + 4 :])
    return content.digest()


def _compare(sequence: int, what: str, expected: bytes, computed: bytes) -> None:
    if computed != expected:
        raise HashMismatch(
            f"ledger {sequence}: {what} hash {expected.hex()} expected by its header, "
            f"its bytes give {computed.hex()}"
        )
