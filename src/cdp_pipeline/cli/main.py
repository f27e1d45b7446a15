"""The command `flowctl`: every command in one place, every error in one form.

Each command imports what it needs when it is called, so that `--help` is quick.
Exit codes: 0 done; 1 a run failed; 2 usage, configuration or state; 3 an artifact cannot be
trusted or loaded; 4 a plugin failed; 130 (SIGINT) or 143 (SIGTERM) stopped on request before
a bounded range was done, 130 also interrupted before anything could be drained.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from cdp_pipeline.cli import (
    cases,
    checkpoint,
    components,
    configuration,
    doctor,
    lake,
    new_plugin,
    pipelines,
    plugin,
    plugin_dev,
    plugin_list,
    plugin_run,
    plugin_running,
    run,
    running,
    starting,
)

app = typer.Typer(
    name="flowctl",
    help="Run streaming pipelines over Stellar ledgers.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("run")(run.run)
app.command("init")(starting.init)
app.command("validate")(pipelines.validate)
app.command("doctor")(doctor.doctor)
app.command("schema")(pipelines.schema)
app.command("list")(components.list_components)
app.command("explain")(components.explain)
app.command("status")(running.status)
plugin.app.command("run")(plugin_run.run)
plugin.app.command("dev")(plugin_dev.dev)
plugin.app.command("new")(new_plugin.new)
plugin.app.command("list")(plugin_list.list_plugins)
plugin.app.command("reload")(plugin_running.reload)
plugin.app.command("logs")(plugin_running.logs)
app.add_typer(running.app, name="pipeline")
app.add_typer(checkpoint.app, name="checkpoint")
app.add_typer(configuration.app, name="config")
app.add_typer(lake.app, name="lake")
app.add_typer(plugin.app, name="plugin")
app.add_typer(cases.app, name="test")
_Refused: type[Any] = next(
    each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException"
)
"""What typer raises for arguments that do not fit; it gives the class no public name."""


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
    from cdp_pipeline.cli.report import (
        as_host_error,
        exit_at_once,
        internal_error,
        leave,
        print_error,
        silence_stdout,
        usage_error,
    )
    from cdp_pipeline.errors import CdpError, ExitCode, UsageError
    from cdpplugin.errors import PluginError

    try:
        code = app(standalone_mode=False)
        if code == ExitCode.INTERRUPTED:  # what typer makes of a KeyboardInterrupt
            exit_at_once()
        leave(code)
    except (CdpError, PluginError) as raised:
        error = as_host_error(raised)
    except _Refused as refused:
        if type(refused).__name__ == "NoArgsIsHelpError":
            refused.show()
            sys.exit(ExitCode.USAGE)
        error = usage_error(refused)
    except typer.Abort:
        error = UsageError("stopped before anything was done", code="usage.aborted")
    except BrokenPipeError:
        silence_stdout()
        sys.exit(ExitCode.FAILED)
    except KeyboardInterrupt:
        exit_at_once()
    except Exception as unexpected:
        error = internal_error(unexpected)
    print_error(error)
    leave(error.exit_code)


if __name__ == "__main__":
    main()
