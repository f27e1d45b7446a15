"""`flowctl plugin new`: a complete, small project in the author's language."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat
from cdp_pipeline.cli.running import print_json

if TYPE_CHECKING:
    from cdp_pipeline.scaffold.new_plugin import NewPlugin


def new(
    name: Annotated[
        str, typer.Argument(help="Its name: lower case, with dashes.", metavar="NAME")
    ] = "",
    lang: Annotated[
        str, typer.Option("--lang", help="python, go, node, rust or c.", metavar="LANGUAGE")
    ] = "",
    kind: Annotated[
        str,
        typer.Option("--kind", help="processor (the default), source or consumer.", metavar="KIND"),
    ] = "",
    runtime: Annotated[
        str,
        typer.Option(
            "--runtime",
            help="grpc (a process of its own) or wasm (a sandbox); wasm for rust and c, else grpc.",
            metavar="RUNTIME",
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Its folder; by default the name.", show_default=False),
    ] = None,
    sdk: Annotated[
        Path | None,
        typer.Option(
            "--sdk",
            help="Folder of the SDKs; by default those that came with flowctl.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Write a new plugin: manifest, code, unit tests, test cases, README. Asks for what is missing.

    It builds, passes its tests and the conformance suite as it is: change it from there.

    Example: `flowctl plugin new my-filter --lang rust --runtime wasm`
    """
    from cdp_pipeline.scaffold.new_plugin import project
    from cdp_pipeline.scaffold.upgrade import write_new

    wanted = _wanted(name, lang, kind, runtime)
    folder = out or Path(wanted.name)
    files = project(wanted, folder, sdk)
    write_new(list(files.items()), force=force)
    written = [str(file.relative_to(folder)) for file in sorted(files)]
    if output is OutputFormat.JSON:
        print_json({"folder": str(folder), **asdict(wanted), "files": written})
        return
    typer.echo(f"{folder}: {wanted.description}")
    for file in written:
        typer.echo(f"  {file}")
    place = shlex.quote(str(folder))
    typer.echo(f"next: flowctl plugin build {place} && flowctl test {place}")


def _wanted(name: str, lang: str, kind: str, runtime: str) -> NewPlugin:
    """Return what is wanted, asking for what was not said.

    Raises:
        UsageError: There is nobody to ask, or no such template.
    """
    from cdp_pipeline.errors import UsageError
    from cdp_pipeline.scaffold.new_plugin import new_plugin
    from cdp_pipeline.scaffold.plugin_languages import LANGUAGES

    if name and lang:
        return new_plugin(name, lang, kind, runtime)
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask questions on",
            hint=f"give NAME and `--lang` ({', '.join(LANGUAGES)})",
        )
    name = name or _asked("Name", "my-plugin")
    lang = lang or _asked(f"Language ({', '.join(LANGUAGES)})", "python")
    if lang in LANGUAGES:
        kinds = LANGUAGES[lang].kinds
        if not runtime and len(kinds) > 1:
            runtime = _asked(f"Runtime ({', '.join(kinds)})", LANGUAGES[lang].default_runtime)
        choice = [each for name, of in kinds.items() if runtime in ("", name) for each in of]
        if not kind and len(choice) > 1:
            kind = _asked(f"Kind ({', '.join(choice)})", choice[0])
    return new_plugin(name, lang, kind, runtime)


def _asked(question: str, default: str) -> str:
    return str(typer.prompt(question, default=default)).strip()
