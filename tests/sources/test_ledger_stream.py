from __future__ import annotations

import asyncio
import os
import struct
import subprocess
import sys
import threading
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.connectors.backings import XdrPayloads
from cdp_pipeline.connectors.sources.ledger_frames import LedgerStreamInvalid
from cdp_pipeline.connectors.sources.ledger_stream import LedgerStream
from cdp_pipeline.connectors.stellar.lake.contents import hashed_parts
from cdp_pipeline.connectors.stellar.lake.errors import HashMismatch
from cdpplugin import ConfigInvalid, PluginError, Resume

from .conftest import Start, all_of, frame, made_chain, positions, until_error

FIRST, LAST = 30822015, 30822025


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def write(tmp_path: Path, *ledgers: bytes, framed: bool = True) -> str:
    path = tmp_path / "stream.xdr"
    path.write_bytes(b"".join(map(frame, ledgers)) if framed else b"".join(ledgers))
    return str(path)


@pytest.mark.parametrize("framing", ["auto", "explicit"])
@pytest.mark.parametrize("kind", ["framed", "bare"])
async def test_real_ledgers(
    stdin: Start, tmp_path: Path, ledgers: list[bytes], kind: str, framing: str
) -> None:
    """What stellar-core writes, framed or bare: the ledgers, byte for byte, in order."""
    path = write(tmp_path, *ledgers, framed=kind == "framed")
    config = {"framing": kind} if framing == "explicit" else {}
    batches = await all_of(await stdin(path=path, **config))
    assert list(range(FIRST, LAST + 1)) == positions(batches)
    payloads = [each.batch.payloads for each in batches]
    assert all(isinstance(each, XdrPayloads) for each in payloads)
    assert ledgers == [xdr for each in payloads for xdr in each.xdr]
    batch = batches[0].batch
    assert f"pubnet:{FIRST}" == batch.ids[0]
    assert "LedgerCloseMeta" == batch.types[0]
    source = batch.sources[0]
    passphrase = "Public Global Stellar Network ; September 2015"
    assert ("stdin", passphrase, path) == (source.name, source.network, source.uri)


async def test_range(stdin: Start, tmp_path: Path, ledgers: list[bytes]) -> None:
    """`start` and `end`, inclusive, bound what is read; the stream is left at the end."""
    path = write(tmp_path, *ledgers, b"garbage that is not reached")
    source = await stdin(path=path, start=FIRST + 2, end=LAST)
    assert list(range(FIRST + 2, LAST + 1)) == positions(await all_of(source))
    described = await source.describe()
    assert (FIRST + 2, LAST, "ledgers") == (described.first, described.last, described.unit)
    assert "stellar-ledgers" == described.identity


async def test_resume_at_every_ledger(stdin: Start, tmp_path: Path, ledgers: list[bytes]) -> None:
    """A resumed run skips what it had, from the stream's begin or from any later ledger."""
    source = await stdin(path=write(tmp_path, *ledgers), batch_ledgers=1)
    tokens = {each.mark: each.token for each in await all_of(source)}
    for skipped in range(4):
        write(tmp_path, *ledgers[skipped:])
        for done in range(FIRST + skipped - 1, LAST + 1):
            rest = await all_of(source, Resume(done, tokens.get(done, b"")))
            assert list(range(done + 1, LAST + 1)) == positions(rest)


async def test_resume_on_another_stream(stdin: Start, tmp_path: Path) -> None:
    """A stream with other ledgers than were read before is refused, whichever it begins with."""
    ours, other = made_chain(10, 3), made_chain(9, 4)[1:]
    source = await stdin(path=write(tmp_path, *ours), end=11)
    token = (await all_of(source))[-1].token
    source = await stdin(path=write(tmp_path, *other))
    _, error = await until_error(source.read(Resume(11, token)))
    assert "ledger 11 is not the one that was read before" in str(error)
    source = await stdin(path=write(tmp_path, *other[2:]))
    _, error = await until_error(source.read(Resume(11, token)))
    assert "does not follow" in str(error)


@pytest.mark.parametrize(
    ("pick", "message"),
    [
        ((0, 2), "ledger 11 expected, got 12"),
        ((0, 0), "ledger 11 expected, got 10"),
        ((0, 1, 3, 2), "ledger 12 expected, got 13"),
    ],
)
async def test_gap(stdin: Start, tmp_path: Path, pick: tuple[int, ...], message: str) -> None:
    """A ledger left out, doubled or out of order is an error that names it."""
    chain = made_chain(10, 4)
    source = await stdin(path=write(tmp_path, *(chain[at] for at in pick)))
    came, error = await until_error(source.read(None))
    assert isinstance(error, PluginError)
    assert ("lake.broken_chain", message) == (error.code, error.message)
    assert list(range(10, 10 + len(positions(came)))) == positions(came)
    assert came


async def test_broken_chain(stdin: Start, tmp_path: Path) -> None:
    """A ledger that names another one as the one before is an error."""
    source = await stdin(path=write(tmp_path, made_chain(10, 1)[0], made_chain(11, 1)[0]))
    _, error = await until_error(source.read(None))
    assert "ledger 11 does not follow ledger 10" in str(error)


async def test_wrong_hash(stdin: Start, tmp_path: Path) -> None:
    """A header that does not give its hash is an error, unless `verify` is off."""
    ledger = bytearray(made_chain(10, 1)[0])
    ledger[200] ^= 1
    path = write(tmp_path, bytes(ledger))
    _, error = await until_error((await stdin(path=path)).read(None))
    assert isinstance(error, PluginError)
    assert "lake.hash_mismatch" == error.code
    assert 1 == len(await all_of(await stdin(path=path, verify=False)))


async def test_unverified_streams_may_have_gaps(stdin: Start, tmp_path: Path) -> None:
    """With `verify: false` ledgers may be left out, but never come back."""
    chain = made_chain(10, 4)
    path = write(tmp_path, chain[0], chain[2])
    assert [10, 12] == positions(await all_of(await stdin(path=path, verify=False)))
    path = write(tmp_path, chain[2], chain[0])
    _, error = await until_error((await stdin(path=path, verify=False)).read(None))
    assert "13 or later expected, got 10" in str(error)


async def test_stream_begins_late(stdin: Start, tmp_path: Path) -> None:
    """A stream that begins after the ledger that is next is an error: nothing is left out."""
    path = write(tmp_path, *made_chain(10, 3))
    for source, after in (
        (await stdin(path=path, start=8), None),
        (await stdin(path=path), Resume(7)),
    ):
        _, error = await until_error(source.read(after))
        assert isinstance(error, PluginError)
        assert "ledger_stream.gap" == error.code
        assert "ledger 8 expected" in error.message


async def test_stream_ends_early(stdin: Start, tmp_path: Path) -> None:
    """A stream that ends before `end` is an error, after all its ledgers came."""
    source = await stdin(path=write(tmp_path, *made_chain(10, 3)), end=20)
    came, error = await until_error(source.read(None))
    assert [10, 11, 12] == positions(came)
    assert "the stream ended with ledger 12, ledger 20 expected" in str(error)


@pytest.mark.parametrize("framed", [True, False])
async def test_torn_end(stdin: Start, tmp_path: Path, framed: bool) -> None:
    """A torn end is an error that names offset and last ledger, after the whole ledgers came."""
    path = write(tmp_path, *made_chain(10, 3), framed=framed)
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[:-7])
    came, error = await until_error((await stdin(path=path)).read(None))
    assert [10, 11] == positions(came)
    assert isinstance(error, PluginError)
    assert "ledger_stream.truncated" == error.code
    assert f"offset {len(content) * 2 // 3}, after 11" in error.message


async def test_empty_stream(stdin: Start, tmp_path: Path) -> None:
    """An empty stream ends at once, without an error."""
    assert [] == await all_of(await stdin(path=write(tmp_path)))


async def test_garbage_in_a_frame(stdin: Start, tmp_path: Path) -> None:
    """A frame that holds no ledger is an error at its offset; a newer version says so."""
    good = made_chain(10, 1)[0]
    path = write(tmp_path, good, b"\0\0\0\0short")
    _, error = await until_error((await stdin(path=path)).read(None))
    assert f"offset {len(good) + 4}" in str(error)
    path = write(tmp_path, good, struct.pack(">i", 7) + good[4:])
    _, error = await until_error((await stdin(path=path)).read(None))
    assert isinstance(error, PluginError)
    assert "lake.unknown_ledger_version" == error.code


async def test_a_live_ledger_is_not_held_back(stdin: Start, pipe: Path) -> None:
    """What has come is passed on at once, framed or bare, while the writer stays open."""
    for framed in (True, False):
        source = await stdin(path=str(pipe))
        async with asyncio.timeout(20), aclosing(source.read(None)) as batches:
            coming = asyncio.ensure_future(anext(batches))
            # Opening waits for the reader, which needs this event loop to begin.
            with await asyncio.to_thread(pipe.open, "wb", buffering=0) as writer:
                for sequence, ledger in enumerate(made_chain(10, 3), start=10):
                    data = frame(ledger) if framed else ledger
                    writer.write(data[:50])
                    writer.write(data[50:])
                    assert [sequence] == list((await coming).positions)
                    coming = asyncio.ensure_future(anext(batches))
            with pytest.raises(StopAsyncIteration):
                await coming


async def test_waiting_can_be_cancelled(stdin: Start, pipe: Path) -> None:
    """A source that waits for a pipe that nobody writes to ends at once, its thread too."""
    source = await stdin(path=str(pipe))
    async with asyncio.timeout(20):
        waiting = asyncio.ensure_future(anext(source.read(None)))
        while all(each.name != "byte-stream" for each in threading.enumerate()):
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert all(each.name != "byte-stream" for each in threading.enumerate())


@pytest.mark.parametrize("framed", [True, False])
async def test_a_ledger_of_40_mb(stdin: Start, tmp_path: Path, framed: bool) -> None:
    """A ledger of 40 MB passes whole, and alone in its batch."""
    chain = made_chain(10, 2, upgrades=4_900)
    assert 40_000_000 < len(chain[0])
    path = write(tmp_path, *chain, framed=framed)
    batches = await all_of(await stdin(path=path))
    sizes = [[len(xdr) for xdr in batch.batch.payloads.xdr] for batch in batches]
    assert [[len(chain[0])], [len(chain[1])]] == sizes


async def test_batches_are_bounded(stdin: Start, tmp_path: Path) -> None:
    """`batch_ledgers` and `batch_bytes` bound what is passed on at once."""
    chain = made_chain(10, 5)
    path = write(tmp_path, *chain)
    by_count = await all_of(await stdin(path=path, batch_ledgers=2))
    assert [2, 2, 1] == [len(each.batch) for each in by_count]
    by_size = await all_of(await stdin(path=path, batch_bytes=len(chain[0]) + 1))
    assert [2, 2, 1] == [len(each.batch) for each in by_size]


async def test_limit(stdin: Start, tmp_path: Path) -> None:
    """A ledger over `max_ledger` is refused, with the setting to raise."""
    source = await stdin(path=write(tmp_path, *made_chain(10, 1)), max_ledger=100)
    _, error = await until_error(source.read(None))
    assert isinstance(error, PluginError)
    assert "ledger_stream.too_large" == error.code
    assert "`max_ledger`" in error.hint


_FROM_STDIN = """
import asyncio
from cdp_pipeline.connectors.sources.ledger_frames import LedgerStreamInvalid
from cdp_pipeline.connectors.sources.ledger_stream import LedgerStream
from cdp_pipeline.connectors.stellar.lake.contents import hashed_parts
from cdp_pipeline.connectors.stellar.lake.errors import HashMismatch
from cdpplugin import Context
async def main():
    source = LedgerStream()
    await source.configure({"network": "testnet"})
    await source.start(Context())
    async for batch in source.read(None):
        print(*batch.batch.ids, batch.batch.sources[0].uri)
asyncio.run(main())
"""


def test_standard_input() -> None:
    """Without `path`, ledgers come from standard input."""
    stream = b"".join(map(frame, made_chain(10, 2)))
    command = [sys.executable, "-c", _FROM_STDIN]
    run = subprocess.run(command, input=stream, capture_output=True, check=True)
    assert ["testnet:10", "testnet:11", "stdin"] == run.stdout.decode().split()


async def test_network(stdin: Start, tmp_path: Path) -> None:
    """The pipeline's network is taken where the stage sets none; one of them must."""
    path = write(tmp_path, *made_chain(10, 1))
    source = await stdin(network="Test SDF Network ; September 2015")
    assert "Public" in (await source.describe()).network
    other = LedgerStream()
    await other.configure({"path": path})
    from cdpplugin import Context

    with pytest.raises(ConfigInvalid, match="network"):
        await other.start(Context())
    await other.start(Context(network="testnet"))
    assert ["testnet:10"] == list((await all_of(other))[0].batch.ids)


async def test_absent_file(stdin: Start, tmp_path: Path) -> None:
    """A path that cannot be opened is an error that names it."""
    for path in (tmp_path / "absent", tmp_path):
        _, error = await until_error((await stdin(path=str(path))).read(None))
        assert isinstance(error, PluginError)
        assert "ledger_stream.unreadable" == error.code
        assert str(path) in error.message


@pytest.mark.parametrize(
    "config",
    [{"network": "mianet"}, {"start": 5, "end": 4}, {"framing": "boxed"}, {"start": 0}],
)
async def test_wrong_settings_are_refused(config: dict[str, Any]) -> None:
    """Wrong settings are refused before anything is opened."""
    with pytest.raises(ConfigInvalid):
        await LedgerStream().configure(config)


def test_metadata_needs_no_configuration() -> None:
    """It says who it is before it is configured; every setting is described."""
    properties = LedgerStream().metadata().config_schema["properties"]
    assert all("description" in each for each in properties.values())


@pytest.mark.parametrize("kind", ["TransactionSet", "TransactionResultPair"])
async def test_flipped_byte_in_the_contents(
    stdin: Start, tmp_path: Path, ledgers: list[bytes], kind: str
) -> None:
    """A byte changed in transactions or results is an error, unless they are not looked at."""
    damaged = bytearray(ledgers[0])
    part = next(part for part in hashed_parts(ledgers[0]) if part.type_name == kind)
    damaged[part.start + 3] ^= 1
    path = write(tmp_path, bytes(damaged))

    _, error = await until_error((await stdin(path=path)).read(None))
    unchecked = await all_of(await stdin(path=path, verify_contents=False))

    assert isinstance(error, HashMismatch)
    assert f"ledger {FIRST}: transaction " in str(error)
    assert [FIRST] == positions(unchecked)


async def test_a_broken_structure(stdin: Start, tmp_path: Path) -> None:
    """Bytes behind the header that are no ledger's are an error that names ledger and offset."""
    damaged = made_chain(10, 1)[0][:-4] + b"\0\0\0\7"

    _, error = await until_error((await stdin(path=write(tmp_path, damaged))).read(None))

    assert isinstance(error, LedgerStreamInvalid)
    assert str(error).startswith("ledger 10 at offset 0: ")
