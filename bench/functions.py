"""What the stages do: the functions that a plugin author would write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cdpplugin import Batch, Message, Plugin, processor


def pass_through(message: Message) -> Message:
    """Hand the message on untouched: what a call alone costs."""
    return message


def keep_successful(message: Message) -> Message | None:
    """Read the payload; keep every other message."""
    return message if message.payload["successful"] else None


def mark_processed(message: Message) -> Message:
    """Read the payload, change it, hand it on."""
    message.payload["processed"] = True
    return message


def summarize(message: Message) -> Message:
    """Read the payload and answer a new message."""
    payload = message.payload
    return Message(
        type="PaymentSummary", payload={"to": payload["to"], "amount": payload["amount"]}
    )


def same_columns(batch: Batch) -> Batch:
    """Answer the batch's own columns."""
    return batch


async def same_columns_coroutine(batch: Batch) -> Batch:
    """As `same_columns`, called on the event loop instead of a thread."""
    return batch


def stage(function: Callable[..., Any], *, batch: bool = False) -> Plugin:
    """Return a native processor of *function*."""
    return processor(function.__name__.replace("_", "-"), "1.0.0", batch=batch)(function)
