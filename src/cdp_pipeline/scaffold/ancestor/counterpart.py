"""How a table says what a component type of the ancestor becomes.

Conditions are CEL over rows: `{value}` is an option's value as a constant, `{bare}` its text,
`{asset}` what tells an asset, `{contract}` the field with a contract's address in those rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PLUGIN_HINT = "write it as a plugin, or take one: docs/guides/migrating.md"


@dataclass(frozen=True, slots=True)
class Key:
    """An option that becomes a key; *form* says how its value is written."""

    name: str
    form: str = "{}"


@dataclass(frozen=True, slots=True)
class Condition:
    """An option that becomes a part of a `filter`'s condition."""

    cel: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """An option that is left out, since nothing depends on it here; *why* is a comment."""

    why: str


@dataclass(frozen=True, slots=True)
class Lacking:
    """An option that has no counterpart; harmless where its value is *default*."""

    hint: str
    default: object = None


Option = Key | Condition | Dropped | Lacking


@dataclass(frozen=True, slots=True)
class Counterpart:
    """What a component type becomes.

    Attributes:
        tables: Tables of `rows` that it reads.
        where: Condition that the rows must fulfil.
        stage: A built-in component instead.
        options: What becomes of each option.
        any_rows: Whether it takes whatever rows come, if any do.
        note: What differs, for a comment.
        lacking: What of it has no counterpart; of the whole type where nothing else is given.
        hint: What to do about that.
    """

    tables: tuple[str, ...] = ()
    where: str = ""
    stage: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)
    any_rows: bool = False
    note: str = ""
    lacking: str = ""
    hint: str = PLUGIN_HINT


def none(lacking: str, hint: str = PLUGIN_HINT) -> Counterpart:
    """Return what a type becomes of which nothing is left."""
    return Counterpart(lacking=lacking, hint=hint)


LOGS = Dropped("logging is the host's: `flowctl run --log-level`")
RETRIED = Dropped("the host tries again by itself: see `on_error`")
POOL = Dropped("one connection a stage")
CHECKPOINTS = Dropped("every pipeline keeps its position: `flowctl checkpoint show`")
SELF_NAMED = Dropped("the stage's `name` is for logs and metrics")
DRY_RUN = Lacking("`flowctl validate` checks a pipeline and writes nothing", False)

EVERYWHERE: Mapping[str, Option] = {
    "name": SELF_NAMED,
    "debug": LOGS,
    "log_level": LOGS,
    "enable_checkpoint": CHECKPOINTS,
    "checkpoint_dir": CHECKPOINTS,
    "checkpoint_interval": CHECKPOINTS,
    "flowctl_enabled": Dropped("there is no control plane to register with"),
}
"""Options that any component may have."""
