"""A plugin's samples for the conformance suite: `conformance.yaml` next to its manifest.

config:
path: ${FOLDER}/out        # ${FOLDER} is a folder of each case's own
dsn: ${DATABASE_URL}       # any other is a variable of the environment
messages:
- type: Payment
payload: {amount: 5}
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from cdp_pipeline.config.building import build
from cdp_pipeline.config.document import read_document
from cdp_pipeline.config.environment import fill_document
from cdp_pipeline.config.model import Frozen
from cdpplugin import Message
from cdpplugin.testing import FOLDER

FILE_NAME = "conformance.yaml"


class SampleMessage(Frozen):
    """A message that the plugin takes."""

    id: str = Field(default="", description="Its id; each copy of it gets one that begins so.")
    type: str = Field(min_length=1, description="What kind of payload it carries.")
    payload: Any = Field(default=None, description="Any JSON value.")
    metadata: Mapping[str, Any] = Field(default={}, description="A JSON object.")

    def message(self) -> Message:
        """Return it as the contract knows it."""
        return Message(self.id, self.type, self.payload, self.metadata)


class Sample(Frozen):
    """What a plugin is tried with."""

    model_config = ConfigDict(title="CDP conformance samples")

    config: Mapping[str, Any] | None = Field(
        default=None, repr=False, description="A configuration that it accepts."
    )
    messages: tuple[SampleMessage, ...] = Field(
        default=(), description="Messages that it takes without an error."
    )


def load_sample(path: Path, environ: Mapping[str, str] = os.environ) -> Sample:
    """Return the samples in *path*, the variables of *environ* filled in.

    Raises:
        ConfigError: It cannot be read, or has faults.
    """
    filled = fill_document(read_document(path), {**environ, "FOLDER": FOLDER})
    sample, _ = build(Sample, filled)
    return sample


def sample_beside(folder: Path, environ: Mapping[str, str] = os.environ) -> Sample:
    """Return the samples that a plugin brings in its folder; empty ones where it brings none."""
    file = folder / FILE_NAME
    return load_sample(file, environ) if file.is_file() else Sample()
