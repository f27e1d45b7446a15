"""The cases that a plugin brings: `self-test.yaml` beside its manifest.

requires_env: [DATABASE_URL]
config: {url: "${DATABASE_URL}"}
test_cases:
- name: a payment is accepted
  input: {type: Payment, payload: {amount: 1000}}
  expect: accepted
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, PrivateAttr

from cdp_pipeline.artifacts.cases import Case
from cdp_pipeline.config.building import build
from cdp_pipeline.config.document import Document, read_document
from cdp_pipeline.config.environment import FilledDocument, fill_document
from cdp_pipeline.config.locations import Locations
from cdp_pipeline.config.model import Frozen
from cdp_pipeline.observability.logs import logger

FILE_NAME = "self-test.yaml"
SCRATCH = "FOLDER"
"""Variable that stands for an empty folder, which is made for the cases of a file."""
REQUIRES_ENV = Field(
    default=(),
    description="Environment variables without which the cases are skipped; an empty one is as "
    "if it were missing.",
)


class SelfTest(Frozen):
    """The cases that a plugin brings."""

    model_config = ConfigDict(title="CDP plugin self-test")

    requires_env: tuple[str, ...] = REQUIRES_ENV
    config: Mapping[str, Any] | None = Field(
        default=None, repr=False, description="The plugin's configuration for the cases."
    )
    test_cases: tuple[Case, ...] = Field(default=(), description="The cases, in order.")

    _document: FilledDocument = PrivateAttr(default=FilledDocument({}, Locations("<memory>")))

    @property
    def document(self) -> FilledDocument:
        """The file as it was read."""
        return self._document


def build_self_test(document: Document, environ: Mapping[str, str]) -> SelfTest:
    """Return the cases of *document*, variables filled in.

    Raises:
        ConfigError: It has faults.
    """
    self_test, settled = build(SelfTest, fill_document(document, environ))
    self_test._document = settled
    return self_test


def missing_variables(document: Document, environ: Mapping[str, str]) -> list[str]:
    """Return the variables that a file of cases requires and that have no value."""
    required = document.data.get("requires_env")
    names = required if isinstance(required, list) else []
    return [name for name in names if isinstance(name, str) and not environ.get(name)]


def cases_for(
    folder: Path, environ: Mapping[str, str], config: Mapping[str, Any]
) -> Sequence[Case]:
    """Return the cases of the plugin in *folder* that hold for a running one.

    None where it brings no file, where a variable is missing that they require, and where
    they are for another configuration than *config*, that of the running plugin.

    Raises:
        ConfigError: The file has faults.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        return ()
    document = read_document(file)
    if missing := missing_variables(document, environ):
        _ignored(file, f"{', '.join(missing)} not set")
        return ()
    self_test = build_self_test(document, {SCRATCH: f"${{{SCRATCH}}}", **environ})
    if self_test.config is not None and dict(self_test.config) != dict(config):
        _ignored(file, "they are for another configuration")
        return ()
    return [case for case in self_test.test_cases if case.input is not None]


def _ignored(file: Path, why: str) -> None:
    logger().info("the plugin's cases are not tried", file=str(file), reason=why)
