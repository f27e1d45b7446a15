"""Compile modules and components once; keep the result where only we write.

    $XDG_CACHE_HOME/cdp/wasm/          only this user may enter
        key                            a secret of this cache
        5f3c...e1.compiled             a seal, then what wasmtime made of the code

Loading compiled code executes it, so a file is loaded only if its seal proves that this
user's host has written it: HMAC-SHA256 (RFC 2104) over its name and content. Its name is a
digest of the code, the version of wasmtime and the engine's configuration. Whatever does not
fit is compiled anew.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import wasmtime
import wasmtime.component

from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.observability.logs import logger
from cdp_pipeline.runtimes.wasm.binary import Kind
from cdp_pipeline.runtimes.wasm.engine import GuestEngine

Compiled = wasmtime.Module | wasmtime.component.Component


class Code:
    """Compiled code, for as long as somebody holds it.

    The library's own objects are not held weakly: while one is finalized, which lets other
    threads run, a weak reference to it still gives it, and what it gave would be closed.
    """

    __slots__ = ("__weakref__", "compiled")

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled


_SEAL_BYTES = 32
_TYPES: dict[Kind, Any] = {Kind.CORE: wasmtime.Module, Kind.COMPONENT: wasmtime.component.Component}


class CompiledCache:
    """What has been compiled on this machine by this user.

    Args:
        folder: Where it is kept; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # A version that nobody runs any more is let go.
        self._held: WeakValueDictionary[tuple[str, int], Code] = WeakValueDictionary()
        self._turn = threading.Lock()

    def get(self, code: bytes, kind: Kind, engine: GuestEngine, where: str) -> Code:
        """Return *code* compiled for *engine*.

        Raises:
            ArtifactError: plugin.not_wasm; it is no valid code of its kind.
        """
        name = _name(code, engine)
        with self._turn:
            held = self._held.get((name, id(engine)))
            if held is None:
                loaded = self._loaded(name, kind, engine)
                held = Code(loaded or self._made(name, code, kind, engine, where))
                self._held[name, id(engine)] = held
            return held

    def _loaded(self, name: str, kind: Kind, engine: GuestEngine) -> Compiled | None:
        """Return what an earlier run has compiled; None where that cannot be proved."""
        try:
            with _opened(self._folder / f"{name}.compiled") as file:
                content = file.read()
            seal, compiled = content[:_SEAL_BYTES], content[_SEAL_BYTES:]
            if not hmac.compare_digest(seal, self._seal(name, compiled)):
                logger().warning("compiled code in the cache was changed: compiling it anew")
                return None
            loaded: Compiled = _TYPES[kind].deserialize(engine.engine, compiled)
            return loaded
        except (OSError, wasmtime.WasmtimeError):
            return None

    def _made(
        self, name: str, code: bytes, kind: Kind, engine: GuestEngine, where: str
    ) -> Compiled:
        try:
            made: Compiled = _TYPES[kind](engine.engine, code)
        except wasmtime.WasmtimeError as error:
            raise ArtifactError(
                f"expected a valid {kind.value}: {_reason(error)}",
                code="plugin.not_wasm",
                where=where,
                hint="build the plugin again; the file may have been cut off",
            ) from error
        with suppress(OSError):  # a cache that cannot be written costs time, nothing else
            self._keep(name, bytes(made.serialize()))
        return made

    def _keep(self, name: str, compiled: bytes) -> None:
        content = self._seal(name, compiled) + compiled
        draft = self._folder / f"{name}.{secrets.token_hex(4)}.new"
        _write(draft, content)
        draft.replace(self._folder / f"{name}.compiled")

    def _seal(self, name: str, compiled: bytes) -> bytes:
        return hmac.digest(self._key(), name.encode() + b"\0" + compiled, hashlib.sha256)

    def _key(self) -> bytes:
        """Return the cache's secret, made with the cache."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / "key"
        with suppress(FileExistsError):
            draft = path.with_suffix(f".{secrets.token_hex(4)}.new")
            _write(draft, secrets.token_bytes(32))
            try:
                os.link(draft, path)  # the first of several hosts wins
            finally:
                draft.unlink()
        with _opened(path) as file:
            return bytes(file.read())


def _name(code: bytes, engine: GuestEngine) -> str:
    facts = engine.fingerprint.encode() + b"\0"
    return hashlib.sha256(facts + hashlib.sha256(code).digest()).hexdigest()


def _opened(path: Path) -> Any:
    """Return the file at *path*, opened for reading.

    Raises:
        PermissionError: It is not this user's alone to write.
    """
    file = path.open("rb")
    facts = os.fstat(file.fileno())
    if facts.st_uid != os.getuid() or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        file.close()
        raise PermissionError(f"{path} can be written by others")
    return file


def _write(path: Path, content: bytes) -> None:
    opener: Callable[[str, int], int] = lambda name, flags: os.open(name, flags, 0o600)  # noqa: E731
    with open(path, "xb", opener=opener) as file:
        file.write(content)


def _reason(error: wasmtime.WasmtimeError) -> str:
    return " ".join(str(error).split())[:300]
