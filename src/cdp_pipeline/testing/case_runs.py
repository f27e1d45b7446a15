"""Run cases through real plugins: a pipeline with or without a source, or one plugin by itself.

async for result in run_file(Path("test-pipeline.yaml"), os.environ):
print(result.name, result.mismatches)
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdp_pipeline.artifacts.cases import Case, CaseAnswer
from cdp_pipeline.artifacts.self_test import SCRATCH
from cdp_pipeline.config.settings import HostSettings
from cdp_pipeline.host import assembly
from cdp_pipeline.host.catalog import Catalog
from cdp_pipeline.host.components import Component, Resolver
from cdp_pipeline.host.plugins import Plugins
from cdp_pipeline.manager.manager import PluginManager
from cdp_pipeline.manager.settings import ManagerSettings
from cdp_pipeline.testing.asking import Answer, Asking, singles
from cdp_pipeline.testing.cases import CasesFile, load_cases, skipped_names
from cdpplugin import Batch, PluginError, views
from cdpplugin.function import as_plugin_error

_MOST_READ = 100_000
"""Messages of a source that one case may read."""


class _TooMany(PluginError):
    """A source gives more than a case can hold."""

    code = "test.endless_source"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """How a case went.

    Attributes:
        file: The file that it stands in.
        name: Its name.
        mismatches: How what came out differs from what was expected, each a text of one or
            more lines; empty where it passed.
        skipped: Why it was not tried; else empty.
        elapsed_s: Seconds that it took.
        has_timed_out: Whether it did not end in time.
    """

    file: str
    name: str
    mismatches: Sequence[str] = field(default=())
    skipped: str = ""
    elapsed_s: float = 0.0
    has_timed_out: bool = False

    @property
    def has_failed(self) -> bool:
        """Whether something else came out than was expected."""
        return bool(self.mismatches)

    @property
    def has_passed(self) -> bool:
        """Whether it was tried, and came out as expected."""
        return not self.mismatches and not self.skipped


async def run_file(
    file: Path,
    environ: Mapping[str, str],
    settings: HostSettings | None = None,
    *,
    only: str = "",
    skips_fail: bool = False,
) -> AsyncIterator[CaseResult]:
    """Run the cases in *file*, and yield how each went.

    Args:
        file: The file.
        environ: Environment variables; where one is missing that it requires, all is skipped.
        settings: The host's settings.
        only: Run the cases whose name holds this.
        skips_fail: Whether a case that is skipped is one that failed.

    Raises:
        CdpError: It has faults, or a plugin cannot be found, loaded, configured or started.
    """
    names, reason = skipped_names(file, environ)
    for name in names:
        if only in name and skips_fail:
            yield CaseResult(file=str(file), name=name, mismatches=[f"was skipped: {reason}"])
        elif only in name:
            yield CaseResult(file=str(file), name=name, skipped=reason)
    if names:
        return
    with _scratch(file, environ) as (scratch, filled):
        config = load_cases(file, filled)
        chosen = tuple(case for case in config.test_cases if only in case.name)
        config = config.model_copy(update={"test_cases": chosen})
        async for result in run_cases(config, file, filled, settings, scratch):
            yield result


@contextmanager
def _scratch(
    file: Path, environ: Mapping[str, str]
) -> Iterator[tuple[Path | None, Mapping[str, str]]]:
    """Give a folder for the cases in *file*, if they name one, and the variables with it."""
    if f"${{{SCRATCH}}}" not in file.read_text("utf-8"):
        yield None, environ
        return
    with tempfile.TemporaryDirectory(prefix="cdp-scratch-") as folder:
        yield Path(folder), {**environ, SCRATCH: folder}


async def run_cases(
    config: CasesFile,
    file: Path,
    environ: Mapping[str, str],
    settings: HostSettings | None = None,
    scratch: Path | None = None,
) -> AsyncIterator[CaseResult]:
    """Run the cases of *config*, and yield how each went.

    Plugins are started once; where one has a state, a source is read or a consumer writes,
    each case has plugins of its own. They are started anew after a case that did not end in time.

    Raises:
        CdpError: A plugin cannot be found, loaded, configured or started.
    """
    resolver = Resolver(config, Plugins(Catalog(), environ, settings, scratch), environ)
    stages = [resolver.resolve(stage) for stage in config.stages]
    source = [resolver.source()] if config.has_source else []
    cases = list(config.test_cases)
    while cases:
        reads = cases[0].input is None
        components: list[Component] = [*source, *stages] if reads else stages
        manager = PluginManager(ManagerSettings())
        async with assembly.started(config, components, manager) as (_, handles):
            together = 1 if reads or _work_alone(handles) else _without_source(cases)
            for case in cases[:together]:
                result = await _result(case, handles, str(file))
                cases.pop(0)
                yield result
                if result.has_timed_out:  # what hangs would make the next ones fail, too
                    break


def _work_alone(handles: Sequence[Any]) -> bool:
    """Tell whether one case may leave something behind for the next."""
    said = [handle.metadata() for handle in handles]
    return any(each.stateful or each.type == "consumer" for each in said)


def _without_source(cases: Sequence[Case]) -> int:
    """Return how many cases there are before the first that reads the source."""
    return next((n for n, case in enumerate(cases) if case.input is None), len(cases))


async def _result(case: Case, handles: Sequence[Any], file: str) -> CaseResult:
    begun_s = time.monotonic()
    has_timed_out = False
    try:
        async with asyncio.timeout(case.timeout):
            mismatches = list(case.mismatches(await _answer(case, handles)))
    except TimeoutError:
        has_timed_out = True
        mismatches = [f"expected an end within {case.timeout:g} s"]
        if case.input is None:
            mismatches[0] += "; `take` says how many messages are read"
    elapsed_s = round(time.monotonic() - begun_s, 4)
    return CaseResult(
        file=file,
        name=case.name,
        mismatches=mismatches,
        elapsed_s=elapsed_s,
        has_timed_out=has_timed_out,
    )


async def _answer(case: Case, handles: Sequence[Any]) -> CaseAnswer:
    """Send messages through all stages, one by one and in order."""
    answer = CaseAnswer()
    if case.input is None:
        source, *handles = handles
        flowing = await _read(source, case.take, answer)
    else:
        flowing = singles(case.inputs())
    for handle in handles:
        is_consumer = handle.metadata().type == "consumer"
        through = _consumed if is_consumer else _processed
        flowing = await through(handle, flowing, answer)
    answer.messages = [message for single in flowing for message in views(single)]
    return answer


async def _read(source: Any, take: int | None, answer: CaseAnswer) -> list[Batch]:
    """Return what *source* gives, a batch a message; its error goes to *answer*."""
    read: list[Batch] = []
    try:
        async with aclosing(source.read(None)) as stream:
            async for found in stream:
                for single in singles(found.batch):
                    if len(read) == _MOST_READ:
                        raise _TooMany(f"the source gives more than {_MOST_READ:,} messages")
                    read.append(single)
                    if len(read) == take:
                        return read
    except Exception as error:
        answer.errors.append(as_plugin_error(error))
    return read


async def _processed(handle: Any, flowing: Sequence[Batch], answer: CaseAnswer) -> list[Batch]:
    """Return what a processor makes of messages; its errors go to *answer*."""
    answers = await _asked(Asking(handle, ""), flowing, answer)
    return [single for each in answers for single in each.outputs]


async def _consumed(handle: Any, flowing: Sequence[Batch], answer: CaseAnswer) -> list[Batch]:
    """Return the messages that a consumer accepts and makes durable."""
    asking = Asking(handle, "")
    failed = len(answer.errors)
    answers = await _asked(asking, flowing, answer)
    answer.left_out += sum(each.has_passed_by or each.is_dropped for each in answers)
    taken = [single for each in answers if not each.has_passed_by for single in each.outputs]
    if len(answer.errors) > failed:  # what made it fail may be in it still
        return taken
    try:
        await asking.flush()
    except Exception as error:
        answer.errors.append(as_plugin_error(error))
        return []
    return taken


async def _asked(asking: Asking, flowing: Sequence[Batch], answer: CaseAnswer) -> Sequence[Answer]:
    answers = [await asking.ask(single) for single in flowing]
    answer.errors += [each.failure for each in answers if each.failure is not None]
    return answers
