"""A dead letter is whole, durable, and in the file once."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.connectors.backings import XdrPayloads
from cdp_pipeline.engine.dead_letters import DeadLetters
from cdp_pipeline.engine.parcel import Part
from cdpplugin import Batch, JsonPayloads, PluginError
from tests.engine.scalar import Scalar


@pytest.fixture
def letters(tmp_path: Path) -> DeadLetters:
    return DeadLetters(tmp_path / "letters" / "dead.jsonl")


def part_of(*values: Any, positions: list[int] | None = None, **columns: Any) -> Part:
    return Part(Batch.of("T", values, **columns), positions or list(range(1, len(values) + 1)))


async def write(letters: DeadLetters, part: Part, row: int = 0) -> None:
    await letters.write(part, row, PluginError("no"), stage="s", plugin="p@1.0.0")


def read(letters: DeadLetters) -> list[dict[str, Any]]:
    return [json.loads(line) for line in letters.path.read_bytes().splitlines()]


class TestWriting:
    async def test_each_letter_is_a_line(self, letters: DeadLetters) -> None:
        """A payload's line breaks and any text stay within its line."""
        for value in ({"text": "a\nb\u2028c ✓"}, [1, None], 2**70):
            await write(letters, part_of(value))

        assert [{"text": "a\nb\u2028c ✓"}, [1, None], 2**70] == [
            json.loads(line)["payload"] for line in letters.path.read_bytes().split(b"\n")[:-1]
        ]

    async def test_metadata_may_hold_what_json_has_no_form_for(self, letters: DeadLetters) -> None:
        """A letter is written also where metadata holds numpy scalars, or worse."""
        for metadata in ({"score": Scalar(0.5)}, {"bad": object()}):
            await write(letters, part_of(1, metadata=[metadata]))
        first, second = read(letters)

        assert {"score": 0.5} == first["metadata"]
        assert "cannot be written as JSON" in second["metadata"]["unreadable"]

    async def test_a_payload_that_is_no_json_is_kept_as_it_is(self, letters: DeadLetters) -> None:
        """Whatever bytes made a stage fail can be looked at."""
        await write(letters, Part(Batch(types="T", payloads=JsonPayloads([b"{torn"])), [1]))
        [letter] = read(letters)

        assert b"{torn" == base64.b64decode(letter["payload_base64"])

    async def test_raw_xdr_is_kept_undecoded(self, letters: DeadLetters) -> None:
        """A ledger that cannot be decoded is not decoded for its letter."""
        payloads = XdrPayloads([b"\x00\xff"], network="", type_name="LedgerCloseMeta")
        await write(letters, Part(Batch(types="T", payloads=payloads), [1]))
        [letter] = read(letters)

        assert "xdr" == letter["encoding"]
        assert b"\x00\xff" == base64.b64decode(letter["payload_base64"])

    async def test_a_letter_is_on_disk_when_write_returns(
        self, letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Invariant 6: durable before the mark moves on."""
        synced: list[bytes] = []
        real = os.fsync

        def sync(descriptor: int) -> None:
            synced.append(letters.path.read_bytes())
            real(descriptor)

        monkeypatch.setattr(os, "fsync", sync)
        await write(letters, part_of(1))

        assert [letters.path.read_bytes()] == synced

    async def test_a_write_that_fails_leaves_no_half_line(
        self, letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After a full disk the next letter does not run on in a torn one."""
        await write(letters, part_of(1))

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space"):
                await write(letters, part_of(2))
        await write(letters, part_of(3))

        assert [1, 3] == [letter["payload"] for letter in read(letters)]


class TestCutting:
    async def test_letters_behind_the_position_are_cut_off(self, letters: DeadLetters) -> None:
        """What the replay writes again is removed; what lies before stays byte for byte."""
        part = part_of("a", "b", "c", positions=[3, 5, 9])
        for row in range(3):
            await write(letters, part, row)
        lines = letters.path.read_bytes().splitlines(keepends=True)
        letters.cut_after(5)

        assert b"".join(lines[:2]) == letters.path.read_bytes()

    @pytest.mark.parametrize("position", [None, -1])
    async def test_a_fresh_start_cuts_all(self, letters: DeadLetters, position: int | None) -> None:
        """A run that starts over writes every letter again."""
        await write(letters, part_of("a"))
        letters.cut_after(position)

        assert b"" == letters.path.read_bytes()

    async def test_a_torn_last_line_is_cut_off(self, letters: DeadLetters) -> None:
        """A line that a crash tore goes, also where only its line break is missing."""
        await write(letters, part_of("a"))
        whole = letters.path.read_bytes()
        for torn in (whole[:-1], whole[: len(whole) // 2], b"\x00" * 40, b"[]\n", b"\xff\n"):
            letters.path.write_bytes(whole + torn)
            letters.cut_after(1)
            assert whole == letters.path.read_bytes()

    def test_no_file_is_nothing_to_cut(self, letters: DeadLetters) -> None:
        """Without letters nothing is made, and nothing removed."""
        letters.cut_after(3)

        assert not letters.path.exists()
        assert not letters.remove()
