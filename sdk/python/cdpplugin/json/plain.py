"""What JSON has no form for: the plain value it stands for, or an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdpplugin.errors import PluginError


class PayloadInvalid(PluginError):
    """A payload is not what its encoding says, or cannot be written as JSON."""

    code = "message.payload_invalid"


def plain(value: Any) -> Any:
    """Turn a numpy, pandas, torch or Arrow scalar or array into the plain value it stands for.

    Raises:
        PayloadInvalid: It stands for none.
    """
    if isinstance(value, Mapping):
        return dict(value)
    for name in ("tolist", "item", "as_py"):  # `item` of an array of one would lose the array
        if hasattr(value, name):
            try:
                return getattr(value, name)()
            except (TypeError, ValueError, RuntimeError):
                continue
    raise unwritable(value)


def unwritable(value: Any) -> PayloadInvalid:
    """Return the error for a value that JSON has no form for."""
    return PayloadInvalid(
        f"a value of type `{type(value).__name__}` cannot be written as JSON",
        hint="use plain numbers, strings, lists and dicts",
    )


def not_finite() -> PayloadInvalid:
    """Return the error for a value that holds NaN or an infinity."""
    return PayloadInvalid(
        "the value cannot be written as JSON: it holds NaN or an infinity",
        hint="leave that number out, or give None or a text in its place",
    )


def not_encoded(error: Exception) -> PayloadInvalid:
    """Return *error*, which the encoder raised, as the contract knows it."""
    return PayloadInvalid(
        f"the value cannot be written as JSON: {error}",
        hint="use plain numbers, strings, lists and dicts with string keys",
    )


def not_decoded(error: Exception) -> PayloadInvalid:
    """Return *error*, which the decoder raised, as the contract knows it."""
    return PayloadInvalid(f"expected JSON, got something else: {error}")
