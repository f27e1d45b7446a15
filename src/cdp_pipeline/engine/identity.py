"""Deterministic ids for outputs whose author gave none."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from cdpplugin import Batch, Constant, Lazy


def with_ids(batch: Batch, rows: Sequence[int], inputs: Batch, stage: str) -> Batch:
    """Return *batch* with every empty id derived; computed only when somebody reads ids.

    An output's id is a hash of (id of the input row it derives from, stage, output type,
    index among that row's outputs of that type). Invariant 7: the same input gives the
    same ids, however a run cuts its batches.
    """
    ids = batch.ids
    if isinstance(ids, Lazy) or (isinstance(ids, Constant) and ids.value):
        return batch
    if not isinstance(ids, Constant) and "" not in ids:
        return batch
    types, origin = batch.types, inputs.ids
    return batch.replace(ids=Lazy(len(batch), lambda: _derive(ids, types, rows, origin, stage)))


def _derive(
    ids: Sequence[str],
    types: Sequence[str],
    rows: Sequence[int],
    origin: Sequence[str],
    stage: str,
) -> list[str]:
    seen: dict[tuple[int, str], int] = {}
    derived = []
    for own, kind, row in zip(ids, types, rows, strict=True):
        index = seen.get((row, kind), 0)
        seen[row, kind] = index + 1
        derived.append(own or output_id(origin[row], stage, kind, index))
    return derived


def output_id(input_id: str, stage: str, kind: str, index: int) -> str:
    """Return the id of output number *index* of type *kind*: 32 hex digits of BLAKE2b."""
    text = "\x1f".join((input_id, stage, kind, str(index)))
    return blake2b(text.encode(), digest_size=16).hexdigest()
