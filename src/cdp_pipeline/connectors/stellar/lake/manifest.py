"""Read a lake's `.config.json` and hold it against what the user set.

SEP-54 puts the manifest at the root of the lake:

    {"networkPassphrase": "...", "version": "1.0", "compression": "zstd",
     "ledgersPerBatch": 1, "batchesPerPartition": 64000}

What the user leaves unset is taken from it; what the user sets must agree.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..networks import Network, network_of_passphrase
from .errors import ManifestInvalid, ManifestMismatch
from .layout import Layout

MANIFEST_KEY = ".config.json"
_KNOWN_MAJOR_VERSIONS = ("0", "1")
_COMPRESSIONS = ("zstd", "zst")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `.config.json` says.

    Attributes:
        network: The network of the lake, None where the manifest names none.
        version: Version of the manifest's format, e.g. `1.0`.
        layout: Ledgers per file and files per partition.
    """

    network: Network | None
    version: str
    layout: Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeSettings:
    """What the user says about the lake; None leaves it to the lake.

    Attributes:
        ledgers_per_file: Ledgers in one file.
        files_per_partition: Files in one folder; 0 and 1 mean no folders.
        network: The network that the ledgers must belong to.
    """

    ledgers_per_file: int | None = None
    files_per_partition: int | None = None
    network: Network | None = None


def parse_manifest(data: bytes, address: str) -> Manifest:
    """Read the bytes of a manifest.

    Raises:
        ManifestInvalid: They are no manifest, or one that this reader cannot follow.
    """
    try:
        document = json.loads(data)
    except ValueError as error:
        raise _invalid(address, f"JSON expected, got {error}") from error
    if not isinstance(document, dict):
        raise _invalid(address, f"an object expected, got {type(document).__name__}")
    version = document.get("version", "1.0")
    if not isinstance(version, str) or version.split(".")[0] not in _KNOWN_MAJOR_VERSIONS:
        raise _invalid(address, f"`version` 0.x or 1.x expected, got {json.dumps(version)}")
    compression = document.get("compression", "zstd")
    if compression not in _COMPRESSIONS:
        raise _invalid(address, f'`compression` "zstd" expected, got {json.dumps(compression)}')
    layout = Layout(
        _size(document, "ledgersPerBatch", 1, address),
        _size(document, "batchesPerPartition", 0, address),
    )
    return Manifest(_network(document, address), version, layout)


def check_settings(settings: LakeSettings, manifest: Manifest, address: str) -> None:
    """Check that what the user set agrees with the manifest.

    Raises:
        ManifestMismatch: It does not; the message names both values.
    """
    ours, theirs = settings.ledgers_per_file, manifest.layout.ledgers_per_file
    if ours is not None and ours != theirs:
        raise _mismatch("ledgers_per_file", ours, "ledgersPerBatch", theirs, address)
    ours, theirs = settings.files_per_partition, manifest.layout.files_per_partition
    # 0 and 1 are two ways to write "no folders".
    if ours is not None and max(ours, 1) != max(theirs, 1):
        raise _mismatch("files_per_partition", ours, "batchesPerPartition", theirs, address)
    network = settings.network
    if network is not None and manifest.network is not None and network != manifest.network:
        passphrase = manifest.network.passphrase
        raise _mismatch("network", network.passphrase, "networkPassphrase", passphrase, address)


def _size(document: dict[str, object], name: str, least: int, address: str) -> int:
    value = document.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise _invalid(address, f"`{name}` of at least {least} expected, got {json.dumps(value)}")
    return value


def _network(document: dict[str, object], address: str) -> Network | None:
    passphrase = document.get("networkPassphrase") or None
    if passphrase is None:
        return None
    if not isinstance(passphrase, str):
        raise _invalid(
            address, f"`networkPassphrase` as text expected, got {json.dumps(passphrase)}"
        )
    return network_of_passphrase(passphrase)


def _invalid(address: str, message: str) -> ManifestInvalid:
    return ManifestInvalid(
        f"manifest `{MANIFEST_KEY}` of `{address}`: {message}",
        hint="write the manifest as SEP-54 describes it",
    )


def _mismatch(
    setting: str, ours: object, name: str, theirs: object, address: str
) -> ManifestMismatch:
    return ManifestMismatch(
        f"`{setting}` is set to `{ours}`, but `{name}` in `{MANIFEST_KEY}` of `{address}` "
        f"is `{theirs}`",
        hint=f"leave `{setting}` unset to take the lake's own value, or correct the address",
    )
