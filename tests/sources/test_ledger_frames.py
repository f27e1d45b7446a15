from __future__ import annotations

import struct

import pytest

from cdp_pipeline.connectors.sources.ledger_frames import (
    Framing,
    LedgerFrames,
    LedgerStreamInvalid,
    LedgerStreamTruncated,
    LedgerTooLarge,
)

from .conftest import frame, made_chain

CHAIN = made_chain(10, 3)
FRAMED = b"".join(map(frame, CHAIN))
BARE = b"".join(CHAIN)


def cut(
    stream: bytes, size: int, framing: Framing = "auto", *, limit: int = 1 << 20
) -> list[bytes]:
    frames = LedgerFrames(framing, max_ledger_bytes=limit)
    found = []
    for at in range(0, len(stream), size):
        frames.feed(stream[at : at + size])
        while (ledger := frames.take(eager=at + size >= len(stream))) is not None:
            found.append(ledger)
    frames.finish()
    return found


@pytest.mark.parametrize("size", [1, 3, 5, 100, 333, 1 << 20])
@pytest.mark.parametrize("stream", [FRAMED, BARE], ids=["framed", "bare"])
def test_chunks_do_not_matter(stream: bytes, size: int) -> None:
    """Framed or bare, told from the first byte: the ledgers come whole, however it is cut."""
    assert CHAIN == cut(stream, size)


def test_fragments_are_joined() -> None:
    """A record may come in several fragments, the last one marked (RFC 5531, section 11)."""
    ledger = CHAIN[0]
    stream = struct.pack(">I", 100) + ledger[:100] + frame(ledger[100:]) + frame(CHAIN[1])
    assert CHAIN[:2] == cut(stream, 50, "framed")


@pytest.mark.parametrize("stream", [FRAMED, BARE], ids=["framed", "bare"])
@pytest.mark.parametrize("torn", [1, 3, 50, 300])
def test_torn_end(stream: bytes, torn: int) -> None:
    """A stream that ends inside a ledger is an error that names where that ledger begins."""
    frames = LedgerFrames(max_ledger_bytes=1 << 20)
    frames.feed(stream[:-torn])
    found = 0
    while frames.take() is not None:
        found += 1
        frames.last_ledger = 9 + found
    assert 2 == found
    begin = len(stream) * 2 // 3
    with pytest.raises(LedgerStreamTruncated, match=f"from offset {begin}, after 11") as error:
        frames.finish()
    assert "ledger_stream.truncated" == error.value.code


def test_torn_before_anything() -> None:
    """A stream of a few bytes is torn too; an empty one is complete."""
    frames = LedgerFrames(max_ledger_bytes=1 << 20)
    frames.finish()
    frames.feed(b"\x80")
    assert frames.take() is None
    with pytest.raises(LedgerStreamTruncated, match="before any ledger"):
        frames.finish()


@pytest.mark.parametrize("stream", [b'{"a":1}', b"\x28\xb5\x2f\xfd0000", b"hello"])
def test_other_bytes(stream: bytes) -> None:
    """JSON, zstandard or text is refused at once, with what is expected."""
    with pytest.raises(LedgerStreamInvalid, match="offset 0") as error:
        cut(stream, 100)
    assert "decompress" in error.value.hint


def test_damage_in_a_bare_stream() -> None:
    """A bare ledger that cannot be followed is an error at its offset."""
    broken = bytearray(BARE)
    broken[len(CHAIN[0])] = 0x55
    with pytest.raises(LedgerStreamInvalid, match=f"offset {len(CHAIN[0])}"):
        cut(bytes(broken), 1 << 20)


def test_limit() -> None:
    """A ledger over the limit is refused before it is gathered."""
    huge = struct.pack(">I", 0xFFFF_FFFF)
    with pytest.raises(LedgerTooLarge, match="at most 1000"):
        cut(huge, 4, limit=1000)
    with pytest.raises(LedgerTooLarge):
        cut(BARE, 100, limit=200)


def test_large_bare_ledgers() -> None:
    """Large bare ledgers in small chunks come whole, each end looked for only a few times."""
    chain = made_chain(10, 2, upgrades=100)
    assert chain == cut(b"".join(chain), 10_000)
