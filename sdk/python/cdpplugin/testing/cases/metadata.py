"""What a plugin says of itself is complete, valid and always the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from cdpplugin.metadata import Encoding, PluginKind, PluginMetadata
from cdpplugin.payloads import encode_json
from cdpplugin.testing.bench import Bench
from cdpplugin.testing.case import Skipped, case, equal, fail, require

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


@case()
async def identity(bench: Bench) -> None:
    """The metadata give a name, a semantic version and a kind."""
    metadata = bench.metadata
    require(isinstance(metadata, PluginMetadata), f"got {type(metadata).__name__}")
    require(_NAME.fullmatch(metadata.name), f"`{metadata.name}` is no name of a plugin")
    require(_VERSION.fullmatch(metadata.version), f"`{metadata.version}` is no version")
    require(metadata.type in get_args(PluginKind), f"`{metadata.type}` is no kind of plugin")


@case()
async def forms(bench: Bench) -> None:
    """Message types are names, each given once; the encoding is a known one."""
    metadata = bench.metadata
    for what, names in (("input", metadata.input_types), ("output", metadata.output_types)):
        require(all(isinstance(n, str) and n for n in names), f"{what} types: {list(names)}")
        require(len(set(names)) == len(names), f"an {what} type is named twice: {list(names)}")
    known = get_args(Encoding)
    require(metadata.input_encoding in known, f"`{metadata.input_encoding}` is no encoding")


@case()
async def schemas(bench: Bench) -> None:
    """The schemas of configuration and outputs are valid JSON Schemas (draft 2020-12)."""
    try:
        import jsonschema
    except ImportError as error:
        raise Skipped("jsonschema is not installed: pip install 'cdpplugin[testing]'") from error
    for where, schema in _schemas(bench.metadata):
        require(isinstance(schema, Mapping), f"the {where} is no JSON object")
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            fail(f"the {where} is no JSON Schema: {error.message}")


def _schemas(metadata: PluginMetadata) -> Iterator[tuple[str, Any]]:
    yield "schema of the configuration", metadata.config_schema
    for name, schema in metadata.output_schema.items():
        yield f"schema of output type `{name}`", schema


@case("processor", "source")
async def output_schemas(bench: Bench) -> None:
    """A schema is given only for types that the plugin says it gives."""
    declared = bench.metadata.output_types
    if not declared:
        raise Skipped("the plugin names no output types")
    beyond = sorted(set(bench.metadata.output_schema) - set(declared))
    require(not beyond, f"schemas of types that are not given: {beyond}")


@case()
async def repeated(bench: Bench) -> None:
    """Every instance of a plugin says the same of itself, before and after its start."""
    async with bench.instance() as handle:
        equal(_plain(bench.metadata), _plain(handle.metadata()), "the metadata of another instance")
    handle = await bench.shared()
    equal(_plain(bench.metadata), _plain(handle.metadata()), "the metadata after the start")


def _plain(metadata: PluginMetadata) -> bytes:
    """Return the metadata as text: containers of another class say the same."""
    names = PluginMetadata.__dataclass_fields__
    held = {name: getattr(metadata, name) for name in names if name != "resources"}
    lists = {name: list(held[name]) for name in ("input_types", "output_types")}
    return encode_json(held | lists) + repr(metadata.resources).encode()
