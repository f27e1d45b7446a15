"""The instances of one plugin: made when they are needed, brought to life, used again, ended.

An instance that did what it may not is ended, and so is one whose memory has grown large,
since WebAssembly memory never shrinks. The one used last is used next: its state is warm, and
a plugin called by one caller at a time has one instance.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cdp_pipeline.runtimes.wasm.answer import Status, error_of
from cdp_pipeline.runtimes.wasm.faults import GuestFault, StartRefused, StateLost
from cdp_pipeline.runtimes.wasm.guest import Guest
from cdp_pipeline.runtimes.wasm.program import START_S, Program
from cdpplugin import ConfigInvalid, Context, Fatal, PluginError, encode_json

LARGE_BYTES = 64 << 20
"""An instance with more memory than this, and more than twice what it began with, is ended."""


class Pool:
    """Instances of one program.

    Args:
        program: What they are made of.
        most: How many there may be at a time.
        stateful: Whether an instance may never be replaced once it is started.
    """

    def __init__(self, program: Program, most: int, *, stateful: bool) -> None:
        self.replaced = 0
        self._program = program
        self._stateful = stateful
        self._room = threading.Semaphore(most)
        self._turn = threading.Lock()
        self._idle: list[tuple[Guest, int]] = []
        self._config: bytes | None = None
        self._context: bytes | None = None
        self._is_lost = False

    def adopt(self, guest: Guest) -> None:
        """Take an instance that only its metadata were asked of."""
        self._idle.append((guest, guest.memory_bytes))

    def configure(self, config: Mapping[str, Any]) -> None:
        """Hand the configuration to an instance, and to all that come later.

        Raises:
            ConfigInvalid: The plugin refuses it.
            PluginError: It fails.
        """
        self._config = encode_json(config)
        guest = self._taken_idle()
        guest = guest or (self._program.instance(), 0)
        _configure(guest[0], self._config)
        self._put_back(*guest)

    def start(self, context: Context) -> None:
        """Start an instance, and all that come later.

        Raises:
            PluginError: It fails.
        """
        told = {
            "pipeline": context.pipeline,
            "stage": context.stage,
            "network": context.network,
            "schemas": dict(context.schemas),
        }
        text = encode_json(told)
        guest = self._taken_idle() or self._made()
        _start(guest[0], text)
        self._context = text
        self._put_back(*guest)

    def import_state(self, state: bytes) -> None:
        """Hand over the state of the instance that this plugin replaces."""
        with self.borrowed() as guest:
            if "import_state" not in guest.exports:
                raise PluginError("the plugin takes no state", code="plugin.state_unsupported")
            _done(guest, "import_state", state)

    @contextmanager
    def borrowed(self) -> Iterator[Guest]:
        """Give an instance that is started; waits while all are in use.

        After a `GuestFault`, or anything that is no `PluginError`, it is ended.

        Raises:
            StateLost: The state that it had is gone.
            StartRefused: None can be made.
        """
        with self._room:
            if self._is_lost:
                raise StateLost(f"plugin `{self._program.reference}` has lost its state")
            guest, size = self._taken_idle() or self._made()
            try:
                yield guest
            except GuestFault:
                self._end()
                raise
            except PluginError:
                self._put_back(guest, size)
                raise
            except BaseException:
                self._end()
                raise
            self._put_back(guest, size)

    def stop(self) -> PluginError | None:
        """Stop all instances; return what the first that failed to stop said."""
        with self._turn:
            guests, self._idle = self._idle, []
        first: PluginError | None = None
        for guest, _ in guests:
            try:
                if self._context is not None and "stop" in guest.exports:
                    _done(guest, "stop", None)
            except PluginError as error:
                first = first or error
        self._context = None
        return first

    def _taken_idle(self) -> tuple[Guest, int] | None:
        with self._turn:
            return self._idle.pop() if self._idle else None

    def _put_back(self, guest: Guest, size: int) -> None:
        large = guest.memory_bytes > max(LARGE_BYTES, 2 * size)
        with self._turn:
            if large and not self._stateful:
                self.replaced += 1
            else:
                self._idle.append((guest, size))

    def _end(self) -> None:
        with self._turn:
            self.replaced += 1
            self._is_lost = self._stateful and self._context is not None

    def _made(self) -> tuple[Guest, int]:
        """Return a new instance, brought as far as this plugin is."""
        guest = self._program.instance()
        try:
            if self._config is not None:
                _configure(guest, self._config)
            if self._context is not None:
                _start(guest, self._context)
        except (ConfigInvalid, Fatal):
            raise
        except PluginError as error:
            raise StartRefused(error.message, code=error.code, hint=error.hint) from error
        return guest, guest.memory_bytes


def _configure(guest: Guest, config: bytes) -> None:
    """Hand over the configuration; anything but OK refuses it."""
    if "configure" not in guest.exports:
        return
    answer = guest.call("configure", config, START_S)
    if answer.status == Status.OK:
        return
    error = error_of(answer, "`configure`")
    if answer.status in (Status.ERROR, Status.INVALID):
        raise ConfigInvalid(error.message, code=_own_code(error), hint=error.hint)
    raise error


def _own_code(error: PluginError) -> str | None:
    return None if error.code == PluginError.code else error.code


def _start(guest: Guest, context: bytes) -> None:
    if "start" in guest.exports:
        _done(guest, "start", context)


def _done(guest: Guest, name: str, data: bytes | None) -> bytes:
    """Call *name*, which gives nothing but perhaps bytes.

    Raises:
        PluginError: What the guest says instead.
    """
    answer = guest.call(name, data, START_S)
    if answer.status != Status.OK:
        raise error_of(answer, f"`{name}`")
    return answer.data
