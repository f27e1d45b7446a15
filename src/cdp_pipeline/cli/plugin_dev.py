"""`flowctl plugin dev`: rebuild and reload a plugin after each save, and try it again."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cdp_pipeline.cli.plugin import Grant, ShowLogs, show_logs
from cdp_pipeline.cli.settings import SettingsFile
from cdp_pipeline.cli.trying import (
    Config,
    InputFile,
    LedgerFiles,
    MessageType,
    Network,
    Plugin,
    find,
    inputs_of,
)
from cdp_pipeline.errors import UsageError
from cdp_pipeline.observability.text import printable

if TYPE_CHECKING:
    from cdp_pipeline.artifacts.manifest import Manifest
    from cdp_pipeline.config import HostSettings
    from cdp_pipeline.testing.inputs import Inputs
    from cdp_pipeline.testing.rounds import Outcome
    from cdp_pipeline.testing.session import Renewed, Session
    from cdp_pipeline.testing.solo import Solo

_MANIFESTS = (".yaml", ".yml")
_MOST_NAMES = 5


def dev(
    plugin: Plugin,
    input_file: InputFile = None,
    ledger: LedgerFiles = None,
    type_: MessageType = "",
    config: Config = "",
    network: Network = "",
    grant: Grant = False,
    logs: ShowLogs = False,
    settings: SettingsFile = None,
) -> None:
    """Watch a plugin's folder: rebuild it after each save, reload it, and try it again.

    Each round shows what comes out, what is different from the round before, and how long build
    and reload took. Without `--input` or `--ledger` the messages are the cases of its
    `self-test.yaml`, which are judged, else those of its `conformance.yaml`. A build that fails
    is shown, and the version before goes on. Ctrl-C ends it.

    Example: `flowctl plugin dev examples/plugins/enrich-go`
    """
    from cdp_pipeline.cli.interrupting import run_until_signal
    from cdp_pipeline.cli.settings import host_settings
    from cdp_pipeline.cli.standard_output import reserved_stdout

    if str(input_file) == "-":
        raise UsageError(
            "expected a file for `--input`, which is read again each round, got standard input",
            code="usage.input_missing",
            hint="write the messages into a file",
        )
    show_logs(logs=logs)
    host = host_settings(settings)
    inputs = inputs_of(str(input_file or ""), type_, ledger, network)

    async def found() -> Solo:
        return await find(plugin, host, config=config, network=network, grant=grant)

    from cdp_pipeline.testing.session import Session

    session = Session(found, lambda reference: _say(f"building {reference} ..."))
    with reserved_stdout():
        run_until_signal(_Rounds(plugin, session, inputs, host).run())


class _Rounds:
    """One run of `flowctl plugin dev`."""

    def __init__(
        self, plugin: str, session: Session, inputs: Inputs, settings: HostSettings
    ) -> None:
        self._session = session
        self._inputs = inputs
        self._settings = settings
        named = _files_of(plugin, settings)
        self._manifest = _manifest_at(named)
        self._place = named.parent if named.suffix in _MANIFESTS else named
        self._folder = self._place if self._place.is_dir() else self._place.parent
        self._before: Sequence[Outcome] | None = None

    async def run(self) -> None:
        """Try the plugin now and after each save, until cancelled."""
        from cdp_pipeline.manager.watching import changes
        from cdp_pipeline.testing.saves import Saves

        place = self._place
        files = [Path(self._inputs.path)] if self._inputs.path else [*self._inputs.ledgers]
        saves = await asyncio.to_thread(Saves, [place, *files], self._manifest)
        try:
            await self._renew()
            await asyncio.to_thread(saves.settle)
            _say(f"\nwatching {place}; Ctrl-C ends")
            places = {str(path): path for path in (place, *files)}
            debounce_s = self._settings.reload_debounce
            async for _ in changes(places, debounce_s, at_once=True):
                if saved := await asyncio.to_thread(saves.news):
                    await self._heed(saved, {str(path.absolute()) for path in files})
                    await asyncio.to_thread(saves.settle)
                elif saves.passed_over:
                    _say(_passed_over(saves.passed_over, self._folder))
        finally:
            await self._session.stop()

    async def _heed(self, saved: Sequence[str], inputs: set[str]) -> None:
        """Try the plugin again after files were saved; only code makes it another one."""
        from cdp_pipeline.artifacts.self_test import FILE_NAME as CASES
        from cdp_pipeline.testing.sample import FILE_NAME as SAMPLES

        _say(f"\nsaved: {_names(saved, self._folder)}")
        no_code = inputs | {str((self._folder / name).absolute()) for name in (CASES, SAMPLES)}
        if set(saved) <= no_code and self._session.handle is not None:
            await self._round()
        else:
            await self._renew()

    async def _renew(self) -> None:
        """Build, reload, and try; whatever fails is shown, and the next save is waited for."""
        from cdp_pipeline.cli.report import as_host_error, error_text
        from cdp_pipeline.errors import CdpError
        from cdpplugin import PluginError

        session = self._session
        is_first = session.solo is None
        try:
            renewed = await session.renew()
        except (CdpError, PluginError) as error:
            if is_first and getattr(error, "code", "") in _HOPELESS:
                raise
            _say(error_text(as_host_error(error)))
            runs = session.handle is not None
            _say("the version before goes on" if runs else "nothing runs; save to try again")
            return
        _say(_renewal_line(session, renewed))
        if renewed.has_switched:
            await self._round()

    async def _round(self) -> None:
        from cdp_pipeline.cli.report import as_host_error, error_text
        from cdp_pipeline.cli.round_text import difference_lines, outcome_lines
        from cdp_pipeline.errors import CdpError
        from cdpplugin import PluginError

        try:
            outcomes = await self._outcomes()
        except (CdpError, PluginError) as error:
            if self._before is None and getattr(error, "code", "") in _HOPELESS:
                raise
            _say(error_text(as_host_error(error)))
            return
        assert self._session.solo is not None
        for line in outcome_lines(outcomes, self._session.solo.component.secrets.masked):
            _say(line)
        if self._before is not None:
            for line in difference_lines(self._before, outcomes):
                _say(line)
        self._before = outcomes

    async def _outcomes(self) -> list[Outcome]:
        """Return what comes of each message; those before an input's fault are shown."""
        from cdp_pipeline.testing.asking import Asking
        from cdp_pipeline.testing.rounds import given_by, source_round

        handle, solo = self._session.handle, self._session.solo
        assert solo is not None
        kind = handle.metadata().type
        if kind == "source":
            if self._inputs.path or self._inputs.ledgers:
                self._inputs.read(handle.metadata())  # says that there can be none
            return await source_round(handle, solo.name)
        words, given = given_by(self._inputs, self._folder)
        asking = Asking(handle, solo.name)
        outcomes = [outcome async for outcome in given(handle, asking)]
        if kind == "consumer":
            await asking.flush()
            outcomes = [replace(outcome, outputs=()) for outcome in outcomes]
            _say(f"  {asking.acknowledged} of {len(outcomes)} messages of {words} acknowledged")
        return outcomes


_HOPELESS = frozenset(
    {
        "plugin.not_found",
        "usage.input_missing",
        "usage.no_input",
        "usage.no_ledgers",
        "config.unknown_key",
        "config.missing_key",
        "config.value_invalid",
    }
)
"""Codes of what no save in the plugin's folder mends, at the start."""


def _files_of(plugin: str, settings: HostSettings) -> Path:
    """Return the plugin's folder, manifest or file.

    Raises:
        UsageError: usage.no_files; it has none on this machine.
        ArtifactError: plugin.not_found.
    """
    from cdp_pipeline.testing.solo import place_of

    found = place_of(plugin, settings)
    if found is None:
        raise UsageError(
            f"expected a plugin with files of its own, `{plugin}` has none here",
            code="usage.no_files",
            hint="name its folder or its file",
        )
    return found


def _manifest_at(place: Path) -> Manifest | None:
    """Return the manifest, if there is one; its faults are shown when it is used."""
    from cdp_pipeline.artifacts.manifest import ManifestInvalid, load_manifest

    if not place.is_dir() and place.suffix not in _MANIFESTS:
        return None
    try:
        return load_manifest(place)
    except ManifestInvalid:
        return None


def _names(saved: Sequence[str], folder: Path) -> str:
    names = sorted(os.path.relpath(name, folder.absolute()) for name in saved)
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _passed_over(names: Sequence[str], folder: Path) -> str:
    return f"not tried again for {_names(names, folder)}: each round changes it; save it once more"


def _renewal_line(session: Session, renewed: Renewed) -> str:
    from cdp_pipeline.cli.plugin_running import report_lines

    reference = session.handle.metadata().reference
    built = "" if renewed.build_s is None else f"built in {renewed.build_s:.2f} s, "
    report = renewed.report
    if report is None:
        return f"{reference}: {built}started in {renewed.start_s:.2f} s"
    if report.outcome == "switched":
        return f"{reference}: {built}reloaded in {renewed.start_s:.2f} s"
    return "\n".join(report_lines(report.as_json()))


def _say(text: str) -> None:
    sys.stdout.buffer.write(f"{printable(text)}\n".encode())
    sys.stdout.buffer.flush()
