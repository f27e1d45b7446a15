from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.connectors.sources.file_set import decode_token
from cdp_pipeline.connectors.sources.jsonl import JsonLines
from cdpplugin import ConfigInvalid, PluginError, Resume, SourceBatch

from .conftest import Start, all_of, positions, until_error


def values(batches: list[SourceBatch]) -> list[Any]:
    return [json.loads(payload) for each in batches for payload in each.batch.payloads.json()]


def ids(batches: list[SourceBatch]) -> list[str]:
    return [identity for each in batches for identity in each.batch.ids]


async def test_a_payload_a_line(jsonl: Start, tmp_path: Path) -> None:
    """Each line is a message: its position the line's number, its id file and line."""
    path = tmp_path / "p.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a":1}\r\n\n[2]\n"x"')
    batches = await all_of(await jsonl(path=str(path), type_="Thing", network="testnet"))
    assert [{"a": 1}, [2], "x"] == values(batches)
    assert [1, 3, 4] == positions(batches)
    assert ["p.jsonl:1", "p.jsonl:3", "p.jsonl:4"] == ids(batches)
    assert 4 == batches[-1].mark
    assert {"Thing"} == set(batches[0].batch.types)
    source = batches[0].batch.sources[0]
    assert ("jsonl", "Test SDF Network ; September 2015") == (source.name, source.network)


async def test_payload_bytes_are_kept(jsonl: Start, tmp_path: Path) -> None:
    """A payload is the line's own bytes: no number is rounded."""
    path = tmp_path / "p.jsonl"
    path.write_bytes(b' { "n": 1180591620717411303424, "f": 1.50 } \n')
    (batch,) = await all_of(await jsonl(path=str(path)))
    assert b'{ "n": 1180591620717411303424, "f": 1.50 }' == batch.batch.payloads.json()[0].strip()


async def test_a_message_a_line(jsonl: Start, tmp_path: Path) -> None:
    """With `format: message` a line tells id, type and metadata, or leaves them out."""
    path = tmp_path / "m.jsonl"
    lines = [
        {"id": "x:1", "type": "Payment", "payload": {"n": 1}, "metadata": {"k": 2}},
        {"payload": None},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    (batch,) = await all_of(await jsonl(path=str(path), format="message", type_="Other"))
    assert ["x:1", "m.jsonl:2"] == list(batch.batch.ids)
    assert ["Payment", "Other"] == list(batch.batch.types)
    assert [{"k": 2}, {}] == list(batch.batch.metadata)
    assert [{"n": 1}, None] == values([batch])


async def test_id_field(jsonl: Start, tmp_path: Path) -> None:
    """`id_field` names where the payload has its id, text or a whole number."""
    path = tmp_path / "p.jsonl"
    path.write_text('{"t":{"id":"a"}}\n{"t":{"id":18446744073709551615}}\n')
    batches = await all_of(await jsonl(path=str(path), id_field="t.id"))
    assert ["a", "18446744073709551615"] == ids(batches)


async def test_several_files(jsonl: Start, tmp_path: Path) -> None:
    """A glob's files are read by name; positions count on, ids name folder, file and line."""
    for name in ("b/2.jsonl", "b/1.jsonl", "a/9.jsonl", "a/no.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f'"{name}"\n"last"')
    source = await jsonl(path=str(tmp_path / "**" / "*.jsonl"))
    batches = await all_of(source)
    assert ["a/9.jsonl", "last", "b/1.jsonl", "last", "b/2.jsonl", "last"] == values(batches)
    assert [1, 2, 3, 4, 5, 6] == positions(batches)
    assert "b/2.jsonl:2" == ids(batches)[-1]
    assert "jsonl:**/*.jsonl" == (await source.describe()).identity


async def test_batches_are_bounded(jsonl: Start, tmp_path: Path) -> None:
    """`batch_rows` and `batch_bytes` bound what is read at once."""
    path = tmp_path / "p.jsonl"
    path.write_text('"1234567"\n' * 10)
    by_rows = await all_of(await jsonl(path=str(path), batch_rows=4))
    assert [4, 4, 2] == [len(batch.batch) for batch in by_rows]
    by_bytes = await all_of(await jsonl(path=str(path), batch_bytes=25))
    assert [3, 3, 3, 1] == [len(batch.batch) for batch in by_bytes]


async def test_blank_lines_advance_the_mark(jsonl: Start, tmp_path: Path) -> None:
    """Where a batch has no rows, its mark advances all the same."""
    path = tmp_path / "p.jsonl"
    path.write_text("\n \n\n")
    (batch,) = await all_of(await jsonl(path=str(path)))
    assert (0, 3) == (len(batch.batch), batch.mark)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a":', "JSON expected"),
        (b'{"a":1} x', "JSON expected"),
        (b"NaN", "JSON expected"),
        (b'"\xff"', "UTF-8 expected"),
    ],
)
async def test_invalid_line_fails(jsonl: Start, tmp_path: Path, line: bytes, reason: str) -> None:
    """By default an invalid line stops the pipeline, named; the lines before it came."""
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"1\n2\n" + line + b"\n4\n")
    came, error = await until_error((await jsonl(path=str(path))).read(None))
    assert isinstance(error, PluginError)
    assert "jsonl.line_invalid" == error.code
    assert error.message.startswith(f"p.jsonl:3: {reason}")
    assert [1, 2] == values(came)
    assert 2 == came[-1].mark


@pytest.mark.parametrize(
    "line", ['{"id":"a"}', '{"payload":1,"id":5}', '{"payload":1,"extra":2}', "[1]"]
)
async def test_invalid_message_fails(jsonl: Start, tmp_path: Path, line: str) -> None:
    """A line that is no message, lacks a payload or has unknown keys is invalid."""
    path = tmp_path / "m.jsonl"
    path.write_text(line)
    _, error = await until_error((await jsonl(path=str(path), format="message")).read(None))
    assert "a message (`id`, `type`, `payload`, `metadata`) expected" in str(error)


@pytest.mark.parametrize("line", ['{"a":1}', '{"id":null}', '{"id":1.5}', '{"id":""}', "3"])
async def test_invalid_id_fails(jsonl: Start, tmp_path: Path, line: str) -> None:
    """With `id_field`, a line without a usable id is invalid."""
    path = tmp_path / "p.jsonl"
    path.write_text(line)
    _, error = await until_error((await jsonl(path=str(path), id_field="id")).read(None))
    assert "p.jsonl:1" in str(error)


async def test_invalid_line_is_skipped(
    jsonl: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`on_invalid: skip` leaves such lines out, logs them and says so in its health."""
    path = tmp_path / "p.jsonl"
    path.write_text("1\n{]\n3\n")
    source = await jsonl(path=str(path), on_invalid="skip")
    batches = await all_of(source)
    assert [1, 3] == values(batches)
    assert [1, 3] == positions(batches)
    await source.stop()
    told = [(record.getMessage(), record.__dict__.get("error", "")) for record in caplog.records]
    assert ["line skipped", "invalid lines skipped"] == [message for message, _ in told]
    assert "p.jsonl:2" in told[0][1]
    assert "JSON is malformed" in told[0][1]
    assert 1 == caplog.records[1].__dict__["lines"]
    assert "1 invalid lines skipped" == (await source.health()).message


async def test_resume_at_every_line(jsonl: Start, tmp_path: Path) -> None:
    """Wherever a run stopped, the next gives exactly the rest, by token or by position alone."""
    for name, lines in (("a.jsonl", 4), ("b.jsonl", 1), ("c.jsonl", 5)):
        (tmp_path / name).write_text("".join(f'"{name}{n}"\r\n' for n in range(lines)))
    source = await jsonl(path=str(tmp_path / "*.jsonl"), batch_rows=2)
    batches = await all_of(source)
    whole = values(batches)
    for done in range(11):
        tokens = [batch.token for batch in batches if (batch.mark or 0) <= done]
        for token in (tokens[-1] if tokens else b"", b""):
            rest = await all_of(source, Resume(done, token))
            assert whole[done:] == values(rest)
            assert list(range(done + 1, 11)) == positions(rest)


async def test_token_seeks(jsonl: Start, tmp_path: Path) -> None:
    """A token names the byte to go on at, so that a resume reads nothing twice."""
    path = tmp_path / "p.jsonl"
    path.write_text("1\n22\n333\n")
    source = await jsonl(path=str(path), batch_rows=2)
    token = decode_token((await all_of(source))[0].token)
    assert token is not None
    assert (5, 2) == (token.place.offset, token.place.line)


@pytest.mark.parametrize("content", ["1\n9\n3\n", "1\n"])
async def test_changed_file_is_refused_at_resume(
    jsonl: Start, tmp_path: Path, content: str
) -> None:
    """A file that was cut or replaced since is an error with a way out."""
    path = tmp_path / "p.jsonl"
    path.write_text("1\n2\n3\n")
    source = await jsonl(path=str(path), batch_rows=2)
    first = (await all_of(source))[0]
    path.write_text(content)
    _, error = await until_error(source.read(Resume(2, first.token)))
    assert isinstance(error, PluginError)
    assert "jsonl.file_changed" == error.code
    assert "checkpoint reset" in error.hint


async def test_new_file_before_is_refused(jsonl: Start, tmp_path: Path) -> None:
    """A file that appears among those already read is an error, not silently left out."""
    (tmp_path / "a.jsonl").write_text("1\n")
    (tmp_path / "c.jsonl").write_text("2\n")
    source = await jsonl(path=str(tmp_path / "*.jsonl"))
    last = (await all_of(source))[-1]
    (tmp_path / "a.jsonl").unlink()
    assert [] == await all_of(source, Resume(2, last.token))
    (tmp_path / "b.jsonl").write_text("3\n")
    _, error = await until_error(source.read(Resume(2, last.token)))
    assert "b.jsonl` is new" in str(error)


async def test_follow(jsonl: Start, tmp_path: Path) -> None:
    """`follow` gives lines as they are finished, and goes on with files behind."""
    source = await jsonl(path=str(tmp_path / "*.jsonl"), follow=True, poll_interval="1ms")
    async with aclosing(source.read(None)) as batches, asyncio.timeout(20):
        coming = asyncio.ensure_future(anext(batches))
        with (tmp_path / "a.jsonl").open("w") as file:
            file.write("1\n2")
            file.flush()
            assert [1] == values([await coming])
            coming = asyncio.ensure_future(anext(batches))
            file.write("2\n")
            file.flush()
            assert [22] == values([await coming])
            file.write("3")
        (tmp_path / "b.jsonl").write_text("4\n")
        assert [3, 4] == values([await anext(batches), await anext(batches)])


async def test_follow_can_be_cancelled(jsonl: Start, tmp_path: Path) -> None:
    """A source that waits for more ends at once when it is cancelled."""
    path = tmp_path / "p.jsonl"
    path.write_text("1\n")
    source = await jsonl(path=str(path), follow=True, poll_interval="1h")
    async with asyncio.timeout(20), aclosing(source.read(None)) as batches:
        assert [1] == values([await anext(batches)])
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_follow_notices_a_cut_file(jsonl: Start, tmp_path: Path) -> None:
    """A followed file that is cut is an error, not a silent wait."""
    path = tmp_path / "p.jsonl"
    path.write_text("1\n2\n")
    source = await jsonl(path=str(path), follow=True, poll_interval="1ms")
    async with asyncio.timeout(20), aclosing(source.read(None)) as batches:
        await anext(batches)
        path.write_text("1\n")
        _, error = await until_error(batches)
    assert "was cut" in str(error)


_FROM_STDIN = """
import asyncio, sys, threading
from cdp_pipeline.connectors.sources.jsonl import JsonLines
from cdpplugin import Context, Resume
async def main():
    source = JsonLines()
    await source.configure({"path": "-", "batch_rows": 2})
    await source.start(Context())
    after = Resume(int(sys.argv[1])) if len(sys.argv) > 1 else None
    async for batch in source.read(after):
        print(list(batch.positions), list(batch.batch.ids), batch.mark)
asyncio.run(main())
"""


def test_standard_input() -> None:
    """`-` reads standard input; a resumed run skips the lines it had."""
    command = [sys.executable, "-c", _FROM_STDIN]
    text = '1\n2\n\n"last"'
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    lines = ["[1, 2] ['stdin:1', 'stdin:2'] 2", "[] [] 3", "[4] ['stdin:4'] 4"]
    assert lines == run.stdout.splitlines()
    command.append("2")
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    assert lines[1:] == run.stdout.splitlines()


def test_idle_standard_input_can_be_stopped() -> None:
    """A source that waits for standard input ends when it is cancelled: no thread hangs on."""
    script = _FROM_STDIN.replace(
        "asyncio.run(main())",
        "async def bounded():\n"
        "    task = asyncio.ensure_future(main())\n"
        "    while all(each.name != 'byte-stream' for each in threading.enumerate()):\n"
        "        await asyncio.sleep(0)\n"
        "    task.cancel()\n"
        "    await asyncio.gather(task, return_exceptions=True)\n"
        "asyncio.run(bounded())",
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as process:
        assert 0 == process.wait(timeout=30)


async def test_absent_file(jsonl: Start, tmp_path: Path) -> None:
    """A file that is not there, a folder, a glob that finds none: an error at start."""
    for path in (tmp_path / "absent.jsonl", tmp_path, tmp_path / "*.jsonl"):
        with pytest.raises(PluginError) as error:
            await jsonl(path=str(path))
        assert "jsonl.unreadable" == error.value.code


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"path": "a", "format": "csv"},
        {"path": "a", "format": "message", "id_field": "id"},
        {"path": "a", "network": "mianet"},
    ],
)
async def test_wrong_settings_are_refused(jsonl: Start, config: dict[str, Any]) -> None:
    """Wrong settings are refused before anything is opened."""
    with pytest.raises(ConfigInvalid):
        await JsonLines().configure(config)


def test_metadata_needs_no_configuration() -> None:
    """It says who it is before it is configured; every setting is described, by its own name."""
    properties = JsonLines().metadata().config_schema["properties"]
    assert "type" in properties
    assert all("description" in each for each in properties.values())
