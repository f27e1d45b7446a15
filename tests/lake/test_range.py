"""Ledgers by time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.connectors.stellar.lake import (
    Lake,
    first_ledger_at_or_after,
    last_ledger_at_or_before,
    open_lake,
)
from cdp_pipeline.connectors.stellar.lake.errors import LakeCannotList, LakeNotFound
from cdp_pipeline.connectors.stellar.lake.layout import Layout
from cdp_pipeline.connectors.stellar.lake.range import TimeOutsideLake


def at(time_s: float) -> datetime:
    return datetime.fromtimestamp(time_s, UTC)


def closed(sequence: int) -> int:
    """When a made ledger closed."""
    return 1_600_000_000 + 5 * sequence


@pytest.fixture(params=[(1, 1), (1, 10), (8, 4), (64, 1)], ids=str)
async def made_lake(request: pytest.FixtureRequest, write_lake: Callable[..., Path]) -> Lake:
    """Ledgers 2 to 255, one every five seconds."""
    return await open_lake(str(write_lake(Layout(*request.param), 2, 255)))


class TestMadeLake:
    @pytest.mark.parametrize("sequence", [2, 3, 7, 8, 63, 64, 100, 255])
    async def test_exact_times(self, made_lake: Lake, sequence: int) -> None:
        """At the second in which a ledger closed both edges are that ledger."""
        time = at(closed(sequence))

        assert (sequence, sequence) == (
            await first_ledger_at_or_after(made_lake, time),
            await last_ledger_at_or_before(made_lake, time),
        )

    @pytest.mark.parametrize("sequence", [2, 7, 63, 100, 254])
    @pytest.mark.parametrize("beyond_s", [0.5, 4.5])
    async def test_between_ledgers(self, made_lake: Lake, sequence: int, beyond_s: float) -> None:
        """Between two ledgers a range starts with the later and ends with the earlier one."""
        time = at(closed(sequence) + beyond_s)

        assert (sequence + 1, sequence) == (
            await first_ledger_at_or_after(made_lake, time),
            await last_ledger_at_or_before(made_lake, time),
        )

    async def test_beyond_the_edges(self, made_lake: Lake) -> None:
        """Before the lake nothing has ended; after it the next ledger to come starts."""
        assert await first_ledger_at_or_after(made_lake, at(0)) == 2
        assert await first_ledger_at_or_after(made_lake, at(closed(256) - 1)) == 256
        assert await last_ledger_at_or_before(made_lake, at(2_000_000_000)) == 255
        with pytest.raises(TimeOutsideLake, match="no ledger that closed at or before"):
            await last_ledger_at_or_before(made_lake, at(closed(2) - 1))


class TestRealLake:
    @pytest.fixture(params=["folder", "s3"])
    async def lake(self, request: pytest.FixtureRequest, pubnet: Path) -> Lake:
        if request.param == "folder":
            return await open_lake(str(pubnet))
        upload = request.getfixturevalue("upload")
        options = request.getfixturevalue("s3_options")
        return await open_lake(upload(pubnet, "range/pubnet"), options=options)

    async def test_across_gaps(self, lake: Lake) -> None:
        """Gaps do not stop the search: the neighbours are the ledgers that exist."""
        time = datetime(2021, 1, 1, tzinfo=UTC)

        assert (53312000, 30822025) == (
            await first_ledger_at_or_after(lake, time),
            await last_ledger_at_or_before(lake, time),
        )

    async def test_within_a_run(self, lake: Lake) -> None:
        """Within consecutive ledgers the search is exact to the second."""
        time = datetime.fromtimestamp(1595895070, UTC)

        assert (30822021, 30822020) == (
            await first_ledger_at_or_after(lake, time),
            await last_ledger_at_or_before(lake, time),
        )


class TestWebLake:
    async def test_within_a_run(self, pubnet: Path, serve: Callable[[Path], Any]) -> None:
        """Without a listing times are found within the run around a known ledger."""
        lake = await open_lake(serve(pubnet).url)
        time = datetime.fromtimestamp(1595895070, UTC)

        assert await first_ledger_at_or_after(lake, time, near=30822020) == 30822021
        with pytest.raises(LakeNotFound):
            await first_ledger_at_or_after(lake, time)

    async def test_a_hole_is_said(
        self,
        pubnet_copy: Path,
        serve: Callable[[Path], Any],
        files_of: Callable[[Path, str], list[Path]],
    ) -> None:
        """A hole on the way is an error that says why, not a wrong ledger."""
        lake = await open_lake(serve(pubnet_copy).url)
        files_of(pubnet_copy, "*--30822019.xdr.zst")[0].unlink()
        # Doubling from 15 reaches 16, 18 and 22 and never looks at 19.
        with pytest.raises(LakeCannotList, match="30822019 is missing"):
            await first_ledger_at_or_after(
                lake, datetime.fromtimestamp(1595895058, UTC), near=30822015
            )
