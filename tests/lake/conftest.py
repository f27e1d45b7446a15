"""Lakes to read: the shared real ones, made ones, and servers that serve them."""

from __future__ import annotations

import functools
import os
import shutil
import struct
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import zstandard
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

from cdp_pipeline.connectors.stellar.lake import RetryPolicy, StoreOptions
from cdp_pipeline.connectors.stellar.lake.layout import Layout

REPOSITORY = Path(__file__).parents[2]
PUBNET_FOLDER = "FE2A45FF--30784000-30847999"
BUCKET = "lakes"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real ledgers; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("CDP_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "lake_1x64000").is_dir():
        pytest.skip(f"no real ledgers at {folder}: set CDP_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def pubnet(data: Path) -> Path:
    """Pubnet ledgers, one a file, with large gaps."""
    return data / "lake_1x64000" / "ledgers" / "pubnet"


@pytest.fixture(scope="session")
def pubnet_by_five(data: Path) -> Path:
    """Pubnet 30822015-30822024, five a file."""
    return data / "lake_5x12800" / "ledgers" / "pubnet"


@pytest.fixture
def pubnet_copy(pubnet: Path, tmp_path: Path) -> Path:
    """Pubnet 30822015-30822025 in a folder that may be damaged."""
    target = tmp_path / "pubnet"
    shutil.copytree(pubnet / PUBNET_FOLDER, target / PUBNET_FOLDER)
    shutil.copy(pubnet / ".config.json", target)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    (target / PUBNET_FOLDER / "FE29B950--30820015.xdr.zst").unlink()
    return target


class Made:
    """Ledgers and files made by hand, valid unless told otherwise."""

    @staticmethod
    def ledger(
        sequence: int,
        previous_hash: bytes = bytes(32),
        *,
        closed_at_s: int | None = None,
        meta_version: int = 0,
        extended: bool = False,
        value: bytes = bytes(8),
    ) -> bytes:
        """A LedgerCloseMeta without transactions, as small as the format allows.

        *extended* uses the larger arm of each extension; *value* is the end of
        the StellarValue: its upgrades and its union.
        """
        value_head = sha256(previous_hash).digest() + struct.pack(
            ">Q", closed_at_s or 1_600_000_000 + 5 * sequence
        )
        header = b"".join(
            [
                struct.pack(">I", 13),
                previous_hash,
                value_head,
                value,
                sha256(bytes(4)).digest(),
                bytes(32),
                struct.pack(">IqqIQIII", sequence, 10**18, 0, 0, 0, 100, 5_000_000, 1000),
                bytes(128),
                struct.pack(">III", 1, 7, 0) if extended else bytes(4),
            ]
        )
        meta_ext = b"" if meta_version == 0 else bytes(4)
        if extended and meta_version:
            meta_ext = struct.pack(">IIq", 1, 0, 12345)
        start = struct.pack(">I", meta_version) + meta_ext
        entry = sha256(header).digest() + header + bytes(4)
        return start + entry + previous_hash + bytes(16)

    @staticmethod
    def hash(ledger: bytes) -> bytes:
        """The hash stored in a ledger of meta version 0."""
        return ledger[4:36]

    @staticmethod
    def chain(first: int, last: int, previous_hash: bytes = bytes(32)) -> list[bytes]:
        """Ledgers that follow one another."""
        ledgers: list[bytes] = []
        for sequence in range(first, last + 1):
            ledgers.append(Made.ledger(sequence, previous_hash))
            previous_hash = Made.hash(ledgers[-1])
        return ledgers

    @staticmethod
    def batch(first: int, ledgers: list[bytes], *, last: int | None = None) -> bytes:
        """A LedgerCloseMetaBatch, not compressed."""
        last = first + len(ledgers) - 1 if last is None else last
        return struct.pack(">III", first, last, len(ledgers)) + b"".join(ledgers)


@pytest.fixture(scope="session")
def files_of() -> Callable[[Path, str], list[Path]]:
    """Find files below a folder, sorted: `files_of(folder, pattern)`."""
    return lambda folder, pattern: sorted(folder.rglob(pattern))


@pytest.fixture(scope="session")
def made() -> type[Made]:
    """Ledgers and files made by hand."""
    return Made


@pytest.fixture
def write_lake(tmp_path: Path) -> Callable[..., Path]:
    """Write a lake of made ledgers: `write_lake(layout, first, last)`."""

    def write(
        layout: Layout, first: int, last: int, *, extension: str = "xdr.zst", name: str = "made"
    ) -> Path:
        folder = tmp_path / name
        files: dict[str, list[bytes]] = {}
        starts: dict[str, int] = {}
        for sequence, xdr in enumerate(Made.chain(first, last), first):
            key = layout.key_for(sequence, extension)
            files.setdefault(key, []).append(xdr)
            starts.setdefault(key, sequence)
        for key, ledgers in files.items():
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(zstandard.compress(Made.batch(starts[key], ledgers)))
        return folder

    return write


@dataclass
class WebServer:
    """A plain web server over a folder.

    Attributes:
        url: Its address.
        requests: Method, path and headers of every request, in order.
        failures: Path to the statuses that its next requests get, before it is served.
    """

    url: str
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    failures: dict[str, list[int]] = field(default_factory=dict)


class _Handler(SimpleHTTPRequestHandler):
    def send_head(self) -> object:  # type: ignore[override]
        record = self.server.record  # type: ignore[attr-defined]
        record.requests.append((self.command, self.path, dict(self.headers)))
        statuses = record.failures.get(self.path)
        if statuses:
            self.send_error(statuses.pop(0))
            return None
        return super().send_head()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[[Path], WebServer]]:
    """Start a plain web server over a folder: `serve(folder)`."""
    servers: list[ThreadingHTTPServer] = []

    def start(folder: Path) -> WebServer:
        handler = functools.partial(_Handler, directory=str(folder))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        record = WebServer(f"http://127.0.0.1:{server.server_port}")
        server.record = record  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return record

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A running S3 server with an empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    acl = {"x-amz-acl": "public-read"}
    request = urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT", headers=acl)
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    yield endpoint
    server.stop()


@pytest.fixture
def upload(s3_endpoint: str) -> Callable[..., str]:
    """Copy a folder into the S3 server: `upload(folder, prefix)` returns its URL."""

    def copy(folder: Path, prefix: str, acl: str = "public-read") -> str:
        store = S3Store(
            BUCKET,
            prefix=prefix,
            endpoint=s3_endpoint,
            region="us-east-1",
            access_key_id="test",
            secret_access_key="test",
            client_options={"allow_http": True, "default_headers": {"x-amz-acl": acl}},
        )
        for path in folder.rglob("*"):
            if path.is_file():
                store.put(str(path.relative_to(folder)), path.read_bytes())
        return f"s3://{BUCKET}/{prefix}"

    return copy


@pytest.fixture
def s3_options(s3_endpoint: str) -> StoreOptions:
    """Options that reach the S3 server, unsigned."""
    return StoreOptions(
        endpoint_url=s3_endpoint,
        region="us-east-1",
        anonymous=True,
        retry=RetryPolicy(limit=1, initial_wait_s=0.01),
    )
