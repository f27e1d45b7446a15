"""Read `plugin.yaml`, in which a plugin says what it is, how it starts and what it needs.

Nothing is started to read it, so `flowctl validate` knows a plugin's configuration schema
and message types without running it. Variables are not filled in: a manifest is the same
on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, PrivateAttr, WithJsonSchema

from cdp_pipeline.config.building import build, without_empty_keys
from cdp_pipeline.config.document import Document, read_document
from cdp_pipeline.config.environment import FilledDocument
from cdp_pipeline.config.faults import faults_of
from cdp_pipeline.config.limits import Permissions
from cdp_pipeline.config.locations import Locations
from cdp_pipeline.config.model import Frozen
from cdp_pipeline.config.pipeline import Runtime
from cdp_pipeline.config.schema import published
from cdp_pipeline.errors import ArtifactError, ConfigError
from cdpplugin.metadata import Encoding, PluginKind, PluginMetadata, ResourceRequirements

FILE_NAME = "plugin.yaml"
VERSION = r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"
_DEPTH = 1
Text = Annotated[
    str,
    BeforeValidator(lambda value: value if isinstance(value, str) else str(value)),
    WithJsonSchema({"type": ["string", "integer"]}),
]


class ManifestInvalid(ArtifactError):
    """A manifest cannot be used.

    Attributes:
        faults: Each fault with its place, in the order of the file.
    """

    code = "artifact.manifest_invalid"

    def __init__(self, faults: Sequence[ConfigError], where: str) -> None:
        self.faults = list(faults)
        lines = "\n".join(f"  {fault}" for fault in self.faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"{count} in the manifest\n{lines}", where=where)


class DockerConfig(Frozen):
    """How a plugin runs in a container."""

    image: str = Field(
        min_length=1, description="Image, by tag or digest.", examples=["myorg/my-plugin:1.0.0"]
    )
    ports: Mapping[str, Text] = Field(
        default={}, description="Ignored: the host chooses how it reaches the container."
    )
    volumes: tuple[str, ...] = Field(
        default=(), description="Folders to mount, `folder:place` or `folder:place:ro`."
    )
    env: Mapping[str, Text] = Field(
        default={}, description="Environment variables inside the container."
    )


class Resources(Frozen):
    """What a plugin needs of the machine; 0 and false ask for nothing."""

    min_memory_mb: int = Field(default=0, ge=0, description="Memory that must be free, in MiB.")
    max_memory_mb: int = Field(default=0, ge=0, description="Most memory it uses, in MiB.")
    cpu_shares: int = Field(default=0, ge=0, description="Processor weight; 1024 is one core.")
    gpu_required: bool = Field(default=False, description="Whether it needs a graphics processor.")


class Manifest(Frozen):
    """A plugin's manifest."""

    model_config = ConfigDict(
        title="CDP plugin manifest", json_schema_extra={"patternProperties": {"^x-": {}}}
    )

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Unique name, lower case with dashes.",
        examples=["my-processor"],
    )
    version: str = Field(
        pattern=VERSION,
        description="Semantic version.",
        examples=["1.0.0"],
        json_schema_extra={"expected": "a semantic version such as `1.0.0`"},
    )
    type: PluginKind = Field(default="processor", description="What it is in a pipeline.")
    runtime: Runtime | None = Field(
        default=None,
        description="How it is executed; without it `wasm` for a `.wasm` executable, else `grpc`.",
    )
    description: str = Field(default="", description="One sentence.")
    author: str = Field(default="", description="Who to ask.")
    license: str = Field(default="", description="SPDX expression.", examples=["Apache-2.0"])
    executable: str = Field(
        default="",
        description="What is started: a file of its folder, a `.wasm` file, a Python entry point "
        "(`module:attribute`, native), or a command found on PATH.",
        json_schema_extra={"format": "path"},
    )
    args: tuple[Text, ...] = Field(default=(), description="Arguments of the executable.")
    build: tuple[str, ...] = Field(
        default=(), description="Command that builds it, one entry per argument."
    )
    address: str = Field(
        default="",
        description="Where it already runs.",
        examples=["dns:///enrich.example.org:443"],
    )
    port: int = Field(
        default=0, ge=0, le=65535, description="Ignored: the host chooses how it reaches it."
    )
    docker: DockerConfig | None = Field(default=None, description="How it runs in a container.")
    requires: Mapping[str, str] = Field(
        default={},
        description="Versions of the host (`cdp-pipeline`) and of other plugins it needs.",
        examples=[{"cdp-pipeline": ">=0.1"}],
    )
    config_schema: Mapping[str, Any] = Field(
        default={}, description="JSON Schema of its configuration."
    )
    input_types: tuple[str, ...] = Field(
        default=(), description="Message types it takes; none means any."
    )
    output_types: tuple[str, ...] = Field(
        default=(), description="Message types it gives; none means those it was given."
    )
    output_schema: Mapping[str, Mapping[str, Any]] = Field(
        default={}, description="JSON Schema of each output type's payload."
    )
    input_encoding: Encoding = Field(
        default="json", description="Form in which payloads are handed to it."
    )
    stateful: bool = Field(default=False, description="Whether outputs depend on earlier messages.")
    resources: Resources = Field(default=Resources(), description="What it needs of the machine.")
    permissions: Permissions = Field(
        default=Permissions(), description="What it asks to reach beyond its own folder."
    )

    _folder: Path = PrivateAttr(default=Path())
    _locations: Locations = PrivateAttr(default=Locations("<memory>"))

    @property
    def folder(self) -> Path:
        """The plugin's folder, which its paths are relative to."""
        return self._folder

    @property
    def locations(self) -> Locations:
        """Where everything stands in the file."""
        return self._locations

    @property
    def chosen_runtime(self) -> Runtime:
        """How it is executed."""
        return self.runtime or ("wasm" if self.executable.endswith(".wasm") else "grpc")

    def metadata(self) -> PluginMetadata:
        """Return the part that the plugin would also say of itself when running."""
        shared = {
            name: getattr(self, name)
            for name in PluginMetadata.__dataclass_fields__
            if name != "resources"
        }
        return PluginMetadata(
            **shared, resources=ResourceRequirements(**self.resources.model_dump())
        )

    def notices(self) -> list[str]:
        """Return what in it is ignored, for the user to know."""
        ignored = [
            key
            for key, given in (
                ("port", self.port),
                ("docker.ports", self.docker and self.docker.ports),
            )
            if given
        ]
        return [
            f"{self._locations.where_key(tuple(key.split('.')))}: `{key}` is ignored, "
            "the host never uses a fixed port"
            for key in ignored
        ]


def load_manifest(path: Path | str) -> Manifest:
    """Return the manifest at *path*, a `plugin.yaml` or the folder that holds one.

    Raises:
        ManifestInvalid: It cannot be read or has faults; `faults` holds each with its place.
    """
    file = Path(path) / FILE_NAME if Path(path).is_dir() else Path(path)
    try:
        manifest, document = build(Manifest, _unfilled(read_document(file)))
    except ConfigError as error:
        raise ManifestInvalid(faults_of(error), where=str(file)) from error
    manifest._folder = file.parent
    manifest._locations = document.locations
    return manifest


def plugin_schema() -> dict[str, Any]:
    """Return the JSON Schema of `plugin.yaml`."""
    return published(Manifest, "plugin")


def _unfilled(document: Document) -> FilledDocument:
    data = without_empty_keys(document.data, _DEPTH)
    filled = FilledDocument(data, document.locations, faults=document.faults)
    return replace(filled, faults=(*document.faults, *_runtime_as_type(filled)))


def _runtime_as_type(document: FilledDocument) -> list[ConfigError]:
    """Point out the likely mix-up: in a pipeline file, `type` names the runtime."""
    kind = document.at(("type",))
    if kind not in ("grpc", "wasm", "native"):
        return []
    return [
        ConfigError(
            f"`type` is `source`, `processor` or `consumer`, got the runtime `{kind}`",
            code="config.value_invalid",
            where=document.locations.where(("type",)),
            hint=f"write `runtime: {kind}`",
        )
    ]
