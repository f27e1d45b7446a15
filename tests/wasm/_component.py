"""Tiny components written as text: an echo plugin, one function of it made bad."""

from __future__ import annotations

import json
from collections.abc import Mapping

RESULT = "(result string (error string))"


def text(
    says: Mapping[str, object] | None = None,
    /,
    *,
    process: str = "",
    functions: str = "",
    lifts: str = "",
    memories: str = "",
    imports: str = "",
) -> str:
    """Return a component.

    Args:
        says: What it says of itself beside its name and version.
        process: Code of `process` before it echoes; parameters are `$at` and `$size`.
        functions: More core functions.
        lifts: More component functions.
        memories: More core modules and instances.
        imports: Imports of the component.
    """
    told = json.dumps({"name": "guest", "version": "1.0.0", **(says or {})})
    escaped = "".join(f"\\{byte:02x}" for byte in told.encode())
    return f"""(component {imports}
      (core module $m
        (memory (export "memory") 2)
        (global $top (mut i32) (i32.const 65536))
        (data (i32.const 1024) "{escaped}")
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
          (local $at i32)
          (local.set $at (global.get $top))
          (global.set $top (i32.add (global.get $top)
            (i32.and (i32.const -8) (i32.add (local.get 3) (i32.const 7)))))
          (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
            (then (if (i32.eq (i32.const -1) (memory.grow (i32.add (i32.const 1)
              (i32.div_u (local.get 3) (i32.const 65536))))) (then unreachable))))
          (local.get $at))
        (func $reset (global.set $top (i32.const 65536)))
        (func (export "metadata") (result i32)
          (i32.store (i32.const 0) (i32.const 1024))
          (i32.store (i32.const 4) (i32.const {len(told.encode())})) (i32.const 0))
        (func $ok (param $at i32) (param $size i32) (result i32)
          (i32.store8 (i32.const 0) (i32.const 0)) (i32.store (i32.const 4) (local.get $at))
          (i32.store (i32.const 8) (local.get $size)) (call $reset) (i32.const 0))
        (func (export "process") (param $at i32) (param $size i32) (result i32)
          {process} (call $ok (local.get $at) (local.get $size)))
        {functions})
      {memories}
      (core instance $i (instantiate $m))
      (alias core export $i "memory" (core memory $memory))
      (alias core export $i "cabi_realloc" (core func $realloc))
      (func (export "metadata") (result string)
        (canon lift (core func $i "metadata") (memory $memory)))
      (func (export "process") (param "message" string) (result {RESULT})
        (canon lift (core func $i "process") (memory $memory) (realloc (core func $realloc))))
      {lifts})"""


def lifted(name: str, signature: str) -> str:
    """Return a component function over the core function of the same name."""
    return f"""(func (export "{name}") {signature} (canon lift (core func $i "{name}")
      (memory $memory) (realloc (core func $realloc))))"""
