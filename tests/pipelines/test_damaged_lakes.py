"""Lakes that are not what they should be: a clear error, what came before kept, nothing wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests._flowctl import Finished
from tests._workshop import FIRST, LAST, Lake, Workshop, galexie, parquet, rows

BAD = FIRST + 6
"""The ledger that is damaged; six come before it."""


def cut(content: bytes) -> bytes:
    """Return *content* without the last bytes of the ledger's XDR, packed again."""
    return zstandard.ZstdCompressor().compress(unpacked(content)[:-40])


def unpacked(content: bytes) -> bytearray:
    return bytearray(zstandard.ZstdDecompressor().decompressobj().decompress(content))


def flip_header(content: bytes) -> bytes:
    """Return *content* with one bit of the header's previous hash changed, packed again."""
    xdr = unpacked(content)
    xdr[60] ^= 0x01
    return zstandard.ZstdCompressor().compress(bytes(xdr))


def flip_transaction(content: bytes) -> bytes:
    """Return *content* with one bit of a transaction's signature changed, packed again."""
    xdr = unpacked(content)
    xdr[1500] ^= 0x01
    return zstandard.ZstdCompressor().compress(bytes(xdr))


def flip_packed(content: bytes) -> bytes:
    """Return *content* with one byte changed as it lies on the disk."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def unknown_arm(content: bytes) -> bytes:
    """Return *content* with a version of LedgerCloseMeta that does not exist."""
    xdr = unpacked(content)
    xdr[12:16] = (9).to_bytes(4, "big")
    return zstandard.ZstdCompressor().compress(bytes(xdr))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda content: content[: len(content) * 2 // 3],
    "empty": lambda content: b"",
    "cut": cut,
    "flipped_header": flip_header,
    "flipped_transaction": flip_transaction,
    "flipped_packed": flip_packed,
    "unknown_arm": unknown_arm,
    "not_zstd": lambda content: b"<html>503 Slow Down</html>",
}


def damage(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def write_rows(workshop: Workshop, lake: Lake) -> Finished:
    return workshop.run(
        "rows",
        source=galexie(lake),
        pipeline=[rows("ledgers", "transactions"), parquet()],
    )


class TestDamagedLedger:
    @pytest.mark.parametrize("change", DAMAGES.values(), ids=list(DAMAGES))
    def test_stops_there_and_keeps_what_came_before(
        self, workshop: Workshop, lake: Lake, change: Callable[[bytes], bytes]
    ) -> None:
        """The error names the ledger; rows of the six before it are durable, no other."""
        damage(lake.file(BAD), change)
        done = write_rows(workshop, lake)

        assert 4 == done.code
        assert done.fault.code.startswith("lake.")
        assert str(BAD) in done.fault.message
        assert done.fault.hint
        assert list(range(FIRST, BAD)) == workshop.ledgers("out")
        assert f"durable through {BAD - 1}" in done.err

    def test_a_mended_lake_is_read_on(
        self, workshop: Workshop, real_lake: Lake, lake: Lake
    ) -> None:
        """The same run again, once the file is whole: every row, none twice."""
        damage(lake.file(BAD), cut)
        write_rows(workshop, lake)
        lake.file(BAD).write_bytes(real_lake.file(BAD).read_bytes())
        done = write_rows(workshop, lake)

        assert 0 == done.code
        assert {"ledgers": 11, "transactions": 650} == workshop.rows("out")
        assert list(range(FIRST, LAST + 1)) == workshop.ledgers("out")


class TestDamagedLake:
    def test_a_gap_names_the_missing_ledger(self, workshop: Workshop, lake: Lake) -> None:
        """A ledger that is not there is an error, never skipped."""
        lake.file(BAD).unlink()
        done = write_rows(workshop, lake)

        assert (4, "lake.gap") == (done.code, done.fault.code)
        assert f"ledger {BAD} is missing" in done.fault.message
        assert "flowctl lake gaps" in done.fault.hint
        assert list(range(FIRST, BAD)) == workshop.ledgers("out")

    def test_a_ledger_in_the_place_of_another_is_refused(
        self, workshop: Workshop, lake: Lake
    ) -> None:
        """A whole and valid ledger under another one's name never becomes a row."""
        lake.file(BAD).write_bytes(lake.file(BAD + 2).read_bytes())
        done = write_rows(workshop, lake)

        assert 4 == done.code
        assert str(BAD) in done.fault.message
        assert list(range(FIRST, BAD)) == workshop.ledgers("out")

    @pytest.mark.parametrize(
        "manifest",
        [
            b"{",
            b"",
            json.dumps({"networkPassphrase": "Test SDF Network ; September 2015"}).encode(),
            json.dumps(
                {
                    "version": "1.0",
                    "networkPassphrase": "Test SDF Network ; September 2015",
                    "ledgersPerBatch": 1,
                    "batchesPerPartition": 64000,
                    "compression": "zstd",
                }
            ).encode(),
            json.dumps(
                {
                    "version": "1.0",
                    "networkPassphrase": "Public Global Stellar Network ; September 2015",
                    "ledgersPerBatch": 7,
                    "batchesPerPartition": 100,
                    "compression": "zstd",
                }
            ).encode(),
        ],
        ids=["torn", "empty", "incomplete", "other_network", "other_layout"],
    )
    def test_a_wrong_manifest_writes_nothing(
        self, workshop: Workshop, lake: Lake, manifest: bytes
    ) -> None:
        """A manifest that cannot be read, or contradicts lake or pipeline, is an error."""
        (lake.folder / ".config.json").write_bytes(manifest)
        done = workshop.run(
            "rows", network="pubnet", source=galexie(lake), pipeline=[rows("ledgers"), parquet()]
        )

        assert 0 != done.code
        assert done.fault.hint
        assert [] == workshop.ledgers("out")


class TestDeadLetters:
    def test_a_ledger_without_events_is_set_aside(self, workshop: Workshop, lake: Lake) -> None:
        """`rows` refuses a ledger that hides its transfers; the stage's policy sets it aside."""
        ledger = 53312000
        done = workshop.run(
            "aside",
            source=galexie(lake, ledger, ledger),
            dead_letter={"path": "aside.jsonl"},
            pipeline=[rows("ledgers", "token_transfers", on_error="dead_letter"), parquet()],
        )
        [letter] = map(json.loads, (workshop.folder / "aside.jsonl").read_text().splitlines())

        assert 0 == done.code
        assert "dead letters: 1" in done.err
        assert f"durable through {ledger}" in done.err
        assert (ledger, "rows", "xdr") == (letter["position"], letter["stage"], letter["encoding"])
        assert letter["error"]["hint"]
        assert [] == workshop.ledgers("out")

    def test_without_a_policy_it_stops_the_run(self, workshop: Workshop, lake: Lake) -> None:
        """The default: exit code 4, the ledger named, nothing written."""
        done = workshop.run(
            "stop",
            source=galexie(lake, 53312000, 53312000),
            pipeline=[rows("token_transfers"), parquet()],
        )

        assert 4 == done.code
        assert "53312000" in done.fault.message
        assert not list((workshop.folder / "out").rglob("*.parquet"))

    def test_counted_where_configured(self, workshop: Workshop, lake: Lake) -> None:
        """`missing_events: count` goes on, and the summary tells how many there were."""
        stage = rows("ledgers", "token_transfers")
        stage["config"]["missing_events"] = "count"  # type: ignore[index]
        done = workshop.run(
            "counted", source=galexie(lake, 53312000, 53312000), pipeline=[stage, parquet()]
        )

        assert 0 == done.code
        assert "transactions without CAP-67 events" in done.err
        assert [53312000] == workshop.ledgers("out")

    def test_a_ledger_that_cannot_be_decoded_is_one_letter(
        self, workshop: Workshop, lake: Lake
    ) -> None:
        """Unverified, a corrupt ledger reaches `rows`: one letter, its neighbours' rows whole."""
        damage(lake.file(BAD), cut)
        done = workshop.run(
            "corrupt",
            source=galexie(lake, verify=False),
            dead_letter={"path": "aside.jsonl"},
            pipeline=[rows("ledgers", "transactions", on_error="dead_letter"), parquet()],
        )
        letters = [
            json.loads(line)["position"]
            for line in (workshop.folder / "aside.jsonl").read_text().splitlines()
        ]

        assert 0 == done.code
        assert [BAD] == letters
        assert [n for n in range(FIRST, LAST + 1) if n != BAD] == workshop.ledgers("out")

    def test_a_dead_letter_that_cannot_be_written_stops_the_run(self, workshop: Workshop) -> None:
        """Nothing vanishes: no letter, no mark; what came before is durable."""
        lines = [json.dumps({"n": n} if n != 3 else {}) for n in range(1, 6)]
        (workshop.folder / "in.jsonl").write_text("\n".join(lines))
        (workshop.folder / "file").write_text("a file is no folder")
        keys = {
            "source": {"type": "jsonl", "config": {"path": "in.jsonl"}},
            "pipeline": [
                {"type": "filter", "config": {"where": "payload.n > 0"}, "on_error": "dead_letter"},
                {"type": "save-to-jsonl", "config": {"path": "out.jsonl"}},
            ],
        }
        refused = workshop.run("letters", dead_letter={"path": "file/aside.jsonl"}, **keys)
        kept = (workshop.folder / "out.jsonl").read_text()
        (workshop.folder / "file").unlink()
        again = workshop.run("letters", dead_letter={"path": "file/aside.jsonl"}, **keys)

        assert (4, "dead_letter.unwritable") == (refused.code, refused.fault.code)
        assert '{"n": 1}\n{"n": 2}\n' == kept
        assert 0 == again.code
        assert (workshop.folder / "file" / "aside.jsonl").read_text().count("\n") == 1
        expected = '{"n": 1}\n{"n": 2}\n{"n": 4}\n{"n": 5}\n'
        assert expected == (workshop.folder / "out.jsonl").read_text()
