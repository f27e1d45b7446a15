from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from cdp_pipeline.connectors.sources.byte_stream import ByteStream


async def drained(stream: ByteStream) -> bytes:
    found = b""
    while chunk := await stream.read():
        found += chunk
    await stream.close()
    return found


async def test_file(tmp_path: Path) -> None:
    """A file comes whole, in order, and its end is told again and again."""
    content = os.urandom(100_000)
    (tmp_path / "f").write_bytes(content)
    stream = ByteStream(str(tmp_path / "f"), chunk_bytes=777, chunks_ahead=2)
    assert content == await drained(stream)
    assert b"" == await stream.read()


async def test_reads_ahead_no_further_than_told(tmp_path: Path) -> None:
    """A slow reader holds the thread back: no more than the chunks ahead are in memory."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = ByteStream(str(path), chunk_bytes=1000, chunks_ahead=3)
    async with asyncio.timeout(20):
        first = asyncio.ensure_future(reader.read())
        writer = await asyncio.to_thread(os.open, path, os.O_WRONLY)
        os.set_blocking(writer, False)
        os.write(writer, b"x" * 1000)
        assert b"x" * 1000 == await first
        written = 0
        while True:
            try:
                written += os.write(writer, b"x" * 1000)
            except BlockingIOError:
                if len(reader._chunks) == 3:
                    break
                await asyncio.sleep(0)
        assert 3 == len(reader._chunks)
        os.close(writer)
        assert written == len(await drained(reader))


async def test_close_before_the_end(tmp_path: Path) -> None:
    """A stream may be closed at any time; no thread and no descriptor is left."""
    (tmp_path / "f").write_bytes(bytes(1_000_000))
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    stream = ByteStream(str(tmp_path / "f"), chunk_bytes=1000)
    await stream.read()
    await stream.close()
    assert all(each.name != "byte-stream" for each in threading.enumerate())
    if before:
        assert before == len(os.listdir("/proc/self/fd"))


async def test_close_without_a_read(tmp_path: Path) -> None:
    """A stream that was never read is closed without being opened."""
    await ByteStream(str(tmp_path / "absent")).close()


async def test_absent_file(tmp_path: Path) -> None:
    """What cannot be opened is told by the first read."""
    stream = ByteStream(str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError):
        await stream.read()
    await stream.close()
