"""Look at the components of a pipeline file that is not well formed, as far as it can be read.

A misspelt key must not hide an unknown type: who mends one fault wants to know of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cdp_pipeline.config.component import check_component
from cdp_pipeline.config.document import read_document
from cdp_pipeline.config.environment import FilledDocument, fill_document
from cdp_pipeline.config.faults import ConfigErrors, faults_of, in_file_order
from cdp_pipeline.config.locations import KeyPath
from cdp_pipeline.errors import CdpError, ConfigError
from cdp_pipeline.host.catalog import Catalog


def with_component_faults(
    error: ConfigError, file: Path, environ: Mapping[str, str], catalog: Catalog | None = None
) -> ConfigError:
    """Return *error*, which loading *file* gave, together with what its components have wrong."""
    try:
        document = fill_document(read_document(file), environ)
    except ConfigError:
        return error
    more = component_faults(document, catalog or Catalog())
    faults = in_file_order([*faults_of(error), *more])
    return faults[0] if len(faults) == 1 else ConfigErrors(faults, where=str(file))


def component_faults(document: FilledDocument, catalog: Catalog) -> Iterator[ConfigError]:
    """Yield what is wrong with the installed components that *document* names."""
    stages = document.at(("pipeline",))
    paths: list[KeyPath] = [("source",)]
    paths += [("pipeline", index) for index in range(len(stages) if _is_list(stages) else 0)]
    for path in paths:
        value = document.at(path)
        is_short = isinstance(value, str)
        type_name = value if is_short else document.at((*path, "type"))
        if isinstance(type_name, str) and type_name:
            where = document.locations.where(path if is_short else (*path, "type"))
            yield from _faults(document, path, type_name, where, catalog)


def _faults(
    document: FilledDocument, path: KeyPath, type_name: str, where: str, catalog: Catalog
) -> Iterator[ConfigError]:
    if type_name not in catalog:
        unknown = catalog.unknown(type_name)
        unknown.where = where
        yield unknown
        return
    try:
        schema = catalog.metadata(type_name).config_schema
        if schema:
            check_component(document, ((*path, "config"),), schema)
    except ConfigError as error:
        yield from faults_of(error)
    except CdpError:
        return


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
