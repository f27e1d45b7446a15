"""Find the message that a plugin cannot stand, so that its neighbours get their answers.

For a plugin without state. Whoever executes it says how an instance is had and asked:

1. While all is well, batches are asked together.
2. Batches that were unanswered when an instance died or hung are asked again alone, one after
   the other, before anybody else. Most of them pass: they were only beside the guilty one.
3. One that ends an instance alone is divided, and so are its parts that do the same.
4. A message that ends two instances alone, or hangs one, is at fault: it comes back as the
   error of its row. Once may be chance, such as a kill from outside.
5. A batch that is answered with nonsense, or with more than fits, is divided as well.

Invariant: every row of a batch comes back with its answer or its error, or the batch fails
as a whole. An instance that was ended by 2 to 4 was ended by the host's own doing: the next
one starts at once, and nobody counts it.
"""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from cdp_pipeline.runtimes.grpc.faults import PluginCrashed, PluginTimeout, ProtocolViolation
from cdp_pipeline.runtimes.grpc.search import Failed, Search, SearchInVain
from cdp_pipeline.runtimes.grpc.turns import Turns
from cdpplugin import Batch, Outputs

I = TypeVar("I")  # noqa: E741 - an instance
Ended = PluginCrashed | PluginTimeout


class Subject(Protocol[I]):
    """A plugin, as it is had and asked."""

    async def instance(self) -> I:
        """Return an instance that lives.

        Raises:
            PluginError: There is none; no message is at fault.
        """

    async def ask(self, instance: I, batch: Batch) -> Outputs:
        """Return the answer to *batch*.

        Raises:
            PluginCrashed: The instance died before it answered.
            PluginTimeout: It hung, and was ended.
            ProtocolViolation: It answered nonsense, and lives.
        """

    def pardon(self, instance: I) -> None:
        """Do not count the end of *instance*, and start the next one at once."""

    def excuse(self, instance: I) -> None:
        """Take back that the end of *instance* was counted: a message was at fault."""


class Isolation(Generic[I]):
    """Asks one plugin, whatever its messages do to it."""

    def __init__(self, subject: Subject[I], log: Any) -> None:
        self._subject = subject
        self._log = log
        self._turns = Turns()
        self._explained: list[I] = []
        self._blamed: set[str] = set()
        self._answers_nothing = False

    async def answer(self, batch: Batch, *, survives: bool = True) -> Outputs:
        """Return the answer to *batch*, a message at fault as the error of its row.

        Args:
            batch: What is asked.
            survives: Whether to go on after the plugin died with it, or raise that.

        Raises:
            PluginError: The batch failed as a whole, and why.
        """
        async with self._turns.together():
            instance = await self._subject.instance()
            outcome = await self._outcome(instance, batch)
        if isinstance(outcome, Outputs):
            return outcome
        if isinstance(outcome, PluginCrashed) and not survives:
            raise outcome
        async with self._turns.alone():
            return await self._divided(batch, instance, outcome)

    async def _divided(self, batch: Batch, instance: I, failed: Failed) -> Outputs:
        """Return the answer to *batch*, with which *instance* has *failed*."""
        if self._answers_nothing:
            raise failed
        search = Search(batch, self._probe)
        self._log.warning(
            "a batch failed as a whole: asking it again alone, to find the message at fault",
            rows=len(batch),
            code=failed.code,
            error=failed.message,
        )
        try:
            await search.run(failed)
        except SearchInVain as vain:
            self._answers_nothing = True
            raise vain.failed from failed
        for row, error in search.at_fault.items():
            self._log.warning("a message is at fault", id=batch.ids[row], code=error.code)
        if search.at_fault and not isinstance(failed, ProtocolViolation):
            self._explain(instance, {batch.ids[row] for row in search.at_fault})
            if search.answers:
                self._take_answer()
        return search.outputs()

    def _explain(self, instance: I, ids: set[str]) -> None:
        """Excuse the end of *instance* as soon as the plugin has answered anything since.

        One that answers nothing between two messages at fault is at fault itself. The same
        message again, as a policy may repeat it, says nothing new.
        """
        if ids <= self._blamed:
            self._subject.excuse(instance)
        else:
            self._explained.append(instance)
        self._blamed |= ids - {""}

    def _take_answer(self) -> None:
        """Take note that the plugin can answer."""
        self._answers_nothing = False
        self._blamed.clear()
        while self._explained:
            self._subject.excuse(self._explained.pop())

    async def _outcome(self, instance: I, batch: Batch) -> Outputs | Failed:
        try:
            outputs = await self._subject.ask(instance, batch)
        except (PluginCrashed, PluginTimeout, ProtocolViolation) as failed:
            return failed
        self._take_answer()
        return outputs

    async def _probe(self, batch: Batch) -> Outputs | Failed:
        instance = await self._subject.instance()
        outcome = await self._outcome(instance, batch)
        if isinstance(outcome, Ended):
            self._subject.pardon(instance)
        return outcome
