"""`flowctl lake`: generate a ledger lake, look into one, find its gaps."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat
from cdp_pipeline.errors import ExitCode

app = typer.Typer(
    help="Generate a ledger lake, look into one, find its gaps.", no_args_is_help=True
)

Address = Annotated[
    str, typer.Argument(help="Folder, s3://, gs://, az:// or https:// address.", metavar="LAKE")
]
Region = Annotated[str, typer.Option(help="S3 region.")]
EndpointUrl = Annotated[str, typer.Option(help="Another server that speaks S3, GCS or Azure.")]


@app.command()
def generate(
    ledgers: Annotated[int, typer.Option(help="How many ledgers.")],
    out: Annotated[Path, typer.Option(help="Folder to write the lake to.")],
    first: Annotated[int, typer.Option(help="First ledger.")] = 2,
    seed: Annotated[int, typer.Option(help="Another seed gives other ledgers.")] = 1,
    transactions: Annotated[int, typer.Option(help="Transactions in a ledger, on average.")] = 20,
    meta_version: Annotated[int, typer.Option(help="LedgerCloseMeta version, 1 or 2.")] = 2,
    ledgers_per_file: Annotated[int, typer.Option(help="Ledgers in one file.")] = 1,
    files_per_partition: Annotated[int, typer.Option(help="Files in one folder.")] = 64_000,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Write a valid lake of an invented network; the same options give the same bytes.

    Example: `flowctl lake generate --ledgers 200 --out lake`
    """
    from cdp_pipeline.connectors.stellar.generate import LakeSpec, write_lake

    spec = LakeSpec(
        ledgers=ledgers,
        first_ledger=first,
        seed=seed,
        transactions_per_ledger=transactions,
        meta_version=meta_version,
        ledgers_per_file=ledgers_per_file,
        files_per_partition=files_per_partition,
    )
    with typer.progressbar(
        length=ledgers, label="ledgers", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        done = 0

        def advance(written: int) -> None:
            nonlocal done
            bar.update(written - done)
            done = written

        summary = write_lake(spec, out, progress=advance)
    if output is OutputFormat.JSON:
        fields = asdict(summary) | {"last_hash": summary.last_hash.hex()}
        typer.echo(json.dumps({"lake": str(out), **fields}, indent=2))
        return
    ledgers_held = f"{summary.first_ledger} to {summary.last_ledger}"
    typer.echo(f"{out}: ledgers {ledgers_held}, {summary.files} files")


@app.command()
def inspect(
    lake: Address,
    region: Region = "",
    endpoint_url: EndpointUrl = "",
    near: Annotated[
        int | None, typer.Option(help="A ledger that exists, for lakes that cannot be listed.")
    ] = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Say what a lake holds: network, layout, range, files, protocols.

    Example: `flowctl lake inspect ./lake`
    """
    from dataclasses import asdict

    from cdp_pipeline.connectors.stellar.lake import StoreOptions, open_lake, summarize

    async def look() -> dict[str, object]:
        opened = await open_lake(
            lake, options=StoreOptions(region=region, endpoint_url=endpoint_url)
        )
        return asdict(await summarize(opened, near=near))

    facts = asyncio.run(look())
    if output is OutputFormat.JSON:
        typer.echo(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        if value not in (None, [], {}):
            typer.echo(f"{key.replace('_', ' '):<20} {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


@app.command()
def gaps(
    lake: Address,
    start: Annotated[int | None, typer.Option(help="First ledger to look at.")] = None,
    end: Annotated[int | None, typer.Option(help="Last ledger to look at.")] = None,
    region: Region = "",
    endpoint_url: EndpointUrl = "",
    output: Output = OutputFormat.TEXT,
) -> None:
    """List the ledgers that a lake lacks; exit code 1 where there are any.

    Example: `flowctl lake gaps ./lake --start 2 --end 200`
    """
    from cdp_pipeline.connectors.stellar.lake import Gap, StoreOptions, find_gaps, open_lake

    async def look() -> list[Gap]:
        opened = await open_lake(
            lake, options=StoreOptions(region=region, endpoint_url=endpoint_url)
        )
        return await find_gaps(opened, start, end)

    found = asyncio.run(look())
    if output is OutputFormat.JSON:
        typer.echo(json.dumps([{"first": gap.first, "last": gap.last} for gap in found]))
    else:
        for gap in found:
            are = "ledger is" if gap.ledgers == 1 else "ledgers are"
            typer.echo(f"{gap.first} to {gap.last}: {gap.ledgers} {are} missing")
        typer.echo(f"gaps: {len(found)}" if found else "no gaps")
    if found:
        raise typer.Exit(ExitCode.FAILED)
