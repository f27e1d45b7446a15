"""Run a pipeline as `flowctl run` does, between a source that costs nothing and a counting sink."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from types import MappingProxyType
from typing import Any

from cdp_pipeline.config import load_pipeline
from cdp_pipeline.config.settings import HostSettings
from cdp_pipeline.host.catalog import Catalog
from cdp_pipeline.host.running import Running, RunResult, run_pipeline
from cdp_pipeline.observability.logs import configure_logs
from cdpplugin import (
    Base,
    Batch,
    Delivery,
    JsonPayloads,
    Plugin,
    PluginMetadata,
    Resume,
    SourceBatch,
    SourceDescription,
    encode_json,
)

BATCH_ROWS = 1000


class Invalid(Exception):
    """A run did something else than what was to be measured; its time means nothing."""


def payments(rows: int = BATCH_ROWS) -> Batch:
    """Return a batch of made-up payments, about 230 bytes of JSON each; every other one failed."""
    values = [
        {
            "ledger_sequence": 50_000_000 + row,
            "operation": row % 100,
            "from": f"G{row:055d}",
            "to": f"G{row + 1:055d}",
            "asset": "native",
            "amount": f"{row}.0000000",
            "successful": row % 2 == 0,
        }
        for row in range(rows)
    ]
    ids = [f"bench:{row}" for row in range(rows)]
    return Batch(types="Payment", payloads=JsonPayloads([encode_json(v) for v in values]), ids=ids)


class Replay(Base):
    """Source: one ready batch, again and again, each row at a position of its own.

    Attributes:
        begun_s: When the first batch was asked for.
    """

    def __init__(self, messages: int, batch: Batch | None = None) -> None:
        self._messages = messages
        self._batch = payments() if batch is None else batch
        self.begun_s = 0.0

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("replay", "1.0.0", "source")

    async def describe(self) -> SourceDescription:
        return SourceDescription(identity="bench", unit="messages")

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        self.begun_s = perf_counter()
        rows = len(self._batch)
        for first in range(0, self._messages, rows):
            rest = min(rows, self._messages - first)
            yield SourceBatch(self._batch.slice(0, rest), range(first, first + rest))


class Counter(Base):
    """Sink: counts what arrives.

    Attributes:
        rows: Messages that arrived.
        ended_s: When the last of them did.
    """

    def __init__(self, watch: Callable[[int], None] | None = None) -> None:
        self.rows = 0
        self.ended_s = 0.0
        self._watch = watch

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("count", "1.0.0", "consumer")

    async def consume(self, delivery: Delivery) -> int:
        self.rows += len(delivery.batch)
        self.ended_s = perf_counter()
        if self._watch is not None:
            self._watch(self.rows)
        return delivery.completed_through


class Given(Catalog):
    """A catalog of plugin objects that are already there."""

    def __init__(self, plugins: Mapping[str, Plugin]) -> None:
        super().__init__({})
        self._given = plugins

    @property
    def types(self) -> list[str]:
        return sorted(self._given)

    def __contains__(self, type_name: str) -> bool:
        return type_name in self._given

    def create(self, type_name: str) -> Plugin:
        return self._given[type_name]


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did.

    Attributes:
        rows: Messages counted at the sink.
        elapsed_s: From the first read of the source to the last arrival at the sink.
    """

    rows: int
    elapsed_s: float


def run_counted(
    stages: Sequence[Plugin],
    *,
    messages: int,
    arriving: int | None = None,
    watch: Callable[[int], None] | None = None,
) -> Run:
    """Run *messages* through *stages* and count them.

    Args:
        stages: Native processors.
        messages: How many the source gives.
        arriving: How many must arrive; by default all.
        watch: Called with the count after each delivery.

    Raises:
        Invalid: Another number arrived.
    """
    source, sink = Replay(messages), Counter(watch)
    run_given(source, stages, sink)
    expected = messages if arriving is None else arriving
    if sink.rows != expected:
        raise Invalid(f"expected {expected} messages at the sink, got {sink.rows}")
    return Run(sink.rows, sink.ended_s - source.begun_s)


def run_given(
    source: Plugin,
    stages: Sequence[Plugin],
    sink: Plugin,
    *,
    batch: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Run a pipeline of plugin objects; *batch* is its batch configuration.

    Raises:
        Invalid: It did not complete.
    """
    names = [f"stage-{number}" for number in range(len(stages))]
    plugins = {"source": source, "sink": sink, **dict(zip(names, stages, strict=True))}
    document = {
        "source": {"type": "source"},
        "pipeline": [{"type": name} for name in (*names, "sink")],
        "batch": dict(batch),
    }
    with TemporaryDirectory(prefix="cdp-bench-") as folder:
        run_document(document, Path(folder), Given(plugins))


def run_document(
    document: Mapping[str, Any],
    folder: Path,
    catalog: Catalog | None = None,
    *,
    settings: HostSettings | None = None,
    on_started: Callable[[Running], None] = lambda _: None,
) -> tuple[RunResult, float]:
    """Run a pipeline written as *document*; its file and its state go into *folder*.

    Args:
        document: The pipeline, but for its name.
        folder: Where everything is put.
        catalog: The components that can be named; by default those installed.
        settings: The host's settings.
        on_started: Called once all plugins run.

    Returns:
        How it ended, and the seconds from the moment all plugins ran to the end.

    Raises:
        Invalid: It did not complete.
    """
    configure_logs(level="warning")  # a line from every start would bury the numbers
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "bench.yaml"
    file.write_text(json.dumps({"name": "bench", **document}))
    environ = {"XDG_STATE_HOME": str(folder / "state"), "HOME": str(folder)}
    config = load_pipeline(file, environ)
    started: list[float] = []

    def begun(running: Running) -> None:
        started.append(perf_counter())
        on_started(running)

    result = asyncio.run(
        run_pipeline(
            config,
            environ,
            catalog=catalog,
            settings=settings,
            on_started=begun,
        )
    )
    elapsed_s = perf_counter() - started[0]
    if result.ending != "completed":
        faults = "; ".join(str(fault) for fault in result.faults)
        raise Invalid(f"the run ended as `{result.ending}`: {faults}")
    return result, elapsed_s
