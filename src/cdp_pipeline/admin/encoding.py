"""Answers as JSON; texts that plugins and errors had a part in pass the mask of log lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from cdp_pipeline.admin.answers import Exposition
from cdp_pipeline.observability.logs import masked

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_FREE_TEXTS = frozenset(
    {"message", "error", "hint", "reason", "reasons", "health_message", "details"}
)
"""What is no name, number or state: a secret may have got into it."""


def respond(status: int, answer: Any, *, headers: Mapping[str, str] = {}) -> Response:
    """Return *answer*, made of dataclasses and plain data, as a JSON response; a text as it is."""
    if isinstance(answer, Exposition):
        return Response(answer, status, {**_HEADERS, **headers}, media_type=answer.media_type)
    plain = msgspec.to_builtins(answer, enc_hook=_plain)
    body = msgspec.json.encode(_without_secrets(plain), enc_hook=_plain)
    return Response(body, status, {**_HEADERS, **headers}, media_type="application/json")


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: masked({key: inner})[key] if key in _FREE_TEXTS else _without_secrets(inner)
            for key, inner in value.items()
        }
    return [_without_secrets(inner) for inner in value] if isinstance(value, list) else value
