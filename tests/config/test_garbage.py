"""Whatever stands in a file, reading it ends in a pipeline or in a ConfigError."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cdp_pipeline.config import ConfigErrors, faults_of, parse_pipeline
from cdp_pipeline.errors import ConfigError

from .conftest import BRIEF

SIGNS = st.sampled_from([*"{}[]:,-?&*!|>'\"%@`#$~<= \t\n\\x0", "${", "$${", "<<: ", "---\n"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
KEYS = st.sampled_from(
    ("name", "source", "pipeline", "plugins", "batch", "type", "plugin", "config", "on_error")
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def survives(text: str | bytes) -> None:
    with contextlib.suppress(ConfigError):
        parse_pipeline(text, "p.yaml", {"HOME": "/h", "A": "5"})


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=100)
def test_bytes(content: bytes) -> None:
    """Any bytes."""
    survives(content)


@given(st.lists(SIGNS | st.text(max_size=3), max_size=40).map("".join))
@settings(deadline=None, max_examples=200)
def test_signs(text: str) -> None:
    """Any mixture of the signs that mean something to YAML."""
    survives(text)


@given(st.integers(0, len(BRIEF)), st.integers(0, 20), SIGNS)
@settings(deadline=None, max_examples=60)
def test_torn(start: int, length: int, sign: str) -> None:
    """The brief's file with a piece torn out and a sign put in."""
    survives(BRIEF[:start] + sign + BRIEF[start + length :])


@given(TREES)
@settings(deadline=None, max_examples=60)
def test_wrong_shapes(tree: Any) -> None:
    """Known keys with values of any shape: each fault names file, line and column."""
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump({"pipeline": tree, "source": tree, "plugins": tree}, stream)
    with pytest.raises(ConfigError) as caught:
        parse_pipeline(stream.getvalue(), "p.yaml", {"HOME": "/h"})

    assert isinstance(caught.value, ConfigErrors) or len(faults_of(caught.value)) == 1
    for fault in faults_of(caught.value):
        assert fault.where.startswith("p.yaml:")
        assert fault.code.startswith("config.")
