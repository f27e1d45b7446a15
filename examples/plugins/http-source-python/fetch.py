"""Get a page, or say what the host is to do about what came instead."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from page import shown
from settings import Settings

from cdpplugin import Fatal, Retry

MOST_BYTES = 64 * 1024 * 1024
"""Size of the largest page that is read."""


async def fetch(client: httpx.AsyncClient, settings: Settings, cursor: str) -> tuple[bytes, str]:
    """Return the page after *cursor* as it came, and its content type.

    Raises:
        Retry: The server is away or busy; it is asked again when it wants to be.
        Fatal: The server refuses.
    """
    url = httpx.URL(settings.url).copy_merge_params(settings.query(cursor))
    try:
        async with asyncio.timeout(settings.timeout), client.stream("GET", url) as response:
            body = await _body(response, settings)
    except TimeoutError:
        raise _away(f"no page within {settings.timeout:g} s", settings) from None
    except httpx.RequestError as error:
        raise _away(str(error) or type(error).__name__, settings) from None
    content_type = response.headers.get("content-type", "")
    status = f"{settings.place} answered {response.status_code} {response.reason_phrase}"
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
        after_s = retry_after_s(response.headers.get("retry-after", ""), datetime.now(UTC))
        raise Retry(status, after_s=after_s, code="http_source.busy")
    if response.status_code != httpx.codes.OK:
        text = f"{status}: {shown(body, content_type)}"
        raise Fatal(text, code="http_source.refused", hint="correct `url` and `headers`")
    return body, content_type


async def _body(response: httpx.Response, settings: Settings) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MOST_BYTES:
            raise Fatal(
                f"{settings.place}: a page is larger than {MOST_BYTES} bytes",
                code="http_source.page_too_large",
                hint="set a lower `limit`",
            )
    return bytes(body)


def _away(why: str, settings: Settings) -> Retry:
    return Retry(
        f"{settings.place}: {why}",
        code="http_source.server_away",
        hint="see that the server can be reached, and that the pipeline grants `network`",
    )


def retry_after_s(header: str, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` asks for, a number or a date; None for no such."""
    if header.strip().isdecimal():
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (date.astimezone(UTC) - now).total_seconds())
