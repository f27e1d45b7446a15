"""The source against a server that pages as Horizon does: python -m unittest discover test"""

from __future__ import annotations

import http.server
import json
import sys
import threading
import unittest
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from fetch import retry_after_s
from page import records_of
from plugin import HttpSource
from settings import Settings

from cdpplugin import ConfigInvalid, Context, Fatal, PluginError, Resume, Retry, SourceBatch

LIMIT = 3
Answer = Callable[["Pages", dict[str, str]], tuple[int, dict[str, str], bytes]]


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers as its server was told to."""

    def do_GET(self) -> None:
        query = {name: given[0] for name, given in parse_qs(urlsplit(self.path).query).items()}
        status, headers, body = self.server.answer(self, query)  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        with suppress(ConnectionError):  # a client that waits no longer
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def horizon(records: int) -> Answer:
    """Answer with the records after the cursor, in pages."""

    def answer(_: Pages, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if (query["order"], query["limit"], query.get("asset")) != ("asc", str(LIMIT), "native"):
            return 400, {}, b"what?"
        first = int(query.get("cursor", 0)) + 1
        page = [
            {"paging_token": str(number), "amount": 9007199254740993}
            for number in range(first, min(records, first + LIMIT - 1) + 1)
        ]
        return 200, {}, json.dumps({"_embedded": {"records": page}}).encode()

    return answer


class SourceTest(unittest.IsolatedAsyncioTestCase):
    """Each test has a server of its own."""

    def serve(self, answer: Answer) -> str:
        """Start a server and return its address."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        server.answer = answer  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_address[1]}/payments?asset=native"

    async def source(self, url: str, **config: Any) -> HttpSource:
        """Return a started source."""
        source = HttpSource()
        given = {"url": url, "type": "payment", "limit": LIMIT, "follow": False, **config}
        await source.configure(given)
        await source.start(Context())
        return source

    async def read(self, source: HttpSource, after: Resume | None = None) -> list[SourceBatch]:
        """Return all that it gives."""
        async with aclosing(source.read(after)) as stream:
            return [batch async for batch in stream]

    async def failing(self, url: str, **config: Any) -> PluginError:
        """Return the error that reading ends with."""
        with self.assertRaises(PluginError) as caught:
            await self.read(await self.source(url, **config))
        return caught.exception

    async def test_reads(self) -> None:
        """All records come, in pages, each with its position, and whole numbers exact."""
        batches = await self.read(await self.source(self.serve(horizon(7))))
        ids = [each for batch in batches for each in batch.batch.ids]
        assert [f"payment:{number}" for number in range(1, 8)] == ids
        last = batches[-1]
        assert ([7], b"7 7") == (list(last.positions), last.token)
        expected = {"paging_token": "7", "amount": 9007199254740993}
        assert expected == last.batch.payloads.value(0)

    async def test_resumes(self) -> None:
        """A reading goes on behind the cursor of its token, and counts on."""
        source = await self.source(self.serve(horizon(7)))
        [batch] = await self.read(source, Resume(5, b"5 5"))
        assert ["payment:6", "payment:7"] == list(batch.batch.ids)
        assert [6, 7] == list(batch.positions)

    async def test_begins(self) -> None:
        """The first reading begins after the cursor that is configured."""
        [batch] = await self.read(await self.source(self.serve(horizon(7)), cursor="6"))
        assert (["payment:7"], [1]) == (list(batch.batch.ids), list(batch.positions))

    async def test_follows(self) -> None:
        """A source that follows asks again after an empty page, and gives what is new then."""
        asked = []

        def growing(page: Pages, query: dict[str, str]) -> Any:
            asked.append(query)
            return horizon(1 if len(asked) < 4 else 2)(page, query)

        source = await self.source(self.serve(growing), follow=True, poll_interval=0.001)
        async with aclosing(source.read(None)) as stream:
            found = [(await anext(stream)).positions[0] for _ in range(2)]
        assert [1, 2] == found

    async def test_retries(self) -> None:
        """A server that is busy is asked again when it wants to be; the health says so."""
        for status, header, after_s in ((429, "7", 7.0), (500, "", None), (503, "soon", None)):
            url = self.serve(lambda *_, s=status, h=header: (s, {"Retry-After": h}, b""))
            source = await self.source(url)
            with self.assertRaises(Retry) as caught:
                await self.read(source)
            assert after_s == caught.exception.after_s
            assert "degraded" == (await source.health()).status

    async def test_away(self) -> None:
        """A server that is away is asked again; the query is not shown."""
        error = await self.failing("http://127.0.0.1:1/?secret=1")
        assert isinstance(error, Retry)
        assert "http_source.server_away" == error.code
        assert "secret" not in str(error)

    async def test_redirects(self) -> None:
        """A server may redirect; `headers`, which may hold a key, go to no other server."""
        got: list[str | None] = []

        def answer(page: Pages, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
            got.append(page.headers["X-Api-Key"])
            return horizon(1)(page, query)

        other = self.serve(answer)
        url = self.serve(
            lambda page, _: (302, {"Location": other.partition("/payments")[0] + page.path}, b"")
        )
        await self.read(await self.source(url, headers={"X-Api-Key": "k"}))
        assert [None, None] == got
        here = self.serve(
            lambda page, query: (
                answer(page, query)
                if page.path.startswith("/there")
                else (302, {"Location": "/there?" + urlsplit(page.path).query}, b"")
            )
        )
        await self.read(await self.source(here, headers={"X-Api-Key": "k"}))
        assert ["k", "k"] == got[2:]

    async def test_endless_redirects(self) -> None:
        """A server that redirects in a circle, or whose gzip is none, is asked again."""
        for status, headers in ((302, {"Location": "/again"}), (200, {"Content-Encoding": "gzip"})):
            url = self.serve(lambda *_, s=status, h=headers: (s, h, b"no gzip"))
            error = await self.failing(url)
            assert isinstance(error, Retry)
            assert "http_source.server_away" == error.code

    async def test_timeout(self) -> None:
        """A page that does not come in time is tried again."""
        ended = threading.Event()
        self.addCleanup(ended.set)

        def never(*_: Any) -> Any:
            ended.wait(60)
            return 200, {}, b""

        error = await self.failing(self.serve(never), timeout=0.05)
        ended.set()
        assert isinstance(error, Retry)
        assert "no page within 0.05 s" in str(error)

    async def test_faults(self) -> None:
        """What cannot be used is an error that says what came."""
        for body, code in (
            (b"<!DOCTYPE html>", "not_json"),
            (b"", "not_json"),
            (b'{"error": "no"}', "records_missing"),
            (b'{"_embedded": {"records": {}}}', "records_missing"),
            (b'{"_embedded": {"records": [{"id": 1}]}}', "cursor_missing"),
            (b'{"_embedded": {"records": [{"paging_token": "9"}]}}', "cursor_stuck"),
        ):
            with self.subTest(body=body):
                url = self.serve(lambda *_, text=body: (200, {}, text))
                error = await self.failing(url, cursor="9")
                assert f"http_source.{code}" == error.code
                assert error.hint

    async def test_refused(self) -> None:
        """A server that refuses stops the stream."""
        error = await self.failing(self.serve(horizon(1)) + "x")
        assert isinstance(error, Fatal)
        assert "answered 400 Bad Request: `what?`" in str(error)

    async def test_configuration(self) -> None:
        """A configuration that cannot be used is refused, with what can be."""
        good = {"url": "http://x", "type": "T"}
        for config in (
            {},
            {**good, "url": "ftp://x"},
            {**good, "type": ""},
            {**good, "limit": 0},
            {**good, "pol_interval": 1},
        ):
            with self.subTest(config=config), self.assertRaises(ConfigInvalid) as caught:
                await HttpSource().configure(config)
            assert caught.exception.hint

    def test_paths(self) -> None:
        """Records may be anywhere, also a page that is a list, and a cursor may be a number."""
        settings = Settings("http://x", "T", records="", cursor_field="at.id")
        [record] = records_of(b'[{"at": {"id": 12345678901234567890}}]', "", settings)
        assert "12345678901234567890" == record.cursor

    def test_retry_after(self) -> None:
        """A date is as good as a number."""
        now = datetime(2026, 1, 1, tzinfo=UTC)
        assert 60.0 == retry_after_s("Thu, 01 Jan 2026 00:01:00 GMT", now)


if __name__ == "__main__":
    unittest.main()
