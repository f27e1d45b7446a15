"""Sources as a user configures them, and streams of ledgers."""

from __future__ import annotations

import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.connectors.sources.jsonl import JsonLines
from cdp_pipeline.connectors.sources.ledger_stream import LedgerStream
from cdpplugin import Context, Resume, SourceBatch

REPOSITORY = Path(__file__).parents[2]

Start = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="session")
def framed() -> bytes:
    """What stellar-core wrote to its pipe for pubnet 30822015-30822025."""
    folder = Path(os.environ.get("CDP_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    path = folder / "captive_core" / "pubnet-30822015-30822025.framed.xdr"
    if not path.is_file():
        pytest.skip(f"no real ledgers at {folder}: set CDP_TEST_DATA")
    return path.read_bytes()


@pytest.fixture(scope="session")
def ledgers(framed: bytes) -> list[bytes]:
    """The ledgers in it."""
    found, at = [], 0
    while at < len(framed):
        size = struct.unpack_from(">I", framed, at)[0] & 0x7FFF_FFFF
        found.append(framed[at + 4 : at + 4 + size])
        at += 4 + size
    return found


@pytest.fixture
def jsonl() -> Start:
    """Start a `jsonl` source with settings; `type_` stands for `type`."""

    async def start(network: str = "", **config: Any) -> JsonLines:
        return await _started(JsonLines(), config, network)

    return start


@pytest.fixture
def stdin() -> Start:
    """Start a `stdin` source with settings, of pubnet unless they tell otherwise."""

    async def start(network: str = "", **config: Any) -> LedgerStream:
        return await _started(LedgerStream(), {"network": "pubnet"} | config, network)

    return start


async def _started(source: Any, config: dict[str, Any], network: str) -> Any:
    settings = {name.rstrip("_"): value for name, value in config.items()}
    await source.configure(settings)
    await source.start(Context(network=network))
    return source


async def all_of(source: Any, after: Resume | None = None) -> list[SourceBatch]:
    """Everything that *source* gives."""
    return [batch async for batch in source.read(after)]


async def until_error(batches: AsyncIterator[SourceBatch]) -> tuple[list[SourceBatch], Exception]:
    """What came before the error, and the error."""
    came: list[SourceBatch] = []

    async def read() -> None:
        async for batch in batches:
            came.append(batch)  # noqa: PERF401

    with pytest.raises(Exception) as error:  # noqa: PT011
        await read()
    return came, error.value


def positions(batches: list[SourceBatch]) -> list[int]:
    """The positions of all rows."""
    return [position for batch in batches for position in batch.positions]


def frame(ledger: bytes) -> bytes:
    """A ledger as stellar-core writes it."""
    return struct.pack(">I", len(ledger) | 0x8000_0000) + ledger


def made_ledger(sequence: int, previous_hash: bytes, *, upgrades: int = 0) -> bytes:
    """A LedgerCloseMeta V0 without transactions, its hashes correct.

    Each of the *upgrades* adds 8 KB of ledger changes, to make it as large as one likes.
    """
    set_hash, results_hash = sha256(bytes(32)).digest(), sha256(bytes(4)).digest()
    value = set_hash + struct.pack(">QIi", 1_700_000_000 + sequence, 0, 0)
    header = struct.pack(">I", 20) + previous_hash + value + results_hash + bytes(32)
    header += struct.pack(">IqqIQIII", sequence, 1, 1, 0, 0, 100, 5_000_000, 100)
    header += bytes(128) + struct.pack(">i", 0)
    entry = sha256(header).digest() + header + struct.pack(">i", 0)
    transactions = bytes(32) + struct.pack(">I", 0)
    return (
        struct.pack(">i", 0)
        + entry
        + transactions
        + struct.pack(">I", 0)
        + struct.pack(">I", upgrades)
        + _UPGRADE * upgrades
        + struct.pack(">I", 0)
    )


def _removed_entry() -> bytes:
    """A LedgerEntryChange: removed, a claimable balance with an id of zeros; 44 bytes."""
    return struct.pack(">iii", 2, 4, 0) + bytes(32)


_CHANGES = 186
# UpgradeEntryMeta: LEDGER_UPGRADE_VERSION 20, then the changes it made.
_UPGRADE = struct.pack(">iII", 1, 20, _CHANGES) + _removed_entry() * _CHANGES


def made_chain(first: int, count: int, *, upgrades: int = 0) -> list[bytes]:
    """Ledgers that follow one another."""
    chain: list[bytes] = []
    previous = bytes(32)
    for sequence in range(first, first + count):
        chain.append(made_ledger(sequence, previous, upgrades=upgrades))
        previous = chain[-1][4:36]
    return chain
