"""Records what one step does to the ledger: `LedgerEntryChanges` of Stellar-ledger.x."""

from __future__ import annotations

from stellar_sdk import xdr

from .entries import Entry
from .packing import array, tag

_CREATED = tag(xdr.LedgerEntryChangeType.LEDGER_ENTRY_CREATED)
_UPDATED = tag(xdr.LedgerEntryChangeType.LEDGER_ENTRY_UPDATED)
_REMOVED = tag(xdr.LedgerEntryChangeType.LEDGER_ENTRY_REMOVED)
_STATE = tag(xdr.LedgerEntryChangeType.LEDGER_ENTRY_STATE)


class Changes:
    """The changes of one step, each entry once, in the order in which they were first touched.

    An entry must be announced before it is changed: its state before is packed at that moment.
    """

    __slots__ = ("_ledger", "_removed", "_touched")

    def __init__(self, ledger: int) -> None:
        self._ledger = ledger
        self._touched: dict[int, tuple[Entry, bytes]] = {}
        self._removed: set[int] = set()

    def touch(self, entry: Entry) -> None:
        """Announce that an existing entry is about to change."""
        if id(entry) not in self._touched:
            self._touched[id(entry)] = (entry, _STATE + entry.pack())
            entry.last_modified = self._ledger

    def create(self, entry: Entry) -> None:
        """Add a new entry."""
        self._touched[id(entry)] = (entry, b"")
        entry.last_modified = self._ledger

    def remove(self, entry: Entry) -> None:
        """Take an existing entry out of the ledger."""
        self.touch(entry)
        self._removed.add(id(entry))

    def pack(self) -> bytes:
        """The packed `LedgerEntryChanges`."""
        packed: list[bytes] = []
        for identity, (entry, before) in self._touched.items():
            if not before:
                packed.append(_CREATED + entry.pack())
            elif identity in self._removed:
                packed += (before, _REMOVED + entry.key())
            else:
                packed += (before, _UPDATED + entry.pack())
        return array(packed)
