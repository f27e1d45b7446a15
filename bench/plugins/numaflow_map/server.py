"""Reads and changes every message: a map server of pynumaflow. Arguments: socket, info file."""

from __future__ import annotations

import sys

import msgspec
from pynumaflow.mapper import (  # type: ignore[import-not-found]
    Datum,
    MapAsyncServer,
    Message,
    Messages,
)


async def change(keys: list[str], datum: Datum) -> Messages:
    """Parse the payload, add a field, hand it on."""
    payload = msgspec.json.decode(datum.value)
    payload["processed"] = True
    return Messages(Message(value=msgspec.json.encode(payload), keys=keys))


MapAsyncServer(change, sock_path=sys.argv[1], server_info_file=sys.argv[2]).start()
