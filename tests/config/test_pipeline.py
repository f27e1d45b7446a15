from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pydantic
import pytest

from cdp_pipeline.config import (
    BatchConfig,
    ErrorPolicy,
    Limits,
    PipelineConfig,
    load_pipeline,
)
from cdp_pipeline.config.references import NETWORKS
from cdp_pipeline.connectors.stellar.networks import NetworkUnknown, resolve_network

Load = Callable[..., PipelineConfig]
BASE = "name: n\nsource: {type: s}\npipeline: [t]\n"


class TestBrief:
    def test_parses_as_it_is(self, load: Load, brief: str) -> None:
        """The brief's example file is a pipeline without a change."""
        pipeline = load(brief)

        assert "stellar-processing-with-plugins" == pipeline.name
        assert "captive-core" == pipeline.source.type
        assert "mainnet" == pipeline.network
        assert ["fraud-detector", "fast-filter"] == [plugin.name for plugin in pipeline.plugins]
        assert ["latest-ledger", "fast-filter", "fraud-detector", "save-to-parquet"] == [
            stage.component for stage in pipeline.stages
        ]

    def test_component_configuration(self, load: Load, brief: str) -> None:
        """A component's configuration arrives as it stands in the file."""
        pipeline = load(brief)

        assert {"rules": [{"field": "amount", "op": ">", "value": 1000000}]} == pipeline.plugins[
            1
        ].config
        assert {"path": "/data/processed"} == pipeline.stages[3].config

    def test_limits(self, load: Load) -> None:
        """The brief's limits are read with their units."""
        pipeline = load(
            BASE + "plugins:\n- name: untrusted-plugin\n  type: wasm\n  path: ./plugins/untrusted\n"
            "  limits:\n    memory: 100MB\n    cpu: 0.5\n    timeout: 30s\n"
        )

        expected = Limits(memory=100_000_000, cpu=0.5, timeout=30.0)
        assert expected == pipeline.plugins[0].limits

    def test_from_a_file(self, tmp_path: Path, brief: str) -> None:
        """Loading a file reads it and touches nothing else."""
        file = tmp_path / "p.yaml"
        file.write_text(brief)

        pipeline = load_pipeline(file, {"HOME": str(tmp_path)})

        assert (file, [file]) == (pipeline.file, list(tmp_path.iterdir()))


class TestNames:
    def test_derived_and_unique(self, load: Load) -> None:
        """Names are made from the component, and made unique without touching given ones."""
        stages = "pipeline: [t, t, {type: x, name: t-2}, {type: s}]"
        pipeline = load(f"name: n\nsource: {{type: s}}\n{stages}")

        assert ["t", "t-3", "t-2", "s-2"] == [stage.name for stage in pipeline.stages]

    def test_places(self, load: Load) -> None:
        """Each component knows where its configuration stands, its plugin's included."""
        pipeline = load(
            "name: n\nsource: {type: s}\nplugins: [{name: p}]\npipeline: [t, {plugin: p}]"
        )

        assert (("source", "config"),) == pipeline.config_paths(pipeline.source)
        assert (("plugins", 0, "config"), ("pipeline", 1, "config")) == pipeline.config_paths(
            pipeline.stages[1]
        )


class TestDefaults:
    def test_batch_of_the_pipeline(self, load: Load) -> None:
        """A stage's batch takes the keys it leaves out from the pipeline's."""
        pipeline = load(
            "name: n\nsource: {type: s}\nbatch: {rows: 10, linger: 1s}\n"
            "pipeline: [t, {type: u, batch: {bytes: 4MiB, linger: 0}}]"
        )

        assert BatchConfig(rows=10, linger=1.0) == pipeline.stages[0].batch
        assert BatchConfig(rows=10, bytes=4 * 2**20, linger=0.0) == pipeline.stages[1].batch

    def test_batch(self, load: Load) -> None:
        """Without a word a batch is 1000 rows, 4 MiB or 100 ms."""
        batch = load(BASE).stages[0].batch

        assert (1000, 4 * 2**20, 0.0) == (batch.rows, batch.bytes, batch.linger)

    def test_error_policy_by_kind(self, load: Load) -> None:
        """Without a word a processor fails, and a consumer retries before it fails."""
        stage = load(BASE).stages[0]

        assert "fail" == stage.error_policy("processor").action
        consumer = stage.error_policy("consumer")
        assert ("retry", "fail") == (consumer.action, consumer.then)

    @pytest.mark.parametrize("kind", ["processor", "consumer"])
    def test_error_policy_short_form(self, load: Load, kind: str) -> None:
        """One word is an action with its defaults, whatever the component is."""
        stage = load(BASE.replace("[t]", "[{type: t, on_error: dead_letter}]")).stages[0]

        assert ErrorPolicy(action="dead_letter") == stage.error_policy(kind)  # type: ignore[arg-type]

    def test_error_policy_long_form(self, load: Load) -> None:
        """All of a policy can be said, with units."""
        times = "attempts: 3, initial_delay: 50ms, max_delay: 1m, jitter: 0"
        policy = f"{{action: retry, {times}, then: drop}}"
        stage = load(BASE.replace("[t]", f"[{{type: t, on_error: {policy}}}]")).stages[0]

        assert (
            ErrorPolicy(
                action="retry", attempts=3, initial_delay=0.05, max_delay=60, jitter=0, then="drop"
            )
            == stage.on_error
        )

    def test_dead_letters(self, load: Load) -> None:
        """Dead letters go to the state folder, or where the file says, relative to it."""
        assert "/home/ann/.local/state/cdp/n/dead-letters.jsonl" == load(BASE).dead_letter.path
        assert (
            "/data/dead/x.jsonl"
            == load(BASE + "dead_letter: {path: dead/x.jsonl}").dead_letter.path
        )

    def test_empty_keys(self, load: Load) -> None:
        """A key without a value is as if left out; inside `config` it is a value."""
        pipeline = load(
            "name: n\nplugins:\nbatch:\n  rows:\npipeline: [t]\n"
            "source:\n  type: s\n  config:\n    end:\n"
        )

        assert ((), 1000) == (pipeline.plugins, pipeline.batch.rows)
        assert {"end": None} == pipeline.source.config

    def test_extension_keys(self, load: Load) -> None:
        """Keys that begin with `x-` are the user's own, for anchors."""
        pipeline = load(
            "x-slow: &slow {workers: 4}\n" + BASE.replace("[t]", "[{type: t, <<: *slow}]")
        )

        assert 4 == pipeline.stages[0].workers

    def test_limits_over(self) -> None:
        """A plugin's own limits win over the host's, key by key."""
        host, own = Limits(memory=100, cpu=1.0), Limits(cpu=0.5)

        assert Limits(memory=100, cpu=0.5) == own.over(host)


class TestPaths:
    def test_plugin_paths(self, load: Load) -> None:
        """A plugin's path resolves against the file; addresses and entry points stay."""
        paths = ["./a", "~/b", "/c", "dns:///h:1", "pkg.mod:Class", "x.py:Class"]
        plugins = "\n".join(f"- {{name: p{n}, path: '{path}'}}" for n, path in enumerate(paths))

        assert [
            "/data/a",
            "/home/ann/b",
            "/c",
            "dns:///h:1",
            "pkg.mod:Class",
            "/data/x.py:Class",
        ] == [plugin.path for plugin in load(f"{BASE}plugins:\n{plugins}").plugins]

    def test_permissions(self, load: Load) -> None:
        """Granted folders resolve against the file; a bare path is for reading."""
        text = (
            "plugins: [{name: p, permissions: {env: [A], files: [in, {path: out, mode: write}]}}]"
        )
        grants = load(BASE + text).plugins[0].permissions

        assert [("/data/in", "read"), ("/data/out", "write")] == [
            (grant.path, grant.mode) for grant in grants.files
        ]


class TestNetwork:
    def test_names_are_those_of_the_connectors(self) -> None:
        """Every network name accepted here is one that the Stellar connectors know."""
        for name in NETWORKS:
            resolve_network(name)
        with pytest.raises(NetworkUnknown):
            resolve_network("mainet")

    @pytest.mark.parametrize("network", ["testnet", "Pubnet", "My Network ; 2024", "passphrase:x"])
    def test_accepted(self, load: Load, network: str) -> None:
        """A network is a name, in any case, or a passphrase."""
        assert network == load(BASE + f"network: '{network}'").network

    def test_same_by_other_name(self, load: Load) -> None:
        """The source may call the pipeline's network by another of its names."""
        text = BASE.replace("{type: s}", "{type: s, config: {network: mainnet}}")

        assert "pubnet" == load(text + "network: pubnet").network


class TestObject:
    def test_frozen(self, load: Load) -> None:
        """A loaded pipeline cannot be changed."""
        pipeline = load(BASE)

        with pytest.raises(pydantic.ValidationError):
            pipeline.name = "other"  # type: ignore[misc]

    def test_pickles(self, load: Load, brief: str) -> None:
        """A loaded pipeline travels to another process, its places included."""
        pipeline = load(brief)
        copied = pickle.loads(pickle.dumps(pipeline))

        assert pipeline == copied
        assert "/data/p.yaml:40:13" == copied.locations.where(("pipeline", 3, "config", "path"))
