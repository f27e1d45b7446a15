"""Puts the SDKs of other languages into the wheel: `flowctl plugin new` builds on them.

An editable install has them in the checkout and gets nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = (
    "sdk/c/cdpplugin.h",
    "sdk/c/cdpplugin_test.h",
    "sdk/c/wasm-cc",
    "sdk/go",
    "sdk/node/src",
    "sdk/node/README.md",
    "sdk/node/build.js",
    "sdk/node/package.json",
    "sdk/node/package-lock.json",
    "sdk/node/ready.js",
    "sdk/node/tsconfig.json",
    "sdk/rust/src",
    "sdk/rust/Cargo.toml",
    "sdk/rust/README.md",
    "sdk/rust/build.sh",
    "spec/wit/plugin.wit",
)


class SdksInWheel(BuildHookInterface):  # type: ignore[misc]
    """Adds what a build of a plugin needs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the sources to a wheel that is to be installed elsewhere."""
        if version != "editable" and self.target_name == "wheel":
            for source in SOURCES:
                place = Path(self.root) / source
                build_data["force_include"][str(place)] = f"cdp_pipeline/{source}"
