"""Disks that are full or forbidden, and object stores: nothing lost, nothing half-written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from obstore.exceptions import GenericError

from cdp_pipeline.connectors.backings import ArrowPayloads
from cdp_pipeline.connectors.consumers.jsonl import SaveToJsonl
from cdp_pipeline.connectors.consumers.parquet import SaveToParquet
from cdp_pipeline.connectors.consumers.storage_errors import StorageUnreachable, storage_errors
from cdpplugin import Batch, Context, Delivery, Fatal, Retry
from tests.consumers.stream import deliveries

CONTEXT = Context("p", "s")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a disk of 1 MiB needs root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk of 1 MiB cannot be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


async def started(consumer: Any, path: Path, **settings: Any) -> Any:
    await consumer.configure({"path": str(path), **settings})
    await consumer.start(CONTEXT)
    return consumer


def noise(position: int, size_bytes: int) -> Delivery:
    """One row that does not compress."""
    rows = pa.record_batch({"noise": pa.array([os.urandom(size_bytes // 2).hex()])})
    return Delivery(Batch(types="t", payloads=ArrowPayloads(rows)), [position], position)


def files(path: Path) -> list[str]:
    found = (file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    return sorted(name for name in found if "_cdp" not in name)


class TestParquetDiskFull:
    async def test_goes_on_when_there_is_space(self, tiny_disk: Path) -> None:
        """A full disk asks for a retry, shows no part of a file, and loses no row."""
        (tiny_disk / "other").write_bytes(bytes(800_000))
        consumer = await started(SaveToParquet(), tiny_disk, compression="none", max_rows=1)
        await consumer.consume(noise(1, 100_000))
        await consumer.consume(noise(2, 400_000))

        for _ in range(2):
            with pytest.raises(Retry) as caught:
                await consumer.consume(noise(3, 10))
            assert "storage.full" == caught.value.code
            assert ["other"] == [name for name in files(tiny_disk) if not name.startswith("t/")]
            assert 1 == len(list(tiny_disk.rglob("t/*")))

        (tiny_disk / "other").unlink()
        await consumer.consume(noise(3, 10))
        assert 3 == await consumer.flush()
        tables = [pq.ParquetFile(file).read() for file in sorted(tiny_disk.glob("t/*.parquet"))]
        assert [1, 1, 1] == [table.num_rows for table in tables]


class TestJsonlDiskFull:
    async def test_goes_on_when_there_is_space(self, tiny_disk: Path) -> None:
        """A full disk asks for a retry, and takes back the lines it wrote half."""
        (tiny_disk / "other").write_bytes(bytes(800_000))
        consumer = await started(SaveToJsonl(), tiny_disk)
        first = noise(1, 100_000)
        await consumer.consume(first)
        size_bytes = (tiny_disk / "t.jsonl").stat().st_size
        second = noise(2, 400_000)

        for _ in range(2):
            with pytest.raises(Retry) as caught:
                await consumer.consume(second)
            assert "storage.full" == caught.value.code
            assert size_bytes == (tiny_disk / "t.jsonl").stat().st_size

        (tiny_disk / "other").unlink()
        await consumer.consume(second)
        assert 2 == await consumer.flush()
        lines = (tiny_disk / "t.jsonl").read_bytes().splitlines(keepends=True)
        assert [each.batch.payloads.json()[0] + b"\n" for each in (first, second)] == lines
        await consumer.stop()


@pytest.mark.parametrize("kind", [SaveToParquet, SaveToJsonl])
class TestDenied:
    async def test_below_a_file(self, tmp_path: Path, kind: Any) -> None:
        """A path below a file is refused at the start, by name."""
        (tmp_path / "file").write_bytes(b"")

        with pytest.raises(Fatal, match="file") as caught:
            await started(kind(), tmp_path / "file" / "out")

        assert "storage.path_invalid" == caught.value.code

    async def test_read_only(self, tiny_disk: Path, kind: Any) -> None:
        """A place where writing is not allowed is refused at the start."""
        subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)

        with pytest.raises(Fatal) as caught:
            await started(kind(), tiny_disk / "out")

        assert "storage.permission_denied" == caught.value.code


def keys(client: Any) -> list[str]:
    found = client.list_objects_v2(Bucket="lake").get("Contents", [])
    return sorted(each["Key"] for each in found)


class TestObjectStore:
    server: Any

    @pytest.fixture
    def bucket(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        """A bucket of moto's S3 server: its client, and the settings that lead there."""
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        host, port = self.server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
        client.create_bucket(Bucket="lake")
        yield client, {"endpoint_url": url, "region": "us-east-1"}
        client.close()
        self.server.stop()

    async def test_whole_life(self, bucket: Any) -> None:
        """Write, restart, go on, forget: the same rules hold in an object store."""
        client, options = bucket
        settings = {"path": "s3://lake/out", "max_positions": 16, **options}
        for last in (20, 40):
            consumer = SaveToParquet()
            await consumer.configure(settings)
            await consumer.start(CONTEXT)
            for delivery in deliveries(1, last, seed=last):
                await consumer.consume(delivery)
            assert last == await consumer.flush()
            assert last == await consumer.durable_position()
            await consumer.stop()

        found = [key for key in keys(client) if "/ledgers/" in key]
        ends = [key.split("/")[-1][:21] for key in found]
        expected = [(1, 15), (16, 20), (21, 31), (32, 40)]
        assert [f"{first:010d}-{last:010d}" for first, last in expected] == ends
        body = client.get_object(Bucket="lake", Key=found[2])["Body"].read()
        assert 11 == pq.read_table(pa.BufferReader(body)).num_rows
        assert await consumer.forget(CONTEXT)
        assert [] == keys(client)

    async def test_no_bucket(self, bucket: Any) -> None:
        """A bucket that does not exist is refused at the start, by name."""
        consumer = SaveToParquet()
        await consumer.configure({"path": "s3://nothing/out", **bucket[1]})

        with pytest.raises(Fatal, match="s3://nothing/out") as caught:
            await consumer.start(CONTEXT)

        assert "storage.path_invalid" == caught.value.code

    async def test_server_gone(self, bucket: Any) -> None:
        """A server that went away asks for a retry; the same delivery then is taken, once."""
        client, settings = bucket
        consumer = SaveToParquet()
        await consumer.configure({"path": "s3://lake/out", "max_rows": 1, **settings})
        await consumer.start(CONTEXT)
        delivery = noise(1, 100)
        await consumer.consume(delivery)
        port = int(settings["endpoint_url"].rpartition(":")[2])

        self.server.stop()
        for _ in range(2):
            with pytest.raises(Retry) as caught:
                await consumer.consume(noise(2, 100))
            assert "storage.unreachable" == caught.value.code

        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        self.server.start()
        await consumer.consume(noise(2, 100))
        assert 2 == await consumer.flush()
        assert 2 == len([key for key in keys(client) if key.startswith("out/t/")])

    async def test_unreachable(self) -> None:
        """No server at the address asks for a retry."""
        consumer = SaveToParquet()
        await consumer.configure(
            {"path": "s3://lake/out", "endpoint_url": "http://127.0.0.1:9", "anonymous": True}
        )

        with pytest.raises(Retry) as caught:
            await consumer.start(CONTEXT)

        assert "storage.unreachable" == caught.value.code


@pytest.mark.parametrize("table", ["storage_errors", "duckdb_errors", "postgresql_errors"])
def test_hints_stay_true_once_printed(table: str) -> None:
    """A hint is read when the run has ended: it promises nothing that the run would still do."""
    module = import_module(f"cdp_pipeline.connectors.consumers.{table}")
    text = Path(module.__file__ or "").read_text()

    assert "by itself" not in text
    assert "tried again" not in text


def test_a_store_tells_no_secret() -> None:
    """What an object store repeats of its address is shown without user, password and query."""
    with pytest.raises(StorageUnreachable) as raised, storage_errors("s3://bucket"):
        raise GenericError("error sending request for url (http://bob:hunter2@host/b?sig=hunter3)")

    assert "`s3://bucket`: error sending request for url (http://host/b)" == str(raised.value)
