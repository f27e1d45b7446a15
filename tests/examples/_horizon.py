"""A server that pages as Horizon does: `?cursor=...&limit=...&order=asc`, records in HAL."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class Horizon(ThreadingHTTPServer):
    """A server at a free local port.

    Attributes:
        records: How many records there are; the nth has the cursor 1000 n.
        asked: The cursors that pages were asked for, in order; empty for the first page.
        held_after: Pages after this record wait until `released` is set; None: none do.
    """

    daemon_threads = True

    def __init__(self, records: int) -> None:
        super().__init__(("127.0.0.1", 0), _Pages)
        self.records = records
        self.asked: list[str] = []
        self.held_after: int | None = None
        self.released = threading.Event()

    @property
    def url(self) -> str:
        """The address of the pages."""
        return f"http://127.0.0.1:{self.server_address[1]}/payments"

    def page(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """Return the records that *query* asks for."""
        assert query["order"] == "asc"
        cursor = query.get("cursor", "")
        self.asked.append(cursor)
        first = int(cursor or "0") // 1000 + 1
        if self.held_after is not None and first > self.held_after:
            self.released.wait()
        last = min(self.records, first + int(query["limit"]) - 1)
        return [{"paging_token": str(1000 * n), "n": n} for n in range(first, last + 1)]


class _Pages(BaseHTTPRequestHandler):
    server: Horizon

    def do_GET(self) -> None:
        records = self.server.page(dict(parse_qsl(urlsplit(self.path).query)))
        body = json.dumps({"_links": {}, "_embedded": {"records": records}}).encode()
        with suppress(ConnectionError):  # who asked may have been killed
            self.send_response(200)
            self.send_header("Content-Type", "application/hal+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def running_horizon(records: int) -> Iterator[Horizon]:
    """A server for the length of the block."""
    with Horizon(records) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
