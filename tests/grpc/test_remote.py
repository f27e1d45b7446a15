"""Plugins that run elsewhere: reached by address, again after a loss, with TLS."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.config.limits import Limits
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.errors import ArtifactError, PluginFault
from cdp_pipeline.runtimes.grpc.port import HeldPort
from cdp_pipeline.runtimes.grpc.remote import RemoteTerms, TlsFiles, address_of
from cdpplugin import Context, Retry
from tests.grpc._service import Service, certificates
from tests.grpc.conftest import Workshop, batch, values


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path)
    yield running
    running.close()


async def reach(
    workshop: Workshop, address: str, limits: Limits | None = None, **remote: Any
) -> Any:
    """A started handle of what is at *address*."""
    terms = RemoteTerms(**({"start_timeout_s": 20.0, "reconnect_timeout_s": 20.0} | remote))
    loader = workshop.loader(remote=terms)
    plugin = PluginConfig(name="elsewhere", limits=limits or Limits())
    handle = await loader.load_address(address, plugin)(1)
    workshop.handles.append(handle)
    await handle.configure({"threshold": 5})
    await handle.start(Context("pipeline", "stage"))
    return handle


class TestAddress:
    def test_forms(self) -> None:
        """An address is `HOST:PORT`, with or without `dns:///`."""
        assert ("enrich.example.org", 443) == address_of("dns:///enrich.example.org:443")
        assert ("127.0.0.1", 1) == address_of("127.0.0.1:1")
        assert ("::1", 50051) == address_of("[::1]:50051")

    @pytest.mark.parametrize("address", ["", "host", "host:0", "host:99999", "http://host:1"])
    def test_nonsense(self, address: str) -> None:
        """What is no address is refused before anything is tried."""
        with pytest.raises(ArtifactError) as caught:
            address_of(address)
        assert "plugin.address_invalid" == caught.value.code


class TestService:
    async def test_is_reached_and_configured(self, workshop: Workshop, service: Service) -> None:
        """A plugin at an address says itself what it is, and takes its configuration."""
        handle = await reach(workshop, service.address)
        assert "elsewhere@1.0.0" == handle.metadata().reference
        [answer] = values(await handle.process_batch(batch(1)))
        assert {"threshold": 5} == answer["config"]

    async def test_is_not_ended(self, workshop: Workshop, service: Service) -> None:
        """A service elsewhere goes on when the host has done with it."""
        handle = await reach(workshop, service.address)
        await handle.stop()
        assert None is service.process.poll()

    async def test_is_configured_again_after_it_came_back(
        self, workshop: Workshop, service: Service
    ) -> None:
        """A service that was restarted is connected to, configured and started again."""
        handle = await reach(workshop, service.address)
        before = values(await handle.process_batch(batch(1)))[0]
        service.end()
        with pytest.raises(Retry):
            await handle.process_batch(batch(1))
        service.start()
        after = values(await handle.process_batch(batch(1)))[0]
        assert {"threshold": 5} == after["config"]
        assert before["pid"] != after["pid"]

    async def test_with_a_token(self, workshop: Workshop, tmp_path: Path) -> None:
        """A service that expects a token refuses a host without it."""
        service = Service(tmp_path, token="a-secret")
        try:
            await reach(workshop, service.address, token="a-secret")
            with pytest.raises(PluginFault) as caught:
                await reach(workshop, service.address, token="another")
            assert "token" in str(caught.value)
        finally:
            service.close()

    async def test_that_is_not_there(self, workshop: Workshop) -> None:
        """An address where nobody answers is refused after the start timeout."""
        held = HeldPort()
        with pytest.raises(PluginFault) as caught:
            await reach(workshop, held.address, start_timeout_s=0.3)
        held.close()
        assert "plugin.start_timeout" == caught.value.code


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Service, Service]]:
    """Two replicas behind one name."""
    with Pair(tmp_path) as both:

        async def resolve(self: Any, host: str, port: int, **_: Any) -> list[Any]:
            return [(0, 0, 0, "", (address, port)) for address in ("127.0.0.1", "127.0.0.2")]

        monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", resolve)
        yield both


async def pids(handle: Any, batches: int = 4) -> set[int]:
    """Who answers so many batches."""
    return {values(await handle.process_batch(batch(n)))[0]["pid"] for n in range(batches)}


async def seen(handle: Any, pid: int) -> None:
    """Wait until *pid* answers."""
    async with asyncio.timeout(60):
        while pid not in await pids(handle, 1):
            await asyncio.sleep(0.01)


class TestReplicas:
    async def test_take_turns(self, workshop: Workshop, pair: tuple[Service, Service]) -> None:
        """Batches go to the replicas in turn; one that is gone is left out until it is back."""
        first, second = pair
        handle = await reach(workshop, f"replicas.example.org:{first.port}")
        assert {first.process.pid, second.process.pid} == await pids(handle)
        second.end()
        assert {first.process.pid} == await pids(handle)
        assert "degraded" == (await handle.health()).status
        second.start()
        await seen(handle, second.process.pid)

    async def test_one_that_is_late(
        self, workshop: Workshop, pair: tuple[Service, Service]
    ) -> None:
        """A replica that cannot be reached at the start joins when it can, configured."""
        first, second = pair
        second.end()
        handle = await reach(workshop, f"replicas.example.org:{first.port}", start_timeout_s=3.0)
        assert {first.process.pid} == await pids(handle)
        assert "degraded" == (await handle.health()).status
        assert any("without a replica" in message for message in workshop.log.messages)
        second.start()
        await seen(handle, second.process.pid)
        answers = [values(await handle.process_batch(batch(n)))[0] for n in range(2)]
        assert [{"threshold": 5}] * 2 == [answer["config"] for answer in answers]

    async def test_one_that_is_only_half_there(
        self, workshop: Workshop, pair: tuple[Service, Service]
    ) -> None:
        """A replica whose connection stands and which answers nothing costs a wait, no message."""
        first, second = pair
        handle = await reach(
            workshop,
            f"replicas.example.org:{first.port}",
            limits=Limits(timeout=0.5),
            reconnect_timeout_s=0.5,
        )
        assert {first.process.pid, second.process.pid} == await pids(handle)
        second.process.send_signal(signal.SIGSTOP)
        assert {first.process.pid} == await pids(handle)
        second.process.send_signal(signal.SIGCONT)
        await seen(handle, second.process.pid)


class Pair:
    """Two services at one port of two loopback addresses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> tuple[Service, Service]:
        first = Service(self._folder)
        second = Service(self._folder, port=first.port)
        second.end()
        second._environ["PLUGIN_ADDRESS"] = f"127.0.0.2:{first.port}"
        second.start()
        self._services = first, second
        return self._services

    def __exit__(self, *_: object) -> None:
        for service in self._services:
            service.close()


class TestMutualTls:
    async def test_both_show_a_certificate(self, workshop: Workshop, tmp_path: Path) -> None:
        """With certificates both ways the plugin is reached; without the host's own it is not."""
        certificates(tmp_path)
        service = Service(tmp_path, str(tmp_path), "mutual")
        files = {
            "authority": tmp_path / "authority.pem",
            "certificate": tmp_path / "client.pem",
            "key": tmp_path / "client-key.pem",
            "server_name": "server",
        }
        try:
            handle = await reach(workshop, service.address, tls=TlsFiles(**files))
            assert 1 == len(values(await handle.process_batch(batch(1))))
            nobody = TlsFiles(authority=files["authority"], server_name="server")
            with pytest.raises(PluginFault) as caught:
                await reach(workshop, service.address, tls=nobody, start_timeout_s=1.0)
            assert "plugin.start_timeout" == caught.value.code
            with pytest.raises(PluginFault):
                await reach(workshop, service.address, start_timeout_s=1.0)
        finally:
            service.close()

    async def test_files_that_cannot_be_read(self, workshop: Workshop, tmp_path: Path) -> None:
        """A certificate that cannot be read is named."""
        missing = TlsFiles(authority=tmp_path / "nothing.pem")
        with pytest.raises(ArtifactError) as caught:
            await reach(workshop, "127.0.0.1:1", tls=missing)
        assert "tls.unreadable" == caught.value.code
