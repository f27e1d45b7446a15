"""Counts."""

from collections.abc import Iterator, Mapping
from typing import Any

from cdpplugin import Message


class Counter:
    """Counts from 1."""

    def __init__(self) -> None:
        self.count = 10

    def configure(self, config: Mapping[str, Any]) -> None:
        """Take the configuration; the host has checked it against the schema in plugin.yaml."""
        self.count = config.get("count", 10)

    def read(self) -> Iterator[Message]:
        """Yield the same messages at every run: the host leaves out those that are durable."""
        for number in range(1, self.count + 1):
            yield Message(type="number", payload={"number": number, "square": number * number})
