"""The range that a `galexie` source is given: found, or refused with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.connectors.stellar.galexie import Galexie
from cdp_pipeline.connectors.stellar.generate import LakeSpec, write_lake
from cdp_pipeline.connectors.stellar.lake import find_gaps, open_lake, summarize
from cdpplugin import ConfigInvalid, Context


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ledgers 2 to 11."""
    folder = tmp_path_factory.mktemp("lake")
    write_lake(LakeSpec(ledgers=10, transactions_per_ledger=1), folder)
    return folder


async def started(lake: Path, **config: Any) -> Galexie:
    source = Galexie()
    await source.configure({"path": str(lake), **config})
    await source.start(Context("p", "source"))
    return source


class TestRange:
    @pytest.mark.parametrize(
        ("start", "end", "expected"), [(1, 5, (2, 5)), (5, "latest", (5, 11)), (None, 3, (2, 3))]
    )
    async def test_found(self, lake: Path, start: Any, end: Any, expected: tuple[int, int]) -> None:
        """A sequence is taken as it is; no lake has a ledger before 2."""
        described = await (await started(lake, start=start, end=end)).describe()

        assert expected == (described.first, described.last)

    @pytest.mark.parametrize("sequence", [-3, 0, 2**32])
    @pytest.mark.parametrize("key", ["start", "end"])
    async def test_no_ledger(self, lake: Path, key: str, sequence: int) -> None:
        """What cannot be a ledger's sequence is refused and not moved to one that can."""
        with pytest.raises(ConfigInvalid, match=f"`{key}`: expected a ledger from 1 to 4294967295"):
            await started(lake, **{key: sequence})

    async def test_empty(self, lake: Path) -> None:
        """A range that turns out to hold no ledger is an error, not a run without a row."""
        closed_at = (await summarize(await open_lake(str(lake)))).oldest_closed_at
        for start, end in ((9, closed_at), (2**32 - 1, "latest"), (12, "latest")):
            with pytest.raises(ConfigInvalid, match="a range with a ledger in it") as raised:
                await started(lake, start=start, end=end)
            assert "galexie.range_empty" == raised.value.code

    async def test_a_time_to_come(self, lake: Path) -> None:
        """A start that has not come yet is refused: the run would do nothing and say so by 0."""
        with pytest.raises(ConfigInvalid, match="a time that has come") as raised:
            await started(lake, start="2999-01-01")

        assert "galexie.range_empty" == raised.value.code


@pytest.mark.parametrize(("start", "end"), [(9, 5), (12, None), (None, 1)])
async def test_gaps_of_no_range(lake: Path, start: int | None, end: int | None) -> None:
    """Gaps of a range without ledgers are an error: none found would say that all are there."""
    with pytest.raises(ConfigInvalid, match="a range that ends at or after"):
        await find_gaps(await open_lake(str(lake)), start, end)
