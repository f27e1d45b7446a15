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

A case without `input` is of a source: what it reads is what goes in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from cdp_pipeline.artifacts.differences import Comparison, changed_lines, counted, shown
from cdp_pipeline.config.model import Frozen, PositiveDurationS
from cdpplugin import Batch, Message, Outputs, PluginError, views


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

    def differences(self, message: Message, comparison: Comparison) -> Iterator[str]:
        """Yield how *message* differs from this."""
        if self.type is not None and self.type != message.type:
            yield f"expected the type `{self.type}`, got `{message.type}`"
        if self._names_payload:
            yield from comparison.differences("payload", self.payload, message.payload)
        if self.metadata or comparison.exact:
            metadata = dict(message.metadata)
            yield from comparison.differences("metadata", dict(self.metadata), metadata)

    @property
    def _names_payload(self) -> bool:
        """Whether a payload is expected: a null that is written is one."""
        return "payload" in self.model_fields_set

    @property
    def text(self) -> str:
        """It in one line."""
        payload = f" {shown(self.payload)}" if self._names_payload else ""
        return f"{self.type or '(any type)'}{payload}{_metadata_text(self.metadata)}"


class Case(Frozen):
    """One case."""

    name: str = Field(min_length=1, description="What it shows.")
    input: CaseInput | tuple[CaseInput, ...] | None = Field(
        default=None,
        description="The message, or messages in order; without it the source is read.",
    )
    take: int | None = Field(
        default=None,
        ge=1,
        description="How many messages of the source are read; without it all that it has.",
    )
    expect: CaseOutput | tuple[CaseOutput, ...] | Literal["drop", "accepted"] = Field(
        description="The output, outputs in order, `drop` for none, or `accepted` where it only "
        "matters that nothing fails and nothing is left out."
    )
    tolerance: float = Field(
        default=0.0,
        ge=0,
        description="How far a number may be off, relative to what is expected; absolute for zero.",
    )
    ignore: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(),
        description="Members that do not matter, such as `payload.created_at` or "
        "`payload.items[*].id`.",
    )
    exact: bool = Field(
        default=False, description="Whether outputs may have no more members than are named."
    )
    timeout: PositiveDurationS = Field(
        default=60.0, description="Longest time that it may take, in seconds or `5s`."
    )

    def inputs(self) -> Batch:
        """Return what is given as a batch."""
        given = _as_sequence(self.input)
        return Batch.of(
            "",
            [each.payload for each in given],
            metadata=[each.metadata for each in given],
            ids=[each.id or f"case:{number}" for number, each in enumerate(given)],
        ).replace(types=[each.type for each in given])

    def mismatches(self, found: CaseAnswer) -> Iterator[str]:
        """Yield how *found* differs from what is expected, each a text of one or more lines."""
        if isinstance(self.expect, str):
            expected: Sequence[CaseOutput] = ()
        else:
            expected = _as_sequence(self.expect)
        yield from _error_differences([each.error for each in expected if each.error], found)
        if self.expect == "accepted":
            yield from _unaccepted(found)
        else:
            yield from self._output_differences([e for e in expected if not e.error], found)

    def _output_differences(
        self, outputs: Sequence[CaseOutput], found: CaseAnswer
    ) -> Iterator[str]:
        comparison = Comparison(self.tolerance, self.ignore, self.exact)
        messages = found.messages
        if len(messages) != len(outputs):
            lines = changed_lines(
                [f"output {n}: {each.text}" for n, each in enumerate(outputs, 1)],
                [f"output {n}: {_text(each)}" for n, each in enumerate(messages, 1)],
                lambda n, m: not any(outputs[n].differences(messages[m], comparison)),
            )
            head = f"expected {counted(len(outputs), 'output')}, got {len(messages)}"
            yield "\n".join([head, *lines])
            return
        for number, (each, message) in enumerate(zip(outputs, messages, strict=True)):
            before = f"output {number + 1}: " if len(outputs) > 1 else ""
            yield from (before + told for told in each.differences(message, comparison))


@dataclass(slots=True)
class CaseAnswer:
    """What came out.

    Attributes:
        messages: The outputs, in order.
        errors: The errors of messages that failed, in order.
        left_out: How many messages a consumer left out.
    """

    messages: list[Message] = field(default_factory=list)
    errors: list[PluginError] = field(default_factory=list)
    left_out: int = 0

    @classmethod
    def of(cls, outputs: Outputs) -> CaseAnswer:
        """Return what a plugin answered."""
        messages = [message for part in outputs.parts for message in views(part.batch)]
        return cls(messages, [outputs.errors[row] for row in sorted(outputs.errors)])


def _error_differences(codes: Sequence[str], found: CaseAnswer) -> Iterator[str]:
    got = [error.code for error in found.errors]
    if codes != got:
        told = "; ".join(str(error) for error in found.errors)
        yield f"expected {_listed(codes)}, got {_listed(got)}{f': {told}' if told else ''}"


def _unaccepted(found: CaseAnswer) -> Iterator[str]:
    if found.left_out:
        yield f"expected every message to be accepted, {found.left_out} left out"
    elif not found.messages and not found.errors:
        yield "expected every message to be accepted, none came through"


def _as_sequence(given: Any) -> Sequence[Any]:
    return given if isinstance(given, tuple) else (given,)


def _listed(codes: Sequence[str]) -> str:
    return ", ".join(codes) if codes else "no error"


def _text(message: Message) -> str:
    return f"{message.type} {shown(message.payload)}{_metadata_text(message.metadata)}"


def _metadata_text(metadata: Mapping[str, Any]) -> str:
    return f" metadata {shown(dict(metadata))}" if metadata else ""
