"""Where this host may make control groups: version 2 where it has the controllers, else 1."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from cdp_pipeline.runtimes.confining.cgroups import PREFIX, WANTED, Controllers, write


@cache
def available() -> Controllers:
    """Return where this host may make groups; tried once, by making one."""
    own = _own_places()
    for version, places in ((2, _places_v2(own)), (1, _places_v1(own))):
        usable = {name: place for name, place in places.items() if _is_usable(place)}
        if any(name in usable for name in WANTED):
            return Controllers(version, usable)
    return Controllers()


def _own_places() -> Mapping[str, Path]:
    """Return the folders of this process's own groups, by controller; version 2 is ``""``.

    Source: proc(5), `/proc/PID/cgroup` and `/proc/PID/mountinfo`; cgroups(7).
    """
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    paths = {}
    for line in lines:
        _, names, path = line.split(":", 2)
        paths.update(dict.fromkeys(names.split(","), path))
    found: dict[str, Path] = {}
    for line in mounts:
        before, _, after = line.partition(" - ")
        root, point = before.split()[3:5]
        kind, _, options = after.split(maxsplit=2)
        for name in {"cgroup": options.split(","), "cgroup2": [""]}.get(kind, []):
            if name in paths and name not in found:
                found[name] = _beneath(point, root, paths[name])
    return found


def _beneath(point: str, root: str, path: str) -> Path:
    """Return where the group *path* is seen below a mount that shows *root* at *point*."""
    inner = os.path.relpath(path, root)
    place = Path(point) if inner.startswith("..") else Path(point, inner)
    return place if place.is_dir() else Path(point)


def _places_v1(own: Mapping[str, Path]) -> Mapping[str, Path]:
    return {name: own[name] for name in (*WANTED, "cpuacct") if name in own}


def _places_v2(own: Mapping[str, Path]) -> Mapping[str, Path]:
    """Return the place for groups beside or below this host's own.

    A group with processes hands no controllers down (the rule of no inner processes), but
    for the topmost; so it is most often the one above.
    """
    if "" not in own:
        return {}
    most: Mapping[str, Path] = {}
    for place in (own[""], own[""].parent):
        handed_down = _handed_down(place)
        if len(handed_down) > len(most):
            most = dict.fromkeys(handed_down, place)
    return most


def _handed_down(place: Path) -> list[str]:
    """Return the controllers that groups in *place* have, or can be given."""
    try:
        has = (place / "cgroup.controllers").read_text(encoding="ascii").split()
    except OSError:
        return []
    for name in set(WANTED) & set(has):
        with suppress(OSError):
            write(place / "cgroup.subtree_control", f"+{name}")
    try:
        given = (place / "cgroup.subtree_control").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [name for name in WANTED if name in given]


def _is_usable(place: Path) -> bool:
    probe = place / f"{PREFIX}probe-{secrets.token_hex(6)}"
    try:
        probe.mkdir()
    except OSError:
        return False
    try:
        # In version 2 who moves a process needs this right above both groups, too.
        return all(os.access(each / "cgroup.procs", os.W_OK) for each in (probe, place))
    finally:
        probe.rmdir()
