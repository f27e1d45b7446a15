"""SIGKILL at random moments, then resume: the rows are those of a run that nobody disturbed.

The short form, ten kills, is part of every test run. `make campaign` (CDP_CAMPAIGN=full)
kills a hundred times. The moments and the batch cuts are drawn from a seed, the record is
`results/kills-{short,full}.json`; the short form writes its own there only with
CDP_CAMPAIGN_RECORD=1.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests._flowctl import flowctl
from tests._postgres import Database
from tests.campaign.targets import Targets, counts, differences
from tests.campaign.trial import UNDISTURBED, Trial, cut, moment

RESULTS = Path(__file__).with_name("results")
FORM = os.environ.get("CDP_CAMPAIGN", "short")
KILLS = {"short": 10, "full": 100}
LEDGERS = {"short": 60, "full": 200}
PER_TRIAL = 6
"""Most kills before a trial is let through and its rows are compared."""
FIRST = 1000
SEED = 20_260_101


@pytest.fixture
def lake(tmp_path: Path) -> dict[str, str]:
    """A generated lake, as the variables of the campaign's pipeline file."""
    folder, ledgers = tmp_path / "lake", LEDGERS[FORM]
    made = flowctl(
        *("lake", "generate", "--ledgers", str(ledgers), "--first", str(FIRST), "--seed", "7"),
        *("--transactions", "12", "--out", str(folder)),
    )
    assert made.code == 0, made.err
    manifest = json.loads((folder / ".config.json").read_text())
    return {
        "LAKE": str(folder),
        "START": str(FIRST),
        "END": str(FIRST + ledgers - 1),
        "NETWORK": manifest["networkPassphrase"],
    }


class Campaign:
    """Trials, each with targets of its own, until enough runs were killed."""

    def __init__(self, lake: dict[str, str], folder: Path, postgres: Database) -> None:
        self._lake = lake
        self._folder = folder
        self._dsn = postgres.dsn
        self._numbers = count()
        self.random = Random(SEED)

    def trial(self) -> Trial:
        """Return a pipeline that has not run yet."""
        name = f"trial_{next(self._numbers)}"
        folder = self._folder / name
        targets = Targets(folder / "out", self._dsn, name)
        return Trial(self._lake, targets, folder / "state")

    def trials(self, kills: int, duration_s: float) -> Iterator[tuple[Trial, int, str]]:
        """Yield each trial at its end: with its kills, and why it did not go on, if it did not."""
        while kills > 0:
            trial, survived, refused = self.trial(), 0, ""
            try:
                while survived < min(kills, PER_TRIAL) and trial.attempt(
                    cut(self.random), moment(self.random, duration_s)
                ):
                    survived += 1
                trial.complete(cut(self.random))
            except AssertionError as error:
                refused = str(error)
            kills -= survived
            yield trial, survived, refused


def keep(record: dict[str, Any], folder: Path) -> None:
    """Write the record: to the results where it is asked for, else to the test's own folder."""
    asked = FORM == "full" or os.environ.get("CDP_CAMPAIGN_RECORD") == "1"
    path = (RESULTS if asked else folder) / f"kills-{FORM}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")


@pytest.mark.campaign
class TestKills:
    def test_no_row_is_lost_or_doubled(
        self, lake: dict[str, str], tmp_path: Path, postgres: Database
    ) -> None:
        """Parquet, DuckDB, PostgreSQL and JSON lines hold what an undisturbed run writes."""
        campaign = Campaign(lake, tmp_path, postgres)
        undisturbed = campaign.trial()
        duration_s = undisturbed.complete(UNDISTURBED)
        expected = undisturbed.targets.read()
        ids = undisturbed.targets.message_ids()
        record: dict[str, Any] = {
            "form": FORM,
            "seed": SEED,
            "ledgers": LEDGERS[FORM],
            "undisturbed_s": round(duration_s, 3),
            "kills": 0,
            "rows": counts(expected),
            "result": "equal",
            "trials": [],
        }
        for trial, survived, refused in campaign.trials(KILLS[FORM], duration_s):
            wrong = [refused] if refused else differences(expected, trial.targets.read())
            record["kills"] += survived
            record["trials"].append({"kills": survived, "attempts": trial.attempts})
            if wrong:
                record["result"] = wrong
                break
        keep(record, tmp_path)

        assert "equal" == record["result"], record["trials"][-1:]
        assert KILLS[FORM] == record["kills"]
        assert ids["parquet"] == ids["duckdb"] == ids["postgresql"]
        assert all(rows for tables in counts(expected).values() for rows in tables.values())
