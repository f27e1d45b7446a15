"""What a plugin may use and reach: one vocabulary for wasm, process and container."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cdp_pipeline.config.model import DurationS, Frozen, ShortForm, SizeBytes

Sandbox = Literal["auto", "required", "off"]


class Limits(Frozen):
    """Hard limits of one plugin; None sets no limit here."""

    memory: SizeBytes | None = Field(
        default=None, description="Memory of all its instances together, in bytes or `100MB`."
    )
    cpu: float | None = Field(
        default=None,
        gt=0,
        description="Processor time of all its instances together, in cores: `0.5` is half a core.",
    )
    timeout: DurationS | None = Field(
        default=None, description="Longest time for one message, in seconds or `30s`."
    )
    fuel: int | None = Field(
        default=None,
        ge=1,
        description="Most WebAssembly instructions for one message, which are then handed over "
        "one by one; the same on every machine.",
    )
    output: SizeBytes | None = Field(
        default=None, description="Most bytes of one answer of a WebAssembly plugin, or `16MB`."
    )
    instances: int | None = Field(
        default=None, ge=1, description="Most instances of a WebAssembly plugin at a time."
    )
    pids: int | None = Field(default=None, ge=1, description="Most processes and threads.")
    files: int | None = Field(default=None, ge=1, description="Most open file descriptors.")

    def over(self, base: Limits) -> Limits:
        """Return these limits, and those of *base* where none is set here."""
        own = {name: value for name, value in self if value is not None}
        return base.model_copy(update=own)


class FileGrant(Frozen):
    """A folder or file that a plugin may reach."""

    path: str = Field(
        min_length=1,
        description="The folder or file.",
        json_schema_extra={"format": "path"},
    )
    mode: Literal["read", "write"] = Field(
        default="read", description="`read`, or `write` which includes reading."
    )


class Permissions(Frozen):
    """What a plugin may reach beyond its own folder; a grant takes both manifest and pipeline."""

    env: tuple[str, ...] = Field(
        default=(), description="Environment variables that are passed on to it."
    )
    files: tuple[Annotated[FileGrant, ShortForm(lambda text: {"path": text})], ...] = Field(
        default=(), description="Folders and files it may reach; a bare path is for reading."
    )
    network: bool = Field(
        default=False,
        description="Whether a plugin in a process may open connections.",
    )
    stdout: bool = Field(
        default=False,
        description="Whether a WebAssembly plugin's standard output is the host's; without it, "
        "it becomes log lines.",
    )
    clock: bool = Field(
        default=False, description="Whether a WebAssembly plugin sees the real time."
    )

    def harmless(self) -> Permissions:
        """Return the part that reaches nothing of anybody's: it is given where nobody was asked."""
        return Permissions(stdout=self.stdout, clock=self.clock)

    def with_files(self, *grants: FileGrant) -> Permissions:
        """Return these permissions, and *grants* besides."""
        return self.model_copy(update={"files": (*self.files, *grants)})
