"""A plugin that runs as a process and as a component: what it does, a payload asks for."""

from __future__ import annotations

import asyncio
import base64
import random
import sys
from datetime import datetime
from typing import Any

from greetings import greeting

import cdpplugin
from cdpplugin import Drop, Message, PluginMetadata, Retry

log = cdpplugin.get_logger(part="told")
made_at_the_top = {"calls": 0}


async def work(message: Message) -> Any:
    """Do what the payload asks for."""
    payload = message.payload
    asked = payload.get("do") if isinstance(payload, dict) else None
    made_at_the_top["calls"] += 1
    if asked == "change":
        payload["seen"] = True
        message.metadata["late"] = await late("late")
    elif asked == "two":
        return [message, Message(type="New", payload={"n": payload["n"]})]
    elif asked == "drop":
        raise Drop("asked for")
    elif asked == "nothing":
        return None
    elif asked == "retry":
        raise Retry("busy", after_s=2.5, hint="wait")
    elif asked == "raise":
        raise ValueError("asked for é")
    elif asked == "exit":
        sys.exit(3)
    elif asked == "deep":
        return deep(message)
    elif asked == "log":
        log.info("told", n=payload["n"])
        print("printed")
    elif asked == "library":
        date = datetime.strptime(payload["date"], "%Y-%m-%d")
        message.payload = [greeting("you"), date.year, base64.b64encode("é".encode("latin-1"))]
    elif asked == "random":
        message.payload = random.random()
    elif asked == "calls":
        message.payload = made_at_the_top["calls"]
    return message


async def late(text: str) -> str:
    """Return *text*, later."""
    await asyncio.sleep(0.001)
    return text


def deep(message: Message) -> Message:
    """Never come back."""
    return deep(message)


cdpplugin.serve_processor(PluginMetadata("both", "1.0.0", description=" ".join(sys.argv[1:])), work)
