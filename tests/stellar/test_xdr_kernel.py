"""The compiled kernel: fresh, parallel, and able to take ledgers of any size."""

from __future__ import annotations

import importlib.util
import os
import re
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest
import zstandard

from cdp_pipeline.connectors.stellar.xdr import XdrError, kernel, scan, to_sep51

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("CDP_TEST_DATA", REPOSITORY / "../shared/data"))
LARGE = DATA / "lake_1x64000/ledgers/pubnet"
PACKAGE = files("cdp_pipeline.connectors.stellar.xdr")
COPIES = 52  # of the transactions of a ledger of 0.99 MB, for one of more than 40 MB


def values(count: int) -> bytes:
    """An SCVec of *count* numbers: eight bytes each."""
    return struct.pack(">I", count) + struct.pack(">II", 3, 7) * count


def origin() -> tuple[str, str]:
    """What the module says it was made from: digest, compiler version."""
    found = re.search(rb"cdp\.source([0-9a-f]{64}) ziglang (\S+)$", module())
    assert found, "the module has no `cdp.source` section at its end"
    return found[1].decode(), found[2].decode()


def module() -> bytes:
    return PACKAGE.joinpath("kernel.wasm").read_bytes()


def build_script() -> ModuleType:
    path = REPOSITORY / "scripts/xdr_kernel.py"
    spec = importlib.util.spec_from_file_location("xdr_kernel", path)
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def compiler_version() -> str:
    try:
        return version("ziglang")
    except PackageNotFoundError:
        return "none"


class TestFreshness:
    def test_made_from_this_source(self) -> None:
        """The committed module names the digest of the committed source and flags."""
        source = PACKAGE.joinpath("kernel.c").read_bytes()

        assert build_script().source_digest(source) == origin()[0]

    @pytest.mark.skipif(
        compiler_version() != origin()[1],
        reason=f"the module was made by ziglang {origin()[1]}, here is {compiler_version()}",
    )
    def test_compiles_to_the_same_bytes(self) -> None:
        """The same source and compiler give the committed module, byte for byte."""
        command = [sys.executable, str(REPOSITORY / "scripts/xdr_kernel.py"), "--check"]

        assert 0 == subprocess.run(command, check=False).returncode

    def test_imports_nothing(self) -> None:
        """The kernel can reach nothing but its own memory."""
        import wasmtime

        assert [] == wasmtime.Module(wasmtime.Engine(), module()).imports


class TestThreads:
    def test_many_at_once(self) -> None:
        """Parallel calls of both modes, errors among them, do not disturb each other."""

        def work(count: int) -> tuple[int, int, str]:
            xdr = values(count)
            with pytest.raises(XdrError) as caught:
                scan(xdr[:-1], "SCVec")
            spans = scan(xdr, "SCVec", ["SCVal"])
            return to_sep51(xdr, "SCVec").count(b"u32"), len(spans), caught.value.code

        with ThreadPoolExecutor(8) as pool:
            got = list(pool.map(work, range(1, 400)))

        assert [(n, n, "xdr.truncated") for n in range(1, 400)] == got

    def test_others_run_meanwhile(self) -> None:
        """A walk does not hold the GIL: this thread's longest pause is shorter than the walk."""
        assert any(longest_pause_share(values(4_000_000)) < 0.5 for _ in range(10))


def longest_pause_share(xdr: bytes) -> float:
    """The longest time this thread stood still during a walk in another, as a share of it."""
    finished = threading.Event()
    times: list[float] = []

    def work() -> None:
        times.append(time.perf_counter())
        scan(xdr, "SCVec")
        times.append(time.perf_counter())
        finished.set()

    thread = threading.Thread(target=work)
    last, longest = time.perf_counter(), 0.0
    thread.start()
    while not finished.is_set():
        now = time.perf_counter()
        last, longest = now, max(longest, now - last)
    thread.join()
    return longest / (times[1] - times[0])


class TestSize:
    def test_memory_is_given_back(self) -> None:
        """An instance that has grown large is not kept."""
        to_sep51(values(1_500_000), "SCVec")
        to_sep51(values(1), "SCVec")

        assert all(k.memory_bytes <= kernel.LARGEST_KEPT_BYTES for k in kernel._idle)

    def test_memory_does_not_creep(self) -> None:
        """The same work needs the same memory, however often it is done."""
        xdr = values(20_000)
        to_sep51(xdr, "SCVec")
        before = [k.memory_bytes for k in kernel._idle]
        for _ in range(20):
            to_sep51(xdr, "SCVec")
            scan(xdr, "SCVec", ["SCVal"])

        assert before == [k.memory_bytes for k in kernel._idle][: len(before)]

    @pytest.mark.skipif(not LARGE.exists(), reason=f"no real ledgers in {LARGE}")
    def test_one_ledger_of_forty_megabytes(self) -> None:
        """A ledger forty times the usual size decodes whole."""
        path = next(LARGE.glob("*/*--63092990.xdr.zst*"))
        ledger = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())[12:]
        spans = scan(ledger, spans=["TransactionResultMetaV1"])
        start, end = spans[0].start, spans[-1].end
        many = struct.pack(">I", COPIES * len(spans)) + ledger[start:end] * COPIES
        large = ledger[: start - 4] + many + ledger[end:]
        text = to_sep51(large)

        assert 40_000_000 < len(large)
        assert COPIES * len(spans) == text.count(b'"tx_apply_processing":')
        assert COPIES * len(spans) == len(scan(large, spans=["TransactionResultMetaV1"]))
