"""`latest-ledger`: one compact message a ledger, with its counts, fees and times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from cdp_pipeline.connectors.settings import Settings, settings_of
from cdp_pipeline.connectors.stellar.ledger_rows import LEDGER, raw_ledger, split_ledgers
from cdpplugin import (
    Base,
    Batch,
    JsonPayloads,
    OutputPart,
    Outputs,
    PluginError,
    PluginMetadata,
    encode_json,
)
from cdpplugin.batch import take_column

if TYPE_CHECKING:
    import pyarrow as pa

LATEST = "LatestLedger"

_SCHEMA = {
    "type": "object",
    "properties": {
        "sequence": {"type": "integer"},
        "hash": {"type": "string"},
        "previous_hash": {"type": "string"},
        "closed_at": {"type": "string", "format": "date-time"},
        "protocol_version": {"type": "integer"},
        "transaction_count": {"type": "integer"},
        "successful_transaction_count": {"type": "integer"},
        "failed_transaction_count": {"type": "integer"},
        "operation_count": {"type": "integer"},
        "soroban_transaction_count": {"type": "integer"},
        "fee_charged": {"type": "integer", "description": "stroops, summed over transactions"},
        "fee_pool": {"type": "integer", "description": "stroops"},
        "base_fee": {"type": "integer", "description": "stroops"},
        "base_reserve": {"type": "integer", "description": "stroops"},
        "total_coins": {"type": "integer", "description": "stroops"},
    },
}


class LatestLedgerSettings(Settings):
    """What goes out beside the compact message."""

    pass_ledger: bool = Field(
        False, description="Also pass the ledger itself on, after its compact message"
    )


class LatestLedger(Base):
    """Processor of type `latest-ledger`. Messages of other types pass as they came."""

    _settings: LatestLedgerSettings

    def metadata(self) -> PluginMetadata:
        """Say who it is."""
        return PluginMetadata(
            "latest-ledger",
            "0.1.0",
            "processor",
            description="One compact message a ledger: counts, fees and times",
            input_types=[LEDGER],
            output_types=[LATEST, LEDGER],
            output_schema={LATEST: _SCHEMA},
            config_schema=LatestLedgerSettings.model_json_schema(),
            input_encoding="xdr",
        )

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Take the settings."""
        self._settings = settings_of(LatestLedgerSettings, config)

    def process_batch(self, batch: Batch) -> Outputs:
        """Summarise each ledger; one that cannot be read is one row error."""
        ledgers, others = split_ledgers(batch)
        rows: list[int] = []
        summaries: list[bytes] = []
        errors: dict[int, PluginError] = {}
        for row in ledgers:
            try:
                summaries.append(encode_json(summary(raw_ledger(batch, row), batch, row)))
                rows.append(row)
            except PluginError as error:
                errors[row] = error
        parts = [OutputPart(_messages(batch, rows, summaries), rows)] if rows else []
        passed = sorted(others + rows) if self._settings.pass_ledger else others
        if passed:
            parts.append(OutputPart(batch.take(passed), passed))
        return Outputs(parts, errors)


def _messages(batch: Batch, rows: list[int], summaries: list[bytes]) -> Batch:
    return Batch(
        types=LATEST,
        payloads=JsonPayloads(summaries),
        metadata=take_column(batch.metadata, rows),
        sources=take_column(batch.sources, rows),
        trace_ids=take_column(batch.trace_ids, rows),
    )


def summary(xdr: bytes, batch: Batch, row: int) -> dict[str, Any]:
    """Return the payload of type `LatestLedger` for one raw ledger; amounts are in stroops.

    Raises:
        PluginError: The ledger cannot be read.
    """
    from cdp_pipeline.connectors.stellar.networks import network_of_passphrase
    from cdp_pipeline.connectors.stellar.rows import extract

    network = network_of_passphrase(batch.sources[row].network)
    tables = extract(xdr, network_id=network.network_id, tables=("ledgers", "transactions")).tables
    [ledger] = tables["ledgers"].to_pylist()
    return {
        "sequence": ledger["sequence"],
        "hash": ledger["ledger_hash"],
        "previous_hash": ledger["previous_ledger_hash"],
        "closed_at": ledger["closed_at"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "protocol_version": ledger["protocol_version"],
        **_counts(ledger, tables["transactions"]),
        "fee_pool": ledger["fee_pool"],
        "base_fee": ledger["base_fee"],
        "base_reserve": ledger["base_reserve"],
        "total_coins": ledger["total_coins"],
    }


def _counts(ledger: dict[str, Any], transactions: pa.RecordBatch) -> dict[str, int]:
    import pyarrow.compute as pc

    succeeded = ledger["successful_transaction_count"]
    soroban = pc.sum(pc.greater(transactions["resource_fee"], 0)).as_py()
    return {
        "transaction_count": succeeded + ledger["failed_transaction_count"],
        "successful_transaction_count": succeeded,
        "failed_transaction_count": ledger["failed_transaction_count"],
        "operation_count": ledger["operation_count"],
        "soroban_transaction_count": soroban or 0,
        "fee_charged": pc.sum(transactions["fee_charged"]).as_py() or 0,
    }
