"""By what each limit is held, in words: what a status shows, and what a run warns of."""

from __future__ import annotations

from collections.abc import Mapping

from cdp_pipeline.config.limits import Limits

NOT_ENFORCED = "not enforced"
NOT_CONFINED = "not confined"
DEADLINE = "deadline"
FILES = "file access"
"""What is asked whether a plugin is confined at all."""

Mechanisms = Mapping[str, str]
"""The name of a limit, or of what a plugin may reach, and what bounds it."""


def mechanisms(limits: Limits, held: Mechanisms, reach: Mechanisms) -> Mechanisms:
    """Return what holds each limit that is set, *held* says how, and what bounds the *reach*."""
    asked = [name for name, value in limits if value is not None]
    told = {name: held.get(name, NOT_ENFORCED) for name in asked}
    return ({"timeout": held["timeout"]} if "timeout" in held else {}) | told | dict(reach)


def unenforced(found: Mechanisms) -> list[str]:
    """Return the limits that nothing holds."""
    return [name for name, mechanism in found.items() if mechanism == NOT_ENFORCED]


def is_confined(found: Mechanisms) -> bool:
    """Tell whether a plugin reaches no files but those it may."""
    return found.get(FILES, NOT_CONFINED) != NOT_CONFINED


NO_SANDBOX: Mechanisms = {FILES: NOT_CONFINED, "TCP": NOT_CONFINED}
"""Of what is executed with all rights of its host, or of somebody else's."""
ELSEWHERE: Mechanisms = {"timeout": DEADLINE}
"""What holds of the limits of a plugin that somebody else runs."""
