"""The cases, in the order in which they run; a new one is a module here and a name below."""

from __future__ import annotations

from importlib import import_module

from bench.case import Case

NAMES = (
    "native",
    "overhead",
    "latency",
    "grpc",
    "wasm",
    "reload",
    "decode",
    "ledgers",
    "memory",
    "help",
)


def load(name: str) -> Case:
    """Return the case *name*; what it needs is imported only now."""
    case = import_module(f"bench.cases.{name}").CASE
    assert isinstance(case, Case)
    return case
