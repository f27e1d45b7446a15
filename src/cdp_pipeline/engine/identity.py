"""Deterministic ids for rows whose author gave none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

from cdpplugin import Batch, Constant, Lazy

Rows = tuple[Sequence[str], Sequence[int]]
"""The types of some outputs, and the input row of each."""


def with_ids(
    batch: Batch, rows: Sequence[int], inputs: Batch, stage: str, earlier: Sequence[Rows] = ()
) -> Batch:
    """Return *batch* with every empty id derived; computed only when somebody reads ids.

    An output's id is a hash of (id of the input row it derives from, stage, output type,
    index among that row's outputs of that type, those in *earlier* parts of the same answer
    included). Invariant 7: the same input gives the same ids, however a run cuts its batches.
    """
    ids = batch.ids
    if isinstance(ids, Lazy) or (isinstance(ids, Constant) and ids.value):
        return batch
    if not isinstance(ids, Constant) and "" not in ids:
        return batch
    types, origin = batch.types, inputs.ids
    before = tuple(earlier)

    def derive() -> list[str]:
        seen = _counted(before, types)
        return _derive(ids, types, rows, origin, stage, seen)

    return batch.replace(ids=Lazy(len(batch), derive))


def _counted(earlier: Sequence[Rows], types: Sequence[str]) -> Counter[tuple[int, str]]:
    """Count the outputs of each row and type in *earlier* parts, as far as *types* has them."""
    seen: Counter[tuple[int, str]] = Counter()
    wanted = set(types) if earlier else ()
    for kinds, rows in earlier:
        seen.update((row, kind) for row, kind in zip(rows, kinds, strict=True) if kind in wanted)
    return seen


def _derive(
    ids: Sequence[str],
    types: Sequence[str],
    rows: Sequence[int],
    origin: Sequence[str],
    stage: str,
    seen: Counter[tuple[int, str]],
) -> list[str]:
    derived = []
    for own, kind, row in zip(ids, types, rows, strict=True):
        index = seen[row, kind]
        seen[row, kind] = index + 1
        derived.append(own or output_id(origin[row], stage, kind, index))
    return derived


def output_id(input_id: str, stage: str, kind: str, index: int) -> str:
    """Return the id of output number *index* of type *kind*: 32 hex digits of BLAKE2b."""
    text = "\x1f".join((input_id, stage, kind, str(index)))
    return blake2b(text.encode(), digest_size=16).hexdigest()


class SourceIds:
    """Gives the rows of a source that have no id one of (source, position, number there).

    Without it, what a stage derives from such rows would all have the same id.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._position = -1
        self._number = 0

    def of(self, batch: Batch, positions: Sequence[int]) -> Batch:
        """Return *batch*, the next rows of the source, with every empty id filled in."""
        ids = batch.ids
        if isinstance(ids, Lazy) or (isinstance(ids, Constant) and ids.value):
            return batch
        if not isinstance(ids, Constant) and "" not in ids:
            return batch
        columns = zip(ids, positions, strict=True)
        return batch.replace(ids=[own or self._next(position) for own, position in columns])

    def _next(self, position: int) -> str:
        self._number = self._number + 1 if position == self._position else 0
        self._position = position
        numbered = f":{self._number}" if self._number else ""
        return f"{self._source}:{position}{numbered}"
