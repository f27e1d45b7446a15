"""Divide a batch that failed as a whole until the messages at fault are left."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator

from cdp_pipeline.runtimes.encodable import joined
from cdp_pipeline.runtimes.grpc.faults import (
    MessageAtFault,
    PluginCrashed,
    PluginTimeout,
    ProtocolViolation,
)
from cdpplugin import Batch, Outputs, PluginError

Failed = PluginCrashed | PluginTimeout | ProtocolViolation

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
_SAMPLES = 3
"""Rows that are asked by themselves first."""


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
