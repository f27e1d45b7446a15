"""How host and plugin meet: where it listens, what it is told, and why it is refused."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from cdp_pipeline.config.limits import Permissions
from cdp_pipeline.errors import ArtifactError, PluginFault
from cdp_pipeline.runtimes.grpc.faults import StartFailed
from cdp_pipeline.runtimes.grpc.meeting import Address
from cdp_pipeline.runtimes.grpc.port import LOOPBACK, HeldPort
from cdp_pipeline.runtimes.processes.listeners import users_on
from cdpplugin import Context
from tests.grpc.conftest import RAW, Workshop, batch, marked, values


async def refusal(workshop: Workshop, mode: str, **options: object) -> PluginFault:
    """The fault that a plugin in *mode* gives at its start; nothing of it may be left."""
    with pytest.raises(PluginFault) as caught:
        await workshop.raw(mode, **options)
    assert [] == marked(str(workshop.runtime))
    assert "raw@1.0.0" == caught.value.where
    return caught.value


class TestMeeting:
    async def test_on_the_socket(self, workshop: Workshop) -> None:
        """A plugin that listens on PLUGIN_SOCKET is reached there, by nobody else."""
        handle = await workshop.raw("plain")
        assert not handle._life.current.unauthenticated
        assert "unauthenticated" not in (await handle.health()).details

    async def test_on_the_port(self, workshop: Workshop) -> None:
        """A plugin that only knows PLUGIN_PORT is reached there, and called unauthenticated."""
        handle = await workshop.raw("plain-on-port")
        assert [1] == values(await handle.process_batch(batch(1)))
        assert {"unauthenticated": True} == (await handle.health()).details
        assert any("unauthenticated" in message for message in workshop.log.messages)

    async def test_on_the_port_of_ipv6(self, workshop: Workshop) -> None:
        """A plugin for which `localhost` is IPv6 is found as well."""
        handle = await workshop.raw("plain-on-ipv6", sandbox="off")
        assert [1] == values(await handle.process_batch(batch(1)))
        assert {"unauthenticated": True} == (await handle.health()).details

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
    async def test_on_a_port_that_another_user_took(self, workshop: Workshop) -> None:
        """Neither token nor data goes to another user who listens at the plugin's port."""
        port = HeldPort()
        pid = os.fork()
        if not pid:  # the thief, until it is killed
            os.setuid(65534)
            thief = socket.socket()
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind((LOOPBACK, port.number))
            thief.listen()
            signal.pause()
        try:
            async with asyncio.timeout(20):
                while not users_on(port.number):
                    await asyncio.sleep(0.01)
            with pytest.raises(StartFailed) as caught:
                await Address(port.address, False, os.getuid()).is_open()
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            port.close()
        assert "plugin.port_taken" == caught.value.code
        assert "user 65534 listens" in str(caught.value)

    async def test_on_a_socket_that_is_a_link(self, workshop: Workshop, runtime: Path) -> None:
        """A plugin, or a container, cannot lead the host to the socket of somebody else."""
        real, link = runtime / "real.sock", runtime / "link.sock"
        link.symlink_to(real)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(real))
            listener.listen()
            assert await Address(f"unix:{real}", True).is_open()
            assert not await Address(f"unix:{link}", True).is_open()

    async def test_of_a_web_server(self, workshop: Workshop) -> None:
        """What listens and does not speak gRPC is refused, and told what it was heard to say."""
        fault = await refusal(workshop, "http", start_timeout_s=1.0)
        assert "plugin.start_timeout" == fault.code

    async def test_two_hosts_never_share_a_port(self, workshop: Workshop) -> None:
        """Ports are held for as long as their plugins live."""
        handles = [await workshop.raw("plain-on-port") for _ in range(3)]
        targets = {h._life.current.client.channel for h in handles}
        assert 3 == len(targets)
        for number, handle in enumerate(handles):
            assert [number] == values(await handle.process_batch(batch(number)))

    async def test_somewhere_else(self, workshop: Workshop) -> None:
        """A plugin that listens elsewhere is refused, and told where it was seen."""
        fault = await refusal(workshop, "plain-elsewhere", start_timeout_s=1.0, sandbox="off")
        assert "plugin.start_timeout" == fault.code
        assert "it listens on `127.0.0.1:" in str(fault)
        assert "PLUGIN_SOCKET" in fault.hint

    async def test_where_it_may_not(self, workshop: Workshop) -> None:
        """A plugin that dies because it may not listen elsewhere is told where grants are made."""
        fault = await refusal(workshop, "plain-elsewhere")
        assert "plugin.start_failed" == fault.code
        assert "Permission denied" in str(fault)
        assert "permissions" in fault.hint

    async def test_nowhere(self, workshop: Workshop) -> None:
        """A plugin that does not listen is refused after the start timeout."""
        begun = time.monotonic()
        fault = await refusal(workshop, "silent", start_timeout_s=0.5)
        assert "plugin.start_timeout" == fault.code
        assert time.monotonic() - begun < 10

    async def test_without_an_answer(self, workshop: Workshop) -> None:
        """A plugin that listens and does not answer GetMetadata is not ready."""
        fault = await refusal(workshop, "hangs-at-start", start_timeout_s=1.0)
        assert "does not answer GetMetadata" in str(fault)

    async def test_dead(self, workshop: Workshop) -> None:
        """A plugin that dies at its start is told at once: status, and its last words."""
        fault = await refusal(workshop, "dies-at-start")
        assert "plugin.start_failed" == fault.code
        assert "exited with status 7 before it was ready" in str(fault)
        assert "no such model: fraud.joblib" in str(fault)

    async def test_ended_by_a_signal(self, workshop: Workshop) -> None:
        """The signal that ended a plugin is named."""
        assert "signal 9 (SIGKILL)" in str(await refusal(workshop, "ended-at-start"))

    async def test_a_newer_protocol(self, workshop: Workshop) -> None:
        """A plugin outside the window of protocols is refused with both numbers."""
        fault = await refusal(workshop, "newer")
        assert "plugin.protocol_unsupported" == fault.code
        assert "speaks protocol 99" in str(fault)
        assert "host speaks 1" in str(fault)

    async def test_another_kind(self, workshop: Workshop) -> None:
        """A plugin that is something else than its manifest says is refused."""
        assert "plugin.kind_mismatch" == (await refusal(workshop, "lies")).code

    async def test_no_executable(self, workshop: Workshop) -> None:
        """An executable that is nowhere is named."""
        manifest = workshop.manifest("./bin/nothing")
        with pytest.raises(ArtifactError) as caught:
            await workshop.launch(manifest, {})
        assert "plugin.executable_missing" == caught.value.code

    async def test_no_permission(self, workshop: Workshop) -> None:
        """An executable that may not be executed is refused with the way to mend it."""
        manifest = workshop.manifest("./plugin")
        (manifest.folder / "plugin").write_text("#!/bin/sh\n")
        with pytest.raises(ArtifactError) as caught:
            await workshop.launch(manifest, {})
        assert "plugin.executable_invalid" == caught.value.code
        assert "chmod +x" in caught.value.hint

    async def test_a_null_byte(self, workshop: Workshop) -> None:
        """An argument that no system can pass on is refused as any other that cannot be run."""
        manifest = workshop.manifest(str(RAW), "plain\0")
        with pytest.raises(ArtifactError) as caught:
            await workshop.launch(manifest, {})
        assert "plugin.executable_invalid" == caught.value.code

    async def test_an_environment_too_large(self, workshop: Workshop) -> None:
        """A configuration too large for an environment variable is refused, not lost."""
        handle = await workshop.raw("configured")
        with pytest.raises(ArtifactError) as caught:
            await handle.configure({"much": "x" * 200_000})
        assert "environment variable" in caught.value.hint


class TestEnvironment:
    async def test_holds_the_handshake_and_next_to_nothing_else(self, workshop: Workshop) -> None:
        """A plugin sees what the handshake names, and no secret of the host."""
        workshop.environ |= {"AWS_SECRET_ACCESS_KEY": "hush", "LC_ALL": "C", "LANG": "C"}
        handle = await workshop.raw("environment")
        [facts] = values(await handle.process_batch(batch(1)))
        seen = facts["environ"]
        handshake = {"MODE", "NAME", "SOCKET", "PORT", "TOKEN", "PROTOCOL", "MAX_MESSAGE_BYTES"}
        assert {"PATH", "LC_ALL", "LANG", "TMPDIR"} | {
            f"PLUGIN_{n}" for n in handshake
        } == seen.keys()
        assert "1-1" == seen["PLUGIN_PROTOCOL"]
        assert 64 == len(seen["PLUGIN_TOKEN"])

    async def test_grants_what_both_name(self, workshop: Workshop) -> None:
        """A variable is passed on where manifest and pipeline both name it; else that is told."""
        workshop.environ |= {"GIVEN": "1", "ASKED": "2", "OFFERED": "3"}
        manifest = workshop.manifest(
            str(RAW), "environment", permissions={"env": ["GIVEN", "ASKED"]}
        )
        granted = Permissions(env=("GIVEN", "OFFERED"))
        handle = await workshop.launch(manifest, {"permissions": granted})
        await handle.start(Context())
        [facts] = values(await handle.process_batch(batch(1)))
        assert {"GIVEN"} == facts["environ"].keys() & {"GIVEN", "ASKED", "OFFERED"}
        assert any("ASKED" in message for message in workshop.log.messages)

    async def test_works_in_its_own_folder(self, workshop: Workshop) -> None:
        """A plugin's working directory is its folder."""
        handle = await workshop.raw("environment")
        [facts] = values(await handle.process_batch(batch(1)))
        assert os.path.isfile(os.path.join(facts["cwd"], "plugin.yaml"))
