"""Messages are printed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cdp_pipeline.connectors.consumers.stdout import Stdout
from cdpplugin import Batch, ConfigInvalid, Delivery, JsonPayloads

HEAD = """
import asyncio, sys
from cdp_pipeline.connectors.consumers.stdout import Stdout
from cdpplugin import Batch, Delivery, Fatal

async def main():
    consumer = Stdout()
    await consumer.configure({})
    try:
        for position in range(10_000):
            batch = Batch.of("t", [{"text": "x" * 1000}] * 10)
            await consumer.consume(Delivery(batch, [position] * 10, position))
    except Fatal as error:
        sys.exit(error.code)

asyncio.run(main())
"""


class TestConsume:
    async def test_prints_messages(self, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        """A line is the whole message, and is out when `consume` returns its mark."""
        consumer = Stdout()
        await consumer.configure({})
        batch = Batch.of("t", [{"a": 1}], ids=["i"], metadata=[{"m": 2}])

        assert 7 == await consumer.consume(Delivery(batch, [5], 7))

        expected = {"id": "i", "type": "t", "payload": {"a": 1}, "metadata": {"m": 2}}
        assert expected == json.loads(capfdbinary.readouterr().out)

    async def test_prints_payloads(self, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        """A payload is one line, also where its JSON came in several."""
        consumer = Stdout()
        await consumer.configure({"content": "payload"})
        payloads = JsonPayloads([b'{"a": 1}', b'{\n  "b": 1.50\n}'])

        await consumer.consume(Delivery(Batch(types="t", payloads=payloads), [1, 1], 1))

        assert b'{"a": 1}\n{"b":1.50}\n' == capfdbinary.readouterr().out

    async def test_keeps_no_position(self) -> None:
        """Stdout is at least once."""
        assert await Stdout().durable_position() is None

    async def test_unknown_content(self) -> None:
        """A wrong setting is refused by name."""
        with pytest.raises(ConfigInvalid, match="`content`"):
            await Stdout().configure({"content": "everything"})

    def test_reader_that_leaves(self) -> None:
        """A closed pipe stops the pipeline by name, and nothing else is printed."""
        command = [sys.executable, "-c", HEAD]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            errors = process.stderr.read()

        assert "stdout.closed\n" == errors
