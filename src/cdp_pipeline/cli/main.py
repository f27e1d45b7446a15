"""The command `flowctl`: every command in one place, every error in one form.

Each command imports what it needs when it is called, so that `--help` is quick.
Exit codes: 0 done; 1 a run failed; 2 usage, configuration or state; 3 an artifact cannot be
trusted or loaded; 4 a plugin failed; 130 interrupted before anything could be drained.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cdp_pipeline.cli import checkpoint, components, lake, pipelines, run

app = typer.Typer(
    name="flowctl",
    help="Run streaming pipelines over Stellar ledgers.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("run")(run.run)
app.command("validate")(pipelines.validate)
app.command("schema")(pipelines.schema)
app.command("list")(components.list_components)
app.command("explain")(components.explain)
app.add_typer(checkpoint.app, name="checkpoint")
app.add_typer(lake.app, name="lake")


def _version(wanted: bool) -> None:
    if wanted:
        from cdp_pipeline import __version__

        typer.echo(f"flowctl {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version)
    ] = False,
) -> None:
    """Run streaming pipelines over Stellar ledgers."""


def main() -> None:
    """Run the command line; errors of the host are shown without a traceback."""
    from cdp_pipeline.cli.report import as_host_error, print_error
    from cdp_pipeline.errors import CdpError
    from cdpplugin.errors import PluginError

    try:
        app()
    except (CdpError, PluginError) as raised:
        error = as_host_error(raised)
        print_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
