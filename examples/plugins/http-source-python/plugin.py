"""A source that reads a paged JSON API, from page to page by a cursor, as Horizon has it.

A position counts the records from 1. The token that goes with it is the cursor, so that a later
run asks for the page after it, and counts on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from fetch import fetch
from page import Record, records_of
from settings import Settings

import cdpplugin
from cdpplugin import (
    Base,
    Batch,
    Context,
    HealthStatus,
    PluginError,
    PluginMetadata,
    Resume,
    SourceBatch,
    SourceDescription,
)

METADATA = PluginMetadata("http-source-python", "0.1.0", "source")
"""The rest stands in `plugin.yaml`."""


@dataclass(frozen=True)
class Place:
    """Where a reading stands: behind a record.

    Attributes:
        position: Its number, from 1; 0 before the first.
        cursor: Its cursor.
    """

    position: int
    cursor: str

    @classmethod
    def of(cls, after: Resume | None, first: str) -> Place:
        """Return where to go on.

        The token may lie before the position, after a run that ended in the middle of a page:
        the host leaves out what it has.
        """
        digits, found, cursor = (after.token if after else b"").decode().partition(" ")
        return cls(int(digits), cursor) if found else cls(0, first)

    def token(self) -> bytes:
        """Return it for a later run."""
        return f"{self.position} {self.cursor}".encode()


class HttpSource(Base):
    """Reads pages of records."""

    def __init__(self) -> None:
        self._trouble = ""

    def metadata(self) -> PluginMetadata:
        """Say who it is."""
        return METADATA

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Take the configuration."""
        self._settings = Settings.of(config)

    async def start(self, context: Context) -> None:
        """Keep the network's name; the first page opens a connection."""
        self._network = context.network

    async def health(self) -> HealthStatus:
        """Say whether the last page came."""
        if self._trouble:
            return HealthStatus("degraded", self._trouble)
        return HealthStatus()

    async def describe(self) -> SourceDescription:
        """Say what the stream is."""
        settings = self._settings
        return SourceDescription(
            settings.identity, self._network, "records", first=1, start=settings.cursor
        )

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        """Yield the records after *after*, a page at a time, and wait for more if it follows."""
        settings = self._settings
        place = Place.of(after, settings.cursor)
        async with httpx.AsyncClient(
            timeout=None,  # noqa: S113 - `fetch` bounds the whole of it
            headers=dict(settings.headers),
            follow_redirects=True,
            event_hooks={"request": [self._keep_headers]},
        ) as client:
            while True:
                records = await self._next(client, place.cursor)
                if records:
                    first = place.position + 1
                    place = Place(place.position + len(records), records[-1].cursor)
                    yield self._batch(records, first, place)
                elif settings.follow:
                    await asyncio.sleep(settings.poll_interval)
                else:
                    return

    async def _keep_headers(self, request: httpx.Request) -> None:
        """Send `headers`, which may hold a key, to the server of `url` only: it may redirect."""
        own = httpx.URL(self._settings.url)
        if (request.url.scheme, request.url.netloc) != (own.scheme, own.netloc):
            for name in self._settings.headers:
                request.headers.pop(name, None)

    async def _next(self, client: httpx.AsyncClient, cursor: str) -> list[Record]:
        """Return the records of the page after *cursor*."""
        try:
            body, content_type = await fetch(client, self._settings, cursor)
            records = records_of(body, content_type, self._settings)
            self._require_progress(records, cursor)
        except PluginError as error:
            self._trouble = str(error)
            raise
        self._trouble = ""
        return records

    def _require_progress(self, records: list[Record], cursor: str) -> None:
        if records and records[-1].cursor == cursor:
            raise PluginError(
                f"{self._settings.place}: the page after the cursor `{cursor}` ends with this "
                "cursor again",
                code="http_source.cursor_stuck",
                hint="see that the API knows `cursor`, and that `cursor_field` is what it means "
                "by that",
            )

    def _batch(self, records: list[Record], first: int, last: Place) -> SourceBatch:
        kind = self._settings.type
        ids = [f"{kind}:{record.cursor}" for record in records]
        batch = Batch.of(kind, [record.payload for record in records], ids=ids)
        return SourceBatch(batch, range(first, last.position + 1), token=last.token())


if __name__ == "__main__":
    cdpplugin.serve(HttpSource())
