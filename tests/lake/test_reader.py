"""Reading a lake: in order, complete, proved; and every way in which a lake can be damaged."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

from cdp_pipeline.connectors.stellar.lake import (
    Lake,
    RawLedger,
    ReadOptions,
    RetryPolicy,
    StoreOptions,
    open_lake,
    read_ledgers,
)
from cdp_pipeline.connectors.stellar.lake.errors import (
    BrokenChain,
    CorruptFile,
    HashMismatch,
    LakeError,
    LakeUnreachable,
    LedgerGap,
)
from cdp_pipeline.connectors.stellar.lake.layout import Layout
from cdpplugin import ConfigInvalid, PluginError

FIRST, LAST = 30822015, 30822025
QUICK = StoreOptions(retry=RetryPolicy(limit=3, initial_wait_s=0.001))
DEADLINE_S = 20


async def collect(lake: Lake, start: int, end: int, **options: Any) -> list[RawLedger]:
    read = read_ledgers(lake, start, end, options=ReadOptions(**options))
    return [ledger async for ledgers in read for ledger in ledgers]


async def into(seen: list[RawLedger], read: AsyncIterator[list[RawLedger]]) -> None:
    """Read on and collect, so that what came before an error can be looked at."""
    async for ledgers in read:
        seen += ledgers


def sequences(ledgers: list[RawLedger]) -> list[int]:
    return [ledger.sequence for ledger in ledgers]


def file_of(folder: Path, sequence: int) -> Path:
    return next(folder.rglob(f"*--{sequence}*.xdr.zst"))


def without(folder: Path, *missing: int) -> list[Path]:
    """Move files out of a lake; returns where they went, in order."""
    moved = []
    for sequence in missing:
        path = file_of(folder, sequence)
        target = folder.parent / "aside" / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        moved.append(path.rename(target))
    return moved


def back(folder: Path, path: Path) -> None:
    """Put a file back at once and whole, as a lake's writer does."""
    target = folder / path.relative_to(folder.parent / "aside")
    shutil.copy(path, target.with_suffix(".part"))
    os.replace(target.with_suffix(".part"), target)


def rewrite(path: Path, change: Callable[[bytearray], None]) -> None:
    """Change the XDR inside a file."""
    xdr = bytearray(zstandard.decompress(path.read_bytes()))
    change(xdr)
    path.write_bytes(zstandard.compress(bytes(xdr)))


class TestRange:
    @pytest.fixture(params=["folder", "http", "s3"])
    async def lake(
        self, request: pytest.FixtureRequest, pubnet: Path, serve: Callable[[Path], Any]
    ) -> Lake:
        if request.param == "folder":
            return await open_lake(str(pubnet))
        if request.param == "http":
            return await open_lake(serve(pubnet).url)
        upload = request.getfixturevalue("upload")
        options = request.getfixturevalue("s3_options")
        return await open_lake(upload(pubnet, "reader/pubnet"), options=options)

    async def test_real_ledgers(self, lake: Lake) -> None:
        """A bounded range gives each of its ledgers once, in order, from every kind of store."""
        ledgers = await collect(lake, FIRST, LAST)

        assert list(range(FIRST, LAST + 1)) == sequences(ledgers)
        assert {13} == {ledger.protocol_version for ledger in ledgers}

    @pytest.mark.parametrize(("start", "end"), [(FIRST + 1, FIRST + 7), (FIRST + 3, FIRST + 3)])
    async def test_part_of_a_file(self, pubnet_by_five: Path, start: int, end: int) -> None:
        """A range that starts and ends inside files gives exactly its ledgers."""
        lake = await open_lake(str(pubnet_by_five))

        assert list(range(start, end + 1)) == sequences(await collect(lake, start, end))

    @pytest.mark.parametrize("layout", [Layout(64, 1), Layout(7, 3), Layout(1, 1)])
    async def test_from_the_first_ledger(
        self, write_lake: Callable[..., Path], layout: Layout
    ) -> None:
        """A lake begins with ledger 2, whatever its first file is called."""
        lake = await open_lake(str(write_lake(layout, 2, 127)))

        assert list(range(2, 126)) == sequences(await collect(lake, 0, 125))

    async def test_tight_limits(self, write_lake: Callable[..., Path]) -> None:
        """The narrowest limits slow reading down, and change nothing else."""
        lake = await open_lake(str(write_lake(Layout(1, 1), 2, 40)))
        limits = {"parallel_files": 1, "buffer_files": 1, "buffer_bytes": 1}

        assert list(range(2, 41)) == sequences(await collect(lake, 2, 40, **limits))

    async def test_backwards(self, pubnet: Path) -> None:
        """A range that ends before it starts is refused."""
        with pytest.raises(ConfigInvalid, match="at or after its first ledger"):
            await collect(await open_lake(str(pubnet)), LAST, FIRST)


class TestGap:
    async def test_names_the_ledger(self, pubnet: Path) -> None:
        """What is there is read; then the first missing ledger and its file are named."""
        read = read_ledgers(await open_lake(str(pubnet)), LAST - 1, LAST + 5)
        seen: list[RawLedger] = []
        with pytest.raises(LedgerGap, match=f"ledger {LAST + 1} is missing") as caught:
            await into(seen, read)

        assert [LAST - 1, LAST] == sequences(seen)
        assert (LAST + 1, "FE2A45FF--30784000-30847999/FE29B175--30822026.xdr.zst") == (
            caught.value.ledger,
            caught.value.key,
        )

    async def test_of_several_ledgers(self, pubnet_by_five: Path) -> None:
        """Inside a missing file the first ledger of the range is named."""
        lake = await open_lake(str(pubnet_by_five))

        with pytest.raises(LedgerGap, match="ledger 30822027 is missing"):
            await collect(lake, 30822027, 30822030)


class TestDamage:
    async def read_all(self, folder: Path) -> list[RawLedger]:
        return await collect(await open_lake(str(folder)), FIRST, LAST)

    async def test_cut_file(self, pubnet_copy: Path) -> None:
        """A file cut short is named."""
        path = file_of(pubnet_copy, 30822020)
        path.write_bytes(path.read_bytes()[:-100])

        with pytest.raises(CorruptFile, match=path.name):
            await self.read_all(pubnet_copy)

    async def test_empty_file(self, pubnet_copy: Path) -> None:
        """An empty file is named."""
        path = file_of(pubnet_copy, 30822020)
        path.write_bytes(b"")

        with pytest.raises(CorruptFile, match=f"{path.name}.*empty file"):
            await self.read_all(pubnet_copy)

    @pytest.mark.parametrize("offset", [20, 1000, 20_000, 41_000])
    async def test_flipped_byte_in_the_frame(self, pubnet_copy: Path, offset: int) -> None:
        """A flipped byte in a compressed file never gives a ledger."""
        path = file_of(pubnet_copy, 30822020)
        data = bytearray(path.read_bytes())
        data[offset] ^= 0xFF
        path.write_bytes(bytes(data))

        with pytest.raises(LakeError, match="30822020"):
            await self.read_all(pubnet_copy)

    async def test_flipped_byte_in_the_header(self, pubnet_copy: Path) -> None:
        """A changed header is found by its hash."""

        def change(xdr: bytearray) -> None:
            xdr[12 + 4 + 32 + 4 + 32 + 5] ^= 1

        rewrite(file_of(pubnet_copy, 30822020), change)

        with pytest.raises(HashMismatch, match="ledger 30822020: header hash"):
            await self.read_all(pubnet_copy)

    async def test_wrong_start_sequence(self, pubnet_copy: Path) -> None:
        """A batch of other ledgers than its name says is found."""
        file_of(pubnet_copy, 30822020).write_bytes(file_of(pubnet_copy, 30822021).read_bytes())

        with pytest.raises(CorruptFile, match=r"30822020 expected by its name.*30822021"):
            await self.read_all(pubnet_copy)

    async def test_another_chain(self, write_lake: Callable[..., Path], made: Any) -> None:
        """A file of ledgers that follow others than those before it breaks the chain."""
        folder = write_lake(Layout(4, 1), 2, 31)
        stranger = made.chain(16, 19, b"x" * 32)
        file_of(folder, 16).write_bytes(zstandard.compress(made.batch(16, stranger)))
        lake = await open_lake(str(folder))

        with pytest.raises(BrokenChain, match="ledger 16 does not follow ledger 15"):
            await collect(lake, 2, 31)
        assert 30 == len(await collect(lake, 2, 31, verify=False))

    async def test_resume_at_another_chain(self, pubnet: Path) -> None:
        """A resume that knows the last hash finds that the lake now tells another story."""
        lake = await open_lake(str(pubnet))
        before, first = await collect(lake, FIRST, FIRST + 1)
        good = read_ledgers(lake, FIRST + 1, FIRST + 1, previous_hash=before.hash)

        assert [[first]] == [ledgers async for ledgers in good]
        with pytest.raises(BrokenChain, match="previous hash 0000"):
            await anext(read_ledgers(lake, FIRST + 1, previous_hash=bytes(32)))


class TestServerErrors:
    async def test_pass(self, pubnet: Path, serve: Callable[[Path], Any]) -> None:
        """Errors that pass leave no trace in what is read."""
        server = serve(pubnet)
        lake = await open_lake(server.url, options=QUICK)
        for sequence in (30822016, 30822019, 30822025):
            server.failures["/" + lake.key_for(sequence)] = [503, 500]

        assert list(range(FIRST, LAST + 1)) == sequences(await collect(lake, FIRST, LAST))

    async def test_stay(self, pubnet: Path, serve: Callable[[Path], Any]) -> None:
        """Errors that stay end in `lake.unreachable`, after what came before them."""
        server = serve(pubnet)
        lake = await open_lake(server.url, options=QUICK)
        server.failures["/" + lake.key_for(30822017)] = [503] * 20
        seen: list[RawLedger] = []
        with pytest.raises(LakeUnreachable):
            await into(seen, read_ledgers(lake, FIRST, LAST))

        assert [FIRST, FIRST + 1] == sequences(seen)


class TestTip:
    OPTIONS = ReadOptions(poll_interval_s=0.005)

    @pytest.mark.parametrize("kind", ["folder", "http"])
    async def test_waits_for_the_next_file(
        self, pubnet_copy: Path, serve: Callable[[Path], Any], kind: str
    ) -> None:
        """Without an end the reader waits at the tip and reads on when files appear."""
        aside = without(pubnet_copy, 30822023, 30822024, 30822025)
        address = str(pubnet_copy) if kind == "folder" else serve(pubnet_copy).url
        read = read_ledgers(await open_lake(address), FIRST, options=self.OPTIONS)
        async with asyncio.timeout(DEADLINE_S):
            seen = [ledger for _ in range(8) for ledger in await anext(read)]
            for path in aside:
                waiting = asyncio.create_task(anext(read))
                await asyncio.wait({waiting}, timeout=self.OPTIONS.poll_interval_s * 4)
                assert not waiting.done()
                back(pubnet_copy, path)
                seen += await waiting
        await read.aclose()

        assert list(range(FIRST, LAST + 1)) == sequences(seen)

    async def test_a_file_that_is_being_written(self, pubnet_copy: Path) -> None:
        """Half a file at the tip is read again until it is whole: nothing is lost, no error."""
        newest = file_of(pubnet_copy, LAST)
        whole = newest.read_bytes()
        newest.write_bytes(whole[: len(whole) // 2])
        read = read_ledgers(
            await open_lake(str(pubnet_copy)), LAST - 1, options=ReadOptions(poll_interval_s=0.1)
        )
        async with asyncio.timeout(DEADLINE_S):
            seen = await anext(read)
            waiting = asyncio.create_task(anext(read))
            await asyncio.wait({waiting}, timeout=0.05)
            assert not waiting.done()
            newest.write_bytes(whole)
            seen += await waiting
        await read.aclose()

        assert [LAST - 1, LAST] == sequences(seen)

    @pytest.mark.parametrize("damaged", [LAST, LAST - 3])
    async def test_a_damaged_file_is_not_waited_for(self, pubnet_copy: Path, damaged: int) -> None:
        """A file that stays damaged is an error, at the tip as well as before it."""
        path = file_of(pubnet_copy, damaged)
        path.write_bytes(path.read_bytes()[:100])
        read = read_ledgers(await open_lake(str(pubnet_copy)), FIRST, options=self.OPTIONS)
        seen: list[RawLedger] = []
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(CorruptFile):
                await into(seen, read)

        assert list(range(FIRST, damaged)) == sequences(seen)

    async def test_can_be_cancelled(self, pubnet_copy: Path) -> None:
        """A reader that waits at the tip ends at once when it is cancelled."""
        read = read_ledgers(
            await open_lake(str(pubnet_copy)), LAST + 1, options=replace(self.OPTIONS)
        )
        waiting = asyncio.create_task(anext(read))
        await asyncio.wait({waiting}, timeout=0.02)
        waiting.cancel()
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await read.aclose()

        assert {asyncio.current_task()} == asyncio.all_tasks()

    @pytest.mark.parametrize("kind", ["folder", "http"])
    async def test_a_gap_is_no_tip(
        self, pubnet_copy: Path, serve: Callable[[Path], Any], kind: str
    ) -> None:
        """A missing file with later ones behind it is a gap: waiting would never end."""
        without(pubnet_copy, 30822020)
        address = str(pubnet_copy) if kind == "folder" else serve(pubnet_copy).url
        read = read_ledgers(await open_lake(address), FIRST, options=self.OPTIONS)
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(LedgerGap, match="ledger 30822020 is missing"):
                await into([], read)

    async def test_leaving_early(self, pubnet: Path) -> None:
        """Whoever stops reading leaves no load running."""
        read = read_ledgers(await open_lake(str(pubnet)), FIRST)
        await anext(read)
        await read.aclose()

        assert {asyncio.current_task()} == asyncio.all_tasks()


class TestErrors:
    def test_codes(self) -> None:
        """Every lake error has its own code below `lake.`, and a hint or a message that helps."""
        from cdp_pipeline.connectors.stellar.lake import errors

        kinds = [
            kind
            for kind in vars(errors).values()
            if isinstance(kind, type) and issubclass(kind, LakeError)
        ]
        codes = [kind.code for kind in kinds]

        assert len(codes) == len(set(codes))
        assert all(code.startswith("lake.") for code in codes)
        assert all(issubclass(kind, PluginError) for kind in kinds)
