"""Durations and sizes are read as people write them, exactly, or refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpplugin.units import parse_duration_s, parse_size_bytes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30.0),
        ("1.5m", 90.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("2d", 172_800.0),
        (" 5s ", 5.0),
        (0, 0.0),
        (2, 2.0),
        (0.25, 0.25),
    ],
)
def test_durations(text: Any, seconds: float) -> None:
    """Units add up; a bare number is seconds."""
    assert seconds == parse_duration_s(text)


NOT_DURATIONS = [
    *(
        "",
        "s",
        "5",
        "5 parsecs",
        "-5s",
        "1 0s",
        "5s!",
        "1..5s",
        "1e3s",
        "s5",
        "5S",
        "9" * 400 + "s",
    ),
    *("9" * 400 + "s", -1, -0.1, float("nan"), float("inf"), 10**400, True, None, [], "nan", "inf"),
]


@pytest.mark.parametrize("text", NOT_DURATIONS, ids=lambda text: repr(text)[:20])
def test_what_is_no_duration_is_refused(text: Any) -> None:
    """A duration is finite, not negative, and has a unit."""
    with pytest.raises(ValueError, match="expected a"):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("100MB", 100_000_000),
        ("4MiB", 4 << 20),
        ("4 mib", 4 << 20),
        ("1.5KiB", 1536),
        ("7", 7),
        ("7B", 7),
        (7, 7),
        ("2TB", 2 * 10**12),
        ("0.1KB", 100),
        ("9007199254740993", 2**53 + 1),
        ("16TiB", 16 << 40),
    ],
)
def test_sizes(text: Any, size_bytes: int) -> None:
    """KB is 1000 bytes and KiB 1024; a bare number is bytes."""
    assert size_bytes == parse_size_bytes(text)


@pytest.mark.parametrize("text", ["", "MB", "-1", "-1MB", -1, "1ZB", "1 M B", "ten", True, None])
def test_what_is_no_size_is_refused(text: Any) -> None:
    """An unknown unit is not taken for bytes."""
    with pytest.raises(ValueError, match="expected a size"):
        parse_size_bytes(text)


@given(st.integers(0, 10**30))
def test_whole_bytes_are_never_rounded(size_bytes: int) -> None:
    """A size of any magnitude is exact."""
    assert size_bytes == parse_size_bytes(str(size_bytes)) == parse_size_bytes(size_bytes)
    assert size_bytes << 10 == parse_size_bytes(f"{size_bytes}KiB")
