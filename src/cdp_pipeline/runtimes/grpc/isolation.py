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

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from cdp_pipeline.runtimes.encodable import joined
from cdp_pipeline.runtimes.grpc.faults import (
    MessageAtFault,
    PluginCrashed,
    PluginTimeout,
    ProtocolViolation,
)
from cdp_pipeline.runtimes.grpc.turns import Turns
from cdpplugin import Batch, Outputs, PluginError

FAN_OUT = 16
"""Parts into which a batch is divided.

Asking a good part costs little, a bad one costs an instance or a deadline. So more parts are
cheaper than halves: of 1000 rows one bad one is found in 3 steps and not in 10.
"""
MOST_FAILED = 50
"""Failures that one batch may cost: enough for about ten messages at fault in 1000.

What is not settled by then is asked again row by row, by the stage.
"""
KILLS = 2
"""Instances that a message has to end alone."""

I = TypeVar("I")  # noqa: E741 - an instance
Ended = PluginCrashed | PluginTimeout
Failed = Ended | ProtocolViolation


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


class SearchInVain(Exception):
    """No message of a batch is answered: it is the plugin that is at fault.

    Attributes:
        failed: How it failed last.
    """

    def __init__(self, failed: Failed) -> None:
        super().__init__(str(failed))
        self.failed = failed


class Search:
    """The search for what is at fault in one batch.

    Attributes:
        answers: The rows that were answered, and the answer.
        at_fault: The rows that the plugin cannot stand.
        unsettled: The rows for which there were too many others.
    """

    def __init__(self, batch: Batch, probe: Callable[[Batch], Awaitable[Outputs | Failed]]) -> None:
        self.answers: list[tuple[range, Outputs]] = []
        self.at_fault: dict[int, PluginError] = {}
        self.unsettled: list[range] = []
        self._batch = batch
        self._probe = probe
        self._failures = 0

    async def run(self, failed: Failed) -> None:
        """Ask until every row is settled, or it took too many instances.

        Raises:
            SearchInVain: Nothing is answered.
        """
        whole = range(len(self._batch))
        # A batch beside one that died was only interrupted; one that failed otherwise had its turn.
        is_main_suspect = not isinstance(failed, PluginCrashed) and len(whole) > 1
        pending = deque(_first_parts(whole) if is_main_suspect else [whole])
        while pending and self._failures < MOST_FAILED:
            rows = pending.popleft()
            outcome = await self._asked(rows)
            if isinstance(outcome, Outputs):
                self.answers.append((rows, outcome))
            elif len(rows) == 1:
                self.at_fault[rows.start] = MessageAtFault.of(outcome)
                if len(self.at_fault) == _SAMPLES and not self.answers and pending:
                    raise SearchInVain(outcome)
            else:
                pending += _first_parts(rows) if rows == whole else _parts(rows, len(rows))
        self.unsettled = list(pending)

    async def _asked(self, rows: range) -> Outputs | Failed:
        """Return the outcome of *rows* alone; a single one that dies gets its second chance."""
        part = self._batch.slice(rows.start, rows.stop)
        chances = KILLS if len(rows) == 1 else 1
        while True:
            outcome = await self._probe(part)
            if isinstance(outcome, Outputs):
                return outcome
            self._failures += 1
            chances -= 1
            if not chances or not isinstance(outcome, PluginCrashed):
                return outcome

    def outputs(self) -> Outputs:
        """Return what was found, as the answer to the whole batch."""
        again = PluginCrashed(
            f"too many messages of this batch are at fault, {len(self.at_fault)} and more: "
            "the others are asked again one by one",
            after_s=0.0,
        )
        rest = {row: again for rows in self.unsettled for row in rows}
        answers = sorted(self.answers, key=lambda answer: answer[0].start)
        return joined(answers, {**self.at_fault, **rest})


_SAMPLES = 3


def _first_parts(whole: range) -> Iterator[range]:
    """Yield the parts of a batch, its first, last and middle row by themselves before the rest.

    Where none of these is answered, the plugin answers nothing: that is known soon, however
    long a whole part may take.
    """
    samples = sorted({0, len(whole) // 2, len(whole) - 1})
    yield from (whole[row : row + 1] for row in samples)
    for before, after in zip(samples, [*samples[1:], len(whole)], strict=True):
        yield from _parts(whole[before + 1 : after], len(whole))


def _parts(rows: range, divided: int) -> Iterator[range]:
    """Yield *rows* in parts of the size that *divided* rows give."""
    size = -(-divided // FAN_OUT)
    yield from (rows[start : start + size] for start in range(0, len(rows), size))
