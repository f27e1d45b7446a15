"""`flowctl init` writes a pipeline that validates, whatever is chosen."""

from __future__ import annotations

import itertools
import os
import pty
import subprocess
from pathlib import Path

import pytest

from cdp_pipeline.errors import UsageError
from cdp_pipeline.scaffold.starter import DESTINATIONS, Answers, starter, tables_of
from tests._flowctl import BOUND_S, COMMAND, flowctl
from tests.scaffold.conftest import Faults

SOURCES = ("pubnet", "testnet", "./lake", "s3://bucket/lake", "rows/*.jsonl", "-")
ROWS = ("all", "operations", "token_transfers,contract_events")


class TestChoices:
    @pytest.mark.parametrize(("source", "to"), [*itertools.product(SOURCES, DESTINATIONS)])
    def test_each_source_with_each_destination(
        self, source: str, to: str, faults_of_text: Faults
    ) -> None:
        """Every pair validates without a variable being set."""
        text = starter(Answers(source, to=to, name="demo"), "flowctl run pipeline.yaml")

        assert [] == faults_of_text(str(text))

    @pytest.mark.parametrize("rows", ROWS)
    def test_each_choice_of_rows(self, rows: str, faults_of_text: Faults) -> None:
        """Every table validates, alone and with others."""
        text = starter(Answers("./lake", rows, start="3d"), "flowctl run pipeline.yaml")

        assert [] == faults_of_text(str(text))

    def test_a_public_lake_is_read_from_an_hour_ago(self) -> None:
        """The whole history would take days: it has to be asked for."""
        assert "start: 1h" in str(starter(Answers("pubnet"), ""))
        assert "start: 2\n" in str(starter(Answers("pubnet", start="2"), ""))

    @pytest.mark.parametrize(
        ("answers", "name"),
        [
            (Answers("pubnet", to="excel"), "--to"),
            (Answers("pubnet", rows="payments"), "--rows"),
            (Answers(" "), "--source"),
        ],
    )
    def test_an_unknown_answer(self, answers: Answers, name: str) -> None:
        """What is not known is refused with what is."""
        with pytest.raises(UsageError, match=name) as raised:
            starter(answers, "")

        assert raised.value.hint

    def test_names_of_tables_may_have_dashes(self) -> None:
        """`token-transfers` is `token_transfers`; `all` outweighs the others."""
        assert ["token_transfers"] == tables_of("token-transfers")
        assert [] == tables_of("ledgers, all")


class TestCommand:
    def test_without_questions(self, tmp_path: Path) -> None:
        """Options answer everything; it says that the file is valid, and what comes next."""
        options = ["--source", "pubnet", "--rows", "operations", "--to", "duckdb"]
        done = flowctl("init", "demo", *options, cwd=tmp_path)
        again = flowctl("validate", "demo/pipeline.yaml", cwd=tmp_path)

        assert (0, "") == (done.code, done.err)
        assert "demo/pipeline.yaml is valid\nnext: flowctl run demo/pipeline.yaml\n" == done.out
        assert 0 == again.code, again.err
        first, *_ = (tmp_path / "demo/pipeline.yaml").read_text().splitlines()
        assert "# yaml-language-server: $schema=pipeline.schema.json" == first
        assert (tmp_path / "demo/pipeline.schema.json").is_file()

    def test_nothing_is_overwritten(self, tmp_path: Path) -> None:
        """A file that is there stays, without `--force`; then none of the two is written."""
        (tmp_path / "pipeline.yaml").write_text("mine")
        refused = flowctl("init", "--yes", cwd=tmp_path)
        before = (tmp_path / "pipeline.yaml").read_text()
        forced = flowctl("init", "--yes", "--force", cwd=tmp_path)

        assert (2, "usage.file_exists") == (refused.code, refused.fault.code)
        assert "mine" == before
        assert 0 == forced.code, forced.err
        assert "mine" != (tmp_path / "pipeline.yaml").read_text()

    def test_without_a_terminal_it_does_not_guess(self, tmp_path: Path) -> None:
        """Missing answers are an error where nobody can be asked."""
        done = flowctl("init", "--source", "pubnet", cwd=tmp_path)

        assert 2 == done.code
        assert "--yes" in done.fault.hint
        assert [] == list(tmp_path.iterdir())

    def test_rows_of_json_lines(self, tmp_path: Path) -> None:
        """JSON lines have no ledgers: `--rows` is refused, and not asked for."""
        options = ["--source", "in.jsonl", "--to", "stdout"]
        refused = flowctl("init", *options, "--rows", "all", cwd=tmp_path)
        done = flowctl("init", *options, cwd=tmp_path)

        assert 2 == refused.code
        assert 0 == done.code, done.err

    def test_questions_on_a_terminal(self, tmp_path: Path) -> None:
        """Each question has a default; a path typed there is written as seen from the file."""
        ours, theirs = pty.openpty()
        try:
            process = subprocess.Popen(
                [COMMAND, "init", "asked"],
                cwd=tmp_path,
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            os.write(ours, b"./lake\n\nparquet\nmine\n")
            out, err = process.communicate(timeout=BOUND_S)
        finally:
            os.close(ours)
            os.close(theirs)

        assert 0 == process.returncode, err
        assert b"Read from" in out + err
        text = (tmp_path / "asked/pipeline.yaml").read_text()
        assert "name: mine\n" in text
        assert "path: ../lake\n" in text
        assert "path: out/mine\n" in text
