"""`flowctl plugin`: build a plugin, ask it what it is, try whether it keeps the contract.

The commands on plugins of a running pipeline are in `plugin_list` and `plugin_running`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat
from cdp_pipeline.cli.components import setting_lines
from cdp_pipeline.cli.connection import (
    ConnectionOptions,
    Tls,
    TlsCa,
    TlsCertificate,
    TlsKey,
    TlsServerName,
    TokenEnv,
)
from cdp_pipeline.errors import ExitCode
from cdp_pipeline.observability.text import printable

if TYPE_CHECKING:
    from cdp_pipeline.artifacts.manifest import Manifest
    from cdp_pipeline.runtimes.grpc.remote import RemoteTerms
    from cdp_pipeline.testing.inspection import Inspection
    from cdp_pipeline.testing.launchers import Launchers, Target
    from cdpplugin.testing import Report, Result, Subject

app = typer.Typer(
    help="Build, inspect and try plugins; list, reload and read those of a running pipeline.",
    no_args_is_help=True,
)

Plugin = Annotated[
    str,
    typer.Argument(
        help="Its folder, its manifest, a Python file (FILE.py or FILE.py:NAME), or HOST:PORT.",
        metavar="PLUGIN",
        show_default=False,
    ),
]
ShowLogs = Annotated[bool, typer.Option("--logs", help="Show what the plugin prints.")]

Grant = Annotated[
    bool,
    typer.Option("--grant", help="Give it what its manifest asks for under `permissions`."),
]

_MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}


@app.command()
def build(
    plugin: Annotated[
        str,
        typer.Argument(help="Its folder or its manifest.", metavar="DIR", show_default=False),
    ],
    output: Output = OutputFormat.TEXT,
) -> None:
    """Build a plugin: run its manifest's `build`, make its own Python environment.

    Example: `flowctl plugin build examples/plugins/enrich-go`
    """
    from cdp_pipeline.observability.logs import configure_logs
    from cdp_pipeline.testing.launchers import ManifestTarget

    configure_logs()
    target, launchers = _target(plugin), _launchers(logs=True)
    buildable = isinstance(target, ManifestTarget) and (
        target.manifest.build or launchers.builder.environment_of(target.manifest)
    )
    reference = target.manifest.metadata().reference if isinstance(target, ManifestTarget) else ""
    if isinstance(target, ManifestTarget) and buildable:
        asyncio.run(launchers.builder.build(target.manifest))
    if output is OutputFormat.JSON:
        built = {"plugin": plugin, "reference": reference, "built": bool(buildable)}
        typer.echo(json.dumps(built, indent=2))
        return
    typer.echo(f"{plugin}: built {reference}" if buildable else f"{plugin}: nothing to build")


@app.command()
def inspect(
    plugin: Plugin,
    logs: ShowLogs = False,
    grant: Grant = False,
    output: Output = OutputFormat.TEXT,
    tls: Tls = False,
    tls_ca: TlsCa = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    tls_server_name: TlsServerName = None,
    token_env: TokenEnv = None,
) -> None:
    """Show what a plugin says of itself: metadata, protocol, features, schemas.

    Example: `flowctl plugin inspect examples/plugins/fraud-detector`
    """
    from cdp_pipeline.testing.inspection import inspect as ask

    show_logs(logs=logs)
    options = ConnectionOptions(tls, tls_ca, tls_certificate, tls_key, tls_server_name, token_env)
    target, launchers = _reached(plugin, options, logs=logs, grants=grant)

    async def look() -> Inspection:
        await _built(target, launchers)
        return await ask(target, launchers)

    found = asyncio.run(look())
    if output is OutputFormat.JSON:
        typer.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
        return
    for line in _inspection_lines(found):
        typer.echo(printable(line))


def _inspection_lines(found: Inspection) -> Iterator[str]:
    metadata = found.metadata
    yield f"{metadata.reference} ({metadata.type}, {found.runtime})"
    if metadata.description:
        yield metadata.description
    yield ""
    for key, value in _facts(found).items():
        if value:
            yield f"{key + ':':<12} {value}"
    yield "\nconfig:"
    yield from setting_lines(metadata.config_schema)
    for name, schema in metadata.output_schema.items():
        yield f"\noutput `{name}`:"
        yield from setting_lines(schema)
    for difference in found.differences:
        yield f"\nnote: {difference}"


def _facts(found: Inspection) -> Mapping[str, str]:
    metadata, protocol = found.metadata, found.protocol
    gives = ", ".join(metadata.output_types) or "what it takes"
    health = "grpc.health.v1" if found.serves_health else ""
    return {
        "author": metadata.author,
        "license": metadata.license,
        "takes": ", ".join(metadata.input_types) or "anything",
        "gives": "" if metadata.type == "consumer" else gives,
        "payloads": metadata.input_encoding,
        "stateful": "yes" if metadata.stateful else "",
        "protocol": "" if protocol is None else str(protocol),
        "sdk": found.sdk,
        "features": ", ".join([*found.features, *([health] if health else [])]),
        "memory": _memory(metadata.resources),
    }


def _memory(resources: Any) -> str:
    least, most = resources.min_memory_mb, resources.max_memory_mb
    words = [f"at least {least} MiB"] if least else []
    return ", ".join([*words, *([f"at most {most} MiB"] if most else [])])


@app.command()
def conformance(
    plugin: Plugin,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Samples: `config` and `messages`; without it `conformance.yaml` of its folder.",
            show_default=False,
        ),
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option(help="Only this case, or group of cases.", show_default=False),
    ] = None,
    logs: ShowLogs = False,
    grant: Grant = False,
    output: Output = OutputFormat.TEXT,
    tls: Tls = False,
    tls_ca: TlsCa = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    tls_server_name: TlsServerName = None,
    token_env: TokenEnv = None,
) -> None:
    """Try a plugin on every rule of the contract; exit code 1 where it breaks one.

    Example: `flowctl plugin conformance examples/plugins/enrich-go`
    """
    from cdp_pipeline.testing.sample import load_sample

    show_logs(logs=logs)
    sample = load_sample(config) if config else None
    options = ConnectionOptions(tls, tls_ca, tls_certificate, tls_key, tls_server_name, token_env)
    target, launchers = _reached(plugin, options, logs=logs, grants=grant)

    async def attempt() -> Report:
        await _built(target, launchers)
        subject = await launchers.subject(target, sample)
        return await _tried(subject, case or [], live=output is OutputFormat.TEXT)

    report = asyncio.run(attempt())
    if output is OutputFormat.JSON:
        typer.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        typer.echo(_verdict(report))
    if not report.conforms:
        raise typer.Exit(ExitCode.FAILED)


async def _tried(subject: Subject, names: Sequence[str], *, live: bool) -> Report:
    """Run the suite.

    Raises:
        UsageError: A name is that of no case for such a plugin.
    """
    from cdp_pipeline.errors import UsageError
    from cdpplugin import testing

    try:
        return await testing.run(subject, names=names, on_result=_show if live else lambda _: None)
    except testing.UnknownCase as error:
        hint = "leave `--case` out to see the names of all cases"
        raise UsageError(str(error), code="usage.unknown_case", hint=hint) from error


def _show(result: Result) -> None:
    """Print a case as it ends: its name, how it ended, how long it took, and why."""
    typer.echo(f"{_MARKS[result.outcome]:<8} {result.case:<32} {result.seconds:>7.2f} s")
    if result.outcome == "failed":
        typer.echo(f"         rule: {result.rule}")
    for line in [*result.reason.splitlines(), *(f"note: {note}" for note in result.notes)]:
        typer.echo(printable(f"         {line}"))


def _verdict(report: Report) -> str:
    counts = [f"{len(report.of(outcome))} {outcome}" for outcome in ("passed", "failed", "skipped")]
    what = f"{report.plugin}, conformance {report.version}"
    return f"\n{what}: {', '.join(counts)}, {report.seconds:.1f} s"


def show_logs(*, logs: bool) -> None:
    """Show what the plugin prints, or errors alone."""
    from cdp_pipeline.observability.logs import configure_logs

    configure_logs(level="debug" if logs else "error")


def _target(plugin: str) -> Target:
    from cdp_pipeline.testing.launchers import target_of

    return target_of(plugin)


def _reached(
    plugin: str, options: ConnectionOptions, *, logs: bool, grants: bool
) -> tuple[Target, Launchers]:
    """Return the plugin, and what launches or reaches it.

    Raises:
        UsageError: It runs on this machine, and there are options for a connection.
    """
    from cdp_pipeline.testing.launchers import AddressTarget, ManifestTarget

    target = _target(plugin)
    has_address = isinstance(target, ManifestTarget) and target.manifest.address
    if not has_address and not isinstance(target, AddressTarget):
        options.require_address(plugin)
        if isinstance(target, ManifestTarget) and not grants:
            say_what_is_withheld(target.manifest)
        return target, _launchers(logs=logs, grants=grants)
    return target, _launchers(logs=logs, remote=options.terms(os.environ))


def say_what_is_withheld(manifest: Manifest) -> None:
    """Tell what a plugin asks for and is not given."""
    asked = manifest.permissions
    names = [*asked.env, *(grant.path for grant in asked.files)]
    if names:
        typer.echo(f"note: it asks for {', '.join(names)}; --grant gives it that", err=True)


def _launchers(*, logs: bool, remote: RemoteTerms | None = None, grants: bool = False) -> Launchers:
    from cdp_pipeline.config.paths import cache_folder
    from cdp_pipeline.testing.launchers import Launchers, Silent

    log_of = None if logs else lambda _: Silent()
    return Launchers(os.environ, cache_folder(os.environ), log_of, remote, grants=grants)


async def _built(target: Target, launchers: Launchers) -> None:
    """Build a local plugin that is not built, and say so."""
    from cdp_pipeline.testing.launchers import ManifestTarget

    if isinstance(target, ManifestTarget) and not launchers.builder.is_built(target.manifest):
        reference = target.manifest.metadata().reference
        typer.echo(f"building {reference} ... (--logs shows what that prints)", err=True)
        await launchers.builder.ensure(target.manifest)
