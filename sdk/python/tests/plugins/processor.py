"""A processor that does what a payload's `do` says, by all the means an author has."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

import cdpplugin
from cdpplugin import Message

together = threading.Barrier(2)
config: dict[str, Any] = {}
log = cdpplugin.get_logger(part="test")


def work(message: Message) -> Message | list[Message] | None:
    """Do what the payload says."""
    did = message.payload["do"]
    if did == "drop":
        return None
    if did == "drop with reason":
        raise cdpplugin.Drop("not wanted")
    if did == "retry":
        raise cdpplugin.Retry("busy", after_s=1.5)
    if did == "fatal":
        raise cdpplugin.Fatal("enough", code="test.enough", hint="stop it")
    if did == "fail":
        raise cdpplugin.PluginError("bad row", code="test.bad", hint="mend it")
    if did == "raise":
        raise ValueError("oops")
    if did == "meet":
        together.wait(timeout=20)
    if did == "hang":
        print("hanging")
        threading.Event().wait()
    if did == "twice":
        return [message, message]
    if did == "grow":
        message.payload["text"] = "x" * message.payload["size"]
    if did == "config":
        message.payload["config"] = config
    if did == "number":
        message.metadata["n"] = 2**53 + 1
    if did == "log":
        print("a plain line")
        log.warning("a structured line", rows=3)
        logging.getLogger("library").warning("a library's line")
    message.metadata["done"] = True
    return message


def configure(given: Mapping[str, Any]) -> None:
    """Take the configuration; `wrong: true` is refused."""
    if given.get("wrong"):
        raise cdpplugin.ConfigInvalid("expected `wrong` to be false", hint="leave it out")
    config.update(given)


metadata = cdpplugin.PluginMetadata(
    "worker",
    "1.2.3",
    description="does as it is told",
    input_types=["Task"],
    config_schema={"type": "object"},
)
cdpplugin.serve_processor(metadata, work, configure=configure, workers=2)
