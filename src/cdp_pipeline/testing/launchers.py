"""Launch a plugin for the conformance suite, whatever it is: a folder, a file, an address.

launchers = Launchers(os.environ, cache_folder(os.environ))
subject = await launchers.subject("examples/plugins/enrich-go")
report = await cdpplugin.testing.run(subject)
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdp_pipeline.artifacts.manifest import FILE_NAME, Manifest, load_manifest
from cdp_pipeline.config.limits import FileGrant, Permissions
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.errors import ArtifactError, PluginFault
from cdp_pipeline.runtimes import discovery, native
from cdp_pipeline.testing.sample import Sample, sample_beside
from cdpplugin import Plugin, PluginError, PluginMetadata
from cdpplugin.testing import Subject

if TYPE_CHECKING:
    from cdp_pipeline.runtimes.grpc.connection import Connection
    from cdp_pipeline.runtimes.grpc.loader import GrpcLoader
    from cdp_pipeline.runtimes.grpc.remote import RemoteTerms
    from cdp_pipeline.runtimes.wasm.loader import WasmLoader

WORKERS = 4
"""How many batches a native plugin may work on at once."""


@dataclass(frozen=True, slots=True)
class NativeTarget:
    """A plugin for the host's own process.

    Attributes:
        name: How it was named.
        folder: Where its samples may be.
        create: Makes a new plugin object.
    """

    name: str
    folder: Path
    create: Callable[[], Plugin]


@dataclass(frozen=True, slots=True)
class ManifestTarget:
    """A plugin with a manifest, to be run in another process or as WebAssembly.

    Attributes:
        name: How it was named.
        manifest: What it says of itself.
    """

    name: str
    manifest: Manifest

    @property
    def folder(self) -> Path:
        """Where its samples may be."""
        return self.manifest.folder


@dataclass(frozen=True, slots=True)
class AddressTarget:
    """A plugin that runs elsewhere.

    Attributes:
        name: Its address.
    """

    name: str


@dataclass(frozen=True, slots=True)
class ModuleTarget:
    """A WebAssembly file without a manifest.

    Attributes:
        name: How it was named.
    """

    name: str

    @property
    def folder(self) -> Path:
        """Where its samples may be."""
        return Path(self.name).parent


Target = NativeTarget | ManifestTarget | AddressTarget | ModuleTarget


def target_of(text: str) -> Target:
    """Return what *text* names: a folder, a manifest, a Python or `.wasm` file, or an address.

    Raises:
        ArtifactError: plugin.not_found.
        ManifestInvalid: Its manifest has faults.
    """
    path = Path(text)
    if path.is_dir() or path.suffix in (".yaml", ".yml"):
        return _with_manifest(text, path)
    if ".py" in text and Path(text.partition(".py")[0] + ".py").is_file():
        return NativeTarget(text, path.parent, lambda: discovery.load_file(text))
    if path.suffix == ".wasm" and path.is_file():
        return ModuleTarget(text)
    if not path.exists() and ":" in text:
        from cdp_pipeline.runtimes.grpc.remote import address_of

        address_of(text)
        return AddressTarget(text)
    raise ArtifactError(
        f"expected a plugin at `{text}`, found none",
        code="plugin.not_found",
        hint=f"name a folder with a `{FILE_NAME}`, a Python or `.wasm` file, "
        "or an address `HOST:PORT`",
    )


def _with_manifest(text: str, path: Path) -> Target:
    manifest = load_manifest(path)
    if manifest.chosen_runtime == "native":
        return NativeTarget(text, manifest.folder, lambda: _entry_point(manifest))
    return ManifestTarget(text, manifest)


def _entry_point(manifest: Manifest) -> Plugin:
    """Return a new plugin object of `module:attribute`, or of a Python file in the folder."""
    named = manifest.executable
    if ".py" in named:
        return discovery.load_file(str(manifest.folder / named))
    return discovery.load_installed(EntryPoint(manifest.name, named, discovery.GROUP))


class Silent:
    """A logger that keeps what a plugin prints to itself."""

    def __getattr__(self, level: str) -> Callable[..., None]:
        return lambda *_, **__: None


class Launchers:
    """Launches plugins, built before where they are not.

    Args:
        environ: The host's environment.
        cache: The host's cache folder, for builds and Python environments.
        log_of: Makes the logger for what a plugin prints, given its `name@version`; None
            takes the host's.
        remote: How a plugin at an address is reached; None is plain text without a token.
        grants: Whether a plugin gets what its manifest asks for under `permissions`: that is the
            word of a stranger.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        cache: Path,
        log_of: Callable[[str], Any] | None = None,
        remote: RemoteTerms | None = None,
        *,
        grants: bool = False,
    ) -> None:
        from cdp_pipeline.runtimes.building.builder import Builder

        self._options: dict[str, Any] = {} if log_of is None else {"log_of": log_of}
        self._environ, self._cache = environ, cache
        self.builder = Builder(cache, environ, **self._options)
        self._remote = remote
        self._grants = grants

    @cached_property
    def _grpc(self) -> GrpcLoader:
        from cdp_pipeline.runtimes.grpc.loader import GrpcLoader

        # The suite is to see a plugin's death, which a pipeline would get over.
        options = {"remote": self._remote, "isolates": False, **self._options}
        return GrpcLoader(self._environ, self._cache, **options)

    @cached_property
    def _wasm(self) -> WasmLoader:
        from cdp_pipeline.runtimes.wasm.loader import WasmLoader

        return WasmLoader(self._environ, self._cache, **self._options)

    async def subject(self, target: Target, sample: Sample | None = None) -> Subject:
        """Return *target* as the suite takes it, with *sample* or what it brings itself.

        Raises:
            ConfigError: Its samples have faults.
            ArtifactError: It cannot be built.
            PluginFault: Nobody answers at its address.
        """
        if isinstance(target, ManifestTarget):
            await self.builder.ensure(target.manifest)
        if sample is None:
            sample = _sample_of(target)
        return Subject(
            name=target.name,
            launch=await self._launch_of(target),
            config=sample.config,
            messages=[each.message() for each in sample.messages],
            scratch=self._scratch,
        )

    async def _launch_of(self, target: Target) -> Callable[[], Any]:
        if isinstance(target, NativeTarget):
            return lambda: self._native(target)
        if isinstance(target, ModuleTarget):
            return lambda: self.launch_module(target)
        manifest = (
            target.manifest
            if isinstance(target, ManifestTarget)
            else await self._elsewhere(target.name)
        )
        return lambda: self.launch(manifest)

    @asynccontextmanager
    async def _native(self, target: NativeTarget) -> AsyncIterator[Any]:
        yield native.handle(target.create(), workers=WORKERS)

    @asynccontextmanager
    async def launch(self, manifest: Manifest) -> AsyncIterator[Any]:
        """Give a fresh handle of a plugin with a manifest, which is ended afterwards."""
        runtime = manifest.chosen_runtime
        if runtime == "grpc" and manifest.docker is None:
            manifest = self._with_scratch(manifest)
        plugin = PluginConfig(
            name=manifest.name,
            type=runtime,
            path=str(manifest.folder),
            permissions=self._granted(manifest.permissions),
        )
        loader: Any = self._wasm if runtime == "wasm" else self._grpc
        async with _ending(await loader.load(manifest, plugin)(WORKERS)) as handle:
            yield handle

    def _granted(self, asked: Permissions) -> Permissions:
        """Return what a plugin gets of what it asks for: at least what is no secret of anybody."""
        if self._grants:
            return asked
        scratch = tuple(each for each in asked.files if each.path == str(self._scratch))
        return asked.harmless().with_files(*scratch)

    @cached_property
    def _scratch(self) -> Path:
        """A folder for what the cases let plugins write, removed with this object."""
        folder = Path(tempfile.mkdtemp(prefix="cdp-scratch-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _with_scratch(self, manifest: Manifest) -> Manifest:
        """Return *manifest* as if it asked for that folder: a plugin's process is confined."""
        grant = FileGrant(path=str(self._scratch), mode="write")
        permissions = manifest.permissions.with_files(grant)
        return manifest.model_copy(update={"permissions": permissions})

    @asynccontextmanager
    async def launch_module(self, target: ModuleTarget) -> AsyncIterator[Any]:
        """Give a fresh handle of a WebAssembly file, which is ended afterwards."""
        path = Path(target.name)
        plugin = PluginConfig(name=path.stem, type="wasm", path=target.name)
        async with _ending(await self._wasm.load_file(path, plugin)(WORKERS)) as handle:
            yield handle

    async def first_contact(self, address: str) -> tuple[Connection, PluginMetadata]:
        """Return the closed connection to what answers at *address*, and what it said of itself.

        Raises:
            PluginFault: Nobody answers there, or no plugin does.
        """
        from cdp_pipeline.runtimes.grpc.remote import RemoteTerms, replicas

        try:
            first = (await replicas(address, address, self._remote or RemoteTerms()))[0]
            connection = await first.launch(None)
        except PluginError as error:
            raise PluginFault(
                error.message, code=error.code, hint=error.hint, where=address
            ) from error
        await connection.close()
        return connection, connection.metadata

    async def _elsewhere(self, address: str) -> Manifest:
        """Return a manifest for what answers at *address*: it says itself of what kind it is."""
        _, metadata = await self.first_contact(address)
        return Manifest(
            name=metadata.name, version=metadata.version, type=metadata.type, address=address
        )


@asynccontextmanager
async def _ending(handle: Any) -> AsyncIterator[Any]:
    try:
        yield handle
    finally:
        with suppress(Exception):  # a case that looks at the stop has called it by itself
            await handle.stop()


def _sample_of(target: Target) -> Sample:
    """Return what *target* brings itself; nobody can look into the folder of an address."""
    return Sample() if isinstance(target, AddressTarget) else sample_beside(target.folder)
