"""Packs what applying a transaction did: `TransactionMeta` V3 and V4, with their events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .packing import ABSENT, EMPTY, PRESENT, VERSION_0, VERSION_1, array, i64, u32
from .planning import ResourceFees
from .values import FALSE_VALUE

_META_V3, _META_V4 = u32(3), u32(4)


@dataclass(slots=True)
class Effects:
    """What applying a transaction did, packed part by part.

    Attributes:
        before: Changes of sequence numbers.
        changes: Of each operation; empty for a failed transaction, as its operations are undone.
        events: Of each operation.
        after: The refund, before protocol 23.
        fee_events: `TransactionEvent`s; kept only with unified events.
        resources, return_value: Of a Soroban transaction.
    """

    before: bytes = EMPTY
    changes: list[bytes] = field(default_factory=list)
    events: list[list[bytes]] = field(default_factory=list)
    after: bytes = EMPTY
    fee_events: list[bytes] = field(default_factory=list)
    resources: ResourceFees | None = None
    return_value: bytes | None = None

    def pack_v4(self, *, unified_events: bool) -> bytes:
        """`TransactionMeta` V4: the events of contracts, and with CAP-67 of everything else."""
        kept = unified_events or self.resources is not None
        operations = [
            VERSION_0 + changes + array(events if kept else ())
            for changes, events in zip(self.changes, self.events, strict=True)
        ]
        return b"".join(
            (
                _META_V4 + VERSION_0 + self.before + array(operations) + self.after,
                self._soroban_v4(),
                array(self.fee_events if unified_events else ()) + EMPTY,
            )
        )

    def pack_v3(self) -> bytes:
        """`TransactionMeta` V3: only contracts have events."""
        head = _META_V3 + VERSION_0 + self.before + array(self.changes) + self.after
        return head + self._soroban_v3()

    def _soroban_v4(self) -> bytes:
        if self.resources is None:
            return ABSENT
        returned = ABSENT if self.return_value is None else PRESENT + self.return_value
        return PRESENT + _fee_split(self.resources) + returned

    def _soroban_v3(self) -> bytes:
        if self.resources is None:
            return ABSENT
        events: Sequence[bytes] = self.events[0] if self.events else ()
        returned = FALSE_VALUE if self.return_value is None else self.return_value
        return PRESENT + _fee_split(self.resources) + array(events) + returned + EMPTY


def _fee_split(resources: ResourceFees) -> bytes:
    """`SorobanTransactionMetaExt` V1."""
    fees = i64(resources.not_refundable) + i64(resources.refundable) + i64(resources.rent)
    return VERSION_1 + VERSION_0 + fees
