"""What a lake holds, in a few words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cdp_pipeline.connectors.stellar.lake import open_lake, summarize
from cdp_pipeline.connectors.stellar.lake.layout import Layout


class TestSummarize:
    async def test_real_lake(self, pubnet: Path) -> None:
        """Layout, edges, files, bytes and the protocols of sampled ledgers."""
        summary = await summarize(await open_lake(str(pubnet)))

        assert ("pubnet", "1.0", Layout(1, 64000)) == (
            summary.network,
            summary.manifest_version,
            summary.layout,
        )
        assert (30820015, 63092990) == (summary.oldest_ledger, summary.newest_ledger)
        assert (16, True, {"xdr.zst": 16}, 0) == (
            summary.files,
            summary.all_files_counted,
            summary.extensions,
            summary.other_files,
        )
        assert (795478, [13, 21, 22, 26], [0, 1, 2]) == (
            summary.size_bytes,
            summary.protocol_versions,
            summary.meta_versions,
        )
        assert ("2020-07-27T21:12:51Z", True) == (
            summary.oldest_closed_at,
            (summary.newest_closed_at or "").endswith("Z"),
        )

    async def test_missing_files_are_noted(self, pubnet_copy: Path) -> None:
        """A lake with a gap says so; one without says nothing."""
        whole = await summarize(await open_lake(str(pubnet_copy)))
        next(pubnet_copy.rglob("*--30822020.xdr.zst")).unlink()
        summary = await summarize(await open_lake(str(pubnet_copy)))

        assert [] == whole.notes
        assert [
            "1 of 11 files between the oldest and the newest ledger are missing: "
            f"see `flowctl lake gaps {pubnet_copy}`"
        ] == summary.notes

    async def test_counting_stops(self, pubnet_copy: Path) -> None:
        """A count that stops early says so."""
        summary = await summarize(await open_lake(str(pubnet_copy)), max_files=1)

        assert not summary.all_files_counted

    async def test_oddities(
        self, pubnet_copy: Path, files_of: Callable[[Path, str], list[Path]]
    ) -> None:
        """A missing manifest, mixed suffixes and other files are noted."""
        (pubnet_copy / ".config.json").unlink()
        (pubnet_copy / "notes.txt").write_text("by hand")
        first = files_of(pubnet_copy, "*.xdr.zst")[0]
        first.rename(first.with_suffix(".zstd"))
        summary = await summarize(await open_lake(str(pubnet_copy)))

        assert ({"xdr.zst": 10, "xdr.zstd": 1}, 1) == (summary.extensions, summary.other_files)
        assert 2 == len(summary.notes)
        assert (None, None) == (summary.network, summary.manifest_version)

    async def test_without_a_listing(self, pubnet: Path, serve: Callable[[Path], Any]) -> None:
        """A web server's lake is described around a ledger that is known to exist."""
        summary = await summarize(await open_lake(serve(pubnet).url), near=30822020)

        assert (30822015, 30822025, None) == (
            summary.oldest_ledger,
            summary.newest_ledger,
            summary.files,
        )

    async def test_an_empty_lake(self, pubnet_copy: Path, tmp_path: Path) -> None:
        """A lake that has not begun has a layout and nothing else."""
        empty = tmp_path / "empty"
        empty.mkdir()
        (empty / ".config.json").write_bytes((pubnet_copy / ".config.json").read_bytes())
        summary = await summarize(await open_lake(str(empty)))

        assert (None, None, 0, []) == (
            summary.oldest_ledger,
            summary.newest_ledger,
            summary.files,
            summary.protocol_versions,
        )
