"""The example `pubnet-rows.yaml` on the real ledgers, and the other faces of a ledger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests._flowctl import Finished, flowctl
from tests._workshop import FIRST, LAST, Lake, Workshop, galexie, parquet, rows

EXAMPLE = Path(__file__).parents[2] / "examples" / "pipelines" / "pubnet-rows.yaml"


def run_example(lake: Lake, out: Path, end: int = LAST) -> Finished:
    env = {"CDP_LAKE": str(lake.folder), "START": str(FIRST), "END": str(end), "OUT": str(out)}
    return flowctl("run", EXAMPLE, env=env)


class TestPubnetRows:
    def test_writes_every_row_of_the_real_ledgers(
        self, workshop: Workshop, real_lake: Lake
    ) -> None:
        """11 ledgers, 650 transactions, 2085 operations, 668 transfers; run again: all done."""
        first = run_example(real_lake, workshop.folder / "out")
        tables = workshop.rows("out")
        again = run_example(real_lake, workshop.folder / "out")

        expected = {"ledgers": 11, "operations": 2085, "token_transfers": 668, "transactions": 650}
        assert (0, expected) == (first.code, tables)
        assert "completed, durable through 30822025" in first.err
        assert (0, expected) == (again.code, workshop.rows("out"))
        assert "already completed" in again.err

    def test_a_range_that_grew_goes_on_where_it_ended(
        self, workshop: Workshop, real_lake: Lake
    ) -> None:
        """Only the ledgers that are new in the range are read, and all are there."""
        stages = [rows("ledgers", "operations"), parquet()]
        workshop.run("grow", source=galexie(real_lake, end=LAST - 5), pipeline=stages)
        more = workshop.run("grow", source=galexie(real_lake), pipeline=stages)

        assert 0 == more.code
        assert "5 ledgers" in more.err
        assert list(range(FIRST, LAST + 1)) == workshop.ledgers("out")
        assert {"ledgers": 11, "operations": 2085} == workshop.rows("out")

    def test_rows_whose_files_were_removed_are_written_again(
        self, workshop: Workshop, real_lake: Lake
    ) -> None:
        """A consumer that holds less than the checkpoint says pulls the start back, said so."""
        keys = {"source": galexie(real_lake), "pipeline": [rows("ledgers"), parquet()]}
        workshop.run("again", **keys)
        (workshop.folder / "out").rename(workshop.folder / "away")
        again = workshop.run("again", **keys)

        assert 0 == again.code
        assert "holds nothing" in again.err
        assert list(range(FIRST, LAST + 1)) == workshop.ledgers("out")


class TestLedgers:
    def test_latest_ledger_is_one_compact_message_a_ledger(
        self, workshop: Workshop, real_lake: Lake
    ) -> None:
        """Counts of the compact messages add up to the transactions and operations there are."""
        done = workshop.run(
            "latest",
            source=galexie(real_lake),
            pipeline=["latest-ledger", {"type": "save-to-jsonl", "config": {"path": "l.jsonl"}}],
        )
        lines = (workshop.folder / "l.jsonl").read_text().splitlines()
        ledgers = [json.loads(line) for line in lines]

        assert 0 == done.code
        assert list(range(FIRST, LAST + 1)) == [ledger["sequence"] for ledger in ledgers]
        assert all(len(line) < 2000 for line in lines)

    @pytest.mark.parametrize("ledger", [30820015, 53312000, 57500008, 63092990])
    def test_ledger_to_json_takes_every_version(
        self, workshop: Workshop, real_lake: Lake, ledger: int
    ) -> None:
        """A ledger of LedgerCloseMeta V0, V1 or V2 becomes its SEP-51 JSON."""
        done = workshop.run(
            "sep51",
            source=galexie(real_lake, ledger, ledger),
            pipeline=["ledger-to-json", {"type": "stdout", "config": {"content": "payload"}}],
        )
        [version] = json.loads(done.out)
        header = json.loads(done.out)[version]["ledger_header"]["header"]

        assert 0 == done.code
        assert version in ("v0", "v1", "v2")
        assert ledger == header["ledger_seq"]


class TestGraph:
    def test_a_run_that_drops_every_message_advances(
        self, workshop: Workshop, real_lake: Lake
    ) -> None:
        """A condition that is never true: no rows, exit 0, the checkpoint at the end."""
        nothing = {"type": "filter", "config": {"where": "payload.sequence < 0"}}
        keys = {
            "source": galexie(real_lake),
            "pipeline": ["latest-ledger", nothing, parquet()],
        }
        done = workshop.run("nothing", **keys)
        shown = flowctl("checkpoint", "show", workshop.folder / "nothing.yaml", "-o", "json")
        again = workshop.run("nothing", **keys)

        assert 0 == done.code
        assert f"durable through {LAST}" in done.err
        assert LAST == json.loads(shown.out)["position"]
        assert "already completed" in again.err

    def test_a_consumer_in_the_middle_is_a_tap(self, workshop: Workshop, real_lake: Lake) -> None:
        """The stage behind a consumer gets that consumer's input, never its answer."""
        done = workshop.run(
            "tap",
            source=galexie(real_lake),
            pipeline=[
                "latest-ledger",
                {"type": "save-to-jsonl", "config": {"path": "all.jsonl"}},
                {"type": "filter", "config": {"where": f"payload.sequence > {LAST - 2}"}},
                {"type": "save-to-jsonl", "config": {"path": "some.jsonl"}},
            ],
        )
        lines = {
            name: (workshop.folder / f"{name}.jsonl").read_text().count("\n")
            for name in ("all", "some")
        }

        assert 0 == done.code
        assert {"all": 11, "some": 2} == lines
