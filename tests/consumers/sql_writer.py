"""A process that writes the stream to a database, to be killed: CONSUMER LAST SEED MOST.

Its configuration is JSON on standard input. It prints a line before and after each delivery.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from cdp_pipeline.connectors.consumers.duckdb import SaveToDuckdb
from cdp_pipeline.connectors.consumers.postgresql import SaveToPostgresql
from cdpplugin import Context
from tests.consumers.stream import deliveries

CONSUMERS = {"duckdb": SaveToDuckdb, "postgresql": SaveToPostgresql}


async def write(name: str, last: int, seed: int, most: int) -> None:
    """Write the stream, going on somewhat before the stored position, as a host may."""
    consumer = CONSUMERS[name]()
    await consumer.configure(json.load(sys.stdin))
    await consumer.start(Context("killed", "sink"))
    durable = await consumer.durable_position()
    assert durable is not None
    start = max(1, durable + 1 - random.Random(seed).randint(0, 20))
    for delivery in deliveries(start, last, seed, most):
        print("begin", flush=True)
        print(await consumer.consume(delivery), flush=True)
    print(await consumer.flush(), flush=True)
    await consumer.stop()


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    asyncio.run(write(name, *map(int, numbers)))
