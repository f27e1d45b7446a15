"""The site in a browser: readable on a phone, by day and by night."""

from __future__ import annotations

import functools
import html
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests._flowctl import BOUND_S

HARNESS = Path(__file__).with_name("measure.html")
NAMES = ("chromium", "chromium-browser", "google-chrome")
LEAST_CONTRAST = 4.5
"""Of text and what is behind it: WCAG 2, level AA."""


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves the site, and beside it the page that measures."""

    def __init__(self, *args: Any, harness: bytes, **kwargs: Any) -> None:
        self._harness = harness
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        """Answer with the page that measures, or with a file of the site."""
        if self.path != "/measure":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self._harness)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def measured(site: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the browser found, by page."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH")
    found = [str(page.relative_to(site)) for page in sorted(site.rglob("*.html"))]
    listed = [f"/{page}" for page in found if page not in ("index.html", "genindex.html")]
    harness = HARNESS.read_text().replace("/*PAGES*/ []", json.dumps(listed)).encode()
    profile = tmp_path_factory.mktemp("browser")
    with served(site, harness) as address:
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        budget = f"--virtual-time-budget={int(BOUND_S) * 1000}"
        done = subprocess.run(
            [browser, *options, budget, "--dump-dom", f"{address}/measure"],
            capture_output=True,
            text=True,
            timeout=3 * BOUND_S,
            check=False,
            env={**os.environ, "HOME": str(profile)},
        )
    result = re.search(r'<pre id="result">(.+?)</pre>', done.stdout, re.DOTALL)
    assert result, done.stderr[-2000:]
    pages: dict[str, Any] = json.loads(html.unescape(result[1]))
    assert sorted(listed) == sorted(pages)
    return pages


@contextmanager
def served(site: Path, harness: bytes) -> Iterator[str]:
    handler = functools.partial(Server, directory=str(site), harness=harness)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_no_page_scrolls_sideways_on_a_phone(measured: dict[str, Any]) -> None:
    """At 390 px a page is as wide as the screen; wide tables and code scroll in their own box."""
    wide = {page: found for page, found in measured.items() if found["scrolls"] > found["width"]}

    assert {} == wide


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read(measured: dict[str, Any], theme: str) -> None:
    """Prose, links, code and tables stand out from what is behind them."""
    contrasts = {page: round(found["contrast"][theme], 2) for page, found in measured.items()}

    assert {} == {page: ratio for page, ratio in contrasts.items() if ratio < LEAST_CONTRAST}
