"""What the tests of configuration share: the brief's file, and a short way to read faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from cdp_pipeline.config import PipelineConfig, faults_of, parse_pipeline
from cdp_pipeline.errors import ConfigError

HOME = {"HOME": "/home/ann"}
BRIEF = """\
name: stellar-processing-with-plugins

# Load plugins
plugins:
  - name: fraud-detector
    type: grpc
    path: ./plugins/fraud-detector
    config:
      threshold: 0.8
      model_path: /models/fraud_v2.pkl

  - name: fast-filter
    type: wasm
    path: ./plugins/fast-filter/filter.wasm
    config:
      rules:
        - field: amount
          op: ">"
          value: 1000000

# Pipeline definition
source:
  type: captive-core
  config:
    network: mainnet

pipeline:
  # Built-in processor
  - type: latest-ledger

  # WASM plugin for fast filtering
  - plugin: fast-filter

  # gRPC plugin for fraud detection
  - plugin: fraud-detector

  # Built-in consumer
  - type: save-to-parquet
    config:
      path: /data/processed
"""

Load = Callable[..., PipelineConfig]
Faults = Callable[..., list[ConfigError]]


@pytest.fixture
def brief() -> str:
    return BRIEF


@pytest.fixture
def load() -> Load:
    """Load the text of a pipeline file that stands at /data/p.yaml."""

    def loaded(text: str, **environ: str) -> PipelineConfig:
        return parse_pipeline(text, "/data/p.yaml", {**HOME, **environ})

    return loaded


@pytest.fixture
def faults() -> Faults:
    """Return the faults of a text that stands in p.yaml."""

    def found(text: str, environ: Mapping[str, str] = HOME) -> list[ConfigError]:
        with pytest.raises(ConfigError) as caught:
            parse_pipeline(text, "p.yaml", environ)
        return faults_of(caught.value)

    return found
