"""docs/guides/state.md: the stateful plugin counts, hands over what it has, and starts over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cdpplugin import Batch
from tests._flowctl import flowctl
from tests.docs._pages import blocks

PLUGIN, COMMANDS, PIPELINE = blocks("guides/state.md")
PAYMENTS = [{"asset": "XLM", "amount": 3}, {"asset": "USDC", "amount": 5}] * 2


def running_total() -> Any:
    """Return the plugin as the page shows it."""
    namespace: dict[str, Any] = {"__name__": "docs_running_total"}
    exec(PLUGIN.text, namespace)
    return namespace["RunningTotal"]()


async def test_its_state_crosses() -> None:
    """An instance that imports what another exported goes on with its totals."""
    old, new = running_total(), running_total()
    await old.process_batch(Batch.of("Payment", PAYMENTS))
    await new.import_state(await old.export_state())
    outputs = await new.process_batch(Batch.of("Payment", PAYMENTS[:1]))

    assert {"asset": "XLM", "total": 9} == outputs.parts[0].batch.payloads.value(0)


def test_its_pipeline_runs_and_can_be_reset(tmp_path: Path) -> None:
    """Pipeline, plugin and commands work as printed."""
    for block in (PLUGIN, PIPELINE):
        (tmp_path / block.file).write_text(block.text)
    lines = "".join(json.dumps(payment) + "\n" for payment in PAYMENTS)
    (tmp_path / "payments.jsonl").write_text(lines)
    done = flowctl("run", "pipeline.yaml", cwd=tmp_path)
    totals = [json.loads(line) for line in (tmp_path / "totals.jsonl").read_text().splitlines()]

    assert 0 == done.code, done.err
    assert [3, 5, 6, 10] == [message["total"] for message in totals]
    for line in COMMANDS.text.splitlines():
        command = flowctl(*line.split()[1:], cwd=tmp_path)
        assert 0 == command.code, command.err
