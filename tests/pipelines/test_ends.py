"""How runs end: drained, stopped hard, refused, with the reader gone; and how they go on."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests._flowctl import finish, flowctl, running, wait_until
from tests._postgres import free_port
from tests._workshop import FIRST, LAST, Lake, Workshop, galexie, rows

GATE = '''
import pathlib, time
import cdpplugin

HERE = pathlib.Path(__file__).parent

@cdpplugin.processor("gate", "1.0.0")
def gate(message):
    """Hold the third message until somebody opens."""
    if message.payload["n"] == 3:
        (HERE / "waiting").touch()
        while not (HERE / "open").exists():
            time.sleep(0.01)
    return message
'''


class Gated:
    """A pipeline that follows a file and stands still at its third line until it is let on."""

    def __init__(self, workshop: Workshop) -> None:
        self.folder = workshop.folder
        (self.folder / "gate.py").write_text(GATE)
        lines = [json.dumps({"n": n}) + "\n" for n in range(1, 6)]
        (self.folder / "in.jsonl").write_text("".join(lines))
        source = {"path": "in.jsonl", "follow": True, "poll_interval": "10ms", "batch_rows": 1}
        self.file = workshop.write(
            "gated",
            plugins=[{"name": "gate", "path": "gate.py"}],
            source={"type": "jsonl", "config": source},
            batch={"rows": 1},
            pipeline=[
                {"plugin": "gate"},
                {"type": "save-to-jsonl", "config": {"path": "out.jsonl"}},
            ],
        )
        self.checkpoint = workshop.state("gated") / "checkpoint.json"

    @contextmanager
    def waiting(self) -> Iterator[subprocess.Popen[bytes]]:
        """The pipeline at its gate."""
        with running("run", self.file) as process:
            wait_until((self.folder / "waiting").exists, "a message at the gate")
            yield process

    def open(self) -> None:
        (self.folder / "open").touch()

    def add(self, n: int) -> None:
        with (self.folder / "in.jsonl").open("a") as file:
            file.write(json.dumps({"n": n}) + "\n")

    @property
    def written(self) -> list[int]:
        path = self.folder / "out.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line)["n"] for line in lines]


@pytest.fixture
def gated(workshop: Workshop) -> Gated:
    return Gated(workshop)


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_the_first_drains(self, gated: Gated, number: signal.Signals) -> None:
        """What was read is finished and durable, exit 0; the next run goes on behind it."""
        with gated.waiting() as process:
            process.send_signal(number)
            gated.open()
            done = finish(process)
        drained = gated.written
        gated.add(6)
        with running("run", gated.file) as process:
            wait_until(lambda: gated.written[-1] == 6, "the other lines")
            process.send_signal(number)
            again = finish(process)

        assert (0, 0) == (done.code, again.code), done.err + again.err
        assert "stopped on request" in done.err
        assert list(range(1, len(drained) + 1)) == drained
        assert len(drained) >= 3
        assert [1, 2, 3, 4, 5, 6] == gated.written

    def test_the_second_stops_hard(self, gated: Gated) -> None:
        """Nothing is waited for, also not a plugin that never answers; exit 130."""
        with gated.waiting() as process:
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            seen = b""
            while b"draining" not in seen:
                seen = process.stderr.readline()
                assert seen, "ended before it drained"
            process.send_signal(signal.SIGINT)
            done = finish(process)
        gated.open()
        with running("run", gated.file) as process:
            wait_until(lambda: len(gated.written) >= 5, "every line")
            process.send_signal(signal.SIGINT)
            finish(process)

        assert 130 == done.code
        assert [1, 2, 3, 4, 5] == gated.written

    def test_a_silent_pipe_is_left_at_once(self, workshop: Workshop) -> None:
        """A source that waits for input which never comes can be stopped."""
        file = workshop.write(
            "pipe", network="pubnet", source={"type": "stdin"}, pipeline=["latest-ledger", "stdout"]
        )
        with running("run", file, stdin=subprocess.PIPE) as process:
            assert process.stderr is not None
            assert b"run started" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            code = process.wait(timeout=60)

        assert 0 == code

    def test_a_start_that_waits_is_left_at_once(self, workshop: Workshop) -> None:
        """Before anything runs there is nothing to drain: the first signal ends it, exit 130."""
        (workshop.folder / "in.jsonl").write_text('{"n": 1}\n')
        away = {"host": "127.0.0.1", "port": free_port(), "database": "d", "user": "u"}
        file = workshop.write(
            "away",
            source={"type": "jsonl", "config": {"path": "in.jsonl"}},
            pipeline=[{"type": "save-to-postgresql", "config": away}],
        )
        with running("run", file) as process:
            assert process.stderr is not None
            assert b"start failed, trying again" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            done = finish(process)

        assert 130 == done.code


class TestState:
    def test_a_second_run_is_refused(self, gated: Gated) -> None:
        """Two runs of one pipeline never write at the same time; the error names the other."""
        with gated.waiting() as process:
            second = flowctl("run", gated.file)
            reset = flowctl("checkpoint", "reset", gated.file, "--yes")

        assert (2, "run.already_running") == (second.code, second.fault.code)
        assert f"process {process.pid}" in second.fault.message
        assert second.fault.hint
        assert (2, "run.already_running") == (reset.code, reset.fault.code)

    def test_another_stream_is_refused(self, workshop: Workshop, real_lake: Lake) -> None:
        """A checkpoint goes with its stream: a changed start is refused, with the way out."""
        keys = {"pipeline": ["latest-ledger", {"type": "save-to-jsonl", "config": {"path": "o"}}]}
        workshop.run("mine", source=galexie(real_lake, end=FIRST + 3), **keys)
        other = workshop.run("mine", source=galexie(real_lake, start=FIRST + 2), **keys)
        reset = flowctl("checkpoint", "reset", workshop.folder / "mine.yaml", "--yes")
        again = workshop.run("mine", source=galexie(real_lake, start=FIRST + 2), **keys)

        assert (2, "checkpoint.mismatch") == (other.code, other.fault.code)
        assert "flowctl checkpoint reset" in other.fault.hint
        assert (0, 0) == (reset.code, again.code)
        assert "9 ledgers" in again.err

    def test_a_network_is_part_of_the_stream(self, workshop: Workshop, test_data: Path) -> None:
        """Ledgers of another network never follow those of the first."""
        framed = test_data / "captive_core" / "pubnet-30822015-30822025.framed.xdr"
        keys = {"pipeline": ["latest-ledger", "stdout"]}
        source = {"type": "stdin", "config": {"path": str(framed)}}
        first = workshop.run("net", network="pubnet", source=source, **keys)
        other = workshop.run("net", network="testnet", source=source, **keys)

        assert 0 == first.code
        assert (2, "checkpoint.mismatch") == (other.code, other.fault.code)
        assert "network" in other.fault.message

    def test_a_torn_checkpoint_is_not_guessed_at(self, workshop: Workshop) -> None:
        """A checkpoint that is none of ours stops the run; it never starts over by itself."""
        (workshop.folder / "in.jsonl").write_text('{"n": 1}\n')
        keys = {
            "source": {"type": "jsonl", "config": {"path": "in.jsonl"}},
            "pipeline": ["stdout"],
        }
        workshop.run("torn", **keys)
        for content in (b"", b"[]", b'{"version": 99}', b"\xff\x00"):
            (workshop.state("torn") / "checkpoint.json").write_bytes(content)
            done = workshop.run("torn", **keys)

            assert (2, "", "checkpoint.unreadable") == (done.code, done.out, done.fault.code)

        shown = flowctl("checkpoint", "show", workshop.folder / "torn.yaml")
        assert "checkpoint.unreadable" == shown.fault.code

    def test_a_state_folder_that_cannot_be_written(self, workshop: Workshop) -> None:
        """The error names the folder and the variable that moves it."""
        (workshop.folder / "in.jsonl").write_text('{"n": 1}\n')
        (workshop.folder / "file").write_text("")
        file = workshop.write(
            "stateless",
            source={"type": "jsonl", "config": {"path": "in.jsonl"}},
            pipeline=["stdout"],
        )
        env = {"XDG_STATE_HOME": str(workshop.folder / "file")}
        done = flowctl("run", file, env=env)

        assert (2, "state.unwritable") == (done.code, done.fault.code)
        assert "XDG_STATE_HOME" in done.fault.hint
        assert "" == done.out


class TestPipes:
    def test_framed_ledgers_come_through_a_pipe(self, workshop: Workshop, test_data: Path) -> None:
        """What stellar-core writes to its metadata pipe gives the rows that the lake gives."""
        framed = test_data / "captive_core" / "pubnet-30822015-30822025.framed.xdr"
        file = workshop.write(
            "core",
            network="pubnet",
            source={"type": "stdin"},
            pipeline=[
                rows("ledgers", "transactions", "operations", "token_transfers"),
                {"type": "save-to-parquet", "config": {"path": "out"}},
            ],
        )
        with framed.open("rb") as pipe, running("run", file, stdin=pipe) as process:
            done = finish(process)
        again = flowctl("run", file, stdin=framed.read_bytes())

        expected = {"ledgers": 11, "operations": 2085, "token_transfers": 668, "transactions": 650}
        assert (0, 0) == (done.code, again.code), done.err
        assert expected == workshop.rows("out")

    def test_a_pipe_that_ends_within_a_ledger(self, workshop: Workshop, test_data: Path) -> None:
        """Whole ledgers before the cut are durable, the cut one is an error."""
        framed = test_data / "captive_core" / "pubnet-30822015-30822025.framed.xdr"
        file = workshop.write(
            "core",
            network="pubnet",
            source={"type": "stdin"},
            pipeline=[rows("ledgers"), {"type": "save-to-parquet", "config": {"path": "out"}}],
        )
        done = flowctl("run", file, stdin=framed.read_bytes()[:-1000])

        assert 0 != done.code
        assert done.fault.code
        assert list(range(FIRST, LAST)) == workshop.ledgers("out")

    def test_a_reader_that_has_enough(self, workshop: Workshop) -> None:
        """`flowctl run ... | head -1` prints one line and says in one that its reader left."""
        lines = [json.dumps({"n": n, "filler": "x" * 1000}) for n in range(5000)]
        (workshop.folder / "in.jsonl").write_text("\n".join(lines))
        file = workshop.write(
            "pipe",
            source={"type": "jsonl", "config": {"path": "in.jsonl"}},
            pipeline=[{"type": "stdout", "config": {"content": "payload"}}],
        )
        with running("run", file) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            process.stdout.close()
            process.stdout = None
            done = finish(process)

        assert 0 == json.loads(first)["n"]
        assert (4, "stdout.closed") == (done.code, done.fault.code)
        assert "BrokenPipe" not in done.err
        assert "Exception ignored" not in done.err
