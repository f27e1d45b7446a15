"""What `.config.json` says, held against the user's settings."""

from __future__ import annotations

import json

import pytest

from cdp_pipeline.connectors.stellar.lake.errors import ManifestInvalid, ManifestMismatch
from cdp_pipeline.connectors.stellar.lake.layout import Layout
from cdp_pipeline.connectors.stellar.lake.manifest import (
    LakeSettings,
    check_settings,
    parse_manifest,
)
from cdp_pipeline.connectors.stellar.networks import resolve_network


def manifest(**changes: object) -> bytes:
    document = {
        "networkPassphrase": "Public Global Stellar Network ; September 2015",
        "version": "1.0",
        "compression": "zstd",
        "ledgersPerBatch": 1,
        "batchesPerPartition": 64000,
    }
    return json.dumps({**document, **changes}).encode()


class TestParse:
    @pytest.mark.parametrize("version", ["1.0", "0.1.0"])
    def test_reads_both_versions(self, version: str) -> None:
        """Galexie writes version 1.0, the SEP's example says 0.1.0: both are read."""
        read = parse_manifest(manifest(version=version), "lake")

        assert (version, Layout(1, 64000), resolve_network("pubnet")) == (
            read.version,
            read.layout,
            read.network,
        )

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"version": "2.0"}, '`version` 0.x or 1.x expected, got "2.0"'),
            ({"compression": "gzip"}, '`compression` "zstd" expected, got "gzip"'),
            ({"ledgersPerBatch": 0}, "`ledgersPerBatch` of at least 1 expected, got 0"),
            ({"ledgersPerBatch": None}, "got null"),
            ({"batchesPerPartition": "many"}, '`batchesPerPartition` of at least 0 .* "many"'),
            ({"networkPassphrase": 5}, "`networkPassphrase` as text expected, got 5"),
        ],
    )
    def test_says_what_is_wrong(self, changes: dict[str, object], said: str) -> None:
        """A manifest that cannot be followed is refused, naming the key and both values."""
        with pytest.raises(ManifestInvalid, match=said):
            parse_manifest(manifest(**changes), "lake")

    @pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe"])
    def test_refuses_what_is_no_manifest(self, data: bytes) -> None:
        """Bytes that are no JSON object are refused."""
        with pytest.raises(ManifestInvalid, match=r"\.config\.json"):
            parse_manifest(data, "lake")


class TestSettings:
    def test_unset_adopts(self) -> None:
        """What the user leaves unset agrees with any manifest."""
        check_settings(LakeSettings(), parse_manifest(manifest(), "lake"), "lake")

    def test_no_folders_has_two_spellings(self) -> None:
        """0 and 1 files a partition both mean no folders."""
        read = parse_manifest(manifest(batchesPerPartition=0), "lake")

        check_settings(LakeSettings(files_per_partition=1), read, "lake")

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            (LakeSettings(ledgers_per_file=64), "`ledgers_per_file` is set to `64`.* is `1`"),
            (LakeSettings(files_per_partition=10), "set to `10`.* is `64000`"),
            (LakeSettings(network=resolve_network("testnet")), "`Test SDF.*is `Public Global"),
        ],
    )
    def test_a_mismatch_names_both_values(self, settings: LakeSettings, said: str) -> None:
        """A setting that differs from the manifest is refused, naming both."""
        with pytest.raises(ManifestMismatch, match=said):
            check_settings(settings, parse_manifest(manifest(), "lake"), "lake")
