"""What components say of themselves stands well in lists."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

import pytest


@pytest.mark.parametrize(
    "entry", sorted(entry_points(group="cdp.plugins")), ids=lambda entry: entry.name
)
def test_description(entry: EntryPoint) -> None:
    """A description is one phrase that begins with a capital and has no full stop."""
    description = entry.load()().metadata().description

    assert description[:1].isupper()
    assert not description.endswith(".")
