"""`flowctl checkpoint`: see how far a pipeline is durable, or start it over."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat, PipelineFile

app = typer.Typer(help="See or reset how far a pipeline is durable.", no_args_is_help=True)


@app.command()
def show(file: PipelineFile, output: Output = OutputFormat.TEXT) -> None:
    """Show the checkpoint of a pipeline.

    Example: `flowctl checkpoint show pipeline.yaml`
    """
    from dataclasses import asdict

    from cdp_pipeline.config import load_pipeline, state_folder
    from cdp_pipeline.engine.checkpoint import CheckpointStore

    config = load_pipeline(file, os.environ)
    store = CheckpointStore(state_folder(config.name, os.environ) / "checkpoint.json")
    checkpoint = store.load()
    if output is OutputFormat.JSON:
        fields = None if checkpoint is None else asdict(checkpoint)
        if fields is not None:
            fields["token"] = fields["token"].hex()
        typer.echo(json.dumps(fields, indent=2))
    elif checkpoint is None:
        typer.echo(f"`{config.name}` has no checkpoint: it starts at the beginning")
    else:
        typer.echo(f"{config.name}: everything through {checkpoint.position} is durable")
        typer.echo(f"  stream      {checkpoint.source}")
        typer.echo(f"  network     {checkpoint.network or '-'}")
        typer.echo(f"  start       {checkpoint.start or '-'}")
        typer.echo(f"  written at  {checkpoint.updated_at}")
        typer.echo(f"  file        {store.path}")


@app.command()
def reset(
    file: PipelineFile,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Start a pipeline over: forget its checkpoint and the position of every consumer.

    Consumers that write files remove those they wrote; databases keep their rows, which
    the next run writes again under the same ids.

    Example: `flowctl checkpoint reset pipeline.yaml --yes`
    """
    import asyncio

    from cdp_pipeline.config import load_pipeline
    from cdp_pipeline.host.reset import forget
    from cdp_pipeline.observability.logs import configure_logs, mask_logs

    configure_logs()
    config = load_pipeline(file, os.environ)
    mask_logs(config.secrets.masked)
    if not yes:
        typer.confirm(f"Start `{config.name}` over, removing the files it wrote?", abort=True)
    done = asyncio.run(forget(config, os.environ))
    if output is OutputFormat.JSON:
        typer.echo(json.dumps({"pipeline": config.name, "done": done}, indent=2))
        return
    for line in done or ["nothing to reset"]:
        typer.echo(line)
