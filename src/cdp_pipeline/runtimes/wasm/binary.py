"""Tell by its bytes what a file is: a core module, a component, or no WebAssembly.

Source: WebAssembly Core Specification 2.0, section 5.5.16; Component Model, `Binary.md`.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from cdp_pipeline.errors import ArtifactError

_MAGIC = b"\0asm"
_CORE = b"\x01\0\0\0"
_COMPONENT_LAYER = b"\x01\0"


class Kind(Enum):
    """What a WebAssembly file is."""

    CORE = "core module"
    COMPONENT = "component"


def read_code(path: Path) -> bytes:
    """Return the bytes of the file at *path*.

    Raises:
        ArtifactError: plugin.not_found; it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"expected a WebAssembly file at `{path}`, it cannot be read: {error.strerror}",
            code="plugin.not_found",
            hint="build the plugin, or correct `path` or the manifest's `executable`",
        ) from error


def kind_of(code: bytes, where: str) -> Kind:
    """Return what *code* is.

    Raises:
        ArtifactError: plugin.not_wasm; it is no WebAssembly of a version that is known.
    """
    version = code[4:8]
    if code[:4] == _MAGIC and version == _CORE:
        return Kind.CORE
    if code[:4] == _MAGIC and version[2:] == _COMPONENT_LAYER:
        return Kind.COMPONENT
    if code[:4] == _MAGIC:
        found = f"version {version.hex()}"
    else:
        found = f"{code[:4]!r}" if code else "an empty file"
    raise ArtifactError(
        f"expected a WebAssembly module or component, got {found}",
        code="plugin.not_wasm",
        where=where,
        hint="build the plugin for a target such as `wasm32-unknown-unknown` or `wasip1`",
    )
