"""What `flowctl plugin run` and `flowctl plugin dev` share: their options, and how errors look."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipeline.cli.plugin import say_what_is_withheld
from cdp_pipeline.errors import CdpError, PluginFault, UsageError

if TYPE_CHECKING:
    from cdp_pipeline.config import HostSettings
    from cdp_pipeline.testing.asking import Answer
    from cdp_pipeline.testing.inputs import Inputs
    from cdp_pipeline.testing.solo import Solo

Plugin = Annotated[
    str,
    typer.Argument(
        help="Its folder, its manifest, a Python file (FILE.py or FILE.py:NAME), a `.wasm` file, "
        "or the name of a plugin that `flowctl plugin list` or `flowctl list` shows.",
        metavar="PLUGIN",
        show_default=False,
    ),
]
InputFile = Annotated[
    Path | None,
    typer.Option(
        "--input",
        metavar="FILE",
        help="Messages or payloads, a line of JSON each.",
        show_default=False,
    ),
]
LedgerFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--ledger",
        metavar="FILE",
        help="Ledgers instead: a file of a lake (`*.xdr.zst`) or raw XDR. A plugin that takes "
        "tables of the stage `rows` gets these rows, any other the ledgers. May be repeated.",
        show_default=False,
    ),
]
MessageType = Annotated[
    str,
    typer.Option(
        "--type",
        metavar="TYPE",
        help="Message type of lines that are payloads; by default the plugin's only input type.",
        show_default=False,
    ),
]
Config = Annotated[
    str,
    typer.Option(
        "--config",
        metavar="YAML|@FILE",
        help="Its configuration: YAML or JSON such as 'min_amount: 500', or a file of it.",
        show_default=False,
    ),
]
Network = Annotated[
    str,
    typer.Option(
        "--network",
        metavar="NETWORK",
        help="Stellar network; that of a lake's ledgers is known.",
        show_default=False,
    ),
]


def inputs_of(path: str, kind: str, ledgers: list[Path] | None, network: str) -> Inputs:
    """Return what the options say of the input.

    Raises:
        UsageError: usage.two_inputs; they name two.
    """
    from cdp_pipeline.testing.inputs import Inputs

    if path and ledgers:
        raise UsageError(
            "expected `--input` or `--ledger`, got both",
            code="usage.two_inputs",
            hint="leave one of them out",
        )
    return Inputs(path=path, type=kind, ledgers=ledgers or (), network=network)


async def find(
    plugin: str, settings: HostSettings, *, config: str, network: str, grant: bool
) -> Solo:
    """Return the plugin that the command names, and hide its secrets in logs.

    Raises:
        CdpError: It cannot be found, or its configuration does not fit.
    """
    from cdp_pipeline.observability.logs import mask_logs
    from cdp_pipeline.testing.solo import find_solo

    solo = await find_solo(
        plugin, os.environ, settings, config=config, network=network, grants=grant
    )
    mask_logs(solo.component.secrets.masked)
    manifest = solo.manifest
    if manifest is not None and not grant:
        say_what_is_withheld(manifest)
    return solo


def failure_of(answer: Answer, reference: str, masked: Callable[[str], str]) -> CdpError:
    """Return why a message failed, as the user is told; *masked* hides what is secret."""
    assert answer.failure is not None
    error = answer.failure
    return PluginFault(
        f"message `{answer.id}`: {masked(error.message)}",
        code=error.code,
        where=reference,
        hint=masked(error.hint),
    )
