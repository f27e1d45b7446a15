"""What happened to plugins, for those who ask later and those who wait.

An event is a fact with a number; numbers rise by one. The newest are kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from cdp_pipeline.observability.logs import logger

Kind = Literal[
    "state",
    "health",
    "quarantined",
    "reload_began",
    "reload_switched",
    "reload_confirmed",
    "reload_refused",
    "rolled_back",
    "replaced",
    "files_changed",
]
_LEVELS: Mapping[Kind, str] = {
    "state": "debug",
    "quarantined": "error",
    "reload_refused": "warning",
    "rolled_back": "warning",
    "replaced": "warning",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact.

    Attributes:
        number: Rises by one; the first is 1.
        at: When, ISO 8601 in UTC with milliseconds.
        plugin: The stage whose plugin it concerns.
        reference: `name@version` at that time.
        kind: What kind of fact.
        message: One line for people.
        details: Numbers and names for machines; times in seconds.
    """

    number: int
    at: str
    plugin: str
    reference: str
    kind: Kind
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "number": self.number,
            "at": self.at,
            "plugin": self.plugin,
            "reference": self.reference,
            "kind": self.kind,
            "message": self.message,
            "details": dict(self.details),
        }


class EventLog:
    """The newest events of one host; each is a log line too."""

    def __init__(self, most: int = 1000) -> None:
        self._events: deque[Event] = deque(maxlen=most)
        self._number = 0
        self._news = asyncio.Event()

    def note(self, plugin: str, reference: str, kind: Kind, message: str, **details: Any) -> Event:
        """Add an event."""
        self._number += 1
        event = Event(
            number=self._number,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            plugin=plugin,
            reference=reference,
            kind=kind,
            message=message,
            details=details,
        )
        self._events.append(event)
        news, self._news = self._news, asyncio.Event()
        news.set()
        log = logger(stage=plugin, plugin=reference)
        getattr(log, _LEVELS.get(kind, "info"))(message, **details)
        return event

    @property
    def newest(self) -> int:
        """Number of the newest event; 0 where there is none."""
        return self._number

    def after(self, number: int) -> list[Event]:
        """Return the events after event *number*, oldest first, as far as they are kept."""
        return [event for event in self._events if event.number > number]

    async def wait_after(self, number: int) -> list[Event]:
        """Return `after(number)`, once there is any."""
        while not (found := self.after(number)):
            await self._news.wait()
        return found
