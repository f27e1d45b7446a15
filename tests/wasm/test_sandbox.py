"""A guest reaches nothing of its host, but for what manifest and pipeline both grant."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.config.limits import Permissions
from cdp_pipeline.errors import ConfigError
from cdp_pipeline.runtimes.grants import granted
from tests.wasm import _wat
from tests.wasm.conftest import Workshop, batch

WASI = "wasi_snapshot_preview1"


def asking(call: str, signature: str, result: str = "(i32.const 0)", **keys: Any) -> str:
    """A guest that answers the error number of a WASI call, then *result*, as text of digits."""
    name = call.split()[0]
    body = f"""(local $errno i32)
      (local.set $errno (call ${name} {call[len(name) :]}))
      (i32.store8 (i32.const 300) (i32.add (i32.const 48) (i32.div_u (local.get $errno)
        (i32.const 10))))
      (i32.store8 (i32.const 301) (i32.add (i32.const 48) (i32.rem_u (local.get $errno)
        (i32.const 10))))
      (i32.store8 (i32.const 302) (i32.add (i32.const 48) {result}))
      (call $answer (i32.const 3) (i32.const 300) (i32.const 3))"""
    process = f'(func (export "process") (param $at i32) (param $size i32) (result i32) {body})'
    imports = f'(import "{WASI}" "{name}" (func ${name} {signature} (result i32)))'
    return _wat.text(imports=imports, process=process, **keys)


async def told(workshop: Workshop, source: Any, **options: Any) -> tuple[int, int]:
    """The error number and the result that a guest tells."""
    handle = await workshop.started(source, **options)
    error: Any = (await handle.process_batch(batch("a"))).errors[0]
    return int(error.message[:2]), ord(error.message[2]) - 48


COUNT_VARIABLES = asking(
    "environ_sizes_get (i32.const 400) (i32.const 404)",
    "(param i32 i32)",
    "(i32.load (i32.const 400))",
)


class TestVariables:
    async def test_none(self, workshop: Workshop) -> None:
        """A guest sees no environment variable of its host."""
        assert (0, 0) == await told(workshop, COUNT_VARIABLES)

    async def test_asked_and_granted(self, workshop: Workshop) -> None:
        """One that the manifest asks for and the pipeline grants is seen; one alone is not."""
        manifest = workshop.manifest(COUNT_VARIABLES, permissions={"env": ["CANARY"]})
        both = await told(workshop, manifest, permissions={"env": ["CANARY", "PATH"]})
        asked = await told(workshop, manifest)
        granted_only = await told(workshop, COUNT_VARIABLES, permissions={"env": ["CANARY"]})
        assert [(0, 1), (0, 0), (0, 0)] == [both, asked, granted_only]

    async def test_what_is_withheld_is_said(self, workshop: Workshop) -> None:
        """What a plugin asks for and does not get is a warning in the log."""
        manifest = workshop.manifest(COUNT_VARIABLES, permissions={"env": ["CANARY"]})
        await workshop.launch(manifest)
        assert any("the variable CANARY" in message for message in workshop.log.messages)


OPEN = (
    "path_open (i32.const 3) (i32.const 0) (i32.const 256) (i32.const {size}) (i32.const {flags})"
    " (i64.const {rights}) (i64.const 0) (i32.const 0) (i32.const 400)"
)
OPENS = "(param i32 i32 i32 i32 i32 i64 i64 i32 i32)"
CREATE = 1


def opening(name: str, flags: int = 0) -> str:
    rights = 64 if flags else 2  # fd_write, fd_read
    call = OPEN.format(size=len(name), flags=flags, rights=rights)
    return asking(call, OPENS, data={256: name})


WRITES = f'(import "{WASI}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))'
WRITE = _wat.text(
    imports=f'(import "{WASI}" "path_open" (func $path_open {OPENS} (result i32)))' + WRITES,
    memory='(memory (export "memory") 8)',
    data={256: "new"},
    process=_wat.processing(
        f"""(local $i i32) (local $done i32)
        (loop $fill
          (i32.store8 (i32.add (i32.const 200000) (local.get $i))
            (i32.add (i32.const 1) (i32.rem_u (local.get $i) (i32.const 251))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $fill (i32.lt_u (local.get $i) (i32.const 200000))))
        (drop (call ${OPEN.format(size=3, flags=CREATE, rights=64)}))
        (loop $write
          (i32.store (i32.const 500) (i32.add (i32.const 200000) (local.get $done)))
          (i32.store (i32.const 504) (i32.sub (i32.const SIZE) (local.get $done)))
          (if (call $write (i32.load (i32.const 400)) (i32.const 500) (i32.const 1)
                (i32.const 508))
            (then unreachable))
          (local.set $done (i32.add (local.get $done) (i32.load (i32.const 508))))
          (br_if $write (i32.lt_u (local.get $done) (i32.const SIZE))))"""
    ),
)
"""A guest that writes SIZE bytes into a new file."""

BAD_DESCRIPTOR, NO_ENTRY, NOT_CAPABLE = 8, 44, 76


class TestFiles:
    async def test_none(self, workshop: Workshop) -> None:
        """A guest has no folder: no file can be opened, and none is made."""
        for name in ("canary.txt", "/etc/passwd", "../canary.txt"):
            assert BAD_DESCRIPTOR == (await told(workshop, opening(name, CREATE)))[0]
        assert [] == list(workshop.folder.glob("canary*"))

    async def test_granted_for_reading(self, workshop: Workshop) -> None:
        """A folder granted for reading is read, not written; nothing outside is reached."""
        data = workshop.folder / "data"
        data.mkdir()
        (data / "known").write_text("x")
        (workshop.folder / "secret").write_text("x")
        wishes = {"files": [str(data)]}

        async def opened(name: str, flags: int = 0) -> int:
            manifest = workshop.manifest(opening(name, flags), permissions=wishes)
            return (await told(workshop, manifest, permissions=wishes))[0]

        assert 0 == await opened("known")
        assert 0 != await opened("new", CREATE)
        assert 0 != await opened("../secret")
        assert 0 != await opened("/etc/passwd")
        assert ["known"] == [path.name for path in data.iterdir()]

    async def test_a_link_that_leads_out(self, workshop: Workshop) -> None:
        """A symbolic link in a granted folder does not lead out of it."""
        data = workshop.folder / "data"
        data.mkdir()
        (workshop.folder / "secret").write_text("x")
        (data / "link").symlink_to(workshop.folder / "secret")
        wishes = {"files": [str(data)]}
        manifest = workshop.manifest(opening("link"), permissions=wishes)
        assert 0 != (await told(workshop, manifest, permissions=wishes))[0]

    async def test_granted_for_writing(self, workshop: Workshop) -> None:
        """A folder that both sides name with `write` can be written."""
        data = workshop.folder / "data"
        data.mkdir()
        wishes = {"files": [{"path": str(data), "mode": "write"}]}
        manifest = workshop.manifest(opening("new", CREATE), permissions=wishes)
        assert 0 == (await told(workshop, manifest, permissions=wishes))[0]
        assert ["new"] == [path.name for path in data.iterdir()]

    @pytest.mark.parametrize("size", [5, 200_000])
    async def test_what_is_written(self, workshop: Workshop, size: int) -> None:
        """A file gets the bytes the guest writes, in as many calls as it takes."""
        data = workshop.folder / "data"
        data.mkdir()
        wishes = {"files": [{"path": str(data), "mode": "write"}]}
        manifest = workshop.manifest(WRITE.replace("SIZE", str(size)), permissions=wishes)
        handle = await workshop.started(manifest, permissions=wishes)
        outputs: Any = await handle.process_batch(batch("a"))
        assert {} == outputs.errors
        assert (bytes(range(1, 252)) * 800)[:size] == (data / "new").read_bytes()

    async def test_written_in_vain(self, workshop: Workshop) -> None:
        """Without a grant a guest writes to no descriptor but its own output."""
        source = asking(
            "fd_write (i32.const 3) (i32.const 400) (i32.const 1) (i32.const 408)",
            "(param i32 i32 i32 i32)",
        )
        assert BAD_DESCRIPTOR == (await told(workshop, source))[0]


class TestStandardOutput:
    @pytest.mark.parametrize("granted", [False, True])
    async def test_of_a_host(
        self, workshop: Workshop, capfd: pytest.CaptureFixture[str], granted: bool
    ) -> None:
        """Where both sides grant it, what a guest prints is printed; else it is a log line."""
        source = _wat.text(
            imports=WRITES,
            data={256: "printed\n"},
            process=_wat.processing(
                """(i32.store (i32.const 400) (i32.const 256))
                (i32.store (i32.const 404) (i32.const 8))
                (drop (call $write (i32.const 1) (i32.const 400) (i32.const 1) (i32.const 408)))"""
            ),
        )
        manifest = workshop.manifest(source, permissions={"stdout": True})
        handle = await workshop.started(manifest, permissions={"stdout": granted})
        assert {} == (await handle.process_batch(batch("a"))).errors
        assert granted == ("printed\n" in capfd.readouterr().out)
        assert (not granted) == ("printed" in workshop.log.messages)


class TestGrants:
    def test_of_folders(self, workshop: Workshop, tmp_path: Path) -> None:
        """A grant counts below what the manifest asks for; writing takes both sides."""
        for name in ("a", "a/b", "c"):
            (tmp_path / name).mkdir()
        asked = [{"path": str(tmp_path / "a"), "mode": "write"}, {"path": str(tmp_path / "c")}]
        manifest = workshop.manifest(_wat.text(), permissions={"files": asked})
        given = Permissions.model_validate(
            {
                "files": [
                    {"path": str(tmp_path / "a/b"), "mode": "write"},
                    {"path": str(tmp_path / "c"), "mode": "write"},
                    {"path": str(tmp_path), "mode": "read"},
                ]
            }
        )
        grants, withheld = granted(manifest, given, {})
        assert {str(tmp_path / "a/b"): True, str(tmp_path / "c"): False} == grants.paths
        assert [] == withheld

    async def test_a_folder_that_is_not_there(self, workshop: Workshop) -> None:
        """A granted folder that does not exist is an error with its path, not an empty folder."""
        wishes = {"files": [str(workshop.folder / "gone")]}
        manifest = workshop.manifest(_wat.text(), permissions=wishes)
        with pytest.raises(ConfigError, match="gone") as raised:
            await workshop.launch(manifest, permissions=wishes)
        assert "plugin.grant_invalid" == raised.value.code


class TestSockets:
    async def test_none(self, workshop: Workshop) -> None:
        """No descriptor of the host is a guest's: it accepts and sends on none."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            number = listener.fileno()
            source = asking(
                f"sock_accept (i32.const {number}) (i32.const 0) (i32.const 400)",
                "(param i32 i32 i32)",
            )
            assert BAD_DESCRIPTOR == (await told(workshop, source))[0]


CLOCK = (
    f'(import "{WASI}" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))'
)


def first_error(outputs: Any) -> bytes:
    message: str = outputs.errors[0].message
    return message.encode("utf-8", "surrogateescape")


class TestClock:
    async def test_its_own(self, workshop: Workshop) -> None:
        """The clock begins in the year 2000 for each instance, and moves on when it is read."""
        source = _wat.text(
            imports=CLOCK,
            process="""(func (export "process") (param i32 i32) (result i32)
              (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 400)))
              (call $answer (i32.const 3) (i32.const 256) (i32.add (i32.const 1)
                (i64.eq (i64.load (i32.const 400)) (i64.const 946684800000001000)))))""",
            data={256: "no"},
        )
        handle = await workshop.started(source)
        assert b"no" == first_error(await handle.process_batch(batch("a")))  # equal: both letters
        assert b"n" == first_error(await handle.process_batch(batch("a")))  # later, the second time

    async def test_a_sleep_ends_at_once(self, workshop: Workshop) -> None:
        """Whoever sleeps an hour is not waited for."""
        hour_ns = 3_600_000_000_000
        body = f"""(i64.store (i32.const 400) (i64.const 7)) (i32.store8 (i32.const 408)
              (i32.const 0)) (i32.store (i32.const 416) (i32.const 1))
              (i64.store (i32.const 424) (i64.const {hour_ns}))
              (drop (call $poll (i32.const 400) (i32.const 500) (i32.const 1) (i32.const 600)))"""
        source = _wat.text(
            imports=f'(import "{WASI}" "poll_oneoff" (func $poll (param i32 i32 i32 i32)'
            " (result i32)))",
            process=_wat.processing(body),
        )
        for limits in ({"timeout": "20s"}, {"timeout": "300ms"}):
            handle = await workshop.started(source, limits=limits)
            assert {} == (await handle.process_batch(batch("a"))).errors
        manifest = workshop.manifest(source, permissions={"clock": True})
        real = await workshop.started(
            manifest, limits={"timeout": "200ms"}, permissions={"clock": True}
        )
        error: Any = (await real.process_batch(batch("a"))).errors[0]
        assert "plugin.timeout" == error.code


class TestOutput:
    async def test_logs(self, workshop: Workshop) -> None:
        """Lines of `cdp.log` and of standard error are log lines; addresses outside are ignored."""
        source = _wat.text(
            imports='(import "cdp" "log" (func $log (param i32 i32 i32)))'
            f'(import "{WASI}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))',
            data={256: "warned", 300: '{"message":"told","rows":3}', 350: "printed\n"},
            process=_wat.processing(
                """(call $log (i32.const 2) (i32.const 256) (i32.const 6))
                (call $log (i32.const 0) (i32.const 300) (i32.const 27))
                (call $log (i32.const 9) (i32.const -100) (i32.const 600))
                (i32.store (i32.const 400) (i32.const 350))
                (i32.store (i32.const 404) (i32.const 8))
                (drop (call $write (i32.const 2) (i32.const 400) (i32.const 1) (i32.const 408)))"""
            ),
        )
        handle = await workshop.started(source)
        assert {} == (await handle.process_batch(batch("a"))).errors
        told = [(level, message) for level, message, _ in workshop.log.lines]
        assert [("warning", "warned"), ("debug", "told"), ("info", "printed")] == told
        assert 3 == workshop.log.lines[1][2]["rows"]
