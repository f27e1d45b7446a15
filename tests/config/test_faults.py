"""The texts of errors, exactly as a user reads them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cdp_pipeline.config import ConfigErrors, parse_pipeline
from cdp_pipeline.errors import ConfigError

Faults = Callable[..., list[ConfigError]]
HEAD = "name: n\nsource: {type: s}\n"

GOLDEN = [
    (
        HEAD + "pipline: [t]\npipeline: [t]",
        "p.yaml:3:1: unknown key `pipline`",
        "config.unknown_key",
        "did you mean `pipeline`?",
    ),
    (
        HEAD + "pipeline:\n  - type: t\n    confg: {}\n",
        "p.yaml:5:5: unknown key `pipeline[0].confg`",
        "config.unknown_key",
        "did you mean `config`?",
    ),
    (
        "name: n\npipeline: [t]",
        "p.yaml:1:1: missing key `source`, expected a mapping",
        "config.missing_key",
        "add `source:`",
    ),
    (
        "name: n\nsource:\npipeline: [t]",
        "p.yaml:2:1: missing key `source`, expected a mapping",
        "config.missing_key",
        "add `source:`",
    ),
    (
        "name: a/b\nsource: {type: s}\npipeline: [t]",
        "p.yaml:1:7: `name`: expected a name of 1 to 64 letters, digits, `.`, `_` and `-` "
        "that begins with a letter or digit, got text `a/b`",
        "config.value_invalid",
        "",
    ),
    (
        HEAD + "pipeline: [t]\nplugins: [{name: p, type: grcp}]",
        "p.yaml:4:27: `plugins[0].type`: expected one of `grpc`, `wasm`, `native`, got text `grcp`",
        "config.value_invalid",
        "did you mean `grpc`?",
    ),
    (
        HEAD + "pipeline: [t]\nplugins: [{name: p, version: 1.10}]",
        "p.yaml:4:30: `plugins[0].version`: expected text such as `^1.2` or `>=1.0,<2`, "
        "got the number `1.1`",
        "config.value_invalid",
        "put it in quotes",
    ),
    (
        HEAD + "pipeline:\n  - type: t\n    workers: '2'",
        "p.yaml:5:14: `pipeline[0].workers`: expected an integer of at least 1, got text `2`",
        "config.value_invalid",
        "write it without quotes",
    ),
    (
        HEAD + "pipeline:\n  - type: t\n    workers: 0",
        "p.yaml:5:14: `pipeline[0].workers`: expected an integer of at least 1, got the number `0`",
        "config.value_invalid",
        "",
    ),
    (
        HEAD + "pipeline: [t]\nplugins: [{name: p, permissions: {stdout: yes}}]",
        "p.yaml:4:43: `plugins[0].permissions.stdout`: expected `true` or `false`, got text `yes`",
        "config.value_invalid",
        "write `true`",
    ),
    (
        HEAD + "pipeline: [t]\ncheckpoint: {interval: 1 parsec}",
        "p.yaml:4:24: `checkpoint.interval`: expected a duration such as `500ms`, `30s` or "
        "`1h30m`, got text `1 parsec`",
        "config.value_invalid",
        "",
    ),
    (
        HEAD + "pipeline: [t]\nbatch: {bytes: 4 MoB}",
        "p.yaml:4:16: `batch.bytes`: expected a size such as `100MB` or `4MiB`, got text `4 MoB`",
        "config.value_invalid",
        "",
    ),
    (
        HEAD + "pipeline: [t]\nbatch: {bytes: 0}",
        "p.yaml:4:16: `batch.bytes`: expected more than 0, got 0",
        "config.value_invalid",
        "",
    ),
    (
        HEAD + "pipeline: {type: t}",
        "p.yaml:3:11: `pipeline`: expected a list of at least 1 entry, got a mapping",
        "config.value_invalid",
        "",
    ),
    (
        HEAD + "pipeline: []",
        "p.yaml:3:11: `pipeline`: expected a list of at least 1 entry, got an empty list",
        "config.value_invalid",
        "",
    ),
    (
        HEAD + "pipeline: [{type: t, plugin: p}]\nplugins: [{name: p}]",
        "p.yaml:3:12: `pipeline[0]`: expected one of the keys `type`, `plugin`, "
        "got `type`, `plugin`",
        "config.value_invalid",
        "keep one of them",
    ),
    (
        HEAD + "pipeline:\n  - config: {}",
        "p.yaml:4:5: `pipeline[0]`: expected one of the keys `type`, `plugin`, got none of them",
        "config.missing_key",
        "add one of `type`, `plugin`",
    ),
    (
        HEAD + "pipeline:\n  - type: t\n    on_error: retri",
        "p.yaml:5:15: `pipeline[0].on_error`: expected one of `fail`, `retry`, `drop`, "
        "`dead_letter` or a mapping, got text `retri`",
        "config.value_invalid",
        "did you mean `retry`?",
    ),
    (
        HEAD + "pipeline:\n  - type: t\n    on_error: {then: retry}",
        "p.yaml:5:22: `pipeline[0].on_error.then`: expected one of `fail`, `drop`, "
        "`dead_letter`, got text `retry`",
        "config.value_invalid",
        "",
    ),
    (
        HEAD + "pipeline:\n  - plugin: fraud\nplugins: [{name: fraud-detector}]",
        "p.yaml:4:13: unknown plugin `fraud`",
        "config.unknown_name",
        "add `fraud` to `plugins`; known are `fraud-detector`",
    ),
    (
        HEAD + "pipeline:\n  - plugin: fast-fliter\nplugins: [{name: fast-filter}]",
        "p.yaml:4:13: unknown plugin `fast-fliter`",
        "config.unknown_name",
        "did you mean `fast-filter`?",
    ),
    (
        HEAD + "pipeline: [t]\nplugins:\n  - name: p\n  - name: p",
        "p.yaml:6:11: plugin name `p` is taken, first at p.yaml:5:11",
        "config.duplicate_name",
        "give this plugin another name",
    ),
    (
        HEAD + "pipeline: [t]\nnetwork: mainet",
        "p.yaml:4:10: unknown network `mainet`",
        "config.unknown_name",
        "did you mean `mainnet`?",
    ),
    (
        "name: n\nnetwork: testnet\nsource: {type: s, config: {network: pubnet}}\npipeline: [t]",
        "p.yaml:3:37: `source.config.network`: expected the network `testnet` of the pipeline, "
        "got `pubnet`",
        "config.value_invalid",
        "keep one of the two",
    ),
    (
        HEAD + "pipeline:\n  - type: ${TYPE}",
        "p.yaml:4:11: environment variable `TYPE` is not set, needed by `pipeline[0].type`",
        "config.env_missing",
        "set `TYPE` or give a default: `${TYPE:-value}`",
    ),
    (
        HEAD + "name: m\npipeline: [t]",
        "p.yaml:3:1: key `name` stands twice, first in line 1",
        "config.duplicate_key",
        "keep one of the two",
    ),
]


@pytest.mark.parametrize(("text", "error", "code", "hint"), GOLDEN)
def test_golden(faults: Faults, text: str, error: str, code: str, hint: str) -> None:
    """A single mistake gives one fault: place, key, expectation, what came, and a way out."""
    assert [(error, code, hint)] == [(str(one), one.code, one.hint) for one in faults(text)]


class TestSeveral:
    TEXT = """\
name: n
name: m
source: {type: "${NO_SUCH}"}
pipeline:
  - type: t
    workers: many
  - plugin: p
batsh: {}
"""

    def test_all_in_order_of_the_file(self, faults: Faults) -> None:
        """Faults of every kind are reported together, from the top of the file down."""
        assert [
            ("config.duplicate_key", "p.yaml:2:1"),
            ("config.env_missing", "p.yaml:3:16"),
            ("config.value_invalid", "p.yaml:6:14"),
            ("config.unknown_name", "p.yaml:7:13"),
            ("config.unknown_key", "p.yaml:8:1"),
        ] == [(fault.code, fault.where) for fault in faults(self.TEXT)]

    def test_one_error(self) -> None:
        """Together they are one error, whose text holds them all; its exit code is 2."""
        with pytest.raises(ConfigErrors) as caught:
            parse_pipeline(self.TEXT, "p.yaml", {})

        assert ("config.invalid", 2) == (caught.value.code, caught.value.exit_code)
        assert str(caught.value).startswith("p.yaml: 5 faults\n  p.yaml:2:1: key `name`")
