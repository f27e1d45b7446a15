"""Load a pipeline file: read, fill in the environment, check, resolve names and paths."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from cdp_pipeline.config.building import build, without_empty_keys
from cdp_pipeline.config.document import Document, parse_document, read_document
from cdp_pipeline.config.environment import FilledDocument, fill_document
from cdp_pipeline.config.limits import FileGrant, Permissions
from cdp_pipeline.config.locations import KeyPath
from cdp_pipeline.config.paths import resolve_path, resolve_plugin_path, state_folder
from cdp_pipeline.config.pipeline import DeadLetterConfig, PipelineConfig, PluginConfig
from cdp_pipeline.config.references import reference_faults
from cdp_pipeline.config.stage import ComponentConfig, StageConfig
from cdp_pipeline.config.tls import TLS_PATHS, TlsConfig

DEAD_LETTERS = "dead-letters.jsonl"
_DEPTH = 3


P = TypeVar("P", bound=PipelineConfig)


def load_pipeline(path: Path | str, environ: Mapping[str, str] = os.environ) -> PipelineConfig:
    """Return the pipeline file at *path*; nothing but that file is touched.

    Raises:
        ConfigError: It cannot be used; `faults_of` gives each fault with its place.
    """
    return load_pipeline_as(PipelineConfig, path, environ)


def load_pipeline_as(model: type[P], path: Path | str, environ: Mapping[str, str]) -> P:
    """Return a file that says more than a pipeline, or less, as a *model* of it.

    Raises:
        ConfigError: It cannot be used; `faults_of` gives each fault with its place.
    """
    return _load(model, read_document(path), environ)


def parse_pipeline(
    text: str | bytes, file: Path | str, environ: Mapping[str, str] = os.environ
) -> PipelineConfig:
    """Return the pipeline written in *text*, as if it stood in *file*.

    Raises:
        ConfigError: It cannot be used; `faults_of` gives each fault with its place.
    """
    return _load(PipelineConfig, parse_document(text, str(file)), environ)


def _load(model: type[P], document: Document, environ: Mapping[str, str]) -> P:
    filled = fill_document(document, environ)
    filled = replace(filled, data=without_empty_keys(filled.data, _DEPTH))
    pipeline, settled = build(model, filled, reference_faults(filled))
    complete = _complete(pipeline, settled, environ)
    complete._document = settled
    return complete


def _complete(pipeline: P, document: FilledDocument, environ: Mapping[str, str]) -> P:
    """Return *pipeline* with everything filled in that a file may leave out."""
    source, *stages = _named([pipeline.source, *pipeline.stages])
    update: dict[str, Any] = {
        "network": pipeline.network or _network_of_source(pipeline),
        "plugins": tuple(
            _resolved(plugin, document, ("plugins", index), environ)
            for index, plugin in enumerate(pipeline.plugins)
        ),
        "source": source,
        "stages": tuple(_batched(stage, pipeline) for stage in stages),
        "dead_letter": _dead_letter(pipeline, document, environ),
    }
    return pipeline.model_copy(update=update)


def _named(components: list[ComponentConfig]) -> list[ComponentConfig]:
    """Return *components* with unique names; those that are given stay as they are."""
    taken = {component.name for component in components if component.name}
    named = []
    for component in components:
        name = component.name or _free(component.component, taken)
        taken.add(name)
        named.append(component.model_copy(update={"name": name}))
    return named


def _free(name: str, taken: set[str]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _batched(stage: ComponentConfig, pipeline: PipelineConfig) -> ComponentConfig:
    if not isinstance(stage, StageConfig):
        return stage
    return stage.model_copy(update={"batch": stage.batch.over(pipeline.batch)})


def _network_of_source(pipeline: PipelineConfig) -> str:
    network = pipeline.source.config.get("network", "")
    return network if isinstance(network, str) else ""


def _resolved(
    plugin: PluginConfig, document: FilledDocument, at: KeyPath, environ: Mapping[str, str]
) -> PluginConfig:
    path = resolve_plugin_path(plugin.path, document.folder_of((*at, "path")), environ)
    permissions = _granted(plugin.permissions, document.folder_of(()), environ)
    tls = _certified(plugin.tls, document, (*at, "tls"), environ)
    return plugin.model_copy(update={"path": path, "permissions": permissions, "tls": tls})


def _certified(
    tls: TlsConfig | None, document: FilledDocument, at: KeyPath, environ: Mapping[str, str]
) -> TlsConfig | None:
    if tls is None:
        return None
    files = {
        name: resolve_path(getattr(tls, name), document.folder_of((*at, name)), environ)
        for name in TLS_PATHS
    }
    return tls.model_copy(update=files)


def _granted(grants: Permissions, folder: Path, environ: Mapping[str, str]) -> Permissions:
    files = tuple(
        FileGrant(path=resolve_path(grant.path, folder, environ), mode=grant.mode)
        for grant in grants.files
    )
    return grants.model_copy(update={"files": files})


def _dead_letter(
    pipeline: PipelineConfig, document: FilledDocument, environ: Mapping[str, str]
) -> DeadLetterConfig:
    folder = document.folder_of(("dead_letter", "path"))
    path = resolve_path(pipeline.dead_letter.path, folder, environ)
    return DeadLetterConfig(path=path or str(state_folder(pipeline.name, environ) / DEAD_LETTERS))
