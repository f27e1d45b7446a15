"""Tell a reference processor what to do (`spec/conformance.md`), and read what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdpplugin.batch import Batch
from cdpplugin.errors import PluginError
from cdpplugin.message import Message, views
from cdpplugin.metadata import PluginMetadata
from cdpplugin.outputs import Outputs
from cdpplugin.testing.bench import Bench
from cdpplugin.testing.case import equal, require
from cdpplugin.testing.checks import sound
from cdpplugin.testing.samples import batch_of, message

ECHO = {"do": "echo"}


def do(action: str, **arguments: Any) -> dict[str, Any]:
    """Return a payload that asks for *action*."""
    return {"do": action, **arguments}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a batch.

    Attributes:
        rows: For each input row its outputs.
        errors: What went wrong, by input row.
        dropped: Why rows were left out, counted by reason.
    """

    rows: Sequence[Sequence[Message]]
    errors: Mapping[int, PluginError]
    dropped: Mapping[str, int]

    @property
    def counts(self) -> list[int]:
        """For each input row the number of its outputs."""
        return [len(outputs) for outputs in self.rows]

    def one(self, row: int = 0) -> Message:
        """Return the only output of *row*.

        Raises:
            Failed: It has none, or several, or failed.
        """
        error = self.errors.get(row)
        require(error is None, f"row {row} failed: {error}")
        equal(1, len(self.rows[row]), f"the number of outputs of row {row}")
        return self.rows[row][0]

    def error(self, row: int = 0) -> PluginError:
        """Return the error of *row*.

        Raises:
            Failed: It has none.
        """
        require(row in self.errors, f"row {row} has no error, {len(self.rows[row])} outputs")
        return self.errors[row]


async def ask(bench: Bench, *payloads: Any) -> Answer:
    """Send *payloads* in one batch to the shared life."""
    return await ask_on(await bench.shared(), bench, *payloads)


async def ask_on(handle: Any, bench: Bench, *payloads: Any) -> Answer:
    """Send *payloads* in one batch to *handle*."""
    messages = [message(payload, number) for number, payload in enumerate(payloads)]
    return await send(handle, batch_of(messages), bench.metadata)


async def send(handle: Any, batch: Batch, metadata: PluginMetadata) -> Answer:
    """Send *batch*, require a sound answer, and return it row by row."""
    outputs: Outputs = await handle.process_batch(batch)
    sound(outputs, len(batch), metadata)
    rows: list[list[Message]] = [[] for _ in range(len(batch))]
    for part in outputs.parts:
        for row, output in zip(part.rows, views(part.batch), strict=True):
            rows[row].append(output)
    return Answer(rows, outputs.errors, outputs.dropped)
