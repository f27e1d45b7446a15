"""Answers as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def respond(status: int, answer: Any, *, headers: Mapping[str, str] = {}) -> Response:
    """Return *answer*, made of dataclasses and plain data, as a JSON response."""
    body = msgspec.json.encode(answer, enc_hook=_plain)
    return Response(body, status, {**_HEADERS, **headers}, media_type="application/json")


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)
