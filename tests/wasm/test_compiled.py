"""Compiled code is kept, and loaded only if this user's host has written it."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.wasm.binary import Kind
from cdp_pipeline.runtimes.wasm.compiled import CompiledCache
from cdp_pipeline.runtimes.wasm.engine import GuestEngine
from tests.wasm import _wat


@pytest.fixture(scope="module")
def engine() -> GuestEngine:
    return GuestEngine(counts_fuel=False)


@pytest.fixture
def code() -> bytes:
    return bytes(wasmtime.wat2wasm(_wat.text()))


def files(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.compiled")}


def get(folder: Path, code: bytes, engine: GuestEngine) -> None:
    """Ask a cache that holds nothing in memory."""
    CompiledCache(folder).get(code, Kind.CORE, engine, "guest.wasm")


def test_a_second_host_loads_what_the_first_compiled(
    tmp_path: Path, code: bytes, engine: GuestEngine
) -> None:
    """Nothing is compiled twice, and the folder is closed to others."""
    get(tmp_path / "wasm", code, engine)
    before = files(tmp_path / "wasm")
    get(tmp_path / "wasm", code, engine)
    assert before == files(tmp_path / "wasm")
    assert 1 == len(before)
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "wasm").iterdir()]
    assert [0o600, 0o600] == modes
    assert 0o700 == (tmp_path / "wasm").stat().st_mode & 0o777


def test_another_engine_has_code_of_its_own(
    tmp_path: Path, code: bytes, engine: GuestEngine
) -> None:
    """Code that counts fuel is not taken for code that does not."""
    get(tmp_path, code, engine)
    get(tmp_path, code, GuestEngine(counts_fuel=True))
    assert 2 == len(files(tmp_path))


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "other key", "other name"])
def test_a_changed_file_is_compiled_anew(
    tmp_path: Path, code: bytes, engine: GuestEngine, damage: str
) -> None:
    """Whatever its seal does not fit is never loaded; the code is compiled again."""
    get(tmp_path, code, engine)
    [path] = tmp_path.glob("*.compiled")
    whole = path.read_bytes()
    if damage == "other key":
        (tmp_path / "key").unlink()
    elif damage == "other name":
        get(tmp_path, bytes(wasmtime.wat2wasm(_wat.text({"author": "x"}))), engine)
        [other] = set(tmp_path.glob("*.compiled")) - {path}
        path.write_bytes(other.read_bytes())
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        path.write_bytes({"flipped": flipped, "cut": whole[:-9], "empty": b""}[damage])
    damaged = path.read_bytes()
    get(tmp_path, code, engine)
    assert damaged[32:] == whole[32:] or damaged != path.read_bytes()
    get(tmp_path, code, engine)


def test_a_file_that_others_can_write_is_not_loaded(
    tmp_path: Path, code: bytes, engine: GuestEngine
) -> None:
    """A file open to others is written anew, closed."""
    get(tmp_path, code, engine)
    [path] = tmp_path.glob("*.compiled")
    path.chmod(0o666)
    get(tmp_path, code, engine)
    assert 0o600 == path.stat().st_mode & 0o777


def test_a_folder_that_cannot_be_written(tmp_path: Path, code: bytes, engine: GuestEngine) -> None:
    """Without a cache everything works, only slower."""
    (tmp_path / "file").write_text("")
    get(tmp_path / "file" / "wasm", code, engine)


def test_code_that_is_none(tmp_path: Path, code: bytes, engine: GuestEngine) -> None:
    """Code that does not compile is refused with the file's name, and leaves nothing."""
    with pytest.raises(ArtifactError, match="expected a valid core module") as raised:
        get(tmp_path, code[:-3], engine)
    assert ("plugin.not_wasm", "guest.wasm") == (raised.value.code, raised.value.where)
    assert {} == files(tmp_path)
