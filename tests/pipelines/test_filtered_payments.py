"""The example `filtered-payments.yaml` on the real ledgers: the brief's filter, in Rust."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests._flowctl import start
from tests._rust import compiler
from tests._workshop import FIRST, LAST, Lake

BUILD_BOUND_S = 300.0
"""The first run compiles the filter."""
EXAMPLE = Path(__file__).parents[2] / "examples" / "pipelines" / "filtered-payments.yaml"


def wanted(row: dict[str, Any]) -> bool:
    """Whether a golden token transfer is one that the example asks for."""
    amount = Decimal(row["amount_raw"]) / 10**7
    is_asset = row["asset_type"] == "native" or row["asset_code"] in ("USD", "USDC")
    return amount >= 1 and is_asset and row["event_topic"] in ("transfer", "mint")


def test_some_pass_and_some_do_not(real_lake: Lake, test_data: Path, tmp_path: Path) -> None:
    """What arrives is what the reference exporter's rows say, and all else is counted."""
    compiler()
    golden = test_data / "golden" / "stellar-etl" / "10_ledgers_token_transfers.golden"
    lines = golden.read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    expected = sorted(_key(row) for row in rows if wanted(row))
    assert 0 < len(expected) < len(rows)
    env = {"CDP_LAKE": str(real_lake.folder), "OUT": str(tmp_path / "out")}
    process = start("run", EXAMPLE, env=env | {"START": str(FIRST), "END": str(LAST)})
    try:
        out, err = process.communicate(timeout=BUILD_BOUND_S)
    finally:
        process.kill()
        process.wait()
    assert 0 == process.returncode, err.decode()
    written = (tmp_path / "out" / "token_transfers.jsonl").read_text().splitlines()
    assert expected == sorted(_key(json.loads(line)) for line in written)
    assert f"fast-filter: {len(rows)} in, {len(expected)} out" in (out + err).decode()


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["transaction_hash"], row["operation_id"] or 0, row["from"], row["amount_raw"])
