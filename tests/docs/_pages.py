"""Markdown pages of the repository: their code blocks, links and headings."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

DOCS = ROOT / "docs"
_FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=fence)$", re.M | re.S
)
_NAME = re.compile(r"(?:#|//) (?P<name>[\w./-]+\.\w+)\b")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: The page, relative to `docs`.
        line: The line of its first fence, from 1.
        language: What stands behind the fence.
        text: What is in it.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def file(self) -> str:
        """The file it shows, named by a comment in its first line; else nothing."""
        named = _NAME.match(self.text)
        return named["name"] if named else ""

    def __str__(self) -> str:
        return f"docs/{self.page}:{self.line}"


def blocks(page: str) -> list[Block]:
    """Return the blocks of *page*, a path relative to `docs`, in their order."""
    text = (DOCS / page).read_text()
    return [
        Block(page, text.count("\n", 0, m.start()) + 1, m["language"].strip(), m["text"])
        for m in _FENCE.finditer(text)
    ]


def pages() -> list[str]:
    """Return every page below `docs`, relative to it."""
    return sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def markdown_files() -> list[Path]:
    """Return every Markdown file that git knows or would take in."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = (ROOT / name for name in listed.stdout.split("\0") if name)
    return sorted({file for file in files if file.is_file()})


def links(file: Path) -> Iterator[str]:
    """Yield the targets of a file's links, but for those in code."""
    text = _FENCE.sub("", file.read_text())
    text = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "code", text, flags=re.S)
    yield from re.findall(r"\]\(<?([^()\s>]+)>?\)", text)


def anchors(file: Path) -> set[str]:
    """Return the anchors that a code host gives the headings of *file*."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.*?)\s*$", _FENCE.sub("", file.read_text()), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = sum(1 for each in found if each == slug or re.fullmatch(rf"{slug}-\d+", each))
        found.add(f"{slug}-{number}" if number else slug)
    return found
