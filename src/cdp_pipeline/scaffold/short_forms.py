"""What a component of the ancestor's v2 files means: `latest_ledger`, `gs://b/p`, `{min: 100}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdp_pipeline.config.locations import KeyPath
from cdp_pipeline.scaffold.ancestor import ALIASES, CONSUMERS, FIELD_ALIASES, PROCESSORS

_INFERRED: Mapping[str, tuple[tuple[str, frozenset[str]], ...]] = {
    "source": (
        ("S3BufferedStorageSourceAdapter", frozenset({"region", "aws_access_key_id"})),
        ("BufferedStorageSourceAdapter", frozenset({"bucket", "bucket_name", "path_prefix"})),
        ("CaptiveCoreInboundAdapter", frozenset({"binary_path", "core_binary_path"})),
        ("RPCSourceAdapter", frozenset({"endpoint", "rpc_url", "url"})),
        ("FSBufferedStorageSourceAdapter", frozenset({"path", "directory"})),
    ),
    "processor": (
        ("FilterPayments", frozenset({"min", "min_amount", "max", "max_amount", "asset_code"})),
        ("ContractFilter", frozenset({"contract_id", "contract_ids", "event_types"})),
        ("AccountDataFilter", frozenset({"account_id", "account_ids", "include_muxed"})),
        ("TransformToAppPayment", frozenset({"format", "transform"})),
    ),
    "consumer": (
        (
            "SaveToPostgreSQL",
            frozenset({"connection", "connection_string", "table", "database"}),
        ),
        (
            "SaveToParquet",
            frozenset({"compression", "partition_by", "rotation_interval_minutes", "path"}),
        ),
        ("SaveToZeroMQ", frozenset({"address", "topic", "channel"})),
    ),
}
"""The type that options tell, where nothing else does; the first that fits."""

_SCHEMES = {"stellar": "network", "core": "network", "file": "path", "fs": "path"}
"""What the part behind `://` is, where it is no bucket."""


@dataclass(frozen=True, slots=True)
class Read:
    """A component as it is meant.

    Attributes:
        type: Its type; empty where nothing tells it.
        config: Its options, under their full names.
        named: Where it is named, inside of the component.
        places: Where each option stands, inside of the component.
    """

    type: str
    config: Mapping[str, Any] = field(default_factory=dict)
    named: KeyPath = ()
    places: Mapping[str, KeyPath] = field(default_factory=dict)


def short_source(item: Any) -> Read:
    """Return what a v2 `source` means."""
    if isinstance(item, str):
        return _addressed_source(item, ())
    if not isinstance(item, dict):
        return Read("")
    if len(item) == 1 and isinstance(next(iter(item.values())), str):
        [(key, value)] = item.items()
        if "://" in value:
            return _addressed_source(value, (key,))
    for key, value in item.items():
        if key in ALIASES["source"] and key not in ("bucket",):
            return _named_source(key, value, item)
    return _inferred("source", item)


def _named_source(key: str, value: Any, item: Mapping[str, Any]) -> Read:
    """Return `{stellar: mainnet, ledgers: 1-2}`, `{s3: bucket}` or `{rpc: {...}}`."""
    kind = ALIASES["source"][key]
    if isinstance(value, dict):
        return _full(kind, "source", value, (key,))
    option = {"stellar": "network"}.get(key) or _main_option(kind)
    rest = {name: other for name, other in item.items() if name != key}
    read = _full(kind, "source", rest, ())
    return Read(
        kind,
        {option: value, **read.config},
        (key,),
        {option: (key,), **read.places},
    )


def _main_option(kind: str) -> str:
    if kind in ("RPCSourceAdapter", "SorobanSourceAdapter"):
        return "rpc_url"
    if kind == "CaptiveCoreInboundAdapter":
        return "network"
    return "path" if kind == "FSBufferedStorageSourceAdapter" else "bucket_name"


def _addressed_source(text: str, at: KeyPath) -> Read:
    scheme, separator, rest = text.partition("://")
    kind = ALIASES["source"].get(scheme, "")
    if not separator or not kind:
        return Read(kind, named=at)
    option = _SCHEMES.get(scheme, "bucket_name")
    return Read(kind, {option: rest}, at, {option: at})


def short_component(kind: str, item: Any) -> Read:
    """Return what an entry of v2's `process` (a processor) or `save_to` (a consumer) means."""
    known = PROCESSORS if kind == "processor" else CONSUMERS
    if isinstance(item, str):
        return _worded(kind, item)
    if not isinstance(item, dict):
        return Read("")
    if len(item) == 1:
        [(name, value)] = item.items()
        type_name = ALIASES[kind].get(name, name)
        if type_name in known or isinstance(value, dict):
            return _with_config(type_name, kind, value, name)
    if isinstance(item.get("type"), str):
        rest = {name: value for name, value in item.items() if name != "type"}
        type_name = ALIASES[kind].get(item["type"], item["type"])
        read = _full(type_name, kind, rest, ())
        return Read(type_name, read.config, ("type",), read.places)
    return _inferred(kind, item)


def _with_config(type_name: str, kind: str, value: Any, name: str) -> Read:
    if isinstance(value, dict):
        return _full(type_name, kind, value, (name,))
    if value is None:
        return Read(type_name, named=(name,))
    option = "path" if type_name in ("SaveToParquet", "SaveToGCS") else "connection_string"
    if type_name == "SaveToDuckDB":
        option = "db_path"
    return Read(type_name, {option: value}, (name,), {option: (name,)})


def _worded(kind: str, text: str) -> Read:
    """Return a word (`latest_ledger`), an address (`postgres://...`) or a variable."""
    if kind == "consumer" and text.startswith("${"):
        return Read("SaveToPostgreSQL", {"connection_string": text}, (), {"connection_string": ()})
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Read(ALIASES[kind].get(text, text))
    type_name = ALIASES[kind].get(scheme, "")
    if type_name == "SaveToDuckDB":
        return Read(type_name, {"db_path": rest}, (), {"db_path": ()})
    option = "path" if type_name in ("SaveToParquet", "SaveToGCS") else "connection_string"
    return Read(type_name, {option: text}, (), {option: ()})


def _inferred(kind: str, item: Mapping[str, Any]) -> Read:
    for type_name, options in _INFERRED[kind]:
        if options & item.keys():
            return _full(type_name, kind, item, ())
    return Read("", item, (), {name: (name,) for name in item})


def _full(type_name: str, kind: str, given: Mapping[str, Any], at: KeyPath) -> Read:
    """Return options under their full names; one that the type itself knows keeps its name."""
    known = (PROCESSORS if kind == "processor" else CONSUMERS).get(type_name)
    own = set(known.options) if known else set()
    if kind == "source":
        own = {"path", "endpoint"}
    config: dict[str, Any] = {}
    places: dict[str, KeyPath] = {}
    for name, value in given.items():
        full = name if name in own else FIELD_ALIASES.get(name, name)
        config[full] = value
        places[full] = (*at, name)
    return Read(type_name, config, at, places)
