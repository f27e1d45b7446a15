"""A stand-in for numpy's scalars: what an author's model hands out."""

from __future__ import annotations

from typing import Any


class Scalar:
    """Holds a plain value and gives it by `item`, as numpy's scalars do."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def item(self) -> Any:
        """Return the plain value."""
        return self._value
