"""Find out who else writes to the same place, so that no row is stored twice there.

Every stage has its marker in `_cdp`. A marker that cannot be read claims nothing: it is
told by its owner's next start.
"""

from __future__ import annotations

from cdp_pipeline.connectors.consumers.file_store import FileStore
from cdp_pipeline.connectors.consumers.position_marker import (
    FOLDER,
    Marker,
    decode_marker,
    marker_key,
)
from cdpplugin import Context


def other_marker_keys(files: FileStore, context: Context) -> list[str]:
    """Return the keys of the markers of all other stages that write below the same root."""
    own = marker_key(context)
    return [key for key in files.keys(FOLDER) if key.endswith(".json") and key != own]


def other_markers(files: FileStore, context: Context) -> list[Marker]:
    """Return the markers of all other stages that write below the same root."""
    contents = map(files.read, other_marker_keys(files, context))
    found = (decode_marker(content) for content in contents if content is not None)
    return [marker for marker in found if marker is not None]


def other_owner(files: FileStore, context: Context, name: str) -> str:
    """Return which other stage has the file *name* in its marker, in words, or nothing."""
    for marker in other_markers(files, context):
        if name in dict(marker.files):
            return f"stage `{marker.stage}` of pipeline `{marker.pipeline}`"
    return ""
