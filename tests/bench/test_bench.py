"""The benchmarks work: every case runs, counts, and writes what the table needs."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from cdpplugin import Batch, Delivery, JsonPayloads, encode_json

ROOT = Path(__file__).parents[2]
CASES = sorted(path.stem for path in (ROOT / "bench/cases").glob("[!_]*.py"))
RESULTS = ROOT / "bench/results"


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        check=False,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """All cases once, at the smallest size: the folder of the results, and what was printed."""
    folder = tmp_path_factory.mktemp("results")
    done = run("--tiny", "--out", str(folder))
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


class TestCases:
    def test_every_case_runs_or_says_why_not(self, tiny: tuple[Path, str]) -> None:
        """A case leaves its numbers behind, or is skipped with a reason."""
        folder, printed = tiny
        sections = {part.split(":")[0]: part for part in printed.split("== ")[1:]}
        assert sorted(sections) == CASES
        for name, section in sections.items():
            measured = (folder / f"{name}.json").is_file()
            assert measured != ("skipped: " in section), section

    def test_a_result_says_all_that_a_reader_needs(self, tiny: tuple[Path, str]) -> None:
        """Machine, versions, every sample; a goal that names a control has one."""
        for path in tiny[0].glob("*.json"):
            found: dict[str, Any] = json.loads(path.read_text())
            assert found["machine"]["cores"] == os.cpu_count()
            assert found["versions"]["cdp-pipeline"]
            assert found["scale"] == "tiny"
            series = found["series"] | found["ratios"] | found["controls"]
            assert all(each["samples"] and each["unit"] for each in series.values())
            assert found["controls"]
            for goal in found["goals"]:
                assert goal["control"] in found["controls"]

    def test_what_is_left_out_is_said(self, tiny: tuple[Path, str]) -> None:
        """A tiny run builds and installs nothing: what that leaves unmeasured has a reason."""
        found = json.loads((tiny[0] / "grpc.json").read_text())
        assert {"Go plugin", "pynumaflow"} == set(found["facts"]["left out"])
        assert not {"Go plugin", "pynumaflow"} & set(found["series"])
        assert {"Python plugin", "plain unary server"} <= set(found["series"])

    def test_reloads_lose_nothing(self, tiny: tuple[Path, str]) -> None:
        """Every message is accounted for, or the case would not have ended well."""
        facts = json.loads((tiny[0] / "reload.json").read_text())["facts"]
        assert (0, 0) == (facts["lost"], facts["doubled"])
        assert facts["Python plugin, messages"] > 0
        assert {"Go plugin", "C guest"} == set(facts["left out"])

    def test_the_table_has_every_case(self, tiny: tuple[Path, str]) -> None:
        """A row a case, also for one that was not measured."""
        table = (tiny[0] / "README.md").read_text()
        rows = {
            line.split("|")[1].strip(" []").split("]")[0]
            for line in table.splitlines()[6:]
            if line.count("|") == 7
        }
        assert set(CASES) <= rows


class TestCommand:
    def test_absent_data_skips_with_a_reason(self, tmp_path: Path) -> None:
        """Without the real ledgers the decoder is skipped, and the user told what to set."""
        done = run("--tiny", "decode", "--out", str(tmp_path), CDP_TEST_DATA=str(tmp_path))
        assert done.returncode == 0
        assert "skipped: " in done.stdout
        assert "CDP_TEST_DATA" in done.stdout
        assert not (tmp_path / "decode.json").exists()

    def test_a_tiny_run_replaces_no_results(self) -> None:
        """Numbers of a run that only shows that it works never land among the real ones."""
        before = sorted(RESULTS.glob("*"))
        stamps = [path.stat().st_mtime_ns for path in before]
        assert run("--tiny", "help").returncode == 0
        assert before == sorted(RESULTS.glob("*"))
        assert stamps == [path.stat().st_mtime_ns for path in before]

    def test_an_unknown_case_is_refused(self) -> None:
        """The answer names the cases there are."""
        done = run("nativ")
        assert done.returncode == 2
        assert "native" in done.stderr


class TestRounds:
    @pytest.fixture
    def take_turns(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, list[float]]]:
        monkeypatch.syspath_prepend(str(ROOT))
        turns: Callable[..., dict[str, list[float]]]
        turns = importlib.import_module("bench.rounds").take_turns
        return turns

    def test_variants_alternate_and_the_warm_up_is_dropped(
        self, take_turns: Callable[..., dict[str, list[float]]]
    ) -> None:
        """Each variant once a round, the order reversed every other one; the first is no sample."""
        calls: list[str] = []

        def variant(name: str) -> Callable[[], float]:
            return lambda: calls.append(name) or float(len(calls))

        samples = take_turns({"a": variant("a"), "b": variant("b")}, rounds=3, budget_s=60)
        assert list("abbaabba") == calls
        assert {"a": [4.0, 5.0, 8.0], "b": [3.0, 6.0, 7.0]} == samples

    def test_time_bounds_the_rounds(
        self, take_turns: Callable[..., dict[str, list[float]]]
    ) -> None:
        """A spent budget ends the rounds, but not before three of them."""
        samples = take_turns({"a": lambda: 1.0}, rounds=50, budget_s=0)
        assert {"a": [1.0] * 3} == samples


class TestWitness:
    """What the sink of the reload case says of the messages that reached it."""

    @pytest.fixture
    def witness(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.syspath_prepend(str(ROOT))
        return importlib.import_module("bench.reloads").Witness()

    def check(self, witness: Any, *numbers: int, versions: Sequence[str] = ("1.0.0",)) -> None:
        """Let messages arrive, 3 of which were sent, all of them stamped by one version."""
        payloads = [encode_json({"version": "1.0.0"}) for _ in numbers]
        batch = Batch(types="T", payloads=JsonPayloads(payloads), ids=list(map(str, numbers)))
        asyncio.run(witness.consume(Delivery(batch, (), 0)))
        witness.check(3, list(versions))

    def test_passes_what_is_whole(self, witness: Any) -> None:
        """Every number once and in order, from the versions in their turn."""
        self.check(witness, 0, 1, 2)

    @pytest.mark.parametrize("numbers", [(0, 2), (0, 1, 2, 2), (0, 2, 1), (0, 1, 1)])
    def test_finds_what_is_not(self, witness: Any, numbers: tuple[int, ...]) -> None:
        """A message that is lost, doubled or out of order makes the run invalid."""
        with pytest.raises(Exception, match="were lost and"):
            self.check(witness, *numbers)

    def test_finds_a_switch_that_did_not_show(self, witness: Any) -> None:
        """Each version stamps one run of messages."""
        with pytest.raises(Exception, match="expected 2 runs of stamps, got 1"):
            self.check(witness, 0, 1, 2, versions=["1.0.0", "1.0.1"])
