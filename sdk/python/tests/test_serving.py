"""The `serve` functions, and the environment they read."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable

import pytest

from cdpplugin import (
    Context,
    HealthStatus,
    Message,
    PluginError,
    PluginMetadata,
    serve_consumer,
    serve_source,
)
from cdpplugin.handles import handle
from cdpplugin.server.place import place_of
from cdpplugin.serving import registering, serve_processor

from .conftest import PLUGINS


class TestRegistering:
    @pytest.mark.parametrize(
        ("file", "reference"), [("processor", "worker@1.2.3"), ("source", "numbers@1.0.0")]
    )
    def test_a_file_that_is_loaded_hands_its_plugin_over(self, file: str, reference: str) -> None:
        """A file that serves its plugin when it is run starts no server when it is loaded."""
        with registering() as served:
            runpy.run_path(str(PLUGINS / f"{file}.py"))
        assert [reference] == [plugin.metadata().reference for plugin in served]

    def test_the_kind_is_that_of_the_function(self) -> None:
        """The function that serves a plugin says what it is, whatever its metadata say."""
        metadata = PluginMetadata("a", "1.0.0")
        with registering() as served:
            serve_source(metadata, lambda: [])
            serve_consumer(metadata, print)
            serve_processor(metadata, lambda message: message)
        assert ["source", "consumer", "processor"] == [p.metadata().type for p in served]

    async def test_configure(self) -> None:
        """A function that wants its configuration is handed it."""
        given: list[object] = []
        with registering() as served:
            serve_processor(PluginMetadata("a", "1"), Message, configure=given.append)
        [plugin] = served
        answer: object = plugin.configure({"k": 1})
        assert answer is None
        assert [{"k": 1}] == given

    @pytest.mark.parametrize("serve", [serve_processor, serve_source, serve_consumer])
    async def test_hooks(self, serve: Callable[..., None]) -> None:
        """A function may have what opens and closes what it needs, and says how it is."""
        calls: list[object] = []
        ill = HealthStatus("degraded", "slow")
        with registering() as served:
            serve(
                PluginMetadata("a", "1.0.0"),
                Message,
                start=calls.append,
                stop=lambda: calls.append("stop"),
                health=lambda: ill,
            )
        plugin = handle(served[0])
        await plugin.start(Context("p", "s"))
        assert ill == await plugin.health()
        await plugin.stop()
        assert [Context("p", "s"), "stop"] == calls

    def test_workers(self) -> None:
        """There is at least one worker."""
        with pytest.raises(ValueError, match="at least 1"):
            serve_processor(PluginMetadata("a", "1"), Message, workers=0)


class TestImport:
    def test_quick(self) -> None:
        """Importing the SDK imports neither gRPC nor protobuf nor pyarrow."""
        script = (
            "import sys, cdpplugin; "
            "print([m for m in ('grpc', 'google.protobuf', 'pyarrow') if m in sys.modules])"
        )
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
        assert b"[]" == ran.stdout.strip()


class TestPlace:
    def test_a_socket_wins(self) -> None:
        """A plugin that is given a socket listens there and nowhere else."""
        environ = {"PLUGIN_MODE": "grpc", "PLUGIN_SOCKET": "/run/p.sock", "PLUGIN_PORT": "7"}
        place = place_of(environ | {"PLUGIN_TOKEN": "secret"})
        assert ("unix:/run/p.sock", "", True) == (place.address, place.token, place.lifeline)

    def test_a_port_is_on_the_loopback(self) -> None:
        """A plugin that is given a port listens on the loopback, and wants the token."""
        place = place_of({"PLUGIN_PORT": "7000", "PLUGIN_TOKEN": "secret"})
        got = (place.address, place.token, place.lifeline)
        assert ("127.0.0.1:7000", "secret", False) == got

    def test_by_hand(self) -> None:
        """Without any of it a plugin listens on the loopback, port 50051."""
        assert "127.0.0.1:50051" == place_of({}).address

    def test_a_remote_service(self) -> None:
        """Only an address that somebody wrote opens a plugin to the network."""
        assert "0.0.0.0:9" == place_of({"PLUGIN_ADDRESS": "0.0.0.0:9"}).address

    @pytest.mark.parametrize("port", ["x", "0", "-1", "70000", "1.5", "²"])
    def test_no_port(self, port: str) -> None:
        """A port that is none is refused."""
        with pytest.raises(PluginError) as raised:
            place_of({"PLUGIN_PORT": port})
        assert "plugin.environment_invalid" == raised.value.code
