"""Every relative link of every Markdown file leads somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs._pages import anchors, links, markdown_files


@pytest.mark.parametrize("file", markdown_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_relative_links_name_what_exists(file: Path) -> None:
    """Files and folders exist inside the repository; an anchor is a heading there."""
    for link in links(file):
        if "://" in link or link.startswith("mailto:"):
            continue
        place, _, anchor = link.partition("#")
        target = (file.parent / place).resolve() if place else file

        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link
