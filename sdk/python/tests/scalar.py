"""Stand-ins for what numerical libraries hand out: scalars and arrays that are no Python types."""

from __future__ import annotations

from typing import Any


class Scalar:
    """Gives its plain value by `item`, as numpy's and torch's scalars do."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._value!r})"

    def item(self) -> Any:
        """Return the plain value."""
        return self._value


class Array:
    """Gives its values by `tolist`, and by `item` where it holds one, as numpy's arrays do."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def __repr__(self) -> str:
        return f"Array({self._values!r})"

    def item(self) -> Any:
        """Return the only value."""
        [value] = self._values
        return value

    def tolist(self) -> list[Any]:
        """Return all values."""
        return self._values


class ArrowScalar:
    """Gives its plain value by `as_py`, as pyarrow's scalars do."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._value!r})"

    def as_py(self) -> Any:
        """Return the plain value."""
        return self._value
