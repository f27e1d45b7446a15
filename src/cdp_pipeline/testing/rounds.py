"""Rounds: the same messages again and again through a plugin that is being written.

outcomes = await run_round(handle, "enrich", given)
list(differences(before, outcomes))
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdp_pipeline.artifacts.cases import Case, CaseAnswer
from cdp_pipeline.artifacts.self_test import FILE_NAME as CASES
from cdp_pipeline.artifacts.self_test import SCRATCH, build_self_test
from cdp_pipeline.config.document import read_document
from cdp_pipeline.engine.identity import SourceIds
from cdp_pipeline.errors import UsageError
from cdp_pipeline.testing.asking import Answer, Asking, singles
from cdp_pipeline.testing.inputs import Inputs
from cdp_pipeline.testing.sample import FILE_NAME as SAMPLES
from cdp_pipeline.testing.sample import sample_beside
from cdpplugin import Batch, Message, PluginError, encode_json, view

SOURCE_MESSAGES = 20
"""So many messages of a source make a round."""
_SOURCE_WAIT_S = 5.0

Given = Callable[[Any, Asking], AsyncIterator["Outcome"]]
"""Sends the messages of a round through a handle, and yields what came of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one message, or of one case.

    Attributes:
        label: The message's id, or the case's name.
        outputs: The messages that came out, in order.
        failures: Why it failed.
        drops: Why it was dropped; an empty text where no reason was given.
        mismatches: How a case differs from what it expects; None where it is no case.
    """

    label: str
    outputs: Sequence[Message] = ()
    failures: Sequence[PluginError] = ()
    drops: Sequence[str] = ()
    mismatches: Sequence[str] | None = None

    @classmethod
    def of(cls, label: str, answers: Sequence[Answer], **more: Any) -> Outcome:
        """Return what *answers* say."""
        return cls(
            label=label,
            outputs=[view(single, 0) for each in answers for single in each.outputs],
            failures=[each.failure for each in answers if each.failure is not None],
            drops=[", ".join(each.reasons) for each in answers if each.is_dropped],
            **more,
        )

    def facts(self) -> Mapping[str, str]:
        """Return it as one text for each value in it, by its path, to be compared."""
        found: dict[str, str] = {}
        for number, message in enumerate(self.outputs, 1):
            found[f"output {number}: type"] = message.type
            for name in ("payload", "metadata"):
                found |= _flat(f"output {number}: {name}", getattr(message, name))
        for number, error in enumerate(self.failures, 1):
            found[f"error {number}"] = f"{error.code}: {error.message}"
        for number, reason in enumerate(self.drops, 1):
            found[f"dropped {number}"] = reason or "no reason given"
        if self.mismatches is not None:
            found["case"] = "FAILED" if self.mismatches else "ok"
        return found


def given_by(inputs: Inputs, folder: Path) -> tuple[str, Given]:
    """Return what is put in, in words and as what does it.

    Args:
        inputs: What the user names; without a file what the plugin brings is taken.
        folder: The plugin's folder.

    Raises:
        UsageError: usage.input_missing; there is neither.
    """
    if inputs.path or inputs.ledgers:
        return ", ".join([inputs.path] if inputs.path else map(str, inputs.ledgers)), _Files(inputs)
    if (folder / CASES).is_file():
        return CASES, _Cases(folder)
    if (folder / SAMPLES).is_file():
        return SAMPLES, _Samples(folder)
    raise UsageError(
        f"expected messages to try the plugin on, found no `{CASES}` in `{folder}`",
        code="usage.input_missing",
        hint=f"add `--input FILE` or `--ledger FILE`, or write cases into `{CASES}`",
    )


@dataclass(frozen=True)
class _Files:
    inputs: Inputs

    async def __call__(self, handle: Any, asking: Asking) -> AsyncIterator[Outcome]:
        async for message in self.inputs.read(handle.metadata()):
            answer = message if isinstance(message, Answer) else await asking.ask(message)
            yield Outcome.of(answer.id, [answer])


@dataclass(frozen=True)
class _Cases:
    folder: Path

    async def __call__(self, handle: Any, asking: Asking) -> AsyncIterator[Outcome]:
        variables = {SCRATCH: f"${{{SCRATCH}}}", **os.environ}
        self_test = build_self_test(read_document(self.folder / CASES), variables)
        for case in self_test.test_cases:
            if case.input is None:  # it reads a source, which gives a round of its own
                continue
            answers = [await asking.ask(single) for single in singles(case.inputs())]
            yield Outcome.of(case.name, answers, mismatches=_mismatches(case, answers))


def _mismatches(case: Case, answers: Sequence[Answer]) -> list[str]:
    outcome = Outcome.of(case.name, answers)
    return list(
        case.mismatches(CaseAnswer([*outcome.outputs], [*outcome.failures], len(outcome.drops)))
    )


@dataclass(frozen=True)
class _Samples:
    folder: Path

    async def __call__(self, handle: Any, asking: Asking) -> AsyncIterator[Outcome]:
        for number, each in enumerate(sample_beside(self.folder).messages, 1):
            label = each.id or f"sample:{number}"
            batch = Batch.of(each.type, [each.payload], metadata=[each.metadata], ids=[label])
            yield Outcome.of(label, [await asking.ask(batch)])


async def source_round(handle: Any, name: str) -> list[Outcome]:
    """Return the first messages of a source, as many as come within a few seconds."""
    ids = SourceIds(name)
    found: list[Outcome] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(_SOURCE_WAIT_S), aclosing(handle.read(None)) as batches:
            async for read in batches:
                for single in singles(ids.of(read.batch, read.positions)):
                    found.append(Outcome(label=single.ids[0], outputs=[view(single, 0)]))
                    if len(found) == SOURCE_MESSAGES:
                        return found
    return found


@dataclass(slots=True)
class Difference:
    """How the outcome of one message differs from the round before.

    Attributes:
        label: The message's id, or the case's name.
        lines: What is gone (`-`), new (`+`) or another (`~`).
    """

    label: str
    lines: list[str] = field(default_factory=list)


def differences(before: Sequence[Outcome], now: Sequence[Outcome]) -> Iterator[Difference]:
    """Yield what is different *now*, message by message."""
    old, new = _by_label(before), _by_label(now)
    for label in [*new, *(label for label in old if label not in new)]:
        lines = list(_changes(old.get(label, {}), new.get(label, {})))
        if lines:
            yield Difference(label, lines)


def _by_label(outcomes: Sequence[Outcome]) -> dict[str, Mapping[str, str]]:
    """Return the facts by label; one that comes again is told apart by a number."""
    found: dict[str, Mapping[str, str]] = {}
    for outcome in outcomes:
        label, number = outcome.label, 1
        while label in found:
            number += 1
            label = f"{outcome.label} ({number})"
        found[label] = outcome.facts()
    return found


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for path in [*new, *(path for path in old if path not in new)]:
        if path not in new:
            yield f"- {path}: {old[path]}"
        elif path not in old:
            yield f"+ {path}: {new[path]}"
        elif old[path] != new[path]:
            yield f"~ {path}: {old[path]} -> {new[path]}"


def _flat(path: str, value: Any) -> dict[str, str]:
    """Return each scalar in *value* as JSON text, by its path."""
    inner: Iterator[tuple[str, Any]] | None = None
    if isinstance(value, Mapping):
        inner = ((f"{path}.{key}", each) for key, each in value.items())
    elif isinstance(value, (list, tuple)):
        inner = ((f"{path}[{index}]", each) for index, each in enumerate(value))
    if not value or inner is None:
        return {path: encode_json(value).decode()}
    return {where: text for name, each in inner for where, text in _flat(name, each).items()}
