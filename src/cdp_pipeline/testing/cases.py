"""Run cases through real plugins: a pipeline without a source, or one plugin by itself.

config = load_cases("test-pipeline.yaml", os.environ)
async for result in run_cases(config, os.environ):
print(result.name, result.mismatches)
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from cdp_pipeline.artifacts.cases import FILE_NAME, Case, CaseAnswer, cases_beside
from cdp_pipeline.artifacts.manifest import FILE_NAME as MANIFEST_NAME
from cdp_pipeline.artifacts.manifest import load_manifest
from cdp_pipeline.config.load import load_pipeline_as
from cdp_pipeline.config.pipeline import PipelineConfig, PluginConfig
from cdp_pipeline.config.settings import HostSettings
from cdp_pipeline.config.stage import SourceConfig, StageConfig
from cdp_pipeline.errors import ConfigError, UsageError
from cdp_pipeline.host import assembly
from cdp_pipeline.host.catalog import Catalog
from cdp_pipeline.host.components import Resolver
from cdp_pipeline.host.plugins import Plugins
from cdp_pipeline.manager.manager import PluginManager
from cdp_pipeline.manager.settings import ManagerSettings
from cdpplugin import Batch, Delivery, Drop, views
from cdpplugin.function import as_plugin_error

NAMES = ("test-*.yaml", "*-test.yaml", "*.test.yaml")
"""How files of cases are called; and `self-test.yaml` in the folder of a plugin."""


class CasesFile(PipelineConfig):
    """A pipeline without a source, and what must come out of it for what goes in."""

    model_config = ConfigDict(
        title="CDP pipeline test", json_schema_extra={"patternProperties": {"^x-": {}}}
    )

    name: str = Field(default="test", description="Name of the pipeline, for its plugins.")
    source: SourceConfig = Field(
        default=SourceConfig(type="cases"), description="Not used: cases are what is read."
    )
    test_cases: tuple[Case, ...] = Field(default=(), description="The cases, in order.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """How a case went.

    Attributes:
        file: The file that it stands in.
        name: Its name.
        mismatches: How what came out differs from what was expected; empty where it passed.
        elapsed_s: Seconds that it took.
    """

    file: str
    name: str
    mismatches: Sequence[str] = field(default=())
    elapsed_s: float = 0.0

    @property
    def has_passed(self) -> bool:
        """Whether it came out as expected."""
        return not self.mismatches


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
        ConfigError: It has faults.
        ManifestInvalid: The manifest beside it has faults.
    """
    if file.name != FILE_NAME:
        return load_pipeline_as(CasesFile, file, environ)
    folder = file.parent
    name = load_manifest(folder).name
    return CasesFile.model_validate(
        {
            "plugins": (PluginConfig(name=name, path=str(folder.absolute())),),
            "pipeline": (StageConfig(plugin=name, name=name),),
            "test_cases": cases_beside(folder),
        }
    )


async def run_cases(
    config: CasesFile,
    file: Path,
    environ: Mapping[str, str],
    settings: HostSettings | None = None,
) -> AsyncIterator[CaseResult]:
    """Run the cases of *config*, and yield how each went.

    Plugins are started once; where one has a state, each case has plugins of its own.

    Raises:
        CdpError: A plugin cannot be found, loaded, configured or started.
    """
    resolver = Resolver(config, Plugins(Catalog(), environ, settings), environ)
    components = [resolver.resolve(stage) for stage in config.stages]
    cases = list(config.test_cases)
    while cases:
        manager = PluginManager(ManagerSettings())
        async with assembly.started(config, components, manager) as (_, handles):
            is_stateful = any(handle.metadata().stateful for handle in handles)
            batch, cases = (cases[:1], cases[1:]) if is_stateful else (cases, [])
            for case in batch:
                yield await _result(case, handles, str(file))


async def _result(case: Case, handles: Sequence[Any], file: str) -> CaseResult:
    begun_s = time.monotonic()
    answer = await _answer(case.inputs(), handles)
    mismatches = list(case.mismatches(answer))
    elapsed_s = round(time.monotonic() - begun_s, 4)
    return CaseResult(file=file, name=case.name, mismatches=mismatches, elapsed_s=elapsed_s)


async def _answer(batch: Batch, handles: Sequence[Any]) -> CaseAnswer:
    """Send messages through all stages, one by one and in order."""
    answer = CaseAnswer()
    flowing = [batch.slice(row, row + 1) for row in range(len(batch))]
    for handle in handles:
        after: list[Batch] = []
        for position, single in enumerate(flowing):
            takes = handle.metadata().input_types
            if takes and single.types[0] not in takes:
                after.append(single)
            else:
                after += await _asked(handle, single, position, answer)
        flowing = after
    answer.messages = [message for single in flowing for message in views(single)]
    return answer


async def _asked(handle: Any, single: Batch, position: int, answer: CaseAnswer) -> list[Batch]:
    """Return what one stage makes of one message; its errors go to *answer*."""
    try:
        if handle.metadata().type == "consumer":
            await handle.consume(Delivery(single, [position], position))
            return [single]
        outputs = await handle.process_batch(single)
    except Exception as error:
        failure = as_plugin_error(error)
        if not isinstance(failure, Drop):
            answer.errors.append(failure)
        return []
    answer.errors += [e for _, e in sorted(outputs.errors.items()) if not isinstance(e, Drop)]
    return [
        part.batch.slice(row, row + 1) for part in outputs.parts for row in range(len(part.batch))
    ]


def require_cases(config: CasesFile, file: Path) -> None:
    """Refuse a file without cases: it would pass without having tried anything.

    Raises:
        ConfigError: config.missing_key.
    """
    if not config.test_cases:
        raise ConfigError(
            "expected `test_cases`, got none",
            code="config.missing_key",
            where=str(file),
            hint="add a case: `{name: ..., input: {type: ..., payload: ...}, expect: ...}`",
        )
