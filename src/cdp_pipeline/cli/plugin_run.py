"""`flowctl plugin run`: try a plugin on messages, a line of JSON each, in and out."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp_pipeline.cli.plugin import Grant, ShowLogs, show_logs
from cdp_pipeline.cli.settings import SettingsFile
from cdp_pipeline.cli.trying import (
    Config,
    InputFile,
    LedgerFiles,
    MessageType,
    Network,
    Plugin,
    failure_of,
    find,
    inputs_of,
)
from cdp_pipeline.errors import ExitCode, UsageError
from cdp_pipeline.observability.text import printable

if TYPE_CHECKING:
    from cdp_pipeline.testing.asking import Answer, Asking
    from cdp_pipeline.testing.inputs import Inputs
    from cdp_pipeline.testing.solo import Solo
    from cdpplugin import Batch


def run(
    plugin: Plugin,
    input_file: InputFile = None,
    ledger: LedgerFiles = None,
    type_: MessageType = "",
    config: Config = "",
    limit: Annotated[
        int | None,
        typer.Option(
            help="End after so many messages: those that a source gives, or those put in.",
            min=1,
            show_default=False,
        ),
    ] = None,
    network: Network = "",
    grant: Grant = False,
    logs: ShowLogs = False,
    settings: SettingsFile = None,
) -> None:
    """Try a plugin on messages: lines of JSON from standard input or a file, or real ledgers.

    What comes out is printed a line each as it comes, and can be piped into the next `flowctl
    plugin run`; drops, errors and counts go to stderr. A source takes no input. Exit code 1: a
    message failed.

    Example: `flowctl plugin run examples/plugins/large_payments.py --input payments.jsonl`
    """
    from cdp_pipeline.cli.interrupting import run_until_signal
    from cdp_pipeline.cli.settings import host_settings
    from cdp_pipeline.cli.standard_output import reserved_stdout

    show_logs(logs=logs)
    host = host_settings(settings)
    inputs = inputs_of(str(input_file or ""), type_, ledger, network)

    async def attempt() -> None:
        solo = await find(plugin, host, config=config, network=network, grant=grant)
        await _Trial(solo, inputs, limit, tally).run()

    tally = _Tally()
    try:
        with reserved_stdout():
            number = run_until_signal(attempt())
    except Exception:
        if tally.read:
            tally.show()
        raise
    tally.show()
    if tally.failed:
        raise typer.Exit(ExitCode.FAILED)
    if number and tally.kind != "source":
        raise typer.Exit(128 + number)


@dataclass(slots=True)
class _Tally:
    """What has been done so far."""

    reference: str = ""
    kind: str = ""
    read: int = 0
    outputs: int = 0
    failed: int = 0
    asking: Asking | None = None
    dropped: Counter[str] = field(default_factory=Counter)
    passed_by: Counter[str] = field(default_factory=Counter)

    def show(self) -> None:
        """Print the counts, if there was a plugin to count for."""
        if self.reference:
            typer.echo(printable(f"{self.reference}: {', '.join(self._counts())}"), err=True)

    def _counts(self) -> Sequence[str]:
        if self.kind == "source":
            return [f"{self.read:,} messages"]
        done = f"{self.outputs:,} outputs"
        if self.kind == "consumer" and self.asking is not None:
            done = f"{self.asking.acknowledged:,} acknowledged"
        dropped = f"{self.dropped.total():,} dropped{_listed(self.dropped)}"
        counts = [f"{self.read:,} read", done, dropped, f"{self.failed:,} failed"]
        if self.passed_by:
            counts.append(f"{self.passed_by.total():,} passed by{_listed(self.passed_by)}")
        return counts


def _listed(counts: Counter[str]) -> str:
    said = [f"{name}: {count:,}" for name, count in counts.items() if name]
    return f" ({', '.join(said)})" if said else ""


class _Trial:
    """One run of `flowctl plugin run`."""

    def __init__(self, solo: Solo, inputs: Inputs, limit: int | None, tally: _Tally) -> None:
        self._solo = solo
        self._inputs = inputs
        self._limit = limit
        self._tally = tally

    async def run(self) -> None:
        """Send the messages through, or read the source."""
        solo, tally = self._solo, self._tally
        if not solo.is_built:
            typer.echo(f"building {solo.component.reference} ...", err=True)
            await solo.build()
        async with solo.started() as handle:
            metadata = handle.metadata()
            tally.reference, tally.kind = metadata.reference, metadata.type
            if metadata.type == "source":
                await self._read(handle)
            else:
                await self._feed(handle)

    async def _read(self, source: Any) -> None:
        from cdp_pipeline.engine.identity import SourceIds
        from cdp_pipeline.host.assembly import fault
        from cdp_pipeline.testing.asking import singles
        from cdpplugin.function import as_plugin_error

        if self._inputs.path or self._inputs.ledgers:
            self._inputs.read(source.metadata())  # says that there can be none
        ids = SourceIds(self._solo.name)
        try:
            async with aclosing(source.read(None)) as batches:
                async for read in batches:
                    for single in singles(ids.of(read.batch, read.positions)):
                        _print(single)
                        self._tally.read += 1
                        if self._has_enough:
                            return
                    if read.mark is not None:
                        await source.acknowledge(read.mark)
        except BrokenPipeError:
            raise
        except Exception as error:
            raise fault(self._solo.component, as_plugin_error(error), "go on") from error

    @property
    def _has_enough(self) -> bool:
        return self._limit is not None and self._tally.read >= self._limit

    async def _feed(self, handle: Any) -> None:
        from cdp_pipeline.host.assembly import fault
        from cdp_pipeline.testing.asking import Asking
        from cdpplugin.function import as_plugin_error

        asking = self._tally.asking = Asking(handle, self._solo.name)
        try:
            async with aclosing(self._messages(handle)) as messages:
                async for message in messages:
                    answer = await self._answer(asking, message)
                    if answer is None or self._has_enough:
                        return
        finally:
            if self._tally.kind == "consumer":
                try:
                    await asking.flush()
                except Exception as error:
                    told = as_plugin_error(error)
                    raise fault(self._solo.component, told, "make durable") from error

    def _messages(self, handle: Any) -> Any:
        inputs = self._inputs
        if not inputs.path and not inputs.ledgers:
            from dataclasses import replace

            inputs = replace(inputs, path="-")
            if sys.stdin is None:
                raise UsageError(
                    "expected messages on standard input, which is closed",
                    code="usage.input_missing",
                    hint="add `--input FILE` or `--ledger FILE`",
                )
            if sys.stdin.isatty():
                typer.echo("reading messages from the terminal, a line each; Ctrl-D ends", err=True)
        return inputs.read(handle.metadata())

    async def _answer(self, asking: Asking, message: Batch | Answer) -> Answer | None:
        """Ask, and show what is answered; None where nothing more may be asked."""
        from cdp_pipeline.testing.asking import Answer
        from cdpplugin import Fatal

        answer = message if isinstance(message, Answer) else await asking.ask(message)
        self._tally.read += 1
        self._show(answer)
        return None if isinstance(answer.failure, Fatal) else answer

    def _show(self, answer: Answer) -> None:
        from cdp_pipeline.cli.report import print_error

        tally = self._tally
        if answer.failure is not None:
            tally.failed += 1
            print_error(failure_of(answer, tally.reference, self._solo.component.secrets.masked))
        elif answer.is_dropped:
            reason = ", ".join(answer.reasons)
            tally.dropped[reason] += 1
            said = f"dropped: message `{answer.id}`{': ' if reason else ''}{reason}"
            typer.echo(printable(said), err=True)
        if answer.has_passed_by:
            tally.passed_by[answer.type] += 1
        elif tally.kind != "consumer":
            tally.outputs += len(answer.outputs)
        if tally.kind != "consumer":
            for single in answer.outputs:
                _print(single)


def _print(single: Batch) -> None:
    """Print a message as one line of JSON, at once."""
    from cdp_pipeline.connectors.consumers.json_lines import json_lines

    sys.stdout.buffer.write(b"".join(json_lines(single, "message")))
    sys.stdout.buffer.flush()
