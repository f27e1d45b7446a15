"""How what came out differs from what was expected: where, and both values, fit to be read.

A difference is a text of one or more lines: `- ` begins what was expected and did not come,
`+ ` what came and was not expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from fractions import Fraction
from functools import cache
from typing import Any

from cdpplugin import PluginError, encode_json

_SHORT = 60
"""Two values of at most so many characters stand in one line."""
_AROUND = 40
"""Characters shown before the first that differs, in a long text."""
_LONGEST = 200
"""Characters shown of one value."""
_MOST_LINES = 20
_MOST_PAIRS = 40_000
"""Longer lists are compared place by place: finding what moved would take too long."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two values are compared.

    Attributes:
        tolerance: How far a number may be off, relative to what is expected; absolute for zero.
        ignore: Members that do not matter; `[*]` stands for any index.
        exact: Whether there may be no more members than are expected.
    """

    tolerance: float = 0.0
    ignore: tuple[str, ...] = field(default=())
    exact: bool = False

    def differences(self, where: str, expected: Any, got: Any) -> Iterator[str]:
        """Yield where *got*, which stands at *where*, is not what is *expected*."""
        if self._is_ignored(where):
            return
        if isinstance(expected, Mapping) and isinstance(got, Mapping):
            yield from self._members(where, expected, got)
        elif _is_list(expected) and _is_list(got):
            yield from self._elements(where, expected, got)
        elif not self._are_equal(expected, got):
            yield _unequal(where, expected, got)

    def _members(
        self, where: str, expected: Mapping[str, Any], got: Mapping[str, Any]
    ) -> Iterator[str]:
        for key, value in expected.items():
            inner = f"{where}.{key}"
            if key in got:
                yield from self.differences(inner, value, got[key])
            elif not self._is_ignored(inner):
                yield f"expected `{inner}` to be {shown(value)}, got none"
        for key in got if self.exact else ():
            if key not in expected and not self._is_ignored(f"{where}.{key}"):
                yield f"expected no `{where}.{key}`, got {shown(got[key])}"

    def _elements(self, where: str, expected: Sequence[Any], got: Sequence[Any]) -> Iterator[str]:
        if len(expected) == len(got):
            for index, (one, other) in enumerate(zip(expected, got, strict=True)):
                yield from self.differences(f"{where}[{index}]", one, other)
            return

        def match(row: int, column: int) -> bool:
            inner = f"{where}[{column}]"
            return not any(self.differences(inner, expected[row], got[column]))

        lines = changed_lines(
            [f"[{index}] {shown(value)}" for index, value in enumerate(expected)],
            [f"[{index}] {shown(value)}" for index, value in enumerate(got)],
            match,
        )
        head = f"expected `{where}` to have {counted(len(expected), 'element')}, got {len(got)}"
        yield "\n".join([head, *lines])

    def _is_ignored(self, where: str) -> bool:
        return bool(self.ignore) and _pattern(self.ignore).fullmatch(where) is not None

    def _are_equal(self, expected: Any, got: Any) -> bool:
        if _is_number(expected) and _is_number(got):
            return self._are_close(Fraction(expected), Fraction(got))
        return shown(expected, whole=True) == shown(got, whole=True)

    def _are_close(self, expected: Fraction, got: Fraction) -> bool:
        """Tell it exactly, as a float holds neither every whole number nor a huge one."""
        return abs(expected - got) <= Fraction(self.tolerance) * (abs(expected) or 1)


def changed_lines(
    expected: Sequence[str], got: Sequence[str], match: Callable[[int, int], bool]
) -> list[str]:
    """Return a line for each that is missing (`- `) and for each too many (`+ `), in order.

    Args:
        expected: How each that is expected is shown.
        got: How each that came is shown.
        match: Tells whether the one of this index is the other of that index.
    """
    kept = _kept(len(expected), len(got), match)
    lines: list[str] = []
    row = column = 0
    for next_row, next_column in [*kept, (len(expected), len(got))]:
        lines += [f"- {text}" for text in expected[row:next_row]]
        lines += [f"+ {text}" for text in got[column:next_column]]
        row, column = next_row + 1, next_column + 1
    return _at_most(lines)


def counted(number: int, what: str) -> str:
    """Return *number* and *what*, in the plural where it is one."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def shown(value: Any, *, whole: bool = False) -> str:
    """Return *value* as JSON, a long one cut unless the *whole* is wanted."""
    try:
        text = encode_json(value).decode()
    except PluginError:
        text = repr(value)
    if whole or len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… ({len(text):,} characters)"


def _kept(rows: int, columns: int, match: Callable[[int, int], bool]) -> list[tuple[int, int]]:
    """Return the pairs of the longest common part of two lists, in order."""
    if rows * columns > _MOST_PAIRS:
        return [(n, n) for n in range(min(rows, columns)) if match(n, n)]
    matches = [[match(row, column) for column in range(columns)] for row in range(rows)]
    longest = [[0] * (columns + 1) for _ in range(rows + 1)]
    for row in reversed(range(rows)):
        for column in reversed(range(columns)):
            longest[row][column] = (
                longest[row + 1][column + 1] + 1
                if matches[row][column]
                else max(longest[row + 1][column], longest[row][column + 1])
            )
    kept, row, column = [], 0, 0
    while row < rows and column < columns:
        if matches[row][column]:
            kept.append((row, column))
            row, column = row + 1, column + 1
        elif longest[row + 1][column] >= longest[row][column + 1]:
            row += 1
        else:
            column += 1
    return kept


def _unequal(where: str, expected: Any, got: Any) -> str:
    if isinstance(expected, str) and isinstance(got, str) and "\n" in expected + got:
        lines = _text_lines(expected.split("\n"), got.split("\n"))
        return "\n".join([f"expected `{where}` to be another text:", *_at_most(lines)])
    one, other = shown(expected, whole=True), shown(got, whole=True)
    if len(one) <= _SHORT and len(other) <= _SHORT:
        return f"expected `{where}` to be {one}, got {other}"
    first = next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    begin = max(0, first - _AROUND)
    head = f"expected `{where}` to be another value"
    at = f", from character {first:,} of its JSON on" if begin else ""
    return f"{head}{at}:\n- {_window(one, begin)}\n+ {_window(other, begin)}"


def _text_lines(expected: list[str], got: list[str]) -> list[str]:
    lines: list[str] = []
    for kind, *span in SequenceMatcher(None, expected, got, autojunk=False).get_opcodes():
        row, row_end, column, column_end = span
        if kind == "equal":
            lines += [f"  {text}" for text in expected[row:row_end][-1:]]
            continue
        lines += [f"- {_window(text, 0)}" for text in expected[row:row_end]]
        lines += [f"+ {_window(text, 0)}" for text in got[column:column_end]]
    return lines


def _window(text: str, begin: int) -> str:
    end = begin + _LONGEST
    return f"{'…' if begin else ''}{text[begin:end]}{'…' if end < len(text) else ''}"


def _at_most(lines: list[str]) -> list[str]:
    more = len(lines) - _MOST_LINES
    return lines if more <= 0 else [*lines[:_MOST_LINES], f"… and {more} more"]


@cache
def _pattern(ignore: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(each).replace(r"\[\*\]", r"\[\d+\]") for each in ignore))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))
