"""`stdin`: read ledgers from a stream of LedgerCloseMeta XDR, as stellar-core writes it.

stellar-core run --metadata-output-stream fd:1 | flowctl run pipeline.yaml
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from cdpplugin import (
    Base,
    ConfigInvalid,
    Context,
    Fatal,
    PluginError,
    PluginMetadata,
    Resume,
    SourceBatch,
    SourceDescription,
    SourceInfo,
)

from ..settings import Settings, SizeBytes, settings_of
from ..stellar.ledger_token import token_of
from .byte_stream import STDIN, ByteStream
from .ledger_frames import Framing, LedgerFrames
from .ledger_gate import LedgerGate

if TYPE_CHECKING:
    from ..stellar.lake.ledger import RawLedger
    from ..stellar.networks import Network

_LEDGER = "LedgerCloseMeta"


class LedgerStreamSettings(Settings):
    """Settings of `stdin`."""

    network: str | None = Field(
        default=None,
        description="`mainnet`, `pubnet`, `testnet`, `futurenet` or a passphrase; by default the "
        "pipeline's. The bytes do not tell.",
    )
    path: str = Field(
        default=STDIN,
        description="File or named pipe to read; `-` is standard input.",
        json_schema_extra={"format": "path"},
    )
    framing: Framing = Field(
        default="auto",
        description="`framed`: each ledger has the 4-byte length that stellar-core writes "
        "(RFC 5531 record marking); `bare`: XDR alone, one ledger after another; `auto`: told "
        "from the first byte.",
    )
    start: int | None = Field(
        default=None,
        ge=1,
        description="First ledger to read, its sequence; earlier ones are skipped. "
        "By default the first of the stream.",
    )
    end: int | None = Field(
        default=None,
        ge=1,
        description="Last ledger to read, inclusive; the stream is left there. "
        "By default it is read to its end.",
    )
    verify: bool = Field(
        default=True,
        description="Check each header's hash, and that each ledger follows the one before.",
    )
    verify_contents: bool = Field(
        default=True,
        description="Also check transaction set and results against the header; needs a protocol "
        "this version knows.",
    )
    batch_ledgers: int = Field(
        default=100, ge=1, description="Ledgers passed on at once, at the most."
    )
    batch_bytes: SizeBytes = Field(
        default=16_000_000,
        description="Bytes passed on at once; one larger ledger goes alone.",
    )
    max_ledger: SizeBytes = Field(
        default=512_000_000, description="Largest ledger accepted, in bytes of XDR."
    )

    @model_validator(mode="after")
    def _ordered(self) -> LedgerStreamSettings:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"`end` {self.end} comes before `start` {self.start}")
        return self


class LedgerStreamUnreadable(Fatal):
    """The path cannot be opened or read."""

    code = "ledger_stream.unreadable"


@dataclass(frozen=True, slots=True)
class _Cut:
    """Ledgers that were cut at once, and what follows: more of them, or an error."""

    ledgers: list[RawLedger]
    more: bool = False
    error: PluginError | None = None


class LedgerStream(Base):
    """Source of type `stdin`. Positions are ledger sequences; tokens name a ledger and its hash."""

    def __init__(self) -> None:
        self._settings = LedgerStreamSettings()
        self._network: Network | None = None

    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            "stdin",
            "0.1.0",
            "source",
            description="Ledgers from a stream of LedgerCloseMeta XDR, framed or bare",
            output_types=[_LEDGER],
            config_schema=LedgerStreamSettings.model_json_schema(),
        )

    async def configure(self, config: Mapping[str, Any]) -> None:
        from ..stellar.networks import resolve_network

        settings = settings_of(LedgerStreamSettings, config)
        self._network = resolve_network(settings.network) if settings.network else None
        self._settings = settings

    def check(self, context: Context) -> None:
        """Find the network, which the bytes do not tell; nothing is opened.

        Raises:
            ConfigInvalid: Neither the settings nor the pipeline name it.
        """
        from ..stellar.networks import resolve_network

        if self._network is None and context.network:
            self._network = resolve_network(context.network)
        if self._network is None:
            raise ConfigInvalid(
                "`network`: the network of the ledgers expected, got nothing",
                hint="set `network` to mainnet, testnet, futurenet or a passphrase",
            )

    async def start(self, context: Context) -> None:
        self.check(context)

    @property
    def _known_network(self) -> Network:
        assert self._network is not None, "started before it is read"
        return self._network

    async def describe(self) -> SourceDescription:
        """Name the stream as every source of ledgers does: by its network, not its place."""
        start, end = self._settings.start, self._settings.end
        return SourceDescription(
            identity="stellar-ledgers",
            network=self._known_network.passphrase,
            unit="ledgers",
            first=start,
            last=end,
            start="first of the stream" if start is None else str(start),
        )

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        """Yield ledgers as they come; those at or before *after* are skipped."""
        settings = self._settings
        if after is not None and settings.end is not None and after.position >= settings.end:
            return
        stream = ByteStream(settings.path)
        frames = LedgerFrames(settings.framing, max_ledger_bytes=settings.max_ledger)
        gate = LedgerGate(frames, start=settings.start, end=settings.end, after=after)
        gate.verify, gate.verify_contents = settings.verify, settings.verify_contents
        try:
            while not gate.closed:
                chunk = await self._chunk(stream)
                frames.feed(chunk)
                more = True
                while more:
                    # Cutting and hashing take a while on large ledgers: not on the event loop.
                    eager = not chunk or not stream.ready
                    cut = await asyncio.to_thread(self._cut, gate, eager)
                    if cut.ledgers:
                        yield self._source_batch(cut.ledgers)
                    if cut.error is not None:
                        raise cut.error
                    more = cut.more
                if not chunk:
                    frames.finish()
                    gate.finish()
                    return
        finally:
            await stream.close()

    def _cut(self, gate: LedgerGate, eager: bool) -> _Cut:
        """Return the whole ledgers that have come, up to a batch."""
        ledgers: list[RawLedger] = []
        size_bytes = 0
        while not gate.closed:
            if len(ledgers) >= self._settings.batch_ledgers:
                return _Cut(ledgers, more=True)
            if size_bytes >= self._settings.batch_bytes:
                return _Cut(ledgers, more=True)
            try:
                ledger = gate.take(eager=eager)
            except PluginError as error:
                return _Cut(ledgers, error=error)
            if ledger is None:
                break
            if gate.passes(ledger):
                ledgers.append(ledger)
                size_bytes += len(ledger.xdr)
        return _Cut(ledgers)

    async def _chunk(self, stream: ByteStream) -> bytes:
        try:
            return await stream.read()
        except OSError as error:
            raise LedgerStreamUnreadable(
                f"cannot read `{self._settings.path}`: {error.strerror or error}",
                hint="check `path` and its permissions",
            ) from error

    def _source_batch(self, ledgers: list[RawLedger]) -> SourceBatch:
        from ..stellar.galexie import ledger_batch

        place = "stdin" if self._settings.path == STDIN else self._settings.path
        sequences = [ledger.sequence for ledger in ledgers]
        batch = ledger_batch(
            [ledger.xdr for ledger in ledgers],
            sequences,
            self._known_network,
            SourceInfo("stdin", self._known_network.passphrase, place),
        )
        return SourceBatch(batch, sequences, token=token_of(ledgers[-1].sequence, ledgers[-1].hash))
