"""Decide where a run goes on: after what is durable everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdp_pipeline.engine.checkpoint import Checkpoint, CheckpointStore
from cdpplugin import Resume, SourceDescription


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where a run goes on.

    Attributes:
        checkpoint: The checkpoint to go on writing.
        resume: What the source is told; None for its start.
        notes: What the user should know about it.
    """

    checkpoint: Checkpoint
    resume: Resume | None
    notes: list[str] = field(default_factory=list)


def fresh_checkpoint(pipeline: str, stream: SourceDescription) -> Checkpoint:
    """Return the checkpoint of a pipeline that has done nothing yet."""
    return Checkpoint(
        pipeline=pipeline, source=stream.identity, network=stream.network, start=stream.start
    )


def decide(
    pipeline: str,
    stream: SourceDescription,
    store: CheckpointStore,
    durable: Mapping[str, int | None],
) -> Resumption:
    """Return where to go on.

    A consumer that keeps its own position and holds less than the checkpoint says (its
    files were removed, its database restored) pulls the start back to where it stands;
    the others leave out what comes again.

    Args:
        pipeline: Name of the pipeline.
        stream: What the source reads.
        store: Where the checkpoint is kept.
        durable: Durable position of each consumer; None for one that keeps none.

    Raises:
        StateError: The checkpoint is of another stream, or cannot be read.
    """
    fresh = fresh_checkpoint(pipeline, stream)
    held = store.load()
    if held is None:
        return Resumption(fresh, None)
    held.require_same_stream(fresh, store.path)
    behind = {n: p for n, p in durable.items() if p is not None and p < held.position}
    if not behind:
        return Resumption(held, _resume(held.position, held.token))
    position = min(behind.values())
    name = min(behind, key=lambda consumer: behind[consumer])
    note = (
        f"`{name}` holds {stream.unit} only through {position}, the checkpoint says "
        f"{held.position}: reading again from there"
        if position >= 0
        else f"`{name}` holds nothing, the checkpoint says {held.position}: reading from the start"
    )
    return Resumption(fresh.advanced(position, b""), _resume(position, b""), [note])


def _resume(position: int, token: bytes) -> Resume | None:
    return Resume(position, token) if position >= 0 else None
