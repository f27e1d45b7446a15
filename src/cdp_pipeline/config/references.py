"""Check what a schema cannot: names used twice, plugins not listed, networks unknown.

Works on plain data of any shape, so that these faults are reported beside all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdp_pipeline.config.environment import FilledDocument
from cdp_pipeline.config.locations import KeyPath, dotted
from cdp_pipeline.config.pipeline import NETWORKS
from cdp_pipeline.config.suggest import hint_of, nearest, unknown_name
from cdp_pipeline.errors import ConfigError

_PASSPHRASE = "passphrase:"  # noqa: S105  a network's passphrase is public
_SAME = {"mainnet": "pubnet", "public": "pubnet", "local": "standalone"}


def reference_faults(document: FilledDocument) -> Iterator[ConfigError]:
    """Yield the faults of names in the pipeline file *document*."""
    yield from _duplicates(document, "plugins", "plugin")
    yield from _duplicates(document, "pipeline", "stage")
    yield from _unlisted_plugins(document)
    yield from _network(document)


def _duplicates(document: FilledDocument, key: str, kind: str) -> Iterator[ConfigError]:
    first: dict[str, KeyPath] = {}
    for path, entry in _entries(document, key):
        name = entry.get("name")
        if not isinstance(name, str):
            continue
        if name in first:
            earlier = document.locations.where((*first[name], "name"))
            yield ConfigError(
                f"{kind} name `{_shown(document, (*path, 'name'), name)}` is taken, "
                f"first at {earlier}",
                code="config.duplicate_name",
                where=document.locations.where((*path, "name")),
                hint=f"give this {kind} another name",
            )
        first.setdefault(name, path)


def _unlisted_plugins(document: FilledDocument) -> Iterator[ConfigError]:
    listed = [
        entry["name"]
        for _, entry in _entries(document, "plugins")
        if isinstance(entry.get("name"), str)
    ]
    users = [*_entries(document, "pipeline"), *_source(document)]
    for path, entry in users:
        name = entry.get("plugin")
        if isinstance(name, str) and name and name not in listed:
            at = (*path, "plugin")
            shown = _shown(document, at, name)
            fault = unknown_name("plugin", shown, listed, document.locations.where(at))
            fault.hint = fault.hint if nearest(shown, listed) else _list_it(name, shown, listed)
            if at not in document.unknown:
                yield fault


def _list_it(name: str, shown: str, listed: list[str]) -> str:
    known = hint_of(name, listed)
    return f"add `{shown}` to `plugins`" + (f"; {known}" if known else "")


def _network(document: FilledDocument) -> Iterator[ConfigError]:
    network, inner = document.at(("network",)), document.at(("source", "config", "network"))
    if not isinstance(network, str) or not network or ("network",) in document.unknown:
        return
    if not _is_network(network):
        yield unknown_name(
            "network",
            _shown(document, ("network",), network),
            NETWORKS,
            document.locations.where(("network",)),
        )
    elif isinstance(inner, str) and inner and _plain(inner) != _plain(network):
        at: KeyPath = ("source", "config", "network")
        yield ConfigError(
            f"`{dotted(at)}`: expected the network `{_shown(document, ('network',), network)}` "
            f"of the pipeline, got `{_shown(document, at, inner)}`",
            code="config.value_invalid",
            where=document.locations.where(at),
            hint="keep one of the two",
        )


def _is_network(text: str) -> bool:
    words = text.strip()
    return (
        words.lower() in NETWORKS
        or " " in words
        or (text.startswith(_PASSPHRASE) and len(text) > len(_PASSPHRASE))
    )


def _plain(network: str) -> str:
    name = network.strip().lower()
    return _SAME.get(name, name) if name in NETWORKS else network


def _entries(document: FilledDocument, key: str) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    listed = document.at((key,))
    for index, entry in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(entry, dict):
            yield (key, index), entry


def _source(document: FilledDocument) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    source = document.at(("source",))
    if isinstance(source, dict):
        yield ("source",), source


def _shown(document: FilledDocument, path: KeyPath, text: str) -> str:
    shown: str = document.secrets.masked(text, path)
    return shown
