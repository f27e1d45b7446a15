"""Files of cases: which there are, and what they say.

`test-*.yaml` and its like are pipelines, with or without a source; `self-test.yaml` is for the
plugin in whose folder it lies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from cdp_pipeline.artifacts.cases import Case
from cdp_pipeline.artifacts.manifest import FILE_NAME as MANIFEST_NAME
from cdp_pipeline.artifacts.manifest import load_manifest
from cdp_pipeline.artifacts.self_test import (
    FILE_NAME,
    REQUIRES_ENV,
    SelfTest,
    build_self_test,
    missing_variables,
)
from cdp_pipeline.config.document import read_document
from cdp_pipeline.config.environment import FilledDocument
from cdp_pipeline.config.load import load_pipeline_as
from cdp_pipeline.config.locations import KeyPath
from cdp_pipeline.config.model import ShortForm
from cdp_pipeline.config.pipeline import PipelineConfig, PluginConfig
from cdp_pipeline.config.stage import SourceConfig, StageConfig
from cdp_pipeline.errors import ConfigError, UsageError

NAMES = ("test-*.yaml", "*-test.yaml", "*.test.yaml")
"""How files of cases are called; and `self-test.yaml` in the folder of a plugin."""
_NO_SOURCE = SourceConfig(type="no source")


class CasesFile(PipelineConfig):
    """A pipeline, and what must come out of it for what goes in."""

    model_config = ConfigDict(
        title="CDP pipeline test", json_schema_extra={"patternProperties": {"^x-": {}}}
    )

    name: str = Field(default="test", description="Name of the pipeline, for its plugins.")
    source: SourceConfig = Field(
        default=_NO_SOURCE, description="What is read for cases without `input`."
    )
    stages: tuple[Annotated[StageConfig, ShortForm(lambda text: {"type": text})], ...] = Field(
        alias="pipeline",
        default=(),
        description="What happens to messages, in order; a bare name stands for its `type`.",
    )
    requires_env: tuple[str, ...] = REQUIRES_ENV
    test_cases: tuple[Case, ...] = Field(default=(), description="The cases, in order.")

    @property
    def has_source(self) -> bool:
        """Whether there is something to be read."""
        return self.source.type != _NO_SOURCE.type


def find_cases(paths: Iterable[Path]) -> list[Path]:
    """Return the files of cases that *paths* mean: files, and folders of files.

    Raises:
        UsageError: One of them does not exist, or none holds cases.
    """
    found: list[Path] = []
    asked = list(paths)
    for path in asked:
        if path.is_file():
            found.append(path)
        elif path.is_dir():
            names = (*NAMES, FILE_NAME)
            found += sorted({file for name in names for file in path.rglob(name) if _counts(file)})
        else:
            raise UsageError(f"expected a file or a folder at `{path}`, found none")
    if not found:
        raise UsageError(
            f"no cases found in {', '.join(f'`{path}`' for path in asked)}",
            code="test.none_found",
            hint=f"call them {', '.join(f'`{name}`' for name in NAMES)}, or `{FILE_NAME}` beside "
            f"a `{MANIFEST_NAME}`",
        )
    return found


def _counts(file: Path) -> bool:
    hidden = any(part.startswith(".") or part == "node_modules" for part in file.parts)
    return not hidden and (file.name != FILE_NAME or (file.parent / MANIFEST_NAME).is_file())


def load_cases(file: Path, environ: Mapping[str, str]) -> CasesFile:
    """Return the cases in *file*; those in `self-test.yaml` are for the plugin beside it.

    Raises:
        ConfigError: It has faults, or no cases: it would pass without having tried anything.
        ManifestInvalid: The manifest beside it has faults.
    """
    if file.name == FILE_NAME:
        self_test = build_self_test(read_document(file), environ)
        config = _of_plugin(file.parent, self_test)
    else:
        config = load_pipeline_as(CasesFile, file, environ)
    for fault in _faults(config, file):
        raise fault
    return config


def skipped_names(file: Path, environ: Mapping[str, str]) -> tuple[list[str], str]:
    """Return the names of the cases in *file* that cannot be tried here, and why: all, or none.

    Raises:
        ConfigError: It cannot be read.
    """
    document = read_document(file)
    missing = missing_variables(document, environ)
    if not missing:
        return [], ""
    listed = document.data.get("test_cases")
    cases = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    names = ", ".join(f"`{name}`" for name in missing)
    reason = f"{names} {'is' if len(missing) == 1 else 'are'} not set"
    return [str(case.get("name", "")) for case in cases], reason


def _of_plugin(folder: Path, self_test: SelfTest) -> CasesFile:
    manifest = load_manifest(folder)
    name, listed = manifest.name, dict[str, Any]()
    if manifest.type == "source":
        listed["source"] = SourceConfig(plugin=name, name=name)
    else:
        listed["pipeline"] = (StageConfig(plugin=name, name=name),)
    config = self_test.config or {}
    plugin = PluginConfig(name=name, path=str(folder.absolute()), config=config)
    file = CasesFile.model_validate(
        {"plugins": (plugin,), "test_cases": self_test.test_cases, **listed}
    )
    file._document = _moved(self_test.document)
    return file


def _moved(document: FilledDocument) -> FilledDocument:
    """Return a self-test as if its `config` stood where a pipeline has it."""

    def moved(path: KeyPath) -> KeyPath:
        return ("plugins", 0, *path) if path[:1] == ("config",) else path

    def all_moved(places: Mapping[KeyPath, Any]) -> dict[KeyPath, Any]:
        return {moved(path): value for path, value in places.items()}

    locations = replace(
        document.locations,
        values=all_moved(document.locations.values),
        keys=all_moved(document.locations.keys),
    )
    config = document.data.get("config") or {}
    return replace(
        document,
        data={**document.data, "plugins": [{"config": config}]},
        locations=locations,
        secrets=replace(document.secrets, variables=all_moved(document.secrets.variables)),
        readings=all_moved(document.readings),
        from_outside=frozenset(map(moved, document.from_outside)),
    )


def _faults(config: CasesFile, file: Path) -> Iterator[ConfigError]:
    if not config.test_cases:
        yield ConfigError(
            "expected `test_cases`, got none",
            code="config.missing_key",
            where=str(file),
            hint="add a case: `{name: ..., input: {type: ..., payload: ...}, expect: ...}`",
        )
    if not config.stages and not config.has_source:
        yield ConfigError(
            "expected `pipeline`, got neither stages nor a source",
            code="config.missing_key",
            where=str(file),
            hint="add what is to be tried: `pipeline: [{plugin: ...}]`, or a `source`",
        )
    for number, case in enumerate(config.test_cases):
        yield from _case_faults(config, case, number)


def _case_faults(config: CasesFile, case: Case, number: int) -> Iterator[ConfigError]:
    where = config.locations.where(("test_cases", number))
    if case.input is None and not config.has_source:
        yield ConfigError(
            f"case `{case.name}`: expected `input`, got none, and there is no source to be read",
            code="config.missing_key",
            where=where,
            hint="add `input: {type: ..., payload: ...}`, or give the file a `source`",
        )
    elif case.input is not None and not config.stages:
        yield ConfigError(
            f"case `{case.name}`: `input` is for a stage, got a source alone",
            code="config.value_invalid",
            where=where,
            hint="remove `input`: what the source reads is what comes out",
        )
    elif case.input is not None and case.take is not None:
        yield ConfigError(
            f"case `{case.name}`: `take` is for what a source reads, got `input` too",
            code="config.value_invalid",
            where=where,
            hint="keep one of the two",
        )
