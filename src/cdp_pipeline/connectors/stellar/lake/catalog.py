"""Open a lake and find the file of any ledger in it.

The layout comes from the manifest, from the user, or from the names of the
files; whichever of them are there must agree. Two things are forgiven because
lakes in use have them: both file suffixes, also mixed in one lake, and files
that lie in the root although the manifest promises folders.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..networks import Network
from .address import StoreOptions
from .errors import LakeNotFound, LayoutUnknown, ManifestMismatch
from .layout import EXTENSIONS, FileName, Layout, parse_key
from .manifest import MANIFEST_KEY, LakeSettings, Manifest, check_settings, parse_manifest
from .store import LakeStore, open_store

_MAX_PAGES_WITHOUT_LEDGERS = 5


@dataclass(frozen=True, slots=True)
class LakeFile:
    """One ledger file, read.

    Attributes:
        name: What its key says.
        data: Its bytes, compressed.
    """

    name: FileName
    data: bytes


@dataclass(slots=True)
class Lake:
    """A ledger lake whose layout is known.

    Attributes:
        store: Where its files are.
        layout: How ledgers are spread over them.
        network: The network of the ledgers, None where nothing tells.
        manifest: The manifest, None where the lake has none.
        notes: What is odd about the lake, one sentence each.
    """

    store: LakeStore
    layout: Layout
    network: Network | None = None
    manifest: Manifest | None = None
    notes: list[str] = field(default_factory=list)
    _forms: list[tuple[Layout, str]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        layouts = [self.layout]
        if self.layout.has_partitions and not self.store.can_list:
            # Without a listing only reading a file tells whether the folders are there.
            layouts.append(Layout(self.layout.ledgers_per_file, 1))
        self._forms = [(layout, extension) for layout in layouts for extension in EXTENSIONS]

    @property
    def address(self) -> str:
        """The lake's address as it may be shown."""
        return self.store.address.text

    def key_for(self, sequence: int) -> str:
        """Return the likeliest key of the file that holds *sequence*."""
        layout, extension = self._forms[0]
        return layout.key_for(sequence, extension)

    async def fetch(self, sequence: int) -> LakeFile | None:
        """Read the file that holds *sequence*; None where it is missing.

        Raises:
            LakeError: The store did not serve it.
        """
        for form in list(self._forms):
            key = form[0].key_for(sequence, form[1])
            data = await self.store.get(key)
            if data is not None:
                self._prefer(form)
                return LakeFile(_name_of(key), data)
        return None

    async def find(self, sequence: int) -> FileName | None:
        """Return the name of the file that holds *sequence*; None where it is missing.

        Raises:
            LakeError: The store did not say.
        """
        for form in list(self._forms):
            key = form[0].key_for(sequence, form[1])
            if await self.store.exists(key):
                self._prefer(form)
                return _name_of(key)
        return None

    def _prefer(self, form: tuple[Layout, str]) -> None:
        """Ask for the form that was found first from now on, and for no other placement."""
        if self._forms[0] == form and self.layout == form[0]:
            return
        self.layout = form[0]
        others = [each for each in self._forms if each[0] == form[0] and each != form]
        self._forms = [form, *others]


async def open_lake(
    address: str,
    *,
    settings: LakeSettings | None = None,
    options: StoreOptions | None = None,
) -> Lake:
    """Open the lake at *address*: a folder's path or a URL.

    Raises:
        LakeAddressInvalid: *address* cannot be opened.
        LakeNotFound: Nothing is there.
        LakePermissionDenied, LakeUnreachable: The store did not serve the manifest.
        ManifestInvalid: There is a manifest that cannot be read.
        ManifestMismatch: *settings*, manifest and the names of the files disagree.
        LayoutUnknown: None of them tells the layout.
    """
    settings = LakeSettings() if settings is None else settings
    store = open_store(address, options)
    data = await store.get(MANIFEST_KEY)
    manifest = None if data is None else parse_manifest(data, store.address.text)
    if manifest is not None:
        check_settings(settings, manifest, store.address.text)
    sample = await _first_ledger_file(store) if store.can_list else None
    layout = _stated_layout(settings, manifest)
    notes: list[str] = []
    if sample is not None:
        layout = _layout_by_keys(layout, sample, settings, store.address.text, notes)
    if layout is None:
        raise _layout_unknown(store, settings)
    network = settings.network or (manifest.network if manifest is not None else None)
    return Lake(store, layout, network, manifest, notes)


def _stated_layout(settings: LakeSettings, manifest: Manifest | None) -> Layout | None:
    if manifest is not None:
        return manifest.layout
    if settings.ledgers_per_file is None or settings.files_per_partition is None:
        return None
    return Layout(settings.ledgers_per_file, settings.files_per_partition)


async def _first_ledger_file(store: LakeStore) -> FileName | None:
    """Return any ledger file; the newest one where the store lists in order."""
    pages = 0
    async for page in store.pages():
        for each in page:
            name = parse_key(each.key)
            if name is not None:
                return name
        pages += 1
        if pages == _MAX_PAGES_WITHOUT_LEDGERS:
            return None
    return None


def _layout_by_keys(
    stated: Layout | None, sample: FileName, settings: LakeSettings, address: str, notes: list[str]
) -> Layout:
    """Return the layout that the name of a file proves, checked against what was stated."""
    proved = _proved_layout(sample)
    if stated is None:
        stated = Layout(
            settings.ledgers_per_file or proved.ledgers_per_file,
            proved.files_per_partition
            if settings.files_per_partition is None
            else settings.files_per_partition,
        )
    if stated.ledgers_per_file != proved.ledgers_per_file:
        raise _key_mismatch("ledgers", stated.ledgers_per_file, proved.ledgers_per_file, sample)
    if max(stated.files_per_partition, 1) == proved.files_per_partition:
        return stated
    if proved.has_partitions:
        raise _key_mismatch(
            "files_per_partition", stated.files_per_partition, proved.files_per_partition, sample
        )
    notes.append(
        f"`{address}` promises {stated.files_per_partition} files a folder, "
        "but its files lie in the root: read as they lie"
    )
    return proved


def _proved_layout(sample: FileName) -> Layout:
    ledgers_per_file = sample.end - sample.start + 1
    if sample.partition is None:
        return Layout(ledgers_per_file, 1)
    first, last = sample.partition
    return Layout(ledgers_per_file, max(1, (last - first + 1) // ledgers_per_file))


def _key_mismatch(what: str, stated: int, proved: int, sample: FileName) -> ManifestMismatch:
    setting = "ledgers_per_file" if what == "ledgers" else what
    return ManifestMismatch(
        f"`{setting}` of `{stated}` is stated, but the name of `{sample.key}` says `{proved}`",
        hint=f"correct `{MANIFEST_KEY}` or the settings; the names of the files are what is there",
    )


def _layout_unknown(store: LakeStore, settings: LakeSettings) -> LakeNotFound | LayoutUnknown:
    address = store.address.text
    if store.can_list:
        return LakeNotFound(
            f"no lake at `{address}`: neither `{MANIFEST_KEY}` nor a ledger file",
            hint="the address must be the folder that holds the manifest and the partitions, "
            "for instance `.../ledgers/pubnet`",
        )
    missing = [
        name
        for name, value in (
            ("ledgers_per_file", settings.ledgers_per_file),
            ("files_per_partition", settings.files_per_partition),
        )
        if value is None
    ]
    return LayoutUnknown(
        f"`{address}` has no `{MANIFEST_KEY}` and cannot be listed; "
        f"`{'` and `'.join(missing)}` expected from the settings, got none",
        hint="set `ledgers_per_file` and `files_per_partition` (public lakes use 1 and 64000), "
        "or correct the address",
    )


def _name_of(key: str) -> FileName:
    name = parse_key(key)
    if name is None:
        raise AssertionError(f"layout made the key {key!r} that it cannot read")
    return name
