"""Which files a lake holds: the same answers from a folder, S3 and a web server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.connectors.stellar.lake import (
    Gap,
    Lake,
    StoreOptions,
    find_gaps,
    newest_ledger,
    oldest_ledger,
    open_lake,
)
from cdp_pipeline.connectors.stellar.lake.errors import LakeCannotList
from cdp_pipeline.connectors.stellar.lake.layout import Layout
from cdp_pipeline.connectors.stellar.lake.listing import LedgerFiles

PUBNET_GAPS = [
    Gap(30820016, 30822014),
    Gap(30822026, 53311999),
    Gap(53312001, 57500007),
    Gap(57500009, 63092987),
    Gap(63092989, 63092989),
]


@pytest.fixture(params=["folder", "s3"])
async def lake(request: pytest.FixtureRequest, pubnet: Path) -> Lake:
    """The real lake, from every kind of store that can list."""
    if request.param == "folder":
        return await open_lake(str(pubnet))
    upload = request.getfixturevalue("upload")
    options = request.getfixturevalue("s3_options")
    return await open_lake(upload(pubnet, "listing/pubnet"), options=options)


@pytest.fixture
async def web_lake(pubnet: Path, serve: Callable[[Path], Any]) -> Lake:
    return await open_lake(serve(pubnet).url)


class TestEdges:
    async def test_oldest_and_newest(self, lake: Lake) -> None:
        """The edges are found in spite of gaps of millions of ledgers."""
        assert (30820015, 63092990) == (await oldest_ledger(lake), await newest_ledger(lake))

    async def test_of_a_run(self, web_lake: Lake) -> None:
        """Without a listing the edges are those of the run around a known ledger."""
        assert (30822015, 30822025) == (
            await oldest_ledger(web_lake, near=30822018),
            await newest_ledger(web_lake, near=30822018),
        )
        assert await newest_ledger(web_lake) is None

    @pytest.mark.parametrize(
        ("sequence", "start"),
        [
            (30820014, None),
            (30820015, 30820015),
            (30822014, 30820015),
            (40000000, 30822025),
            (63092989, 63092988),
            (4294967295, 63092990),
        ],
    )
    async def test_at_or_before(self, lake: Lake, sequence: int, start: int | None) -> None:
        """The newest file at or before a ledger, however far away it is."""
        found = await LedgerFiles(lake).at_or_before(sequence)

        assert start == (None if found is None else found.start)

    async def test_first_file_of_a_lake(self, write_lake: Callable[..., Path]) -> None:
        """A lake whose first file is named from 0 on has ledger 2 as its oldest."""
        lake = await open_lake(str(write_lake(Layout(64, 1), 2, 127)))

        assert (2, 127) == (await oldest_ledger(lake), await newest_ledger(lake))

    async def test_an_empty_lake(
        self, pubnet_copy: Path, files_of: Callable[[Path, str], list[Path]]
    ) -> None:
        """An empty lake has no edges and no gaps."""
        for path in files_of(pubnet_copy, "*.xdr.zst"):
            path.unlink()
        lake = await open_lake(str(pubnet_copy))

        assert (None, None, []) == (
            await oldest_ledger(lake),
            await newest_ledger(lake),
            await find_gaps(lake),
        )


class TestGaps:
    async def test_real_gaps(self, lake: Lake) -> None:
        """Gaps are found between the files that exist, whole and in order."""
        assert PUBNET_GAPS == await find_gaps(lake)

    async def test_within_a_range(self, lake: Lake) -> None:
        """A range is cut out exactly; ledgers beyond the lake's edges are missing too."""
        assert [Gap(30822026, 30822030)] == await find_gaps(lake, 30822020, 30822030)
        assert [Gap(2, 30820014), Gap(30820016, 30820020)] == await find_gaps(lake, 0, 30820020)
        assert [] == await find_gaps(lake, 30822015, 30822025)

    async def test_by_asking(self, web_lake: Lake) -> None:
        """Without a listing a bounded range is asked for file by file."""
        found = await find_gaps(web_lake, 30822010, 30822030)

        assert [Gap(30822010, 30822014), Gap(30822026, 30822030)] == found

    @pytest.mark.parametrize("bounds", [(None, None), (2, None), (2, 60_000_000)])
    async def test_asking_has_bounds(
        self, web_lake: Lake, bounds: tuple[int | None, int | None]
    ) -> None:
        """Without a listing an open or immense range is refused at once."""
        with pytest.raises(LakeCannotList, match="at most"):
            await find_gaps(web_lake, *bounds)

    async def test_several_ledgers_a_file(self, write_lake: Callable[..., Path]) -> None:
        """A missing file is a gap of all its ledgers."""
        folder = write_lake(Layout(8, 2), 2, 63)
        next(folder.rglob("*--16-23.xdr.zst")).unlink()
        next(folder.rglob("*--24-31.xdr.zst")).unlink()
        next(folder.rglob("*--48-55.xdr.zst")).unlink()

        assert [Gap(16, 31), Gap(48, 55)] == await find_gaps(await open_lake(str(folder)))

    async def test_without_folders_over_s3(
        self,
        write_lake: Callable[..., Path],
        upload: Callable[..., str],
        s3_options: StoreOptions,
    ) -> None:
        """A lake without folders is listed only as far as the range goes."""
        folder = write_lake(Layout(1, 1), 2, 60)
        next(folder.glob("*--30.xdr.zst")).unlink()
        lake = await open_lake(upload(folder, "flat"), options=s3_options)

        assert [Gap(30, 30)] == await find_gaps(lake, 20, 40)
        assert (2, 60) == (await oldest_ledger(lake), await newest_ledger(lake))
