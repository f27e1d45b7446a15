"""Every command: its exit code, what goes to stdout and to stderr, its help, its errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cdp_pipeline import __version__
from cdp_pipeline.cli.main import app
from cdp_pipeline.host.catalog import Catalog
from tests._flowctl import COMMAND, Finished, finish, flowctl, on_terminal, start
from tests._workshop import Lake, Workshop

OTHERWISE_FOR_MACHINES = {
    ("run",): "--log-format json",
    ("schema",): "is JSON",
    ("plugin", "run"): "writes JSON lines",
    ("plugin", "dev"): "is for people",
}


def leaves(command: Any, *name: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each command that does something, by its words."""
    children = getattr(command, "commands", {})
    if not children:
        yield name, command
    for word, child in children.items():
        yield from leaves(child, *name, word)


LEAVES = dict(leaves(typer.main.get_command(app)))
TYPES = {
    "sources": {"galexie", "jsonl", "stdin"},
    "processors": {"filter", "flatten", "latest-ledger", "ledger-to-json", "map", "rows"},
    "consumers": {
        "save-to-duckdb",
        "save-to-jsonl",
        "save-to-parquet",
        "save-to-postgresql",
        "stdout",
    },
}


@pytest.fixture
def file(workshop: Workshop) -> Path:
    """A pipeline that has done its three lines."""
    (workshop.folder / "in.jsonl").write_text("".join(f'{{"n":{n}}}\n' for n in range(1, 4)))
    return workshop.write(
        "lines",
        source={"type": "jsonl", "config": {"path": "in.jsonl"}},
        pipeline=[{"type": "save-to-jsonl", "config": {"path": "out.jsonl"}}],
    )


def words(text: str) -> str:
    """Return *text* without the frames and line breaks of a help page."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())


class TestHelp:
    def test_names_every_command(self) -> None:
        """`flowctl --help` lists each command with what it does."""
        done = flowctl("--help")

        assert (0, "") == (done.code, done.err)
        assert all(command[0] in done.out for command in LEAVES)

    @pytest.mark.parametrize("command", LEAVES, ids=" ".join)
    def test_says_what_each_option_means(self, command: tuple[str, ...]) -> None:
        """Beside each argument and option there is a text."""
        bare = [each.name for each in LEAVES[command].params if not getattr(each, "help", "")]

        assert [] == bare

    @pytest.mark.parametrize("command", [("run",), ("plugin", "new")], ids=" ".join)
    def test_is_shown(self, command: tuple[str, ...]) -> None:
        """`--help` shows what the command does and its options, and ends with 0."""
        done = flowctl(*command, "--help", env={"COLUMNS": "200"})

        assert (0, "") == (done.code, done.err)
        assert f"Example: flowctl {' '.join(command)}" in words(done.out)

    @pytest.mark.parametrize("command", LEAVES, ids=" ".join)
    def test_shows_an_example(self, command: tuple[str, ...]) -> None:
        """Every command has an example, which is itself; and says what it takes."""
        help_text = LEAVES[command].help or ""
        assert f"Example: `flowctl {' '.join(command)}" in help_text or command == ("test", "run")

    @pytest.mark.parametrize("command", LEAVES, ids=" ".join)
    def test_answers_for_machines(self, command: tuple[str, ...]) -> None:
        """Every command that has an answer gives it as JSON, too."""
        options = [name for each in LEAVES[command].params for name in each.opts]
        assert ("--output" in options) != (command in OTHERWISE_FOR_MACHINES)

    def test_version(self) -> None:
        """`--version` prints name and version."""
        done = flowctl("--version")

        assert (0, f"flowctl {__version__}\n", "") == (done.code, done.out, done.err)


class TestUsage:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("fly",),
            ("run",),
            ("run", "a.yaml", "b.yaml"),
            ("run", "a.yaml", "--fast"),
            ("run", "a.yaml", "--log-level", "loud"),
            ("run", "a.yaml", "--log-format", "xml"),
            ("validate", "a.yaml", "-o", "xml"),
            ("list", "pipelines"),
            ("schema", "lake"),
            ("explain",),
            ("checkpoint", "move"),
            ("lake", "generate", "--ledgers", "many", "--out", "x"),
            ("lake", "generate", "--out", "x"),
            ("lake", "gaps"),
        ],
        ids=" ".join,
    )
    def test_arguments_that_do_not_fit(
        self, workshop: Workshop, arguments: tuple[str, ...]
    ) -> None:
        """Exit code 2, nothing on stdout, the error in the one form of all errors."""
        done = flowctl(*arguments, cwd=workshop.folder)

        assert (2, "", "usage.invalid") == (done.code, done.out, done.fault.code)
        assert not list(workshop.folder.iterdir())

    @pytest.mark.parametrize("arguments", [(), ("checkpoint",), ("lake",)], ids=str)
    def test_no_command_shows_help(self, arguments: tuple[str, ...]) -> None:
        """A group without a command shows what there is, exit code 2."""
        done = flowctl(*arguments)

        assert 2 == done.code
        assert "Commands" in done.out + done.err

    @pytest.mark.parametrize("command", ["run", "validate", "checkpoint show"])
    def test_a_file_that_is_not_there(self, workshop: Workshop, command: str) -> None:
        """The error names the file."""
        done = flowctl(*command.split(), "no.yaml", cwd=workshop.folder)

        assert (2, "", "config.unreadable") == (done.code, done.out, done.fault.code)
        assert "no.yaml" in done.fault.message

    def test_stdout_may_be_closed(self) -> None:
        """`flowctl schema | head -1` ends without a complaint."""
        process = start("schema")
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        done = finish(process)

        assert done.code in (0, 1)
        assert "" == done.err


class TestComponents:
    def test_list_names_every_component(self) -> None:
        """`list` and `list KIND` name the components with one line each."""
        done = flowctl("list")
        listed = {kind: json.loads(flowctl("list", kind, "-o", "json").out) for kind in TYPES}

        assert (0, "") == (done.code, done.err)
        for kind, types in TYPES.items():
            assert types == {row["type"] for row in listed[kind]}
            assert {kind.removesuffix("s")} == {row["kind"] for row in listed[kind]}
            assert all(f"  {name} " in done.out for name in types)
            assert all(row["description"] for row in listed[kind])

    @pytest.mark.parametrize("name", sorted(set().union(*TYPES.values())))
    def test_explain_tells_every_key(self, name: str) -> None:
        """`explain` shows each key of the component's schema with its meaning."""
        schema = Catalog().metadata(name).config_schema
        done = flowctl("explain", name)

        assert (0, "") == (done.code, done.err)
        for key, inner in schema.get("properties", {}).items():
            assert f"  {key}: " in done.out
            assert inner.get("description", "") in done.out

    def test_explain_as_json_is_the_schema(self) -> None:
        """`explain -o json` prints the component's JSON Schema and nothing else."""
        done = flowctl("explain", "rows", "-o", "json")

        assert (0, "") == (done.code, done.err)
        assert Catalog().metadata("rows").config_schema == json.loads(done.out)

    def test_explain_an_unknown_type(self) -> None:
        """The nearest name is suggested."""
        done = flowctl("explain", "save-to-parket")

        assert (2, "component.unknown_type") == (done.code, done.fault.code)
        assert "save-to-parquet" in done.fault.hint

    @pytest.mark.parametrize("name", ["pipeline", "plugin", "settings"])
    def test_schema_is_a_json_schema(self, name: str) -> None:
        """`schema NAME` prints nothing but a JSON Schema."""
        import jsonschema

        done = flowctl("schema", name)

        assert (0, "") == (done.code, done.err)
        jsonschema.Draft202012Validator.check_schema(json.loads(done.out))


class TestRun:
    def test_the_answer_of_a_run_is_on_stderr(self, file: Path) -> None:
        """Data alone goes to stdout; log lines and summary go to stderr."""
        done = flowctl("run", file)

        assert (0, "") == (done.code, done.out)
        assert "lines: completed, durable through 3" in done.err
        assert "save-to-jsonl: 3 in, 3 out" in done.err

    def test_json_log_lines_are_json(self, file: Path) -> None:
        """With `--log-format json` every line of stderr is an object, the last the summary."""
        done = flowctl("run", file, "--log-format", "json")
        lines = [json.loads(line) for line in done.err.splitlines()]

        assert 0 == done.code
        assert all({"event", "level", "timestamp", "pipeline"} <= set(line) for line in lines)
        assert ("run ended", "completed", 0, 3) == tuple(
            lines[-1][key] for key in ("event", "ending", "exit_code", "checkpoint")
        )

    def test_a_run_that_moved_nothing_says_so(self, file: Path) -> None:
        """A stream without anything new: exit 0 and a sentence."""
        flowctl("run", file)
        done = flowctl("run", file)

        assert 0 == done.code
        assert "nothing moved" in done.err

    def test_progress_can_be_forced(self, file: Path) -> None:
        """The live table leaves its last state, also where stderr is no terminal."""
        done = flowctl("run", file, "--progress")

        assert 0 == done.code
        assert "completed" in done.err


class TestCheckpoint:
    def test_show(self, workshop: Workshop, file: Path) -> None:
        """Before a run there is none; then position, stream and file, for people or as JSON."""
        before = flowctl("checkpoint", "show", file)
        nothing = flowctl("checkpoint", "show", file, "--output", "json")
        flowctl("run", file)
        text = flowctl("checkpoint", "show", file)
        fields = json.loads(flowctl("checkpoint", "show", file, "--output", "json").out)

        assert "has no checkpoint" in before.out
        assert None is json.loads(nothing.out)
        assert "everything through 3 is durable" in text.out
        assert str(workshop.state("lines") / "checkpoint.json") in text.out
        assert ("lines", 3) == (fields["pipeline"], fields["position"])

    def test_reset_starts_over(self, workshop: Workshop, file: Path) -> None:
        """Checkpoint and written files go; the next run writes each row once."""
        flowctl("run", file)
        reset = flowctl("checkpoint", "reset", file, "--yes")
        shown = flowctl("checkpoint", "show", file)
        again = flowctl("run", file)

        assert (0, "") == (reset.code, reset.err)
        assert "removed the checkpoint" in reset.out
        assert "has no checkpoint" in shown.out
        assert 0 == again.code
        assert '{"n":1}\n{"n":2}\n{"n":3}\n' == (workshop.folder / "out.jsonl").read_text()

    def test_reset_asks_first(self, workshop: Workshop, file: Path) -> None:
        """Without a yes nothing is removed, and the exit code says that it was not done."""
        flowctl("run", file)
        no = flowctl("checkpoint", "reset", file, stdin=b"n\n")
        silence = flowctl("checkpoint", "reset", file)

        assert 0 not in (no.code, silence.code)
        assert (workshop.state("lines") / "checkpoint.json").exists()
        assert (workshop.folder / "out.jsonl").exists()


class TestLake:
    def test_generate_inspect_gaps(self, workshop: Workshop) -> None:
        """A generated lake is whole; one file less is a gap, exit code 1."""
        lake = workshop.folder / "lake"
        made = flowctl("lake", "generate", "--ledgers", "12", "--out", lake, "--first", "100")
        facts = json.loads(flowctl("lake", "inspect", lake, "-o", "json").out)
        text = flowctl("lake", "inspect", lake)
        whole = flowctl("lake", "gaps", lake)
        next(lake.rglob("*--105.xdr.zst")).unlink()
        gaps = flowctl("lake", "gaps", lake)
        gaps_json = flowctl("lake", "gaps", lake, "-o", "json")

        assert (0, "") == (made.code, made.err)
        assert "ledgers 100 to 111" in made.out
        assert (100, 111, 12) == (facts["oldest_ledger"], facts["newest_ledger"], facts["files"])
        assert "newest ledger" in text.out
        assert (0, "no gaps\n") == (whole.code, whole.out)
        assert (1, 1) == (gaps.code, gaps_json.code)
        assert "105 to 105: 1 ledger is missing" in gaps.out
        assert [{"first": 105, "last": 105}] == json.loads(gaps_json.out)

    def test_generate_gives_the_same_bytes(self, workshop: Workshop) -> None:
        """The same options give the same lake; another seed another one."""
        lakes = []
        for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
            folder = workshop.folder / name
            flowctl("lake", "generate", "--ledgers", "5", "--out", folder, "--seed", seed)
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            lakes.append({path.relative_to(folder): path.read_bytes() for path in files})

        assert lakes[0] == lakes[1] != lakes[2]

    def test_inspect_the_real_lake(self, real_lake: Lake) -> None:
        """Network, range, protocols and versions of a lake that Galexie wrote."""
        done = flowctl("lake", "inspect", real_lake.folder, "-o", "json")
        facts = json.loads(done.out)

        assert (0, "") == (done.code, done.err)
        assert ("pubnet", 30820015, 63092990, 16) == tuple(
            facts[key] for key in ("network", "oldest_ledger", "newest_ledger", "files")
        )
        assert [0, 1, 2] == facts["meta_versions"]

    @pytest.mark.parametrize("command", ["inspect", "gaps"])
    @pytest.mark.parametrize("address", ["nowhere", "ftp://host/lake", "s3://"])
    def test_a_lake_that_is_not_there(self, workshop: Workshop, command: str, address: str) -> None:
        """The error names the address and what to write."""
        done = flowctl("lake", command, address, cwd=workshop.folder)

        assert (2, "") == (done.code, done.out)
        assert done.fault.code.startswith("lake.")
        assert done.fault.hint


class TestInternalFaults:
    def test_show_no_traceback(self, workshop: Workshop) -> None:
        """A fault of flowctl itself is an error like any other, with a way to its traceback."""
        broken = workshop.folder / "structlog.py"
        broken.write_text("raise RuntimeError('broken')")
        (workshop.folder / "p.yaml").write_text("name: p")
        env = {"PYTHONPATH": str(workshop.folder)}
        done = flowctl("run", workshop.folder / "p.yaml", env=env)

        assert (1, "internal") == (done.code, done.fault.code)
        assert "FLOWCTL_TRACEBACK=1" in done.fault.hint


class TestColor:
    COLOR = re.compile(r"\x1b\[[0-9;]*(?:3[0-8]|9[0-7])[0-9;]*m")

    def shown(self, file: Path, *arguments: str, **env: str) -> str:
        """Return what a run shows on a terminal."""
        return on_terminal([COMMAND, *arguments, str(file)], env)

    def test_a_terminal_has_color(self, file: Path) -> None:
        """Where nothing is said, log lines are coloured on a terminal."""
        assert self.COLOR.search(self.shown(file, "run", "--no-progress", TERM="xterm"))

    @pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
    def test_whoever_wants_none_sees_none(self, file: Path, env: dict[str, str]) -> None:
        """`NO_COLOR`, and a terminal that knows none, turn it off in logs, display and help."""
        terminal = {"TERM": "xterm", **env}
        assert not self.COLOR.search(self.shown(file, "run", "--progress", **terminal))
        assert not self.COLOR.search(on_terminal([COMMAND, "--help"], terminal))


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_a_shell_is_told_how(self, shell: str) -> None:
        """`--show-completion` prints a script that asks flowctl itself."""
        done = flowctl("--show-completion", shell)
        assert 0 == done.code
        assert "_FLOWCTL_COMPLETE" in done.out

    def test_words_are_completed(self) -> None:
        """Commands and options that begin as typed are offered."""
        env = {"_FLOWCTL_COMPLETE": "complete_bash", "COMP_CWORD": "2"}
        offered = flowctl(env=env | {"COMP_WORDS": "flowctl plugin re"}).out
        assert "reload" in offered
        assert "inspect" not in offered


def test_the_command_is_installed() -> None:
    """`flowctl` stands beside the interpreter."""
    assert Path(COMMAND).is_file()
    assert isinstance(flowctl("--version"), Finished)
