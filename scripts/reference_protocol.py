"""The reference page of the gRPC contract, made from `plugin.proto` and its comments."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

ROOT = Path(__file__).resolve().parent.parent
PROTO = "cdpplugin/v1/plugin.proto"
_PATH = tuple[int, ...]
# Numbers of fields in descriptor.proto, of which the paths of comments are made.
_MESSAGE, _ENUM, _SERVICE = 4, 5, 6
_FIELD, _NESTED_MESSAGE, _NESTED_ENUM, _METHOD, _VALUE = 2, 3, 4, 2, 2


def protocol() -> Iterator[str]:
    """Yield the page's lines: services with their calls, messages with their fields, enums."""
    file = _described()
    comments = _Comments(file)
    yield f"Package `{file.package}`, from"
    yield f"[`proto/{PROTO}`](../../proto/{PROTO}). {comments.of((12,))}\n"
    yield "[The handshake](../../spec/handshake.md) says how the two meet,"
    yield "and what the calls mean together.\n"
    for index, service in enumerate(file.service):
        yield from _service(service, (_SERVICE, index), comments)
    yield "## Messages\n"
    for index, message in enumerate(file.message_type):
        yield from _message(message, "", (_MESSAGE, index), comments)
    yield "## Enums\n"
    for index, enum in enumerate(file.enum_type):
        yield from _enum(enum, "", (_ENUM, index), comments)


def _described() -> FileDescriptorProto:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "plugin.binpb"
        flags = ["--include_source_info", f"--descriptor_set_out={target}"]
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", *flags, PROTO]
        subprocess.run(command, check=True)
        return FileDescriptorSet.FromString(target.read_bytes()).file[0]


class _Comments:
    """What stands before each element; by its path in the file's descriptor."""

    def __init__(self, file: FileDescriptorProto) -> None:
        locations = file.source_code_info.location
        self._before: Mapping[_PATH, str] = {
            tuple(at.path): _text(at.leading_comments or "".join(at.leading_detached_comments))
            for at in locations
        }

    def of(self, path: _PATH) -> str:
        return self._before.get(path, "")


def _text(comment: str) -> str:
    return re.sub(r"\s+", " ", comment).strip()


def _service(service: ServiceDescriptorProto, path: _PATH, comments: _Comments) -> Iterator[str]:
    yield f"## Service `{service.name}`\n"
    yield "| call | takes | gives | |\n|---|---|---|---|"
    for index, method in enumerate(service.method):
        takes = _link(method.input_type, stream=method.client_streaming)
        gives = _link(method.output_type, stream=method.server_streaming)
        said = _cell(comments.of((*path, _METHOD, index)))
        yield f"| `{method.name}` | {takes} | {gives} | {said} |"
    yield ""


def _message(
    message: DescriptorProto, within: str, path: _PATH, comments: _Comments
) -> Iterator[str]:
    if message.options.map_entry:
        return
    name = f"{within}{message.name}"
    yield f"### `{name}`\n"
    if said := comments.of(path):
        yield f"{said}\n"
    entries = {entry.name: entry for entry in message.nested_type if entry.options.map_entry}
    if message.field:
        yield "| field | number | type | |\n|---|---|---|---|"
        for index, field in enumerate(message.field):
            said = _cell(comments.of((*path, _FIELD, index)))
            yield f"| `{field.name}` | {field.number} | {_type(field, entries)} | {said} |"
        yield ""
    else:
        yield "It has no fields.\n"
    for index, inner in enumerate(message.nested_type):
        yield from _message(inner, f"{name}.", (*path, _NESTED_MESSAGE, index), comments)
    for index, enum in enumerate(message.enum_type):
        yield from _enum(enum, f"{name}.", (*path, _NESTED_ENUM, index), comments)


def _enum(
    enum: EnumDescriptorProto, within: str, path: _PATH, comments: _Comments
) -> Iterator[str]:
    yield f"### `{within}{enum.name}`\n"
    yield "| value | number | |\n|---|---|---|"
    for index, value in enumerate(enum.value):
        said = _cell(comments.of((*path, _VALUE, index)))
        yield f"| `{value.name}` | {value.number} | {said} |"
    yield ""


def _type(field: FieldDescriptorProto, entries: Mapping[str, DescriptorProto]) -> str:
    entry = entries.get(field.type_name.rpartition(".")[2])
    if entry is not None:
        key, value = entry.field
        return f"map of {_type(key, {})} to {_type(value, {})}"
    name = _link(field.type_name) if field.type_name else f"`{_scalar(field)}`"
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"repeated {name}"
    return f"optional {name}" if field.proto3_optional else name


def _scalar(field: FieldDescriptorProto) -> str:
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _link(type_name: str, *, stream: bool = False) -> str:
    name = type_name.removeprefix(".").removeprefix("plugin.v1.")
    anchor = name.lower().replace(".", "")
    shown = f"`{name}`" if name.startswith("google.") else f"[`{name}`](#{anchor})"
    return f"stream of {shown}" if stream else shown


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
