"""A guest that is a component: text across the boundary.

Source: `spec/wasm-abi.md`, section 7, and `spec/wit/plugin.wit`. A component's functions are
told by their names at its root, dashes for the underscores of the ABI.
"""

from __future__ import annotations

from typing import Any

import wasmtime
import wasmtime.component

from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.wasm.answer import Answer, Status, instructed
from cdp_pipeline.runtimes.wasm.core import SIGNATURES
from cdp_pipeline.runtimes.wasm.faults import AnswerInvalid, OutputTooLarge
from cdp_pipeline.runtimes.wasm.guest import Cell

TEXT_BATCH = "process_text_batch"
"""What this host calls a component's `process-batch`, which takes other bytes than a core
module's `process_batch`."""

MOST_MEMORIES = 1
"""Memories of one component: it may have many parts, and what it may use is for all of them."""

_NAMES = {
    name: name.replace("_", "-")
    for name in SIGNATURES
    if name not in ("alloc", "failure", "_initialize", "process_batch")
} | {TEXT_BATCH: "process-batch"}
_NEEDED = (("metadata",), (TEXT_BATCH, "process"))


class ComponentGuest:
    """One instance of a component."""

    def __init__(self, cell: Cell, instance: Any, where: str) -> None:
        self._cell = cell
        self._functions = {
            name: function
            for name, named in _NAMES.items()
            if (function := instance.get_func(cell.store, named)) is not None
        }
        self.exports = frozenset(self._functions)
        for names in _NEEDED:
            if not self.exports & set(names):
                raise ArtifactError(
                    f"expected the component to export `{_NAMES[names[0]]}`, it does not",
                    code="plugin.export_missing",
                    where=where,
                    hint="export it; see spec/wit/plugin.wit, or use an SDK",
                )

    @property
    def memory_bytes(self) -> int:
        """0: a component does not tell."""
        return 0

    def call(self, name: str, data: bytes | None, timeout_s: float, messages: int = 0) -> Answer:
        """Return what function *name* answers; see `Guest`."""
        arguments = () if data is None else (data.decode(errors="replace"),)
        with self._cell.timed(timeout_s, messages):
            try:
                answer = self._functions[name](self._cell.store, *arguments)
            except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
                raise self._cell.fault(error, f"`{_NAMES[name]}`", timeout_s) from error
            except (TypeError, ValueError, AttributeError, UnicodeError) as error:
                raise AnswerInvalid(
                    f"plugin `{self._cell.reference}` exports `{_NAMES[name]}` with other types "
                    f"than spec/wit/plugin.wit says: {error}"
                ) from error
        return self._limited(self._answer(answer, name), name)

    def _answer(self, found: Any, name: str) -> Answer:
        """Return what a function gave: text, or a `result` of texts."""
        if isinstance(found, str):
            return Answer(Status.OK, found.encode())
        tag, payload = getattr(found, "tag", None), getattr(found, "payload", None)
        if tag not in ("ok", "err") or not isinstance(payload, str | None):
            raise AnswerInvalid(
                f"plugin `{self._cell.reference}` answered `{_NAMES[name]}` with "
                f"`{type(found).__name__}`, which is not what spec/wit/plugin.wit says"
            )
        text = (payload or "").encode()
        return Answer(Status.OK, text) if tag == "ok" else instructed(text)

    def _limited(self, answer: Answer, name: str) -> Answer:
        limit = self._cell.limits.output_bytes
        if len(answer.data) > limit:
            raise OutputTooLarge(
                f"plugin `{self._cell.reference}` answered `{_NAMES[name]}` with "
                f"{len(answer.data)} bytes, the most is {limit}"
            )
        return answer
