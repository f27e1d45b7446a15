"""Tiny guests written as WebAssembly text: an echo plugin, one function of it made bad."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import wasmtime

ROOM = 1 << 16
"""Where inputs are put: behind all that these guests hold themselves."""

_PARTS: Mapping[str, str] = {
    "memory": '(memory (export "memory") 2)',
    "alloc": """(func (export "alloc") (param $n i32) (result i32)
      (local $more i32)
      (local.set $more (i32.sub (i32.div_u (i32.add (local.get $n) (i32.const 131071))
        (i32.const 65536)) (memory.size)))
      (if (i32.gt_s (local.get $more) (i32.const 0))
        (then (if (i32.eq (memory.grow (local.get $more)) (i32.const -1))
          (then (return (i32.const 0))))))
      (i32.const 65536))""",
    "metadata": """(func (export "metadata") (result i32)
      (call $answer (i32.const 0) (i32.const 1024) (i32.const {metadata_size})))""",
    "process": """(func (export "process") (param $at i32) (param $size i32) (result i32)
      (call $answer (i32.const 0) (local.get $at) (local.get $size)))""",
}


def text(
    says: Mapping[str, object] | None = None,
    /,
    *,
    imports: str = "",
    data: Mapping[int, str] | None = None,
    **parts: str,
) -> str:
    """Return a guest; each of *parts* stands in place of a function, or beside them.

    Args:
        says: What it says of itself beside its name and version.
        imports: Imports.
        data: Texts in its memory, by address, below 1024 or from 8192 on.
        parts: `memory`, `alloc`, `metadata`, `process`, or anything else.
    """
    told = json.dumps({"name": "guest", "version": "1.0.0", **(says or {})})
    held = {1024: told, **(data or {})}
    texts = "".join(f'(data (i32.const {at}) "{_escaped(each)}")' for at, each in held.items())
    answer = """(func $answer (param $s i32) (param $a i32) (param $n i32) (result i32)
      (i32.store (i32.const 0) (local.get $s)) (i32.store (i32.const 4) (local.get $a))
      (i32.store (i32.const 8) (local.get $n)) (i32.const 0))"""
    functions = "".join(({**_PARTS, **parts}).values())
    body = functions.replace("{metadata_size}", str(len(told.encode())))
    memory, rest = _memory_first(body)
    return (
        f"(module {imports} {memory} {texts if memory else ''} {answer if memory else ''} {rest})"
    )


def _memory_first(body: str) -> tuple[str, str]:
    end = body.index(")", body.index("(memory")) if "(memory" in body else -1
    if end < 0:
        return "", body
    start, depth = body.index("(memory"), 0
    for at in range(start, len(body)):
        depth += (body[at] == "(") - (body[at] == ")")
        if not depth:
            return body[start : at + 1], body[:start] + body[at + 1 :]
    return "", body


def _escaped(held: str) -> str:
    return "".join(f"\\{byte:02x}" for byte in held.encode())


def processing(body: str) -> str:
    """Return a `process` that does *body*, whose parameters are `$at` and `$size`."""
    return f"""(func (export "process") (param $at i32) (param $size i32) (result i32)
      {body} (call $answer (i32.const 0) (local.get $at) (local.get $size)))"""


def exported(name: str, body: str, parameters: str = "") -> str:
    """Return a function *name* whose answer is what *body* leaves."""
    return f'(func (export "{name}") {parameters} (result i32) {body})'


def written(folder: Path, source: str, name: str = "guest.wasm") -> Path:
    """Return the file of a compiled guest."""
    path = folder / name
    path.write_bytes(wasmtime.wat2wasm(source))
    return path


WHERE = "(i32.load8_u (i32.add (local.get $at) (i32.const {offset})))"


def when_asked(letter: str, body: str) -> str:
    """Return code that does *body* if the message's id begins with *letter*."""
    first = WHERE.format(offset=len('{"id":"'))
    return f"(if (i32.eq {first} (i32.const {ord(letter)})) (then {body}))"
