"""A manager, and plugins whose next version is put in the present one's place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from cdp_pipeline.host.launch import runtime_of
from cdp_pipeline.manager.admission import Machine
from cdp_pipeline.manager.instance import Candidate
from cdp_pipeline.manager.managed import Managed
from cdp_pipeline.manager.manager import PluginManager
from cdp_pipeline.manager.settings import ManagerSettings
from cdp_pipeline.manager.status import ReloadReport
from cdp_pipeline.runtimes import native
from cdpplugin import Base, Batch, Context, HealthStatus, OutputPart, Outputs, PluginMetadata
from cdpplugin.payloads import JsonPayloads
from tests.manager._stream import stamped

CONTEXT = Context("pipeline", "stage")


class Stamp(Base):
    """Stamps each message with its version; its arguments are what else it does."""

    def __init__(
        self,
        version: str = "1.0.0",
        *,
        answer: Callable[[Batch], Any] | None = None,
        health: HealthStatus | None = None,
        fails: str = "",
        takes: tuple[str, ...] = (),
        gives: tuple[str, ...] = (),
    ) -> None:
        self.version = version
        self.answer = answer
        self.status = health or HealthStatus()
        self.fails = fails
        self.types = takes, gives
        self.began: list[str] = []
        self.config: Any = None

    def metadata(self) -> PluginMetadata:
        takes, gives = self.types
        return PluginMetadata(
            "stamp", self.version, "processor", input_types=takes, output_types=gives
        )

    async def configure(self, config: Any) -> None:
        self._note("configure")
        self.config = config

    async def start(self, context: Context) -> None:
        self._note("start")

    async def stop(self) -> None:
        self.began.append("stop")

    async def health(self) -> HealthStatus:
        return self.status

    async def process_batch(self, batch: Batch) -> Any:
        if self.answer is not None and (said := self.answer(batch)) is not None:
            return said
        rows = range(len(batch))
        payloads = JsonPayloads([stamped(batch.payloads.value(row), self.version) for row in rows])
        return Outputs([OutputPart(batch.replace(payloads=payloads), rows)])

    def _note(self, what: str) -> None:
        self.began.append(what)
        if what == self.fails:
            raise RuntimeError(f"{what} fails")


class House:
    """A manager with one plugin."""

    def __init__(self) -> None:
        self.next: Callable[[], Candidate] | None = None
        self.manager = PluginManager(ManagerSettings())
        self._managed: list[Managed] = []

    def settings(self, **settings: Any) -> None:
        """Begin anew with these settings."""
        machine = Machine(memory_mb=1024, cpu_shares=2048, has_gpu=False)
        self.manager = PluginManager(ManagerSettings(**settings), machine)

    async def load(self, candidate: Candidate, name: str = "stage", **options: Any) -> Any:
        """Load, configure and start a plugin whose next version is `next`."""

        async def renew() -> Candidate:
            return self.next() if self.next else candidate

        managed = await self.manager.load(
            name, "stamp", candidate, runtime=runtime_of, renew=renew, **options
        )
        self._managed.append(managed)
        await managed.configure({})
        await managed.start(CONTEXT)
        return managed

    async def reload(self, *plugin: Any, **options: Any) -> ReloadReport:
        """Reload the plugin; *plugin* is its next version."""
        if plugin:
            self.next = lambda: candidate(plugin[0], **options)
        [report] = await self.manager.reload("stage")
        return report

    def kinds(self) -> list[str]:
        """The kinds of events so far."""
        return [event.kind for event in self.manager.events.after(0)]

    async def end(self) -> None:
        await self.manager.end()
        for managed in self._managed:
            await managed.stop()


def candidate(plugin: Any, workers: int = 2, config: Any = None, cases: Any = ()) -> Candidate:
    """What an instance of *plugin* is made from, executed in this process."""

    async def launch(count: int) -> Any:
        return native.handle(plugin, workers=count)

    return Candidate(launch=launch, config_of=lambda _: config or {}, workers=workers, cases=cases)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A manager; afterwards all of it has ended."""
    made = House()
    yield made
    await made.end()
