"""Where each ledger lies (SEP-54)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.connectors.stellar.lake.layout import (
    EXTENSIONS,
    MAX_SEQUENCE,
    Layout,
    parse_key,
    parse_partition,
)

VECTORS = [
    (2, 1, 64000, "FFFFFFFF--0-63999/FFFFFFFD--2.xdr.zst"),
    (53312000, 1, 64000, "FCD285FF--53312000-53375999/FCD285FF--53312000.xdr.zst"),
    (5, 10, 0, "FFFFFFFF--0-9.xdr.zst"),
    (150, 50, 2, "FFFFFF9B--100-199/FFFFFF69--150-199.xdr.zst"),
    (64000, 1, 64000, "FFFF05FF--64000-127999/FFFF05FF--64000.xdr.zst"),
    (30822017, 5, 12800, "FE2A45FF--30784000-30847999/FE29B180--30822015-30822019.xdr.zst"),
    (997, 1, 1, "FFFFFC1A--997.xdr.zst"),
]
sequences = st.integers(0, MAX_SEQUENCE)
layouts = st.builds(Layout, st.integers(1, 10_000), st.integers(0, 100_000))


class TestKey:
    @pytest.mark.parametrize(("sequence", "per_file", "per_partition", "key"), VECTORS)
    def test_vectors(self, sequence: int, per_file: int, per_partition: int, key: str) -> None:
        """Keys are those that Galexie writes."""
        assert key == Layout(per_file, per_partition).key_for(sequence)

    @given(sequence=sequences, layout=layouts, extension=st.sampled_from(EXTENSIONS))
    def test_round_trip(self, sequence: int, layout: Layout, extension: str) -> None:
        """A key says the ledgers of its file, its folder and its suffix."""
        name = parse_key(layout.key_for(sequence, extension))

        assert name is not None
        assert name.start <= sequence <= name.end
        assert (layout.file_start(sequence), layout.file_end(sequence)) == (name.start, name.end)
        assert extension == name.extension
        assert layout.has_partitions == (name.partition is not None)

    @given(layout=layouts, one=sequences, other=sequences)
    def test_newest_sorts_first(self, layout: Layout, one: int, other: int) -> None:
        """The key of a later file sorts before that of an earlier one."""
        older, newer = sorted([layout.file_start(one), layout.file_start(other)])

        assert (older < newer) == (layout.key_for(newer) < layout.key_for(older))

    @given(layout=layouts, sequence=sequences)
    def test_sort_key_is_just_before(self, layout: Layout, sequence: int) -> None:
        """The sort key of a file sorts before the file under any suffix, after later files."""
        sort_key = layout.sort_key(sequence)

        assert all(sort_key < layout.key_for(sequence, each) for each in EXTENSIONS)
        if layout.file_end(sequence) < MAX_SEQUENCE:
            assert layout.key_for(layout.file_end(sequence) + 1) < sort_key

    @pytest.mark.parametrize("sequence", [-1, MAX_SEQUENCE + 1])
    def test_refuses_what_is_no_sequence(self, sequence: int) -> None:
        """A sequence is an unsigned 32-bit number."""
        with pytest.raises(ValueError, match="0 to 4294967295"):
            Layout(1, 1).key_for(sequence)


class TestParse:
    @pytest.mark.parametrize(
        "key",
        [
            ".config.json",
            "FFFFFFFD--3.xdr.zst",
            "FFFFFFFD--2.xdr",
            "FFFFFFFD--2.json",
            "fffffffd--2.xdr.zst",
            "FFFFFFFD--02.xdr.zst",
            "FFFFFF69--150-149.xdr.zst",
            "FFFFFFFD--2.xdr.zst.part/x",
            "",
        ],
    )
    def test_other_files_are_none(self, key: str) -> None:
        """A key that is not made as SEP-54 says is no ledger file."""
        assert parse_key(key) is None

    def test_the_first_file_starts_at_ledger_2(self) -> None:
        """A file named from 0 on holds ledgers from 2 on."""
        name = parse_key("FFFFFFFF--0-63.xdr.zst")

        assert name is not None
        assert (0, 2) == (name.start, name.first_ledger)

    def test_partitions(self) -> None:
        """A folder says its first and last ledger; a file's name is no folder."""
        assert (100, 199) == parse_partition("FFFFFF9B--100-199")
        assert parse_partition("FFFFFF9B--100") is None


class TestLayout:
    @pytest.mark.parametrize("sizes", [(0, 1), (1, -1)])
    def test_refuses_impossible_sizes(self, sizes: tuple[int, int]) -> None:
        """A file holds at least one ledger."""
        with pytest.raises(ValueError, match="at least"):
            Layout(*sizes)
