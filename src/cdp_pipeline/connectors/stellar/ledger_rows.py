"""`rows`: turn ledgers into typed rows with the columns of stellar-etl and Hubble."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from cdp_pipeline.connectors.settings import Settings, settings_of
from cdpplugin import (
    Base,
    Batch,
    Lazy,
    OutputPart,
    Outputs,
    PluginError,
    PluginMetadata,
    SourceInfo,
)

if TYPE_CHECKING:
    from cdp_pipeline.connectors.stellar.rows import Rows

LEDGER = "LedgerCloseMeta"
Table = Literal["ledgers", "transactions", "operations", "token_transfers", "contract_events"]


class RowsSettings(Settings):
    """Which tables are extracted."""

    tables: list[Table] = Field(
        ["ledgers", "transactions", "operations", "token_transfers", "contract_events"],
        min_length=1,
        description="Tables to extract; each becomes a message type of that name",
    )
    missing_events: Literal["error", "count"] = Field(
        "error",
        description="What a ledger without CAP-67 events means for `token_transfers`: an error "
        "of that ledger, or a number in the summary",
    )


class LedgerRows(Base):
    """Processor of type `rows`. Messages of other types pass as they came."""

    _settings: RowsSettings

    def metadata(self) -> PluginMetadata:
        """Say who it is."""
        return PluginMetadata(
            "rows",
            "0.1.0",
            "processor",
            description="Typed rows: ledgers, transactions, operations, token transfers, events",
            input_types=[LEDGER],
            output_types=list(RowsSettings.model_fields["tables"].default),
            config_schema=RowsSettings.model_json_schema(),
            input_encoding="xdr",
        )

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Take the settings."""
        self._settings = settings_of(RowsSettings, config)

    def process_batch(self, batch: Batch) -> Outputs:
        """Extract the rows of each ledger; a ledger that cannot be read is one row error."""
        ledgers, others = split_ledgers(batch)
        extracted: list[tuple[int, Rows]] = []
        errors: dict[int, PluginError] = {}
        for row in ledgers:
            try:
                extracted.append((row, self._extract(batch, row)))
            except PluginError as error:
                errors[row] = error
        parts = [
            part for table in self._settings.tables for part in _table(table, extracted, batch)
        ]
        if others:
            parts.append(OutputPart(batch.take(others), others))
        return Outputs(parts, errors, _missing(extracted))

    def _extract(self, batch: Batch, row: int) -> Rows:
        from cdp_pipeline.connectors.stellar.networks import network_of_passphrase
        from cdp_pipeline.connectors.stellar.rows import extract

        network = network_of_passphrase(batch.sources[row].network)
        return extract(
            raw_ledger(batch, row),
            network_id=network.network_id,
            network=network.name,
            tables=self._settings.tables,
            missing_events=self._settings.missing_events,
        )


def split_ledgers(batch: Batch) -> tuple[list[int], list[int]]:
    """Return the rows of *batch* that are ledgers, and those that are not."""
    ledgers: list[int] = []
    others: list[int] = []
    for row, kind in enumerate(batch.types):
        (ledgers if kind == LEDGER else others).append(row)
    return ledgers, others


def raw_ledger(batch: Batch, row: int) -> bytes:
    """Return the raw XDR of a ledger message.

    Raises:
        PluginError: ledger.not_raw; the payload is no longer raw XDR.
    """
    from cdp_pipeline.connectors.backings import XdrPayloads

    if not isinstance(batch.payloads, XdrPayloads):
        raise PluginError(
            f"expected a raw ledger, got a payload in `{batch.payloads.encoding}`",
            code="ledger.not_raw",
            hint="put this stage before the stages that turn ledgers into JSON",
        )
    return batch.payloads.xdr[row]


def _table(table: str, extracted: list[tuple[int, Rows]], batch: Batch) -> Iterable[OutputPart]:
    """Return one part with the rows of *table* of all ledgers, or nothing where there are none."""
    import pyarrow as pa

    from cdp_pipeline.connectors.backings import ArrowPayloads
    from cdp_pipeline.connectors.stellar.rows import to_json_rows

    held = [(row, rows) for row, rows in extracted if rows.tables[table].num_rows]
    if not held:
        return
    records = pa.concat_batches([rows.tables[table] for _, rows in held])
    origin: list[int] = []
    sources: list[SourceInfo] = []
    for row, rows in held:
        count = rows.tables[table].num_rows
        origin += [row] * count
        sources += [batch.sources[row]] * count
    payloads = ArrowPayloads(records, _json_rows(table, to_json_rows))
    ids = Lazy(len(origin), lambda: [i for _, rows in held for i in rows.ids(table)])
    yield OutputPart(Batch(types=table, payloads=payloads, ids=ids, sources=sources), origin)


_writers: dict[str, Any] = {}


def _json_rows(table: str, write: Any) -> Any:
    """Return the one JSON writer of *table*: payload columns join where it is the same."""
    return _writers.setdefault(table, partial(write, table))


def _missing(extracted: list[tuple[int, Rows]]) -> dict[str, int]:
    missing = sum(rows.stats.missing_events for _, rows in extracted)
    return {"transactions without CAP-67 events": missing} if missing else {}
