"""`ledger-to-json`: turn raw ledgers into SEP-51 XDR-JSON."""

from __future__ import annotations

from cdp_pipeline.connectors.settings import Settings
from cdp_pipeline.connectors.stellar.ledger_rows import LEDGER, raw_ledger, split_ledgers
from cdpplugin import (
    Base,
    Batch,
    OutputPart,
    Outputs,
    PluginError,
    PluginMetadata,
    Sep51Payloads,
)
from cdpplugin.batch import take_column

LEDGER_JSON = "LedgerCloseMetaJson"


class LedgerToJsonSettings(Settings):
    """Nothing to set."""


class LedgerToJson(Base):
    """Processor of type `ledger-to-json`. Messages of other types pass as they came."""

    def metadata(self) -> PluginMetadata:
        """Say who it is."""
        return PluginMetadata(
            "ledger-to-json",
            "0.1.0",
            "processor",
            description="Raw ledgers as SEP-51 XDR-JSON",
            input_types=[LEDGER],
            output_types=[LEDGER_JSON],
            config_schema=LedgerToJsonSettings.model_json_schema(),
            input_encoding="xdr",
        )

    def process_batch(self, batch: Batch) -> Outputs:
        """Convert each ledger; one that cannot be read is one row error."""
        from cdp_pipeline.connectors.stellar.xdr import to_sep51

        ledgers, others = split_ledgers(batch)
        rows: list[int] = []
        converted: list[bytes] = []
        errors: dict[int, PluginError] = {}
        for row in ledgers:
            try:
                converted.append(to_sep51(raw_ledger(batch, row)))
                rows.append(row)
            except PluginError as error:
                errors[row] = error
        parts = [OutputPart(_messages(batch, rows, converted), rows)] if rows else []
        if others:
            parts.append(OutputPart(batch.take(others), others))
        return Outputs(parts, errors)


def _messages(batch: Batch, rows: list[int], converted: list[bytes]) -> Batch:
    return Batch(
        types=LEDGER_JSON,
        payloads=Sep51Payloads(converted),
        ids=take_column(batch.ids, rows),
        metadata=take_column(batch.metadata, rows),
        sources=take_column(batch.sources, rows),
        trace_ids=take_column(batch.trace_ids, rows),
    )
