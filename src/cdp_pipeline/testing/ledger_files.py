"""Ledgers from files, in the form in which a plugin takes them: rows, JSON or raw.

A file is one of a lake (`*.xdr.zst`), a `LedgerCloseMetaBatch`, or `LedgerCloseMeta` values one
after another or framed as stellar-core writes them; compressed with zstd or not. The built-in
stages `rows` and `ledger-to-json` make of the ledgers what a pipeline's would.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from cdp_pipeline.connectors.sources.ledger_frames import LedgerFrames
from cdp_pipeline.connectors.stellar.galexie import LEDGER, ledger_batch
from cdp_pipeline.connectors.stellar.ledger_rows import LedgerRows, Table
from cdp_pipeline.connectors.stellar.ledger_to_json import LEDGER_JSON, LedgerToJson
from cdp_pipeline.errors import ConfigError, UsageError
from cdp_pipeline.runtimes import native
from cdp_pipeline.testing.asking import Answer, Asking, singles
from cdpplugin import Batch, Context, PluginMetadata, SourceInfo

if TYPE_CHECKING:
    from cdp_pipeline.connectors.stellar.networks import Network

TABLES: Sequence[str] = get_args(Table)
_ZSTD = b"\x28\xb5\x2f\xfd"
_BATCH_HEAD = struct.Struct(">III")
_MOST_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class LedgerForms:
    """In which forms a plugin takes ledgers.

    Attributes:
        tables: Types of rows.
        has_raw: Whether it takes the ledger itself, in whatever encoding it says.
        has_json: Whether it takes the SEP-51 JSON that `ledger-to-json` gives.
    """

    tables: Sequence[str]
    has_raw: bool
    has_json: bool


def forms_for(metadata: PluginMetadata) -> LedgerForms:
    """Return the forms that the plugin takes; one that takes anything gets the ledgers.

    Raises:
        UsageError: usage.no_ledgers; it takes neither ledgers nor rows.
    """
    takes = metadata.input_types
    forms = LedgerForms(
        tables=[table for table in TABLES if table in takes],
        has_raw=not takes or LEDGER in takes,
        has_json=LEDGER_JSON in takes,
    )
    if metadata.type == "source" or not (forms.tables or forms.has_raw or forms.has_json):
        kinds = ", ".join(f"`{name}`" for name in (LEDGER, LEDGER_JSON, *TABLES))
        got = ", ".join(f"`{name}`" for name in takes) or "no messages"
        raise UsageError(
            f"expected a plugin that takes one of {kinds} for `--ledger`, "
            f"`{metadata.reference}` takes {got}",
            code="usage.no_ledgers",
            hint="give its messages as lines of JSON, with `--input` or on standard input",
        )
    return forms


async def read_ledger_files(
    paths: Sequence[Path], forms: LedgerForms, network: str = ""
) -> AsyncIterator[Batch | Answer]:
    """Yield what the ledgers in *paths* become, in order; an `Answer` is one that failed.

    Args:
        paths: The files.
        forms: What the plugin takes.
        network: The network of files that lie in no lake which names it.

    Raises:
        ConfigError: config.unreadable; or the network is not known.
        LakeError, LedgerStreamInvalid: The bytes are no ledgers.
    """
    stages = await _stages(forms)
    for path in paths:
        for ledger in await asyncio.to_thread(_ledgers, path, network):
            if forms.has_raw:
                yield ledger
            for stage in stages:
                answer = await stage.ask(ledger)
                if answer.failure is not None:
                    yield replace(answer, outputs=())
                for single in answer.outputs:
                    yield single


async def _stages(forms: LedgerForms) -> list[Asking]:
    wanted: list[tuple[Any, dict[str, Any]]] = []
    if forms.tables:
        wanted.append((LedgerRows(), {"tables": [*forms.tables]}))
    if forms.has_json:
        wanted.append((LedgerToJson(), {}))
    stages = []
    for plugin, config in wanted:
        handle = native.handle(plugin)
        await handle.configure(config)
        await handle.start(Context())
        stages.append(Asking(handle, plugin.metadata().name))
    return stages


def _ledgers(path: Path, network: str) -> list[Batch]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"`{path}` cannot be read: {error.strerror}", code="config.unreadable", where=str(path)
        ) from error
    known = _network_of(path, network)
    source = SourceInfo("ledger-files", known.passphrase, str(path))
    found = _decoded(path, data)
    return singles(ledger_batch([xdr for _, xdr in found], [n for n, _ in found], known, source))


def _decoded(path: Path, data: bytes) -> list[tuple[int, bytes]]:
    """Return each ledger's sequence and bytes."""
    from cdp_pipeline.connectors.stellar.lake import read_header
    from cdp_pipeline.connectors.stellar.lake.batch_file import decode_batch
    from cdp_pipeline.connectors.stellar.lake.frame import decompress
    from cdp_pipeline.connectors.stellar.lake.layout import FileName, parse_key

    xdr = decompress(str(path), data) if data.startswith(_ZSTD) else data
    if _is_batch(xdr):
        first, last, _ = _BATCH_HEAD.unpack_from(xdr)
        named = parse_key(path.name) or FileName(first, last, "xdr", None, str(path))
        return [(ledger.sequence, ledger.xdr) for ledger in decode_batch(named, xdr)]
    frames = LedgerFrames(max_ledger_bytes=_MOST_BYTES)
    frames.feed(xdr)
    found = []
    while (ledger := frames.take()) is not None:
        found.append((read_header(ledger).sequence, ledger))
    frames.finish()
    return found


def _is_batch(xdr: bytes) -> bool:
    """Tell a batch by its head: a ledger's version and hashes make no such range."""
    if len(xdr) < _BATCH_HEAD.size:
        return False
    first, last, count = _BATCH_HEAD.unpack_from(xdr)
    return bool(count == last - first + 1 and count > 0)


def _network_of(path: Path, network: str) -> Network:
    """Return the network that the user named, else that of the lake in which the file lies.

    Raises:
        ConfigError: network.unknown.
    """
    from cdp_pipeline.connectors.stellar.lake.manifest import MANIFEST_KEY, parse_manifest
    from cdp_pipeline.connectors.stellar.networks import resolve_network

    if network:
        return resolve_network(network)
    for folder in path.absolute().parents[:2]:
        file = folder / MANIFEST_KEY
        if file.is_file():
            held = parse_manifest(file.read_bytes(), str(folder)).network
            if held is not None:
                return held
    raise ConfigError(
        f"expected the network of `{path}`, which lies in no lake that names it",
        code="network.unknown",
        where=str(path),
        hint="add `--network pubnet`, `--network testnet` or a passphrase",
    )
