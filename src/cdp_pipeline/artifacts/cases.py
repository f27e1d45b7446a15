"""Cases: what goes into a plugin or a pipeline, and what must come out.

test_cases:
- name: a payment is marked
  input: {type: Payment, payload: {amount: 1000}}
  expect: {metadata: {processed: true}}
- name: a small one is dropped
  input: {type: Payment, payload: {amount: 1}}
  expect: drop
- name: one without an amount is refused
  input: {type: Payment, payload: {}}
  expect: {error: plugin.failed}

A plugin's own stand in `self-test.yaml` beside its manifest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from cdp_pipeline.config.building import build
from cdp_pipeline.config.document import read_document
from cdp_pipeline.config.environment import FilledDocument
from cdp_pipeline.config.model import Frozen
from cdpplugin import Batch, Message, Outputs, PluginError, encode_json, views

FILE_NAME = "self-test.yaml"


class CaseInput(Frozen):
    """A message that is given."""

    id: str = Field(default="", description="Its id; without one it gets its place in the case.")
    type: str = Field(min_length=1, description="What kind of payload it carries.")
    payload: Any = Field(default=None, description="Any JSON value.")
    metadata: Mapping[str, Any] = Field(default={}, description="A JSON object.")


class CaseOutput(Frozen):
    """What an output must have; what is not named may be anything."""

    type: str | None = Field(default=None, description="Its type.")
    payload: Any = Field(default=None, description="Members that its payload must have.")
    metadata: Mapping[str, Any] = Field(default={}, description="Members its metadata must have.")
    error: str = Field(default="", description="Code of the error that is expected in its place.")


class Case(Frozen):
    """One case."""

    name: str = Field(min_length=1, description="What it shows.")
    input: CaseInput | tuple[CaseInput, ...] = Field(
        description="The message, or messages in order."
    )
    expect: CaseOutput | tuple[CaseOutput, ...] | Literal["drop"] = Field(
        description="The output, outputs in order, or `drop` for none."
    )
    tolerance: float = Field(
        default=0.0, ge=0, description="How far a number may be off, relative to what is expected."
    )
    ignore: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="Members that do not matter, such as `payload.created_at`."
    )
    exact: bool = Field(
        default=False, description="Whether outputs may have no more members than are named."
    )

    def inputs(self) -> Batch:
        """Return what is given as a batch."""
        given = self.input if isinstance(self.input, tuple) else (self.input,)
        return Batch.of(
            "",
            [each.payload for each in given],
            metadata=[each.metadata for each in given],
            ids=[each.id or f"case:{number}" for number, each in enumerate(given)],
        ).replace(types=[each.type for each in given])

    def mismatches(self, found: CaseAnswer) -> Iterator[str]:
        """Yield how *found* differs from what is expected."""
        expected = _as_sequence(self.expect)
        codes = [each.error for each in expected if each.error]
        got = [error.code for error in found.errors]
        if codes != got:
            told = "; ".join(str(error) for error in found.errors)
            yield f"expected {_listed(codes)}, got {_listed(got)}{f': {told}' if told else ''}"
        outputs = [each for each in expected if not each.error]
        if len(found.messages) != len(outputs):
            yield f"expected {len(outputs)} outputs, got {len(found.messages)}"
            return
        for number, (each, message) in enumerate(zip(outputs, found.messages, strict=True)):
            before = f"output {number + 1}: " if len(outputs) > 1 else ""
            yield from (before + difference for difference in self._differences(each, message))

    def _differences(self, expected: CaseOutput, message: Message) -> Iterator[str]:
        if expected.type is not None and expected.type != message.type:
            yield f"expected the type `{expected.type}`, got `{message.type}`"
        if expected.payload is not None:
            yield from self._differ("payload", expected.payload, message.payload)
        if expected.metadata or self.exact:
            yield from self._differ("metadata", dict(expected.metadata), dict(message.metadata))

    def _differ(self, where: str, expected: Any, got: Any) -> Iterator[str]:
        """Yield where *got* lacks what is *expected*."""
        if where in self.ignore:
            return
        if isinstance(expected, Mapping) and isinstance(got, Mapping):
            yield from self._members_differ(where, expected, got)
        elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
            for index, (one, other) in enumerate(zip(expected, got, strict=True)):
                yield from self._differ(f"{where}[{index}]", one, other)
        elif not self._are_equal(expected, got):
            yield f"expected `{where}` to be {_shown(expected)}, got {_shown(got)}"

    def _members_differ(
        self, where: str, expected: Mapping[str, Any], got: Mapping[str, Any]
    ) -> Iterator[str]:
        for key, value in expected.items():
            if key in got:
                yield from self._differ(f"{where}.{key}", value, got[key])
            elif f"{where}.{key}" not in self.ignore:
                yield f"expected `{where}.{key}`, got none"
        for key in got.keys() - expected.keys() if self.exact else ():
            if f"{where}.{key}" not in self.ignore:
                yield f"expected no `{where}.{key}`, got {_shown(got[key])}"

    def _are_equal(self, expected: Any, got: Any) -> bool:
        numbers = all(
            isinstance(each, (int, float)) and not isinstance(each, bool)
            for each in (expected, got)
        )
        if numbers and self.tolerance:
            return math.isclose(expected, got, rel_tol=self.tolerance, abs_tol=self.tolerance)
        return _shown(expected) == _shown(got)


@dataclass(slots=True)
class CaseAnswer:
    """What came out.

    Attributes:
        messages: The outputs, in order.
        errors: The errors of messages that failed, in order.
    """

    messages: list[Message] = field(default_factory=list)
    errors: list[PluginError] = field(default_factory=list)

    @classmethod
    def of(cls, outputs: Outputs) -> CaseAnswer:
        """Return what a plugin answered."""
        messages = [message for part in outputs.parts for message in views(part.batch)]
        return cls(messages, [outputs.errors[row] for row in sorted(outputs.errors)])


class SelfTest(Frozen):
    """The cases that a plugin brings."""

    model_config = ConfigDict(title="CDP plugin self-test")

    test_cases: tuple[Case, ...] = Field(default=(), description="The cases, in order.")


def cases_beside(folder: Path) -> Sequence[Case]:
    """Return the cases that a plugin brings in its folder; none where it brings no file.

    Raises:
        ConfigError: The file has faults.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        return ()
    document = read_document(file)
    filled = FilledDocument(document.data, document.locations, faults=document.faults)
    self_test, _ = build(SelfTest, filled)
    return self_test.test_cases


def _as_sequence(expect: Any) -> Sequence[CaseOutput]:
    if expect == "drop":
        return ()
    return expect if isinstance(expect, tuple) else (expect,)


def _listed(codes: Sequence[str]) -> str:
    return ", ".join(codes) if codes else "no error"


def _shown(value: Any) -> str:
    try:
        return encode_json(value).decode()
    except PluginError:
        return repr(value)
