"""A round of `flowctl plugin dev` in words: what came of each message, and what is different."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cdp_pipeline.testing.rounds import Outcome
    from cdpplugin import Message

_MOST_OUTCOMES = 20
_MOST_CHANGES = 30
_LONGEST = 300
"""Characters of an output, or of a difference, that are shown."""


def outcome_lines(outcomes: Sequence[Outcome], masked: Callable[[str], str]) -> Iterator[str]:
    """Yield what came of each message, then the counts; *masked* hides secrets in errors."""
    for outcome in outcomes[:_MOST_OUTCOMES]:
        mark = ""
        if outcome.mismatches is not None:
            mark = "FAILED  " if outcome.mismatches else "ok      "
        yield f"  {mark}{outcome.label}"
        yield from (f"    -> {_shown(message)}" for message in outcome.outputs)
        yield from (f"    dropped{': ' if why else ''}{why}" for why in outcome.drops)
        for error in outcome.failures:
            yield f"    error[{error.code}]: {masked(error.message)}"
            if error.hint:
                yield f"      hint: {masked(error.hint)}"
        yield from (f"    {mismatch}" for mismatch in outcome.mismatches or ())
    if len(outcomes) > _MOST_OUTCOMES:
        yield f"  ... and {len(outcomes) - _MOST_OUTCOMES:,} more"
    yield f"  {_counts(outcomes)}"


def _counts(outcomes: Sequence[Outcome]) -> str:
    cases = [outcome for outcome in outcomes if outcome.mismatches is not None]
    if cases:
        failed = sum(bool(outcome.mismatches) for outcome in cases)
        return f"{len(cases) - failed} passed, {failed} failed"
    outputs = sum(len(outcome.outputs) for outcome in outcomes)
    drops = sum(len(outcome.drops) for outcome in outcomes)
    failures = sum(len(outcome.failures) for outcome in outcomes)
    return f"{len(outcomes):,} in, {outputs:,} outputs, {drops:,} dropped, {failures:,} failed"


def difference_lines(before: Sequence[Outcome], now: Sequence[Outcome]) -> Iterator[str]:
    """Yield what is different *now*."""
    from cdp_pipeline.testing.rounds import differences

    lines = [
        line
        for each in differences(before, now)
        for line in (f"    {each.label}", *(f"      {_cut(line)}" for line in each.lines))
    ]
    if not lines:
        yield "  same as the round before"
        return
    yield "  different from the round before:"
    yield from lines[:_MOST_CHANGES]
    if len(lines) > _MOST_CHANGES:
        yield f"    ... and {len(lines) - _MOST_CHANGES:,} lines more"


def _shown(message: Message) -> str:
    from cdpplugin import encode_json

    metadata = f" {encode_json(message.metadata).decode()}" if message.metadata else ""
    return _cut(f"{message.type} {encode_json(message.payload).decode()}{metadata}")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
