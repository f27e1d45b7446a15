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
from cdp_pipeline.testing.asking import Asking, singles
from cdpplugin import views

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
            stages = [Asking(h, c.name) for h, c in zip(handles, components, strict=True)]
            for case in batch:
                yield await _result(case, stages, str(file))


async def _result(case: Case, stages: Sequence[Asking], file: str) -> CaseResult:
    begun_s = time.monotonic()
    mismatches = list(case.mismatches(await answer_to(case, stages)))
    elapsed_s = round(time.monotonic() - begun_s, 4)
    return CaseResult(file=file, name=case.name, mismatches=mismatches, elapsed_s=elapsed_s)


async def answer_to(case: Case, stages: Sequence[Asking]) -> CaseAnswer:
    """Send the messages of *case* through all stages, one by one and in order."""
    answer = CaseAnswer()
    flowing = singles(case.inputs())
    for stage in stages:
        answers = [await stage.ask(single) for single in flowing]
        answer.errors += [each.failure for each in answers if each.failure is not None]
        flowing = [single for each in answers for single in each.outputs]
    answer.messages = [message for single in flowing for message in views(single)]
    return answer


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
