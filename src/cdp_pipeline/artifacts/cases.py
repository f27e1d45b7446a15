"""What a plugin must answer before it is trusted: `self-test.yaml` beside its manifest.

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
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from cdp_pipeline.config.building import build
from cdp_pipeline.config.document import read_document
from cdp_pipeline.config.environment import FilledDocument
from cdp_pipeline.config.model import Frozen
from cdpplugin import Batch, Outputs, PluginError, encode_json, views

FILE_NAME = "self-test.yaml"


class CaseInput(Frozen):
    """A message that the plugin is given."""

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
    input: CaseInput = Field(description="The message.")
    expect: Annotated[
        CaseOutput | tuple[CaseOutput, ...] | Literal["drop"],
        Field(description="The output, outputs in order, or `drop` for none."),
    ]

    def batch(self) -> Batch:
        """Return its input as a batch of one."""
        given = self.input
        return Batch.of(given.type, [given.payload], metadata=[given.metadata], ids=["self-test"])

    def mismatches(self, outputs: Outputs) -> Iterator[str]:
        """Yield how *outputs* differ from what is expected."""
        error = outputs.errors.get(0)
        expected = [] if self.expect == "drop" else _as_sequence(self.expect)
        code = next((each.error for each in expected if each.error), "")
        if code or error:
            got = error.code if error else "no error"
            if got != code:
                yield f"expected {code or 'no error'}, got {got}{f': {error}' if error else ''}"
            return
        found = [message for part in outputs.parts for message in views(part.batch)]
        if len(found) != len(expected):
            yield f"expected {len(expected)} outputs, got {len(found)}"
            return
        for each, message in zip(expected, found, strict=True):
            if each.type is not None and each.type != message.type:
                yield f"expected the type `{each.type}`, got `{message.type}`"
            yield from _differences("payload", each.payload, message.payload)
            yield from _differences("metadata", dict(each.metadata), dict(message.metadata))


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
    return expect if isinstance(expect, tuple) else [expect]


def _differences(where: str, expected: Any, got: Any) -> Iterator[str]:
    """Yield where *got* lacks what is *expected*; objects may have more members."""
    if expected is None:
        return
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        for key, value in expected.items():
            if key not in got:
                yield f"expected `{where}.{key}`, got none"
            else:
                yield from _differences(f"{where}.{key}", value, got[key])
    elif _shown(expected) != _shown(got):
        yield f"expected `{where}` to be {_shown(expected)}, got {_shown(got)}"


def _shown(value: Any) -> str:
    try:
        return encode_json(value).decode()
    except PluginError:
        return repr(value)
