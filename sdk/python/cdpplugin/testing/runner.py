"""Run the conformance cases on a plugin, one after another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator

from cdpplugin.errors import PluginError
from cdpplugin.testing.bench import Bench, Subject
from cdpplugin.testing.case import Case, Failed, Skipped, all_cases
from cdpplugin.testing.report import Outcome, Report, Result

Observer = Callable[[Result], None]


class UnknownCase(ValueError):
    """A name is that of no case and no group of cases for such a plugin."""


async def run(
    subject: Subject, *, names: Collection[str] = (), on_result: Observer = lambda _: None
) -> Report:
    """Try *subject*; a case that fails costs no other.

    Args:
        subject: What is tried.
        names: Only these cases, or groups of them; empty means all.
        on_result: Called when a case has ended.

    Raises:
        UnknownCase: A name is that of no case for such a plugin.
        Exception: The plugin cannot be launched at all.
    """
    async with subject.launch() as handle:
        bench = Bench(subject, handle.metadata())
    chosen = cases_for(bench, names)
    results: list[Result] = []
    try:
        for each in chosen:
            results.append(await _tried(each, bench))
            on_result(results[-1])
    finally:
        await bench.discard()
    return Report(subject.name, bench.metadata.reference, bench.metadata.type, results)


def cases_for(bench: Bench, names: Collection[str] = ()) -> list[Case]:
    """Return the cases that hold for the plugin on *bench*.

    Raises:
        UnknownCase: One of *names* is that of no such case and no such group.
    """
    kind = bench.metadata.type
    fitting = [
        each
        for each in all_cases()
        if kind in each.kinds and (bench.is_reference or not each.reference)
    ]
    for name in names:
        if not any(_is_called(each, name) for each in fitting):
            raise UnknownCase(f"no case for such a {kind} is called `{name}`")
    return [each for each in fitting if not names or any(_is_called(each, n) for n in names)]


def _is_called(case: Case, name: str) -> bool:
    return case.name == name or case.name.startswith(name + ".")


async def _tried(case: Case, bench: Bench) -> Result:
    bench.notes = []
    started = time.monotonic()
    outcome, reason = await _outcome(case, bench)
    seconds = time.monotonic() - started
    if outcome == "failed":
        await bench.discard()
    return Result(case.name, case.rule, outcome, seconds, reason, bench.notes)


async def _outcome(case: Case, bench: Bench) -> tuple[Outcome, str]:
    bound_s = bench.subject.bound_s
    try:
        async with asyncio.timeout(bound_s) as bound:
            await case.check(bench)
    except Skipped as skipped:
        return "skipped", str(skipped)
    except Failed as failed:
        return "failed", str(failed)
    except TimeoutError as error:
        return "failed", f"no end within {bound_s:g} s" if bound.expired() else _told(error)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return "failed", "a call ended as cancelled, which nobody had cancelled"
    except Exception as error:
        return "failed", _told(error)
    return "passed", ""


def _told(error: Exception) -> str:
    return "; caused by ".join(_chain(error))


def _chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        code = f" [{error.code}]" if isinstance(error, PluginError) else ""
        yield f"{type(error).__name__}{code}: {error}"
        error = error.__cause__
