"""Files of a lake, from a folder, a web server and S3."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.connectors.stellar.lake.address import (
    StoreOptions,
    is_anonymous,
    open_object_store,
    parse_address,
)
from cdp_pipeline.connectors.stellar.lake.errors import (
    LakeAddressInvalid,
    LakeCannotList,
    LakeError,
    LakeNotFound,
    LakePermissionDenied,
    LakeUnreachable,
)
from cdp_pipeline.connectors.stellar.lake.retry import RetryPolicy
from cdp_pipeline.connectors.stellar.lake.store import open_store
from cdpplugin import Retry

QUICK = StoreOptions(retry=RetryPolicy(limit=2, initial_wait_s=0.001))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two partitions of two files."""
    for key in ("A/1.x", "A/2.x", "B/3.x", "B/4.x", "root.x"):
        path = tmp_path / "store" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(key.encode())
    return tmp_path / "store"


class TestAddress:
    def test_shows_no_secret(self) -> None:
        """The address that is shown has no user, password or query."""
        address = parse_address("https://user:secret@host:8080/lake/?token=secret")

        assert "https://host:8080/lake" == address.text
        assert "secret" not in repr(address)

    def test_a_host_that_cannot_be_read(self) -> None:
        """An address that is no URL is refused without repeating it."""
        with pytest.raises(LakeAddressInvalid) as raised:
            parse_address("http://bob:hunter2[@host/lake")

        assert "hunter2" not in str(raised.value)

    @pytest.mark.parametrize("text", ["ftp://host/lake", "s3://", "https:///lake"])
    def test_refuses_unknown_addresses(self, text: str) -> None:
        """An address of no known kind, or without bucket or host, is refused."""
        with pytest.raises(LakeAddressInvalid):
            parse_address(text)

    @pytest.mark.parametrize(
        ("text", "kind"),
        [("s3://b/p", "s3"), ("gs://b/p", "gcs"), ("az://c/p", "azure"), ("http://h/p", "http")],
    )
    def test_every_kind_opens(self, text: str, kind: str) -> None:
        """Each kind of address opens a store without sending anything."""
        address = parse_address(text)
        open_object_store(address, StoreOptions(anonymous=True, account="account"))

        assert kind == address.kind

    def test_signs_when_the_environment_has_credentials(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Requests go out unsigned exactly when there is nothing to sign with."""
        address = parse_address("s3://bucket")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"):
            monkeypatch.delenv(name, raising=False)
        assert is_anonymous(address, StoreOptions())
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        assert not is_anonymous(address, StoreOptions())
        assert is_anonymous(address, StoreOptions(anonymous=True))

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        """A folder that is not there is said so at once."""
        with pytest.raises(LakeNotFound, match="no folder"):
            open_store(str(tmp_path / "nowhere"))


class TestReading:
    @pytest.fixture(params=["folder", "http", "s3"])
    def store(
        self,
        request: pytest.FixtureRequest,
        folder: Path,
        serve: Callable[[Path], Any],
        tmp_path: Path,
    ) -> Any:
        if request.param == "folder":
            return open_store(str(folder))
        if request.param == "http":
            return open_store(serve(folder).url, QUICK)
        upload = request.getfixturevalue("upload")
        return open_store(
            upload(folder, f"reading/{tmp_path.name}"), request.getfixturevalue("s3_options")
        )

    async def test_get_and_exists(self, store: Any) -> None:
        """A file's bytes, and None for a file that is not there."""
        assert await store.get("A/1.x") == b"A/1.x"
        assert await store.get("A/9.x") is None
        assert [True, False] == [await store.exists("B/4.x"), await store.exists("C/4.x")]

    async def test_listing(self, store: Any) -> None:
        """Stores that can list give folders and files; a web server says that it cannot."""
        if not store.can_list:
            with pytest.raises(LakeCannotList, match="cannot be listed"):
                await store.list_folder()
            with pytest.raises(LakeCannotList, match="cannot be listed"):
                await anext(store.pages())
            return
        root = await store.list_folder()
        keys = [each.key async for page in store.pages() for each in page]

        assert (["A", "B"], ["root.x"]) == (
            sorted(root.folders),
            [each.key for each in root.files],
        )
        assert ["A/1.x", "A/2.x", "B/3.x", "B/4.x", "root.x"] == sorted(keys)

    async def test_listing_after_a_key(self, store: Any) -> None:
        """A listing can start behind a key."""
        if store.can_list:
            keys = [each.key async for page in store.pages("B", "B/3.x") for each in page]

            assert ["B/4.x"] == keys


class TestFailures:
    async def test_a_busy_server_is_asked_again(
        self, folder: Path, serve: Callable[[Path], Any]
    ) -> None:
        """A server error passes: the request is sent again."""
        server = serve(folder)
        server.failures["/A/1.x"] = [503, 429]

        assert await open_store(server.url, QUICK).get("A/1.x") == b"A/1.x"
        assert 3 == len(server.requests)

    async def test_retries_end(self, folder: Path, serve: Callable[[Path], Any]) -> None:
        """When the retries are used up the error is a `Retry` with what the server said."""
        server = serve(folder)
        server.failures["/A/1.x"] = [503] * 9

        with pytest.raises(LakeUnreachable, match="503") as caught:
            await open_store(server.url, QUICK).get("A/1.x")

        assert isinstance(caught.value, Retry)
        assert 3 == len(server.requests)
        assert "<" not in str(caught.value)

    async def test_nobody_there(self, folder: Path, serve: Callable[[Path], Any]) -> None:
        """A server that does not answer is unreachable."""
        with pytest.raises(LakeUnreachable):
            await open_store("http://127.0.0.1:9", QUICK).get("A/1.x")

    @pytest.mark.parametrize(
        ("status", "error"),
        [(401, LakePermissionDenied), (403, LakePermissionDenied), (400, LakeError)],
    )
    async def test_refusals_are_not_asked_again(
        self, folder: Path, serve: Callable[[Path], Any], status: int, error: type[Exception]
    ) -> None:
        """A request that the server refuses is sent once."""
        server = serve(folder)
        server.failures["/A/1.x"] = [status]

        with pytest.raises(error) as caught:
            await open_store(server.url, QUICK).get("A/1.x")

        assert not isinstance(caught.value, LakeUnreachable)
        assert 1 == len(server.requests)

    async def test_no_secret_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        """The store repeats its address in errors: neither error nor log shows what is in it."""
        with socket.socket() as closed:  # bound and not listening: refuses whoever comes
            closed.bind(("127.0.0.1", 0))
            address = f"http://bob:hunter2@127.0.0.1:{closed.getsockname()[1]}/x?sig=hunter3"
            with pytest.raises(LakeUnreachable) as raised:
                await open_store(address, QUICK).get("key")

        told = [str(raised.value), *(str(record.__dict__) for record in caplog.records)]
        assert 3 == len(told)
        assert [] == [text for text in told if "bob" in text or "hunter" in text]
        assert [("store asked again", 1), ("store asked again", 2)] == [
            (record.getMessage(), record.__dict__["retry"]) for record in caplog.records
        ]

    async def test_headers_are_sent(self, folder: Path, serve: Callable[[Path], Any]) -> None:
        """Configured headers go out with every request."""
        server = serve(folder)
        await open_store(server.url, StoreOptions(headers={"X-Key": "value"})).get("A/1.x")

        assert "value" == {k.lower(): v for k, v in server.requests[0][2].items()}["x-key"]

    async def test_no_such_bucket(self, s3_options: StoreOptions) -> None:
        """A bucket that does not exist is said so when it is listed."""
        with pytest.raises(LakeNotFound, match="s3://nowhere"):
            await open_store("s3://nowhere/lake", s3_options).list_folder()

    async def test_credentials_from_the_environment(
        self,
        folder: Path,
        upload: Callable[..., str],
        s3_options: StoreOptions,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A private file is refused unsigned, with the way out, and read with credentials."""
        url = upload(folder, "private", acl="private")
        with pytest.raises(LakePermissionDenied) as caught:
            await open_store(url, s3_options).get("A/1.x")
        assert "credentials" in caught.value.hint
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")

        signed = open_store(url, replace(s3_options, anonymous=None))

        assert await signed.get("A/1.x") == b"A/1.x"

    def test_a_process_exits_cleanly_after_a_request(self) -> None:
        """The last request of a process leaves nothing behind that crashes its exit."""
        program = (
            "import asyncio, sys\n"
            "from cdp_pipeline.connectors.stellar.lake.errors import LakeUnreachable\n"
            "from cdp_pipeline.connectors.stellar.lake.address import StoreOptions\n"
            "from cdp_pipeline.connectors.stellar.lake.retry import RetryPolicy\n"
            "from cdp_pipeline.connectors.stellar.lake.store import open_store\n"
            "store = open_store('http://127.0.0.1:9', StoreOptions(retry=RetryPolicy(limit=0)))\n"
            "try:\n"
            "    asyncio.run(store.get('key'))\n"
            "except LakeUnreachable:\n"
            "    sys.exit(7)\n"
        )
        codes = [
            subprocess.run([sys.executable, "-c", program], check=False).returncode
            for _ in range(8)
        ]

        assert [7] * 8 == codes

    async def test_a_folder_that_vanished(self, folder: Path) -> None:
        """A folder that was removed under the store holds no files, without a crash."""
        store = open_store(str(folder))
        shutil.rmtree(folder)

        assert await store.get("A/1.x") is None
