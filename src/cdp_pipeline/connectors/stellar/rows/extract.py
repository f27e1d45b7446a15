"""Turns one raw ledger into rows, typed by table: the entry of this package."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import msgspec
import pyarrow as pa

from ..networks import (
    FUTURENET_PASSPHRASE,
    PUBNET_PASSPHRASE,
    STANDALONE_PASSPHRASE,
    TESTNET_PASSPHRASE,
    network_of_passphrase,
)
from . import contract_events, ledgers, operations, toid, token_transfers, transactions
from .errors import LedgerUnreadable, TableUnknown
from .ledger import Ledger
from .schemas import TABLES
from .token_transfers import MissingEvents

_SPANS = {
    "ledgers": ledgers.SPANS,
    "transactions": transactions.SPANS,
    "operations": operations.SPANS,
    "token_transfers": token_transfers.SPANS,
    "contract_events": contract_events.SPANS,
}
_BY_ENVELOPE = frozenset({"transactions", "operations"})
_KNOWN = (PUBNET_PASSPHRASE, TESTNET_PASSPHRASE, FUTURENET_PASSPHRASE, STANDALONE_PASSPHRASE)
_NAMES = {each.network_id: each.name for each in map(network_of_passphrase, _KNOWN)}


@dataclass(slots=True)
class Stats:
    """What a caller may want to count.

    Attributes:
        missing_events: Transactions whose meta lacks the events token transfers come from; only
            counted when `token_transfers` was asked for.
    """

    missing_events: int = 0


@dataclass(slots=True)
class Rows:
    """The rows of one ledger.

    Attributes:
        network: The part of row ids before the ledger.
        sequence: The ledger.
        tables: A record batch per table that was asked for, with the schema of `SCHEMAS`.
        stats: Counts.
    """

    network: str
    sequence: int
    tables: dict[str, pa.RecordBatch]
    stats: Stats
    _suffixes: dict[str, list[str]] = field(default_factory=dict)

    def ids(self, table: str) -> list[str]:
        """Return the row ids of a table, `network:ledger[:transaction[:operation[:index]]]`.

        All parts after the ledger count from 1. Events of a transaction itself have operation 0;
        a token transfer has the id of the contract event it was read from.
        """
        prefix = f"{self.network}:{self.sequence}"
        if table in self._suffixes:
            return [prefix + suffix for suffix in self._suffixes[table]]
        return [prefix + _suffix(value) for value in self.tables[table]["id"].to_pylist()]


def _suffix(value: int) -> str:
    _, transaction, operation = toid.parts(value)
    if operation:
        return f":{transaction}:{operation}"
    return f":{transaction}" if transaction else ""


def extract(
    xdr: bytes,
    *,
    network_id: bytes,
    tables: Collection[str],
    network: str | None = None,
    missing_events: MissingEvents = "error",
) -> Rows:
    """Extract the rows of `tables` from a LedgerCloseMeta (V0, V1 or V2; transaction meta 0 to 4).

    `network` names the network in row ids; by default the name of `network_id`, for an unknown one
    `custom-` and its first eight hex digits. `missing_events` says what a transaction without
    CAP-67 events means for `token_transfers`: an error, or a number in `Rows.stats`.

    Raises:
        XdrError: `xdr` is no valid LedgerCloseMeta.
        LedgerUnreadable: it decodes to a shape these tables cannot be read from.
        TransactionUnmatched: `network_id` is not the ledger's, or results and envelopes differ.
        EventsMissing: as `missing_events` says.
        TableUnknown: a name in `tables` is none of TABLES.
    """
    wanted = _wanted(tables)
    spans = sorted({span for table in wanted for span in _SPANS[table]})
    try:
        ledger = Ledger(xdr, network_id=network_id, spans=spans)
        return _extract(ledger, wanted, network or _network_name(network_id), missing_events)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise LedgerUnreadable(f"decoded ledger has an unexpected shape: {error!r}") from error


def _network_name(network_id: bytes) -> str:
    return _NAMES.get(network_id) or f"custom-{network_id.hex()[:8]}"


def _wanted(tables: Collection[str]) -> list[str]:
    for table in tables:
        if table not in _SPANS:
            raise TableUnknown(
                f"`{table}` is no table that can be extracted",
                hint=f"choose from {', '.join(TABLES)}",
            )
    return [table for table in TABLES if table in tables]


_PLAIN: dict[str, Callable[[Ledger], pa.RecordBatch]] = {
    "ledgers": ledgers.ledgers_batch,
    "transactions": transactions.transactions_batch,
    "operations": operations.operations_batch,
}


def _extract(ledger: Ledger, wanted: list[str], network: str, missing: MissingEvents) -> Rows:
    rows = Rows(network, ledger.sequence, {}, Stats())
    if _BY_ENVELOPE.intersection(wanted):
        ledger.match_envelopes()
    for table in wanted:
        if table in _PLAIN:
            rows.tables[table] = _PLAIN[table](ledger)
        elif table == "contract_events":
            batch, suffixes = contract_events.contract_events_batch(ledger)
            rows.tables[table], rows._suffixes[table] = batch, suffixes
        else:
            batch, suffixes, lacking = token_transfers.token_transfers_batch(ledger, missing)
            rows.tables[table], rows._suffixes[table] = batch, suffixes
            rows.stats.missing_events = lacking
    return rows
