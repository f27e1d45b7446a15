"""Whether a new version may take an old one's place in a running pipeline."""

from __future__ import annotations

from cdp_pipeline.errors import CdpError
from cdpplugin import PluginMetadata, SourceDescription


class ReloadRefused(CdpError):
    """A reload that cannot be tried; the plugin goes on as it was."""

    code = "plugin.reload_refused"


def require_compatible(before: PluginMetadata, after: PluginMetadata) -> None:
    """Refuse a version that gives or takes something else.

    Raises:
        ReloadRefused: plugin.reload_refused, naming what differs.
    """
    for name in ("type", "input_types", "output_types", "input_encoding", "stateful"):
        old, new = getattr(before, name), getattr(after, name)
        if _plain(old) != _plain(new):
            raise ReloadRefused(
                f"expected `{name}` of {after.reference} to be {_shown(old)} as in "
                f"{before.reference}, got {_shown(new)}",
                hint="stop the pipeline and run it again with the new version",
            )


def require_same_stream(before: SourceDescription, after: SourceDescription, name: str) -> None:
    """Refuse a source that reads another stream: no position would mean what it meant.

    Raises:
        ReloadRefused: plugin.reload_refused, naming what differs.
    """
    for field in ("identity", "network", "unit"):
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            raise ReloadRefused(
                f"expected {name} to read the stream whose `{field}` is `{old}`, got `{new}`",
                hint="stop the pipeline; another stream is another run",
            )


def _plain(value: object) -> object:
    return frozenset(value) if isinstance(value, (tuple, list)) else value


def _shown(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(str, value))}]"
    return f"`{value}`"
