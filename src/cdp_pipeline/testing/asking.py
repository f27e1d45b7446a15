"""Ask a plugin message by message, and say what it made of each.

asking = Asking(handle, "enrich")
answer = await asking.ask(batch.slice(0, 1))
answer.outputs, answer.failure, answer.is_dropped
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdp_pipeline.engine.identity import Rows, with_ids
from cdpplugin import Batch, Delivery, Drop, Outputs, PluginError
from cdpplugin.function import as_plugin_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a plugin made of one message.

    Attributes:
        id: The message's id.
        type: The message's type.
        outputs: What came out, one message each, with ids; of a consumer the message itself.
        failure: Why it failed; else None.
        reasons: Why it was dropped, in its author's words; empty where none were said.
        has_passed_by: Whether the plugin does not take its type, so that it was not asked.
    """

    id: str
    type: str
    outputs: Sequence[Batch] = ()
    failure: PluginError | None = None
    reasons: Sequence[str] = ()
    has_passed_by: bool = False

    @property
    def is_dropped(self) -> bool:
        """Whether nothing came of it, on purpose."""
        return not self.outputs and self.failure is None


class Asking:
    """Asks one processor or consumer that is started.

    Args:
        handle: What executes it.
        stage: Its stage, which the ids of its outputs are made from.
    """

    def __init__(self, handle: Any, stage: str) -> None:
        self._handle = handle
        self._stage = stage
        self._position: int | None = None
        self._taken: list[int] = []
        self._durable = -1

    @property
    def acknowledged(self) -> int:
        """How many of the messages that a consumer has taken are durable."""
        return bisect_right(self._taken, self._durable)

    async def ask(self, single: Batch) -> Answer:
        """Return what is made of the one message of *single*."""
        facts: dict[str, Any] = {"id": single.ids[0], "type": single.types[0]}
        metadata = self._handle.metadata()
        if metadata.input_types and single.types[0] not in metadata.input_types:
            return Answer(**facts, outputs=[single], has_passed_by=True)
        try:
            if metadata.type == "consumer":
                await self._consume(single)
                return Answer(**facts, outputs=[single])
            answered = await self._handle.process_batch(single)
        except Exception as error:
            return Answer(**facts, **_said(as_plugin_error(error)))
        if answered.errors:
            return Answer(**facts, **_said(answered.errors[0]))
        return Answer(**facts, outputs=self._singles(answered, single), reasons=[*answered.dropped])

    async def flush(self) -> None:
        """Let a consumer make durable what it has taken.

        Raises:
            PluginError: It cannot.
        """
        self._note(await self._handle.flush())

    async def _consume(self, single: Batch) -> None:
        if self._position is None:  # it leaves out what stands at or before its own
            durable = await self._handle.durable_position()
            self._position = -1 if durable is None else durable
        self._position += 1
        durable = await self._handle.consume(Delivery(single, [self._position], self._position))
        self._taken.append(self._position)
        self._note(durable)

    def _note(self, durable: int | None) -> None:
        self._durable = max(self._durable, -1 if durable is None else durable)

    def _singles(self, answered: Outputs, single: Batch) -> list[Batch]:
        found: list[Batch] = []
        earlier: list[Rows] = []
        for part in answered.parts:
            batch = with_ids(part.batch, part.rows, single, self._stage, earlier)
            earlier.append((batch.types, part.rows))
            found += singles(batch)
        return found


def singles(batch: Batch) -> list[Batch]:
    """Return each message of *batch* as a batch of its own."""
    return [batch.slice(row, row + 1) for row in range(len(batch))]


def _said(error: PluginError) -> dict[str, Any]:
    """Return what an error says of a message: it failed, or its author drops it."""
    return {"reasons": [error.reason]} if isinstance(error, Drop) else {"failure": error}
