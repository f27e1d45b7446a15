"""Every error the host raises, in one tree.

CdpError                     internal                       exit 1
├── UsageError               usage.invalid                  exit 2
├── ConfigError              config.invalid                 exit 2
├── StateError               state.invalid                  exit 2   checkpoint, lock
├── ArtifactError            artifact.invalid               exit 3
├── PluginFault              plugin.failed                  exit 4   names plugin@version
└── RunError                 run.failed                     exit 1

Codes are stable and dotted; subclasses and instances narrow them (`config.unknown_key`).
Every code stands in docs/reference/errors.md.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What `flowctl` ends with; each member says when."""

    OK = 0
    """Everything that was asked for is done."""
    FAILED = 1
    """A check found something: a test case failed, a plugin breaks the contract, a lake has gaps,
    a message failed in `plugin run`, a part of an old pipeline has no counterpart. Also what has
    no code of its own, such as a fault of `flowctl` itself."""
    USAGE = 2
    """What was asked cannot be done: arguments, a pipeline or settings file, the state between
    runs, a component's settings or what they point to."""
    ARTIFACT = 3
    """Something on disk is not what it should be: a plugin, its manifest, its build."""
    PLUGIN = 4
    """A plugin, or another stage, failed for good: it does not start, died, exceeded a limit, or
    gave an error that its `on_error` does not swallow. Also a reload that was rolled back or
    refused."""
    INTERRUPTED = 130
    """SIGINT stopped a run before the end of its range, or ended another command at once."""
    TERMINATED = 143
    """SIGTERM stopped a run before the end of its range."""


class CdpError(Exception):
    """Something the user is told about.

    Attributes:
        code: Stable dotted name.
        message: Subject, what was expected, what came; lower case, no full stop.
        hint: What the user can do, or empty.
        where: `file:line:column`, or `plugin@version`, or empty.
        exit_code: What the process ends with.
    """

    code = "internal"
    exit_code = ExitCode.FAILED

    def __init__(
        self, message: str, *, code: str | None = None, hint: str = "", where: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class UsageError(CdpError):
    """A command was called with arguments that do not fit."""

    code = "usage.invalid"
    exit_code = ExitCode.USAGE


class ConfigError(CdpError):
    """A pipeline or settings file cannot be used."""

    code = "config.invalid"
    exit_code = ExitCode.USAGE


class StateError(CdpError):
    """The state kept between runs does not fit this run."""

    code = "state.invalid"
    exit_code = ExitCode.USAGE


class ArtifactError(CdpError):
    """Something on disk is not what it should be: a plugin, a manifest, a signature."""

    code = "artifact.invalid"
    exit_code = ExitCode.ARTIFACT


class PluginFault(CdpError):
    """A plugin failed; `where` names it."""

    code = "plugin.failed"
    exit_code = ExitCode.PLUGIN


class RunError(CdpError):
    """A run could not go on."""

    code = "run.failed"
