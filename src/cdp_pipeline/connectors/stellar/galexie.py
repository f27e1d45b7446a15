"""`galexie`: read ledgers from a Galexie lake (SEP-54), a range of it or on and on at its tip."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from cdp_pipeline.connectors.settings import DurationS, Settings, SizeBytes, settings_of
from cdp_pipeline.connectors.stellar.ledger_token import known_ledger, token_of
from cdpplugin import (
    Base,
    Batch,
    ConfigInvalid,
    Context,
    HealthStatus,
    PluginMetadata,
    Resume,
    SourceBatch,
    SourceDescription,
    SourceInfo,
)

if TYPE_CHECKING:
    from cdp_pipeline.connectors.stellar.lake import Lake, RawLedger
    from cdp_pipeline.connectors.stellar.networks import Network

LEDGER = "LedgerCloseMeta"
_MAX_SEQUENCE = 2**32 - 1


def _digits_are_a_sequence(value: object) -> object:
    """A quoted sequence (`start: "${START}"`) is still a sequence."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


Ledger = Annotated[int, BeforeValidator(_digits_are_a_sequence)]


class GalexieSettings(Settings):
    """Where the lake is, and which part of it is read."""

    path: str = Field(
        description="Folder of the lake, or `s3://`, `gs://`, `az://`, `https://` address: the "
        "place where `.config.json` lies",
        json_schema_extra={"format": "path"},
    )
    network: str | None = Field(
        None,
        description="`mainnet`, `pubnet`, `testnet`, `futurenet` or a passphrase; by default "
        "what the lake's manifest says",
    )
    start: Ledger | str | None = Field(
        None,
        description="First ledger: a sequence, a time (`2024-01-01T00:00:00Z`) or an age "
        "(`3d`, `6mo`, `1y`); by default the oldest ledger of the lake",
    )
    end: Ledger | str | None = Field(
        None,
        description="Last ledger, inclusive: a sequence, a time, an age, or `latest` for the "
        "newest at the start; by default the tip is followed",
    )
    region: str = Field("", description="S3 region, e.g. `us-east-2`")
    endpoint_url: str = Field("", description="Another server that speaks S3, GCS or Azure")
    anonymous: bool | None = Field(
        None, description="Send unsigned requests; by default when the environment has no key"
    )
    path_style: bool | None = Field(
        None, description="Put the S3 bucket in the path; by default with `endpoint_url`"
    )
    headers: dict[str, str] = Field(
        default_factory=dict,
        description="HTTP headers sent with each request to a plain HTTP lake",
        json_schema_extra={"secret": True},
    )
    timeout: DurationS = Field(120.0, description="Longest time for one request")
    ledgers_per_file: int | None = Field(
        None, ge=1, description="Only for a lake without a manifest: ledgers in one file"
    )
    files_per_partition: int | None = Field(
        None, ge=1, description="Only for a lake without a manifest: files in one folder"
    )
    parallel_files: int | None = Field(
        None, ge=1, description="Files fetched at the same time; by default 10, or 2 for large ones"
    )
    buffer_bytes: SizeBytes = Field(
        256 << 20, description="Decompressed bytes held ahead of the pipeline at the most"
    )
    poll_interval: DurationS = Field(
        2.0, description="At the tip: wait between two looks for the next file"
    )
    verify: bool = Field(
        True, description="Check header hashes and the chain of previous hashes (SEP-54 does not)"
    )
    verify_contents: bool = Field(
        True,
        description="Also check transaction set and results against the header; needs a protocol "
        "this version knows",
    )

    @model_validator(mode="after")
    def _ordered(self) -> GalexieSettings:
        for name, value in (("start", self.start), ("end", self.end)):
            if isinstance(value, int) and not 1 <= value <= _MAX_SEQUENCE:
                raise ValueError(
                    f"`{name}`: expected a ledger from 1 to {_MAX_SEQUENCE}, got {value}"
                )
        if isinstance(self.start, int) and isinstance(self.end, int) and self.end < self.start:
            raise ValueError(f"`end` {self.end} comes before `start` {self.start}")
        return self


class Galexie(Base):
    """Source of type `galexie`. Positions are ledger sequences; the token is the last hash."""

    _settings: GalexieSettings
    _lake: Lake
    _network: Network
    _first: int
    _last: int | None

    def metadata(self) -> PluginMetadata:
        """Say who it is."""
        return PluginMetadata(
            "galexie",
            "0.1.0",
            "source",
            description="Ledgers from a Galexie lake (SEP-54): folder, S3, GCS, Azure or HTTP",
            output_types=[LEDGER],
            config_schema=GalexieSettings.model_json_schema(),
        )

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Take the settings."""
        self._settings = settings_of(GalexieSettings, config)

    async def start(self, context: Context) -> None:
        """Open the lake and resolve the range."""
        from cdp_pipeline.connectors.stellar.lake import LakeSettings, StoreOptions, open_lake

        settings = self._settings
        self._lake = await open_lake(
            settings.path,
            settings=LakeSettings(
                network=_network_setting(settings, context),
                ledgers_per_file=settings.ledgers_per_file,
                files_per_partition=settings.files_per_partition,
            ),
            options=StoreOptions(
                region=settings.region,
                endpoint_url=settings.endpoint_url,
                anonymous=settings.anonymous,
                path_style=settings.path_style,
                headers=settings.headers,
                timeout_s=settings.timeout,
            ),
        )
        self._network = self._known_network()
        self._first = await self._resolve_start(settings.start)
        self._last = await self._resolve_end(settings.end)
        if self._last is not None and self._last < self._first:
            raise self._empty(settings)

    def _known_network(self) -> Network:
        network = self._lake.network
        if network is None:
            raise ConfigInvalid(
                f"lake `{self._lake.address}` does not tell its network",
                code="galexie.network_unknown",
                hint="set `network` to mainnet, testnet, futurenet or a passphrase",
            )
        return network

    async def _resolve_start(self, start: int | str | None) -> int:
        from cdp_pipeline.connectors.stellar import lake

        if start is None:
            return self._found(await lake.oldest_ledger(self._lake))
        if isinstance(start, int):
            return max(2, start)
        moment = lake.parse_moment(start)
        if moment > datetime.now(UTC):
            raise ConfigInvalid(
                f"`start`: a time that has come expected, got `{start}`",
                code="galexie.range_empty",
                hint="leave `start` out and follow the tip, or give an earlier time",
            )
        return await lake.first_ledger_at_or_after(self._lake, moment)

    async def _resolve_end(self, end: int | str | None) -> int | None:
        from cdp_pipeline.connectors.stellar import lake

        if end is None or isinstance(end, int):
            return end
        if end == "latest":
            return self._found(await lake.newest_ledger(self._lake, near=self._first))
        moment = lake.parse_moment(end)
        return await lake.last_ledger_at_or_before(self._lake, moment, near=self._first)

    def _empty(self, settings: GalexieSettings) -> ConfigInvalid:
        return ConfigInvalid(
            f"a range with a ledger in it expected, got `start` `{settings.start}`, which is "
            f"ledger {self._first}, and `end` `{settings.end}`, which is ledger {self._last}",
            code="galexie.range_empty",
            hint=f"see what is there with `flowctl lake inspect {self._lake.address}`",
        )

    def _found(self, ledger: int | None) -> int:
        """Return *ledger*, an end of the lake.

        Raises:
            ConfigInvalid: galexie.range_unknown; the lake is empty or cannot be listed.
        """
        if ledger is None:
            raise ConfigInvalid(
                f"lake `{self._lake.address}` does not tell its first or last ledger",
                code="galexie.range_unknown",
                hint="set `start` and `end` to ledger sequences; see `flowctl lake inspect`",
            )
        return ledger

    async def describe(self) -> SourceDescription:
        """Name the stream by its network: a mirror of a lake holds the same ledgers."""
        start = self._settings.start
        return SourceDescription(
            identity="stellar-ledgers",
            network=self._network.passphrase,
            unit="ledgers",
            first=self._first,
            last=self._last,
            start="oldest" if start is None else str(start),
        )

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        """Yield the ledgers of one file at a time; the chain is checked across a resume too."""
        from cdp_pipeline.connectors.stellar.lake import ReadOptions, read_ledgers

        settings = self._settings
        first = self._first if after is None else max(self._first, after.position + 1)
        if self._last is not None and first > self._last:
            return
        options = ReadOptions(
            parallel_files=settings.parallel_files,
            buffer_bytes=settings.buffer_bytes,
            poll_interval_s=settings.poll_interval,
            verify=settings.verify,
            verify_contents=settings.verify and settings.verify_contents,
        )
        ledgers = read_ledgers(
            self._lake, first, self._last, options=options, previous_hash=_hash_before(first, after)
        )
        try:
            async for read in ledgers:
                yield self._source_batch(read)
        finally:
            await ledgers.aclose()

    def _source_batch(self, ledgers: list[RawLedger]) -> SourceBatch:
        batch = ledger_batch(
            [ledger.xdr for ledger in ledgers],
            [ledger.sequence for ledger in ledgers],
            self._network,
            SourceInfo("galexie", self._network.passphrase, self._lake.address),
        )
        last = ledgers[-1] if ledgers else None
        token = token_of(last.sequence, last.hash) if last else b""
        return SourceBatch(batch, [ledger.sequence for ledger in ledgers], token=token)

    async def health(self) -> HealthStatus:
        """Tell what is odd about the lake."""
        notes = self._lake.notes
        return HealthStatus("degraded", notes[0]) if notes else HealthStatus()


def _hash_before(first: int, after: Resume | None) -> bytes | None:
    """Return the hash of ledger *first* - 1, where the token tells it."""
    known = known_ledger(after)
    return known[1] if known is not None and known[0] == first - 1 else None


def ledger_batch(
    xdr: list[bytes],
    sequences: list[int],
    network: Network,
    source: SourceInfo,
    kind: Literal["LedgerCloseMeta"] = "LedgerCloseMeta",
) -> Batch:
    """Return raw ledgers as a batch; ids are `network:sequence`."""
    from cdp_pipeline.connectors.backings import XdrPayloads

    return Batch(
        types=kind,
        payloads=XdrPayloads(xdr, network=network.passphrase, type_name=kind),
        ids=[f"{network.name}:{sequence}" for sequence in sequences],
        sources=source,
        content_types="application/x-xdr",
    )


def _network_setting(settings: GalexieSettings, context: Context) -> Network | None:
    from cdp_pipeline.connectors.stellar.networks import resolve_network

    text = settings.network or context.network
    return resolve_network(text) if text else None
