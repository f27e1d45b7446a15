"""Print rows in columns that stand below each other, without colour or frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cdp_pipeline.observability.text import printable


def aligned(
    heads: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: Sequence[str] = ()
) -> Iterator[str]:
    """Yield a line of *heads*, then a line a row; columns named in *numbers* end alike."""
    cells = [list(heads), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(heads))]
    for row in cells:
        padded = [
            text.rjust(width) if head in numbers else text.ljust(width)
            for head, text, width in zip(heads, row, widths, strict=True)
        ]
        yield "  ".join(padded).rstrip()


def _cell(value: object) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return " ".join(printable(text).split()) or "-"
