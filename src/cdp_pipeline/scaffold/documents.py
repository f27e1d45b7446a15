"""Read a pipeline file of the ancestor: its shapes become one.

    pipelines: {NAME: {source, processors, consumers}}      legacy
    pipeline: {name, source, processors, consumers}         in its examples only
    source, processors, consumers                           in its examples only
    source, process, save_to                                v2

The last but two were never loaded by the ancestor itself; people have them all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from cdp_pipeline.config.document import Document
from cdp_pipeline.config.locations import KeyPath
from cdp_pipeline.errors import ConfigError
from cdp_pipeline.scaffold.ancestor import ALIASES
from cdp_pipeline.scaffold.short_forms import short_component, short_source


@dataclass(frozen=True, slots=True)
class OldComponent:
    """A source, processor or consumer of the ancestor's.

    Attributes:
        kind: `source`, `processor` or `consumer`.
        type: Its type, an alias resolved; empty where nothing tells it.
        at: Where the file names it.
        config: Its options.
        places: Where the options stand that do not stand below `at`.
    """

    kind: str
    type: str
    at: KeyPath
    config: Mapping[str, Any]
    places: Mapping[str, KeyPath] = field(default_factory=dict)

    def place(self, option: str) -> KeyPath:
        """Return where an option stands."""
        return self.places.get(option, self.at)


@dataclass(frozen=True, slots=True)
class OldPipeline:
    """One pipeline of the ancestor's."""

    name: str
    at: KeyPath
    source: OldComponent | None
    processors: tuple[OldComponent, ...] = ()
    consumers: tuple[OldComponent, ...] = ()


def old_pipelines(document: Document) -> list[OldPipeline]:
    """Return every pipeline of a file of the ancestor's, in its order.

    Raises:
        ConfigError: `config.format_unknown`: it is not one.
    """
    data, stem = document.data, PurePath(document.locations.file).stem
    if isinstance(data.get("pipelines"), dict) and data["pipelines"]:
        return [
            _sections(name, body if isinstance(body, dict) else {}, ("pipelines", name))
            for name, body in data["pipelines"].items()
        ]
    if isinstance(data.get("pipeline"), dict):
        body = data["pipeline"]
        return [_sections(str(body.get("name") or stem), body, ("pipeline",))]
    if "process" in data or "save_to" in data:
        return [_short(str(data.get("name") or stem), data)]
    if "source" in data and ("processors" in data or "consumers" in data):
        return [_sections(str(data.get("name") or stem), data, ())]
    raise _unknown(document)


def _unknown(document: Document) -> ConfigError:
    is_ours = isinstance(document.data.get("pipeline"), list)
    return ConfigError(
        "the file is a pipeline of this version already"
        if is_ours
        else "the file is no pipeline of the ancestor's: expected `pipelines:`, or `source:` with "
        "`process:` and `save_to:`",
        code="config.format_unknown",
        where=document.locations.where(()),
        hint="`flowctl validate` checks it" if is_ours else "docs/guides/migrating.md shows both",
    )


def _sections(name: str, body: Mapping[str, Any], at: KeyPath) -> OldPipeline:
    return OldPipeline(
        name,
        at,
        next(_components("source", body, at, ("source",)), None),
        tuple(_components("processor", body, at, ("processors", "processor"))),
        tuple(_components("consumer", body, at, ("consumers", "consumer"))),
    )


def _components(
    kind: str, body: Mapping[str, Any], at: KeyPath, keys: tuple[str, ...]
) -> Iterator[OldComponent]:
    """Yield what stands under one of *keys*: a mapping, or a list of them."""
    for key in keys:
        value = body.get(key)
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield _component(kind, item, (*at, key, index))
        elif value is not None:
            yield _component(kind, value, (*at, key))


def _component(kind: str, item: Any, at: KeyPath) -> OldComponent:
    body = item if isinstance(item, dict) else {"type": item}
    written = str(body.get("type") or "")
    given = body.get("config")
    config = given if isinstance(given, dict) else {"config": given} if given else {}
    is_wrong = not isinstance(given, dict)
    places = {option: (*at, "config", *(() if is_wrong else (option,))) for option in config}
    named = (*at, "type") if "type" in body and isinstance(item, dict) else at
    return OldComponent(kind, ALIASES[kind].get(written, written), named, config, places)


def _short(name: str, data: Mapping[str, Any]) -> OldPipeline:
    """Return the pipeline of a v2 file, whose components may be a word, an address or a mapping."""
    source = data.get("source")
    return OldPipeline(
        name,
        (),
        None if source is None else _of_short("source", source, ("source",)),
        tuple(_listed("processor", data.get("process"), ("process",))),
        tuple(_listed("consumer", data.get("save_to"), ("save_to",))),
    )


def _listed(kind: str, value: Any, at: KeyPath) -> Iterator[OldComponent]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _listed(kind, item, (*at, index))
    elif isinstance(value, dict) and value and not value.keys() - ALIASES[kind].keys():
        for key in value:
            yield _of_short(kind, {key: value[key]}, at)
    elif value is not None:
        yield _of_short(kind, value, at)


def _of_short(kind: str, item: Any, at: KeyPath) -> OldComponent:
    if isinstance(item, dict) and "type" in item and isinstance(item.get("config"), dict):
        return _component(kind, item, at)
    read = short_source(item) if kind == "source" else short_component(kind, item)
    places = {option: (*at, *inside) for option, inside in read.places.items()}
    return OldComponent(kind, read.type, (*at, *read.named), read.config, places)
