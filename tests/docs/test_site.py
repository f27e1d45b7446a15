"""The documentation site builds, is whole, and needs nobody else."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT
from tests.docs._pages import DOCS, pages

_LOADED = re.compile(r"<(?:link|script|img|iframe|source|video)\b[^>]*?(?:href|src)=\"([^\"]*)\"")
_REPOSITORY = "https://github.com/withObsrvr/cdp-pipeline-workflow"
ELSEWHERE = ("ARCHITECTURE", "RATIONALE", "CHANGELOG", "SECURITY", "spec/handshake")
SDKS = tuple(f"sdk/{name}/README" for name in ("python", "go", "node", "rust", "c"))


def test_every_page_is_there(site: Path) -> None:
    """Pages of docs/, the SDKs' READMEs, the specifications and the project's own pages."""
    for page in pages():
        assert (site / "docs" / page).with_suffix(".html").is_file(), page
    for page in (*ELSEWHERE, *SDKS):
        assert (site / f"{page}.html").is_file(), page
    assert "docs/index.html" in (site / "index.html").read_text()


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """No page and no style sheet asks another host for anything."""
    for page in site.rglob("*.html"):
        loaded = _LOADED.findall(page.read_text())
        assert [] == [each for each in loaded if "//" in each], page
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import )[\"']?(https?:)?//", style.read_text()), style


def test_links_that_leave_the_pages_lead_to_the_repository(site: Path) -> None:
    """A link to an example is one to the code host, and such a file or folder exists."""
    page = (site / "docs/guides/migrating.html").read_text()
    assert f'href="{_REPOSITORY}/tree/main/examples/plugins/enrich-go"' in page

    for page in site.rglob("*.html"):
        for kind, place in re.findall(
            rf"{_REPOSITORY}/(tree|blob)/main/([^\"#]+)", page.read_text()
        ):
            assert (ROOT / place).is_dir() == (kind == "tree"), (page, place)
            assert (ROOT / place).exists(), (page, place)


def test_search_works_offline(site: Path) -> None:
    """The index of words lies beside the pages, and knows the pages."""
    index = (site / "searchindex.js").read_text()

    assert "docs/concepts" in index
    assert "quarantin" in index


def test_links_between_pages_are_relative(site: Path) -> None:
    """A page can be opened from a disk: nothing begins at the root of a server."""
    for page in site.rglob("*.html"):
        assert not re.search(r"(href|src)=\"/", page.read_text()), page


def test_tutorials_are_taken_as_they_come(site: Path) -> None:
    """The index of tutorials lists every page that lies beside it."""
    index = (site / "docs/tutorials/index.html").read_text()
    for page in (DOCS / "tutorials").glob("*.md"):
        if page.stem != "index":
            assert f'href="{page.stem}.html"' in index, page.stem
