"""Opening lakes: manifest, settings and names of files agree, or it is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.connectors.stellar.lake import LakeSettings, StoreOptions, open_lake
from cdp_pipeline.connectors.stellar.lake.errors import (
    LakeNotFound,
    LayoutUnknown,
    ManifestInvalid,
    ManifestMismatch,
)
from cdp_pipeline.connectors.stellar.lake.layout import Layout
from cdp_pipeline.connectors.stellar.networks import resolve_network


class TestOpen:
    @pytest.mark.parametrize(
        ("folder", "layout", "network"),
        [
            ("lake_1x64000/ledgers/pubnet", Layout(1, 64000), "pubnet"),
            ("lake_5x12800/ledgers/pubnet", Layout(5, 12800), "pubnet"),
            ("lake_testnet", Layout(1, 1), "testnet"),
            ("lake_testnet_zstd", Layout(1, 1), "testnet"),
        ],
    )
    async def test_real_lakes(self, data: Path, folder: str, layout: Layout, network: str) -> None:
        """The manifest gives layout and network; files in the root count as no folders."""
        lake = await open_lake(str(data / folder))

        assert lake.network is not None
        assert (layout, network) == (lake.layout, lake.network.name)
        assert ("lake_testnet" in folder) == bool(lake.notes)

    @pytest.mark.parametrize("layout", [Layout(1, 1), Layout(1, 10), Layout(8, 2), Layout(64, 1)])
    async def test_without_manifest(self, write_lake: Callable[..., Path], layout: Layout) -> None:
        """Without a manifest the names of the files tell the layout."""
        lake = await open_lake(str(write_lake(layout, 2, 100)))

        assert (layout, None) == (lake.layout, lake.network)

    async def test_over_http_without_manifest(
        self, pubnet_copy: Path, serve: Callable[[Path], Any]
    ) -> None:
        """Without manifest and listing the settings must give both sizes."""
        (pubnet_copy / ".config.json").unlink()
        url = serve(pubnet_copy).url

        with pytest.raises(LayoutUnknown, match="`files_per_partition` expected"):
            await open_lake(url, settings=LakeSettings(ledgers_per_file=1))
        settings = LakeSettings(ledgers_per_file=1, files_per_partition=64000)
        assert Layout(1, 64000) == (await open_lake(url, settings=settings)).layout

    async def test_no_lake(self, tmp_path: Path) -> None:
        """A folder with neither manifest nor ledgers is no lake."""
        (tmp_path / "notes.txt").write_text("nothing here")

        with pytest.raises(LakeNotFound, match="neither"):
            await open_lake(str(tmp_path))

    async def test_an_empty_lake(self, tmp_path: Path, pubnet: Path) -> None:
        """A manifest alone is a lake that has not begun."""
        shutil.copy(pubnet / ".config.json", tmp_path)

        assert Layout(1, 64000) == (await open_lake(str(tmp_path))).layout

    @pytest.mark.parametrize(
        "settings",
        [
            LakeSettings(ledgers_per_file=2),
            LakeSettings(files_per_partition=2),
            LakeSettings(network=resolve_network("testnet")),
        ],
    )
    async def test_settings_that_differ(self, pubnet: Path, settings: LakeSettings) -> None:
        """Settings that differ from the manifest are refused."""
        with pytest.raises(ManifestMismatch):
            await open_lake(str(pubnet), settings=settings)

    @pytest.mark.parametrize(
        ("name", "value"), [("ledgersPerBatch", 5), ("batchesPerPartition", 100)]
    )
    async def test_a_manifest_that_lies(self, pubnet_copy: Path, name: str, value: int) -> None:
        """A manifest that the names of the files belie is refused, naming both values."""
        path = pubnet_copy / ".config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))

        with pytest.raises(ManifestMismatch, match=f"`{value}` is stated.*says `"):
            await open_lake(str(pubnet_copy))

    async def test_a_broken_manifest(self, pubnet_copy: Path) -> None:
        """A manifest that cannot be read is an error, never taken for absent."""
        (pubnet_copy / ".config.json").write_text("{")

        with pytest.raises(ManifestInvalid):
            await open_lake(str(pubnet_copy))


class TestFetch:
    async def test_mixed_suffixes(
        self, pubnet_copy: Path, files_of: Callable[[Path, str], list[Path]]
    ) -> None:
        """Files under either suffix are found, in any mixture."""
        for path in files_of(pubnet_copy, "*2[13579].xdr.zst"):
            path.rename(path.with_suffix(".zstd"))
        lake = await open_lake(str(pubnet_copy))
        found = [await lake.fetch(sequence) for sequence in range(30822015, 30822026)]

        assert list(range(30822015, 30822026)) == [each.name.start for each in found if each]
        assert {"xdr.zst", "xdr.zstd"} == {each.name.extension for each in found if each}

    async def test_files_in_the_root_over_http(
        self, data: Path, serve: Callable[[Path], Any]
    ) -> None:
        """Where nothing can be listed, files in the root are found by asking."""
        lake = await open_lake(serve(data / "lake_testnet_zstd").url)

        assert await lake.fetch(996) is None
        assert [997, 998, 999] == [
            each.name.start for each in [await lake.fetch(s) for s in (997, 998, 999)] if each
        ]
        assert Layout(1, 1) == lake.layout

    async def test_over_s3(
        self, pubnet: Path, upload: Callable[..., str], s3_options: StoreOptions
    ) -> None:
        """A lake under a prefix of a bucket is read as from a folder."""
        lake = await open_lake(upload(pubnet, "fetch/pubnet"), options=s3_options)
        found = await lake.find(53312000)

        assert found is not None
        assert "FCD285FF--53312000-53375999/FCD285FF--53312000.xdr.zst" == found.key
        assert await lake.find(53312001) is None
