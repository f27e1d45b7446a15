"""What can go wrong with a ledger lake, told apart so that each has its own way out.

LakeError                    lake.failed
├── LakeAddressInvalid       lake.address_invalid        not a path or URL that can be opened
├── LakeNotFound             lake.not_found              nothing there
├── LakePermissionDenied     lake.permission_denied
├── LakeCannotList           lake.cannot_list            plain HTTP has no listing
├── LakeUnreachable          lake.unreachable            a `Retry`: expected to pass
├── ManifestInvalid          lake.manifest_invalid       `.config.json` cannot be used
├── ManifestMismatch         lake.manifest_mismatch      settings, manifest and keys disagree
├── LayoutUnknown            lake.layout_unknown         no manifest and no sizes given
├── LedgerGap                lake.gap                    a ledger that should be there is not
├── CorruptFile              lake.corrupt_file           not the file its name promises
├── UnknownLedgerVersion     lake.unknown_ledger_version XDR newer than this reader
├── HashMismatch             lake.hash_mismatch          bytes and the hash stored for them differ
└── BrokenChain              lake.broken_chain           a ledger does not follow the one before
"""

from __future__ import annotations

from cdpplugin import PluginError, Retry


class LakeError(PluginError):
    """A ledger lake cannot be used as asked."""

    code = "lake.failed"


class LakeAddressInvalid(LakeError):
    """The address of the lake is no path and no URL of a known kind."""

    code = "lake.address_invalid"


class LakeNotFound(LakeError):
    """There is no lake, bucket or folder at the address."""

    code = "lake.not_found"


class LakePermissionDenied(LakeError):
    """The store refused the credentials, or asked for some."""

    code = "lake.permission_denied"


class LakeCannotList(LakeError):
    """The store has no way to list its keys, and the question needs one."""

    code = "lake.cannot_list"


class LakeUnreachable(LakeError, Retry):
    """The store did not answer, or answered that it is busy, time after time."""

    code = "lake.unreachable"


class ManifestInvalid(LakeError):
    """The lake's `.config.json` is not a manifest that can be read."""

    code = "lake.manifest_invalid"


class ManifestMismatch(LakeError):
    """Local settings, the manifest and the names of the files disagree."""

    code = "lake.manifest_mismatch"


class LayoutUnknown(LakeError):
    """Neither a manifest, nor settings, nor keys tell how the files are laid out."""

    code = "lake.layout_unknown"


class LedgerGap(LakeError):
    """A ledger that must be in the lake is missing.

    Attributes:
        ledger: The first missing ledger, its sequence.
        key: The key of the file that should hold it.
    """

    code = "lake.gap"

    def __init__(self, ledger: int, key: str, address: str) -> None:
        super().__init__(
            f"ledger {ledger} is missing: no file `{key}` in `{address}`",
            hint=f"see what is missing with `flowctl lake gaps {address}`, then fill the gap "
            "or read a range without it",
        )
        self.ledger = ledger
        self.key = key


class CorruptFile(LakeError):
    """A file of the lake is not what its name promises.

    Attributes:
        key: The key of the file.
    """

    code = "lake.corrupt_file"

    def __init__(self, key: str, message: str) -> None:
        super().__init__(
            f"file `{key}`: {message}",
            hint="copy the file again from where the lake came from, or write it anew",
        )
        self.key = key


class UnknownLedgerVersion(LakeError):
    """A ledger has an XDR arm that this reader does not know."""

    code = "lake.unknown_ledger_version"
    hint = (
        "upgrade cdp-pipeline to a version that knows the protocol of this ledger, "
        "or copy the file again if it may be damaged"
    )


class HashMismatch(LakeError):
    """A header, the transactions or the results of a ledger differ from their hash."""

    code = "lake.hash_mismatch"
    hint = "the file was damaged or changed: copy it again from where the lake came from"


class BrokenChain(LakeError):
    """A ledger does not follow the ledger before it."""

    code = "lake.broken_chain"
    hint = "the files come from different networks or runs, or one was changed: copy them again"
