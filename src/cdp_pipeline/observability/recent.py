"""Keep the newest log lines of each plugin, so that somebody who comes later can read them.

Lines are kept after the mask, so no secret is among them, and in bounded memory: so many
plugins, so many lines a plugin, so many characters a line.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LINES = 1000
"""Most lines that are kept of one plugin."""
PLUGINS = 256
"""Most plugins whose lines are kept; the one that was silent for longest gives way."""
_LONGEST_MESSAGE = 2000
_LONGEST_FIELD = 500
_MOST_FIELDS = 20
_OWN = frozenset({"event", "level", "timestamp", "plugin", "stage"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One log line.

    Attributes:
        number: Rises by one with every line that is kept, of whatever plugin.
        at: When, ISO 8601 in UTC.
        level: `debug`, `info`, `warning`, `error` or `critical`.
        plugin: `name@version`, or empty.
        stage: The stage, where the line is of one; else empty.
        message: What happened.
        fields: What else the line says; texts, cut where they are long.
    """

    number: int
    at: str
    level: str
    plugin: str
    stage: str
    message: str
    fields: Mapping[str, str]


class RecentLines:
    """The newest lines; any thread may add some."""

    def __init__(self, lines: int = LINES, plugins: int = PLUGINS) -> None:
        self._lines = lines
        self._plugins = plugins
        self._kept: OrderedDict[str, deque[Line]] = OrderedDict()
        self._number = 0
        self._lock = threading.Lock()

    @property
    def newest(self) -> int:
        """Number of the newest line; 0 where there is none."""
        return self._number

    def keep(self, fields: Mapping[str, Any]) -> None:
        """Keep the line with *fields*, if it is of a plugin or a stage."""
        plugin, stage = str(fields.get("plugin", "")), str(fields.get("stage", ""))
        key = name_of(plugin) or stage
        if not key:
            return
        with self._lock:
            self._number += 1
            line = _line(self._number, plugin, stage, fields)
            kept = self._kept.setdefault(key, deque(maxlen=self._lines))
            kept.append(line)
            self._kept.move_to_end(key)
            while len(self._kept) > self._plugins:
                self._kept.popitem(last=False)

    def of(self, plugin: str, stage: str = "", *, after: int = 0) -> list[Line]:
        """Return the lines of a plugin's versions and of a stage, oldest first.

        Args:
            plugin: `name@version`; lines of other versions of it are given too.
            stage: The stage; lines of *plugin* that are of another stage are left out.
            after: Only those with a higher number.
        """
        with self._lock:
            found = [
                line
                for key in dict.fromkeys((name_of(plugin), stage))
                for line in self._kept.get(key, ())
                if line.number > after and (not stage or line.stage in ("", stage))
            ]
        return sorted(found, key=lambda line: line.number)


def name_of(reference: str) -> str:
    """Return the name in `name@version`."""
    return reference.rpartition("@")[0] or reference


def _line(number: int, plugin: str, stage: str, fields: Mapping[str, Any]) -> Line:
    others = [(key, value) for key, value in fields.items() if key not in _OWN]
    return Line(
        number=number,
        at=str(fields.get("timestamp", "")),
        level=str(fields.get("level", "")),
        plugin=plugin,
        stage=stage,
        message=_cut(fields.get("event", ""), _LONGEST_MESSAGE),
        fields={_cut(k, _LONGEST_FIELD): _cut(v, _LONGEST_FIELD) for k, v in others[:_MOST_FIELDS]},
    )


def _cut(value: Any, most: int) -> str:
    text = str(value)
    return text if len(text) <= most else text[:most] + " ..."
