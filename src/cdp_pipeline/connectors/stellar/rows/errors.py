"""What can go wrong while a ledger is turned into rows.

PluginError
├── EventsMissing          rows.events_missing         the meta carries no token transfer events
├── TransactionUnmatched   rows.transaction_unmatched  a result belongs to no transaction of the set
├── LedgerUnreadable       rows.ledger_unreadable      the decoded ledger has an unexpected shape
└── TableUnknown           rows.table_unknown          a table was asked for that does not exist
"""

from __future__ import annotations

from cdpplugin.errors import PluginError


class EventsMissing(PluginError):
    """A transaction's meta has no CAP-67 events, so its token transfers are unknown."""

    code = "rows.events_missing"
    hint = (
        "export the ledger with a stellar-core that sets EMIT_CLASSIC_EVENTS=true (and "
        "BACKFILL_STELLAR_ASSET_EVENTS=true for ledgers before protocol 23), leave "
        "`token_transfers` out of `tables`, or set `missing_events: count`"
    )


class TransactionUnmatched(PluginError):
    """A transaction result names a hash that no envelope of the ledger has."""

    code = "rows.transaction_unmatched"
    hint = "check that `network` names the network the ledgers come from"


class LedgerUnreadable(PluginError):
    """The decoded ledger lacks a field or holds one of another type."""

    code = "rows.ledger_unreadable"
    hint = "check that the file holds LedgerCloseMeta XDR of a protocol this version knows"


class TableUnknown(PluginError):
    """A name in `tables` is not one of the tables that can be extracted."""

    code = "rows.table_unknown"
