"""What a plugin raises to tell the host what to do.

PluginError                 plugin.failed            the stage's `on_error` policy decides
├── ConfigInvalid           plugin.config_invalid    `configure` refuses its configuration
├── UnsupportedEncoding     plugin.encoding_unsupported  a payload cannot be read in that form
├── Retry                   plugin.retry             try this message (or batch) again later
├── Drop                    plugin.drop              leave this message out, on purpose
└── Fatal                   plugin.fatal             stop the pipeline

Any other exception is treated like `PluginError`. Subclasses may set their own
stable, dotted `code`; the host shows code, message and hint to the user.
"""

from __future__ import annotations


class PluginError(Exception):
    """Something went wrong while working on a message.

    Attributes:
        code: Stable dotted name of the kind of error, e.g. ``lake.gap``.
        hint: What the user can do about it, one sentence, or empty.
    """

    code = "plugin.failed"
    hint = ""

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if hint is not None:
            self.hint = hint


class ConfigInvalid(PluginError):
    """The configuration given to `configure` cannot be used."""

    code = "plugin.config_invalid"


class UnsupportedEncoding(PluginError):
    """A payload has no form in the encoding that was asked for."""

    code = "plugin.encoding_unsupported"


class Retry(PluginError):
    """Try again: the failure is expected to pass. The stage waits, since order is kept.

    Attributes:
        after_s: Wait before the next try, in seconds; None leaves it to the stage's back-off.
    """

    code = "plugin.retry"

    def __init__(
        self,
        message: str = "try again",
        *,
        after_s: float | None = None,
        code: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.after_s = after_s


class Drop(PluginError):
    """Leave this message out on purpose; counted, never an error.

    Attributes:
        reason: Why, for the counters and the log.
    """

    code = "plugin.drop"

    def __init__(self, reason: str = "") -> None:
        self.reason = reason or "dropped"
        super().__init__(self.reason)


class Fatal(PluginError):
    """Stop the pipeline: going on would lose or corrupt data."""

    code = "plugin.fatal"
