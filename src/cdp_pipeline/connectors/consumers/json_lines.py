"""Write messages as lines of JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

from cdpplugin import Batch, encode_json

Content = Literal["payload", "message"]


def json_lines(batch: Batch, content: Content) -> list[bytes]:
    """Return each message of *batch* as one line, with its line's end.

    Args:
        batch: The messages.
        content: `payload` writes the payload alone; `message` writes an object of `id`,
            `type`, `payload` and `metadata`.
    """
    payloads = [_one_line(payload) for payload in batch.payloads.json()]
    if content == "payload":
        return [payload + b"\n" for payload in payloads]
    envelopes = zip(batch.ids, batch.types, payloads, batch.metadata, strict=True)
    return [
        b'{"id":%b,"type":%b,"payload":%b,"metadata":%b}\n'
        % (encode_json(id), encode_json(type), payload, encode_json(dict(metadata)))
        for id, type, payload, metadata in envelopes  # noqa: A001
    ]


def _one_line(payload: bytes) -> bytes:
    if b"\n" not in payload and b"\r" not in payload:
        return payload
    return msgspec.json.format(payload, indent=-1)
