"""A conformance case: a rule in one sentence, and the check that proves it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from cdpplugin.metadata import PluginKind
from cdpplugin.testing import cases
from cdpplugin.testing.cases import GROUPS

if TYPE_CHECKING:
    from cdpplugin.testing.bench import Bench

CONFORMANCE_VERSION = "1.1"
"""Version of the rules: the second number counts added cases, the first one changed rules."""

Check = Callable[["Bench"], Awaitable[None]]


class Failed(Exception):
    """A plugin breaks the rule of a case."""


class Skipped(Exception):
    """A case cannot be tried on this plugin; the text says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """One rule of what a plugin is.

    Attributes:
        name: Stable name, `group.case`.
        rule: What must hold, one sentence.
        kinds: The kinds of plugin it holds for.
        reference: Whether it is about a reference plugin (`spec/conformance.md`) only.
        check: Raises `Failed` where the rule is broken, `Skipped` where it cannot be tried.
    """

    name: str
    rule: str
    kinds: tuple[PluginKind, ...]
    reference: bool
    check: Check


_cases: dict[str, Case] = {}


def case(*kinds: PluginKind, reference: bool = False) -> Callable[[Check], Check]:
    """Make a case of the function below: its docstring is the rule, its module the group."""

    def register(check: Check) -> Check:
        group = _module(check).removeprefix("reference_")
        name = f"{'reference.' if reference else ''}{group}.{check.__name__}"
        rule = " ".join(inspect.getdoc(check).split("\n\n")[0].split())  # type: ignore[union-attr]
        if name in _cases:
            raise ValueError(f"two cases are called `{name}`")
        _cases[name] = Case(name, rule, kinds or get_args(PluginKind), reference, check)
        return check

    return register


def all_cases() -> list[Case]:
    """Return every case, in the order in which they are run."""
    for group in GROUPS:
        import_module(f"{cases.__name__}.{group}")
    return sorted(_cases.values(), key=lambda each: GROUPS.index(_module(each.check)))


def _module(check: Check) -> str:
    return check.__module__.rpartition(".")[2]


def fail(message: str) -> NoReturn:
    """Say that the rule is broken.

    Raises:
        Failed: Always.
    """
    raise Failed(message)


def require(holds: Any, message: str) -> None:
    """Say that the rule is broken unless it *holds*.

    Raises:
        Failed: It does not hold.
    """
    if not holds:
        raise Failed(message)


def equal(expected: Any, got: Any, what: str) -> None:
    """Require that *what* is as expected; of two lists the first difference is told.

    Raises:
        Failed: It is not.
    """
    if expected == got:
        return
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        index = next(i for i in range(len(got)) if expected[i] != got[i])
        equal(expected[index], got[index], f"entry {index} of {what}")
    raise Failed(f"expected {what} to be {shown(expected)}, got {shown(got)}")


def shown(value: Any, limit: int = 200) -> str:
    """Return *value* as it fits into a message."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 4]} ... ({len(text)} characters)"
