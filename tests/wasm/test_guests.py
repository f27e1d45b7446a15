"""The hostile guests do what they say: tried with wasmtime alone, without the host they are for."""

from __future__ import annotations

import ctypes
import json
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from google.protobuf.message import DecodeError

from cdpplugin.v1 import plugin_pb2 as pb
from tests.wasm import _guests

PAGE = 65536
MEMORY_BYTES = 1 << 29
Trap = wasmtime.TrapCode


def engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.epoch_interruption = True
    return wasmtime.Engine(config)


@dataclass
class Guest:
    """An instance of a guest, called directly."""

    store: wasmtime.Store
    exports: Any
    logged: list[int]
    printed: list[int]

    @property
    def memory_bytes(self) -> int:
        return int(self.exports["memory"].data_len(self.store))

    def call(self, name: str, data: bytes | None = None) -> int:
        """Return the address that a function answers."""
        arguments = []
        if data is not None:
            address = self.exports["alloc"](self.store, len(data)) & 0xFFFFFFFF
            self.exports["memory"].write(self.store, data, address)
            arguments = [address, len(data)]
        return int(self.exports[name](self.store, *arguments)) & 0xFFFFFFFF

    def record(self, at: int) -> tuple[int, int, int]:
        """Return status, address and size of the answer at *at*."""
        base = ctypes.addressof(self.exports["memory"].data_ptr(self.store).contents)
        assert at + 12 <= self.memory_bytes
        return struct.unpack("<III", ctypes.string_at(base + at, 12))

    def answer(self, name: str, data: bytes | None = None) -> tuple[int, bytes]:
        """Return status and bytes of an answer that is sound."""
        status, address, size = self.record(self.call(name, data))
        assert address + size <= self.memory_bytes
        base = ctypes.addressof(self.exports["memory"].data_ptr(self.store).contents)
        return status, ctypes.string_at(base + address, size)

    def asked(self, deed: str) -> Any:
        """Return the payload that it answers to a message that asks for *deed*."""
        status, data = self.answer("process", asking(deed))
        assert 0 == status
        return json.loads(data).get("payload")


def asking(deed: str) -> bytes:
    return json.dumps({"id": "a", "type": "T", "payload": {"do": deed}}).encode()


def made(path: Path, used: wasmtime.Engine | None = None) -> Guest:
    """Return an instance of the module at *path*, which reaches nothing."""
    held = used or engine()
    store = wasmtime.Store(held)
    store.set_limits(memory_size=MEMORY_BYTES)
    store.set_epoch_deadline(2)
    logged: list[int] = []
    printed: list[int] = []
    wasi = wasmtime.WasiConfig()
    wasi.stdout_custom = lambda data: printed.append(len(data))
    wasi.stderr_custom = lambda data: printed.append(len(data))
    store.set_wasi(wasi)
    linker = wasmtime.Linker(held)
    linker.define_wasi()
    i32 = wasmtime.ValType.i32
    kind = wasmtime.FuncType([i32(), i32(), i32()], [])
    linker.define_func("cdp", "log", kind, lambda level, address, size: logged.append(address))
    instance = linker.instantiate(store, wasmtime.Module.from_file(held, path))
    return Guest(store, instance.exports(store), logged, printed)


@contextmanager
def interrupted(used: wasmtime.Engine) -> Iterator[None]:
    """Let the engine's time pass until the block ends: a loop in it is interrupted."""
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(0.01):
            used.increment_epoch()

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where guests are compiled to, once."""
    return tmp_path_factory.mktemp("guests")


class TestTraps:
    @pytest.mark.parametrize(
        ("deed", "code"),
        [
            ("recurse", Trap.STACK_OVERFLOW),
            ("trap", Trap.UNREACHABLE),
            ("divide", Trap.INTEGER_DIVISION_BY_ZERO),
            ("call_nowhere", Trap.TABLE_OUT_OF_BOUNDS),
            ("call_wrong", Trap.BAD_SIGNATURE),
            ("read_outside", Trap.MEMORY_OUT_OF_BOUNDS),
            ("allocate", Trap.UNREACHABLE),
            ("allocate_large", Trap.UNREACHABLE),
        ],
    )
    def test_deeds(self, deed: str, code: Trap, folder: Path) -> None:
        """Each trap is the one that its line says, and memory is told from the others."""
        guest = made(_guests.guest("deeds", folder))
        with pytest.raises(wasmtime.Trap) as raised:
            guest.call("process", asking(deed))
        assert code is raised.value.trap_code
        assert (6 if deed.startswith("allocate") else 0) == guest.answer("failure")[0]

    def test_loop(self, folder: Path) -> None:
        """A loop ends only when it is interrupted."""
        used = engine()
        guest = made(_guests.guest("deeds", folder), used)
        with interrupted(used), pytest.raises(wasmtime.Trap) as raised:
            guest.call("process", asking("loop"))
        assert Trap.INTERRUPT is raised.value.trap_code

    def test_exit(self, folder: Path) -> None:
        """A program's end is one, with its status."""
        guest = made(_guests.guest("deeds", folder))
        with pytest.raises(wasmtime.ExitTrap) as raised:
            guest.call("process", asking("exit"))
        assert 3 == raised.value.code


class TestAnswers:
    def test_records(self, folder: Path) -> None:
        """Records lie where their lines say."""
        guest = made(_guests.guest("deeds", folder))
        assert guest.call("process", asking("answer_outside")) >= guest.memory_bytes
        at = guest.call("process", asking("answer_across_end"))
        assert at < guest.memory_bytes < at + 12
        assert guest.memory_bytes - 12 == guest.call("process", asking("answer_at_end"))
        assert 1 == guest.call("process", asking("answer_unaligned")) % 2

    def test_bytes(self, folder: Path) -> None:
        """Answers' bytes lie where their lines say."""
        guest = made(_guests.guest("deeds", folder))
        _, address, _ = guest.record(guest.call("process", asking("bytes_outside")))
        assert address >= guest.memory_bytes
        _, address, size = guest.record(guest.call("process", asking("bytes_across_end")))
        assert address < guest.memory_bytes < address + size
        _, address, size = guest.record(guest.call("process", asking("bytes_overflow")))
        assert (address + size) & 0xFFFFFFFF < guest.memory_bytes < address + size
        assert 77 == guest.record(guest.call("process", asking("status_unknown")))[0]

    def test_size(self, folder: Path) -> None:
        """A large answer is all there."""
        guest = made(_guests.guest("deeds", folder))
        _, address, size = guest.record(guest.call("process", asking("big")))
        assert (300_000_000, True) == (size, address + size <= guest.memory_bytes)

    @pytest.mark.parametrize("deed", ["no_utf8", "no_utf8_payload"])
    def test_no_text(self, deed: str, folder: Path) -> None:
        """Text that is no UTF-8 is none."""
        status, data = made(_guests.guest("deeds", folder)).answer("process", asking(deed))
        assert 0 == status
        with pytest.raises(UnicodeDecodeError):
            data.decode()

    @pytest.mark.parametrize("deed", ["no_json", "two_values", "deep"])
    def test_no_json(self, deed: str, folder: Path) -> None:
        """What is no JSON, or too deep for anybody to read, is not read."""
        _, data = made(_guests.guest("deeds", folder)).answer("process", asking(deed))
        with pytest.raises((ValueError, RecursionError)):
            json.loads(data)

    def test_shapes(self, folder: Path) -> None:
        """What is JSON of another shape is JSON."""
        guest = made(_guests.guest("deeds", folder))
        shapes = [guest.answer("process", asking(d)) for d in ("wrong_shape", "wrong_member")]
        assert [[1, 2], {"type": {"a": 5}}] == [json.loads(data) for _, data in shapes]
        assert (0, b"{}") == guest.answer("process", asking("nothing in particular"))


class TestReach:
    def test_nothing(self, folder: Path) -> None:
        """What tries to reach the host tells what it has reached: nothing, where nothing is."""
        guest = made(_guests.guest("deeds", folder))
        files = guest.asked("files")
        assert (0, 0, 0) == (files["folders"], files["opened"], files["made"])
        assert {"arguments": 0, "variables": 0, "text": ""} == guest.asked("environment")
        assert {"done": 0} == guest.asked("sockets")
        assert {"read": 0} == guest.asked("input")

    def test_a_folder(self, folder: Path, tmp_path: Path) -> None:
        """Where there is a folder and a variable, they are found, and a canary does not live."""
        (tmp_path / "canary").write_text("sings")
        guest = made(_guests.guest("deeds", folder))
        wasi = wasmtime.WasiConfig()
        wasi.preopen_dir(str(tmp_path), "/", True)
        wasi.env = [("CANARY", "sings")]
        guest.store.set_wasi(wasi)
        files = guest.asked("files")
        assert (1, True, True) == (files["folders"], files["opened"] > 0, files["made"] >= 2)
        assert ["made"] == [path.name for path in tmp_path.iterdir()]
        assert "CANARY=sings?" == guest.asked("environment")["text"]

    def test_clocks(self, folder: Path) -> None:
        """Clocks are read twice, and go on."""
        times = made(_guests.guest("deeds", folder)).asked("clocks")
        assert 1_700_000_000_000_000_000 < times["wall_ns"] <= times["wall_again_ns"]
        assert times["monotonic_ns"] <= times["monotonic_again_ns"]

    def test_floods(self, folder: Path) -> None:
        """Floods are of the size that their lines say."""
        guest = made(_guests.guest("deeds", folder))
        for deed in ("flood_stdout", "flood_stderr", "flood_line"):
            guest.printed.clear()
            guest.call("process", asking(deed))
            assert 64 << 20 == sum(guest.printed)
        guest.call("process", asking("flood_log"))
        assert 100_000 == len(guest.logged)

    def test_lies(self, folder: Path) -> None:
        """Lies to the host are told, and end nothing by themselves."""
        guest = made(_guests.guest("deeds", folder))
        guest.call("process", asking("lie_to_log"))
        assert 4 == len(guest.logged)
        assert guest.logged[0] & 0xFFFFFFFF >= guest.memory_bytes


class TestBatches:
    @pytest.fixture
    def batches(self, folder: Path) -> Guest:
        return made(_guests.guest("batches", folder))

    @staticmethod
    def asked(guest: Guest, deed: str) -> tuple[int, bytes]:
        payloads = [b'{"n":1}', json.dumps({"do": deed}).encode()]
        message = pb.MessageBatch(rows=2, ids=["a", "b"], types=["T"], payloads=payloads)
        return guest.answer("process_batch", message.SerializeToString())

    def test_pass(self, batches: Guest) -> None:
        """A batch that asks for nothing passes."""
        status, data = self.asked(batches, "pass")
        answer = pb.ProcessBatchResponse.FromString(data)
        assert (0, ["a", "b"]) == (status, list(answer.outputs.ids))

    @pytest.mark.parametrize("deed", ["garbage", "cut", "text", "error_cut", "no_utf8"])
    def test_no_message(self, deed: str, batches: Guest) -> None:
        """What is no message is none."""
        _, data = self.asked(batches, deed)
        with pytest.raises(DecodeError):
            pb.ProcessBatchResponse.FromString(data)

    def test_lies(self, batches: Guest) -> None:
        """What is a message lies as its line says."""
        others = "garbage cut text error_cut no_utf8 trap loop error nothing status_unknown"
        names = _guests.deeds("batches").keys() - set(others.split())
        said = {n: pb.ProcessBatchResponse.FromString(self.asked(batches, n)[1]) for n in names}
        assert [127] == list(said["row_outside"].output_rows)
        assert [1, 0] == list(said["rows_decreasing"].output_rows)
        assert (2, [0]) == (
            said["rows_missing"].outputs.rows,
            list(said["rows_missing"].output_rows),
        )
        assert (1, []) == (
            said["rows_too_few"].outputs.rows,
            list(said["rows_too_few"].output_rows),
        )
        assert (2**32 - 1, 1) == (
            said["rows_huge"].outputs.rows,
            len(said["rows_huge"].outputs.payloads),
        )
        assert 127 == said["error_row_outside"].errors[0].row
        assert (3, ["a", "b"]) == (
            said["column_short"].outputs.rows,
            list(said["column_short"].outputs.ids),
        )
        assert "morse" == said["encoding_unknown"].outputs.encoding
        assert [b"1", b'{"'] == list(said["no_json"].outputs.payloads)
        assert b"junk!" == said["arrow"].outputs.arrow
        assert {"x": 2**56 - 1} == dict(said["dropped_huge"].dropped)
        assert 11 == len(said)

    def test_statuses(self, batches: Guest) -> None:
        """A batch fails, is dropped, or traps as a whole."""
        assert (3, b"the batch is bad") == self.asked(batches, "error")
        assert 77 == self.asked(batches, "status_unknown")[0]
        assert (0, b"") == self.asked(batches, "nothing")
        with pytest.raises(wasmtime.Trap):
            self.asked(batches, "trap")


class TestMoments:
    @pytest.mark.parametrize("moment", _guests.MOMENTS)
    def test_traps(self, moment: str, folder: Path) -> None:
        """A guest traps in the one call that its name says, and nowhere before."""
        guest = made(_guests.guest(f"trap_in_{moment}", folder))
        name = "_initialize" if moment == "initialize" else moment
        takes = moment in ("configure", "start", "import_state")
        if moment not in ("initialize", "alloc", "metadata"):
            assert "hostile" == json.loads(guest.answer("metadata")[1])["name"]
        arguments = [8] if moment == "alloc" else []
        call = partial(guest.exports[name], guest.store, *arguments)
        with pytest.raises(wasmtime.Trap) as raised:
            guest.call(name, b"{}") if takes else call()
        assert Trap.UNREACHABLE is raised.value.trap_code

    def test_loops(self, folder: Path) -> None:
        """A guest loops where its name says."""
        used = engine()
        guest = made(_guests.guest("loop_in_metadata", folder), used)
        with interrupted(used), pytest.raises(wasmtime.Trap) as raised:
            guest.call("metadata")
        assert Trap.INTERRUPT is raised.value.trap_code

    def test_lies(self, folder: Path) -> None:
        """A guest gives an address outside its memory where its name says."""
        assert 0xFFFFFFF0 == made(_guests.guest("outside_in_metadata", folder)).call("metadata")
        guest = made(_guests.guest("outside_in_alloc", folder))
        assert 0xFFFFFFF0 == guest.exports["alloc"](guest.store, 8) & 0xFFFFFFFF

    def test_says(self, folder: Path) -> None:
        """A guest says the nonsense that its name says."""
        assert b'{"name": ' == made(_guests.guest("metadata_no_json", folder)).answer("metadata")[1]
        said = made(_guests.guest("metadata_of_the_future", folder)).answer("metadata")[1]
        assert 99 == json.loads(said)["abi"]
        assert 3 == made(_guests.guest("refused_in_start", folder)).answer("start", b"{}")[0]


class TestModules:
    def test_every_one_is_valid(self, folder: Path) -> None:
        """A guest in WebAssembly text is a valid module for an engine that knows all there is."""
        config = wasmtime.Config()
        for feature in ("memory64", "multi_memory", "threads", "reference_types"):
            setattr(config, f"wasm_{feature}", True)
        everything = wasmtime.Engine(config)
        for name in _guests.WAT_GUESTS:
            wasmtime.Module.validate(everything, _guests.guest(name, folder).read_bytes())

    def test_the_sound_one(self, folder: Path) -> None:
        """The guest that the others differ from in one thing does nothing bad."""
        guest = made(_guests.guest("sound", folder))
        assert "hostile" == json.loads(guest.answer("metadata")[1])["name"]
        assert (0, b"") == guest.answer("process", b"{}")

    @pytest.mark.parametrize("name", sorted(_guests.NOT_WASM))
    def test_what_is_no_module(self, name: str, folder: Path) -> None:
        """What is no module is not compiled."""
        with pytest.raises(wasmtime.WasmtimeError):
            wasmtime.Module(engine(), _guests.guest(name, folder).read_bytes())

    def test_lines(self) -> None:
        """Each guest is described in one line, by its own name."""
        for name in _guests.WAT_GUESTS:
            first = (_guests.SOURCES / f"{name}.wat").read_text().splitlines()[0]
            assert first.startswith(f";; {name}: ")
        assert {"loop", "files", "big", "no_utf8"} <= _guests.deeds("deeds").keys()
