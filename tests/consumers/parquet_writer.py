"""A process that writes the stream to Parquet, to be killed: PATH LAST SEED MOST."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from cdp_pipeline.connectors.consumers.parquet import SaveToParquet
from cdpplugin import Context
from tests.consumers.stream import deliveries

SETTINGS = {"max_rows": 40, "max_positions": 50, "partition_by": {"date": "closed_at"}}


async def write(path: str, last: int, seed: int, most: int) -> None:
    """Write the stream, going on where the files say; print what is durable as it grows."""
    consumer = SaveToParquet()
    await consumer.configure({"path": path, **SETTINGS})
    await consumer.start(Context("killed", "parquet"))
    durable = await consumer.durable_position()
    assert durable is not None
    for delivery in deliveries(max(durable + 1, 1), last, seed, most):
        reported = await consumer.consume(delivery)
        if reported is not None and reported > durable:
            durable = reported
            print(durable, flush=True)
    print(await consumer.flush(), flush=True)


if __name__ == "__main__":
    path, *numbers = sys.argv[1:]
    asyncio.run(write(path, *map(int, numbers)))
