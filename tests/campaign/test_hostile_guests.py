"""Mutated modules for the loader, mutated answers for the ABI: an error each, never a crash.

The short form is part of every test run; `make campaign` (CDP_CAMPAIGN=full) is the long one.
All cases are drawn from a seed, the record is `results/guests-{short,full}.json`; the short
form writes its own there only with CDP_CAMPAIGN_RECORD=1.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
import wasmtime

from cdp_pipeline.errors import CdpError
from cdp_pipeline.runtimes.wasm import metadata, pool, program
from cdpplugin import Outputs, PluginError
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import encode_outputs
from tests.wasm import _wat
from tests.wasm.conftest import Workshop, batch

RESULTS = Path(__file__).with_name("results")
FORM = os.environ.get("CDP_CAMPAIGN", "short")
MODULES = {"short": 400, "full": 20_000}
ANSWERS = {"short": 400, "full": 20_000}
SEED = 20_261_127
ROWS = 3
LIMITS = {"timeout": "50ms", "memory": "4MB", "output": "1MB"}

pytestmark = pytest.mark.campaign


@pytest.fixture
async def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workshop]:
    """A host that waits for nobody."""
    for module in (metadata, pool, program):
        monkeypatch.setattr(module, "START_S", 0.1)
    held = Workshop(tmp_path)
    yield held
    for handle in held.handles:
        await handle.stop()


def record(name: str, told: Counter[str]) -> None:
    if FORM == "full" or os.environ.get("CDP_CAMPAIGN_RECORD"):
        path = RESULTS / f"{name}-{FORM}.json"
        path.write_text(json.dumps({"seed": SEED, "cases": dict(sorted(told.items()))}, indent=2))


def mutated(data: bytes, random: Random) -> bytes:
    """*data* with a few bytes changed, doubled or left out, or cut short."""
    held = bytearray(data)
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        at = random.randrange(len(held)) if held else 0
        match random.choice([0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 4, 5]):
            case 0:
                held[at : at + 1] = bytes([random.randrange(256)])
            case 2:
                held[at:at] = random.randbytes(random.randint(1, 8))
            case 3:
                del held[at : at + random.randint(1, 8)]
            case 4:
                held[at:at] = held[at : at + random.randint(1, 64)]
            case 5 if random.random() < 0.2:
                del held[at:]
    return bytes(held)


async def outcome(workshop: Workshop, code: bytes) -> str:
    """What becomes of a plugin: the code of its error, or that it answered."""
    handle = None
    try:
        handle = await workshop.started(code, limits=LIMITS)
        outputs = await handle.process_batch(batch("a", "b", "c"))
    except (CdpError, PluginError) as error:
        return str(error.code)
    finally:
        if handle is not None:
            workshop.handles.remove(handle)
            await handle.stop()
    check(outputs)
    return "answered" if not outputs.errors else next(iter(outputs.errors.values())).code


def check(outputs: Outputs) -> None:
    """Whatever came back is an answer that the engine can use."""
    rows = [row for part in outputs.parts for row in part.rows]
    assert all(0 <= row < ROWS for row in [*rows, *outputs.errors])
    for part in outputs.parts:
        assert len(part.batch) == len(part.rows) == len(part.batch.payloads.json())
        assert sorted(part.rows) == list(part.rows)


async def test_mutated_modules(workshop: Workshop) -> None:
    """A module whose bytes were changed at random is refused, fails its messages, or works."""
    random, told = Random(SEED), Counter[str]()
    whole = bytes(wasmtime.wat2wasm(_wat.text()))
    for _ in range(MODULES[FORM]):
        told[await outcome(workshop, mutated(whole, random))] += 1
    record("modules", told)
    assert {"plugin.not_wasm", "answered"} <= told.keys()


def answering(memory: bytes, at: int) -> bytes:
    """A guest whose memory begins with *memory*, and whose answer to any batch is at *at*."""
    escaped = "".join(f"\\{byte:02x}" for byte in memory)
    source = _wat.text(
        batch=_wat.exported("process_batch", f"(i32.const {at})", "(param i32 i32)"),
        more=f'(data (i32.const 8192) "{escaped}")',
    )
    return bytes(wasmtime.wat2wasm(source))


def drawn(random: Random, data: bytes) -> tuple[bytes, int]:
    """An answer record with *data*, in which something may be wrong, and where it is."""
    at, end = 8192, 2 << 16
    status = random.choice([0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 99, 1 << 31])
    address = random.choice([at + 12] * 8 + [0, end - 1, end, 2**32 - 1, random.getrandbits(32)])
    size = random.choice([len(data)] * 8 + [0, 1, len(data) + 9, end, 2**32 - 1])
    numbers = b"".join(number.to_bytes(4, "little") for number in (status, address, size))
    place = random.choice([at] * 12 + [end - 12, end - 11, end, 2**31, 2**32 - 1])
    return numbers + data, place - (1 << 32 if place >= 1 << 31 else 0)


async def test_mutated_answers(workshop: Workshop) -> None:
    """Answers with wrong addresses, sizes and statuses, and with changed bytes, are survived."""
    random, told = Random(SEED + 1), Counter[str]()
    given = batch("a", "b", "c")
    whole = encode_outputs(Outputs.each(given), ROWS).SerializeToString()
    assert ROWS == pb.ProcessBatchResponse.FromString(whole).outputs.rows
    for _ in range(ANSWERS[FORM]):
        data = mutated(whole, random) if random.random() < 0.8 else whole
        told[await outcome(workshop, answering(*drawn(random, data)))] += 1
    record("answers", told)
    assert {"plugin.answer_invalid", "answered"} <= told.keys()
