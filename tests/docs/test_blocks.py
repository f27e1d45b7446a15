"""No code block in docs/ is left without a test.

Each page with blocks is listed here, with the handler of each block in order. A page that is not
listed has a test module of its own, `tests/docs/test_*.py`, which names it or its folder by path.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs._handling import (
    Handlers,
    by,
    commands,
    drawing,
    go_file,
    manifest,
    pipeline,
    queries,
    scrape_config,
    session,
    valid_json,
)
from tests.docs._pages import Block, blocks, pages

_first, _state = by("test_first_pipeline"), by("test_state")
_errors, _migrating = by("test_errors_and_retries"), by("test_migrating")
_operating, _testing = by("test_operating"), by("test_testing")
HANDLERS: Handlers = {
    "index.md": [_first, _first],
    "first-pipeline.md": [_first, _first, _first, pipeline],
    "concepts.md": [drawing],
    "guides/choosing-a-runtime.md": [pipeline],
    "guides/errors-and-retries.md": [_errors, pipeline, valid_json, _errors, pipeline, pipeline],
    "guides/hot-reload.md": [by("test_hot_reload")],
    "guides/limits.md": [pipeline, commands, manifest],
    "guides/migrating.md": [
        *[_migrating] * 4,
        go_file,
        go_file,
        *[_migrating] * 2,
    ],
    "guides/operating.md": [*[_operating] * 6, scrape_config, queries],
    "guides/packaging.md": [
        manifest,
        manifest,
        commands,
        manifest,
        manifest,
        manifest,
        pipeline,
        pipeline,
    ],
    "guides/state.md": [_state, commands, _state],
    "guides/testing.md": [*[_testing] * 4, session, by("test_unit_tests")],
}
MODULES = {path: path.read_text() for path in Path(__file__).parent.glob("test_*.py")}


@pytest.mark.parametrize("page", [page for page in pages() if blocks(page)])
def test_every_block_has_a_test(page: str) -> None:
    """A page lists as many handlers as it has blocks, or a test module names it."""
    if page in HANDLERS:
        shown = "\n".join(f"{block} {block.language}" for block in blocks(page))
        assert len(blocks(page)) == len(HANDLERS[page]), f"list a handler for each of\n{shown}"
    else:
        names = (f"docs/{page}", f'"docs/{Path(page).parent}"')
        named = [path.name for path, text in MODULES.items() if any(n in text for n in names)]
        assert named, f"list docs/{page} in HANDLERS, or write tests/docs/test_... for it"


@pytest.mark.parametrize(
    ("block", "number"),
    [(block, number) for page in HANDLERS for number, block in enumerate(blocks(page))],
    ids=str,
)
def test_blocks_hold(block: Block, number: int, tmp_path: Path) -> None:
    """Each block does what its handler asks of it."""
    HANDLERS[block.page][number](block, tmp_path)
