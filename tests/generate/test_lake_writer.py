"""The folder that is written: keys, manifest, content, completion, refusal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from stellar_sdk import xdr

from cdp_pipeline.connectors.stellar.generate import (
    LakeOccupied,
    LakeSpec,
    generate_ledgers,
    write_lake,
)
from cdp_pipeline.connectors.stellar.lake import find_gaps, open_lake, read_ledgers

_SMALL = LakeSpec(ledgers=12, transactions_per_ledger=2)


def _files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _batch(data: bytes) -> xdr.LedgerCloseMetaBatch:
    return xdr.LedgerCloseMetaBatch.from_xdr_bytes(zstandard.ZstdDecompressor().decompress(data))


def test_one_ledger_a_file(tmp_path: Path) -> None:
    """With one ledger a file, each key is that of SEP-54 and holds that ledger alone."""
    summary = write_lake(_SMALL, tmp_path)
    files = _files(tmp_path)
    assert 12 == summary.files == len(files) - 1
    for ledger in generate_ledgers(_SMALL):
        name = f"FFFFFFFF--0-63999/{0xFFFFFFFF - ledger.sequence:08X}--{ledger.sequence}.xdr.zst"
        batch = _batch(files[name])
        assert ledger.sequence == batch.start_sequence.uint32 == batch.end_sequence.uint32
        assert [ledger.xdr] == [one.to_xdr_bytes() for one in batch.ledger_close_metas]


def test_five_ledgers_a_file_four_files_a_folder(tmp_path: Path) -> None:
    """Files and folders are cut at multiples, the range is widened to whole files."""
    spec = LakeSpec(
        ledgers=20,
        first_ledger=18,
        transactions_per_ledger=1,
        ledgers_per_file=5,
        files_per_partition=4,
    )
    summary = write_lake(spec, tmp_path)
    assert (15, 39) == (summary.first_ledger, summary.last_ledger)
    assert {
        ".config.json",
        "FFFFFFFF--0-19/FFFFFFF0--15-19.xdr.zst",
        "FFFFFFEB--20-39/FFFFFFEB--20-24.xdr.zst",
        "FFFFFFEB--20-39/FFFFFFE6--25-29.xdr.zst",
        "FFFFFFEB--20-39/FFFFFFE1--30-34.xdr.zst",
        "FFFFFFEB--20-39/FFFFFFDC--35-39.xdr.zst",
    } == set(_files(tmp_path))


def test_first_file_starts_at_ledger_two(tmp_path: Path) -> None:
    """The first file is named from 0, but ledgers 0 and 1 do not exist."""
    spec = LakeSpec(
        ledgers=1, transactions_per_ledger=0, ledgers_per_file=64, files_per_partition=0
    )
    write_lake(spec, tmp_path)
    batch = _batch(_files(tmp_path)["FFFFFFFF--0-63.xdr.zst"])
    assert (2, 63) == (batch.start_sequence.uint32, batch.end_sequence.uint32)
    assert 62 == len(batch.ledger_close_metas)


def test_manifest(tmp_path: Path) -> None:
    """The manifest says what SEP-54 asks for."""
    write_lake(_SMALL, tmp_path)
    assert {
        "networkPassphrase": "Standalone Network ; February 2017",
        "version": "1.0",
        "compression": "zstd",
        "ledgersPerBatch": 1,
        "batchesPerPartition": 64000,
    } == json.loads((tmp_path / ".config.json").read_bytes())


def test_same_spec_same_files(tmp_path: Path) -> None:
    """Two folders of one spec are byte for byte alike."""
    for name in ("a", "b"):
        write_lake(_SMALL, tmp_path / name)
    assert _files(tmp_path / "a") == _files(tmp_path / "b")


async def test_the_reader_follows_it(tmp_path: Path) -> None:
    """The lake reader finds no gap and verifies every hash and link."""
    spec = LakeSpec(ledgers=23, transactions_per_ledger=2, ledgers_per_file=5)
    write_lake(spec, tmp_path)
    lake = await open_lake(str(tmp_path))
    assert [] == await find_gaps(lake)
    ledgers = [one async for batch in read_ledgers(lake, 2, 24) for one in batch]
    assert [one.xdr for one in generate_ledgers(spec.whole_files())] == [
        bytes(one.xdr) for one in ledgers
    ]


def test_progress_counts_ledgers(tmp_path: Path) -> None:
    """Progress is told after each file, as ledgers done so far."""
    told: list[int] = []
    spec = LakeSpec(ledgers=9, transactions_per_ledger=0, ledgers_per_file=4)
    write_lake(spec, tmp_path, progress=told.append)
    assert [2, 6, 10] == told


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    """A complete lake is recognized and left alone."""
    assert not write_lake(_SMALL, tmp_path).was_complete
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    summary = write_lake(_SMALL, tmp_path)
    assert summary.was_complete
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_completes_what_was_cut_short(tmp_path: Path) -> None:
    """Missing and unfinished files are written; the result is that of one run."""
    write_lake(_SMALL, tmp_path / "whole")
    write_lake(_SMALL, tmp_path / "cut")
    first, second, *_ = sorted((tmp_path / "cut").rglob("*.zst"))
    first.unlink()
    second.rename(second.with_name(second.name + ".part"))
    summary = write_lake(_SMALL, tmp_path / "cut")
    assert 2 == summary.written_files
    assert _files(tmp_path / "whole") == _files(tmp_path / "cut")


def test_a_shorter_lake_grows(tmp_path: Path) -> None:
    """A lake of fewer ledgers of the same spec is the beginning of the longer one."""
    write_lake(LakeSpec(ledgers=5, transactions_per_ledger=2), tmp_path)
    assert 7 == write_lake(_SMALL, tmp_path).written_files


@pytest.mark.parametrize(
    "other",
    [
        LakeSpec(ledgers=12, transactions_per_ledger=2, seed=2),
        LakeSpec(ledgers=12, transactions_per_ledger=3),
        LakeSpec(ledgers=12, transactions_per_ledger=2, network_passphrase="Another One"),
        LakeSpec(ledgers=13, transactions_per_ledger=2),
        LakeSpec(ledgers=12, transactions_per_ledger=2, first_ledger=3),
    ],
)
def test_refuses_another_lake(tmp_path: Path, other: LakeSpec) -> None:
    """A lake of another spec, or a longer one, is left as it is."""
    write_lake(other, tmp_path)
    before = _files(tmp_path)
    with pytest.raises(LakeOccupied) as caught:
        write_lake(_SMALL, tmp_path)
    assert caught.value.hint
    assert before == _files(tmp_path)


def test_refuses_a_folder_of_other_files(tmp_path: Path) -> None:
    """Nothing is written to, or removed from, a folder in use for something else."""
    (tmp_path / "thesis.part").write_text("mine")
    with pytest.raises(LakeOccupied, match=r"`thesis\.part`"):
        write_lake(_SMALL, tmp_path)
    assert {"thesis.part": b"mine"} == _files(tmp_path)


def test_refuses_a_file_as_folder(tmp_path: Path) -> None:
    """A file in the folder's place is named."""
    (tmp_path / "lake").write_text("mine")
    with pytest.raises(LakeOccupied, match="is a file"):
        write_lake(_SMALL, tmp_path / "lake")


def test_refuses_a_damaged_file(tmp_path: Path) -> None:
    """A file that does not hold its ledger is named, never silently replaced."""
    write_lake(_SMALL, tmp_path)
    damaged = sorted(tmp_path.rglob("*.zst"))[3]
    damaged.write_bytes(damaged.read_bytes()[:-9])
    with pytest.raises(LakeOccupied, match=damaged.name):
        write_lake(_SMALL, tmp_path)


def test_tells_another_seed_on_a_longer_lake(tmp_path: Path) -> None:
    """A longer lake there is told apart: of another seed, or of the same one."""
    write_lake(_SMALL, tmp_path)
    with pytest.raises(LakeOccupied, match="differs from the file") as other:
        write_lake(replace(_SMALL, ledgers=5, seed=_SMALL.seed + 1), tmp_path)
    with pytest.raises(LakeOccupied, match="is no file of the lake to write") as longer:
        write_lake(replace(_SMALL, ledgers=5), tmp_path)

    assert "another seed" in other.value.hint
    assert "all the ledgers" in longer.value.hint
