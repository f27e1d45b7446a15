"""Turn the address of a lake into an object store: a folder, S3, GCS, Azure or plain HTTP.

    /data/lake   ./lake   file:///data/lake      a folder
    s3://bucket/prefix                           S3 and whatever speaks it (endpoint_url)
    gs://bucket/prefix                           Google Cloud Storage
    az://container/prefix                        Azure Blob Storage
    https://host/path                            any web server; it cannot be listed

Credentials come from the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`). Where it
has none, requests go out unsigned, which is how public lakes are read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

from obstore.store import AzureStore, GCSStore, HTTPStore, LocalStore, S3Store

from .errors import LakeAddressInvalid, LakeNotFound
from .retry import RetryPolicy

if TYPE_CHECKING:
    from obstore.store import AzureConfig, ClientConfig, GCSConfig, RetryConfig, S3Config

ObjectStore: TypeAlias = S3Store | GCSStore | AzureStore | HTTPStore | LocalStore

_SCHEMES = {
    "file": "local",
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "azure": "azure",
    "abfs": "azure",
    "abfss": "azure",
    "http": "http",
    "https": "http",
}
_URL_SECRETS = re.compile(r"(?<=://)[^/\s`'\"]*@")
_URL_QUERY = re.compile(r"(://[^\s`'\"?]*)\?[^\s`'\")]*")
_CREDENTIAL_VARIABLES = {
    "s3": (
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ),
    "gcs": (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_PATH",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
    ),
    "azure": (
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_ACCESS_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_SAS_KEY",
        "AZURE_STORAGE_TOKEN",
        "AZURE_STORAGE_CLIENT_ID",
        "AZURE_CLIENT_ID",
        "AZURE_FEDERATED_TOKEN_FILE",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """How to reach the store of a lake.

    Attributes:
        region: S3 region, e.g. `us-east-2`; empty takes it from the environment.
        endpoint_url: Another server that speaks S3, GCS or Azure; empty for the provider's own.
        anonymous: Send requests unsigned; None means: when the environment has no credentials.
        path_style: Put the S3 bucket in the path; None means: with an `endpoint_url`.
        account: Azure storage account; empty takes it from the environment.
        headers: HTTP headers sent with every request (plain HTTP lakes).
        timeout_s: Longest time for one whole request, in seconds.
        connect_timeout_s: Longest time to connect, in seconds.
        retry: When to try again.
    """

    region: str = ""
    endpoint_url: str = ""
    anonymous: bool | None = None
    path_style: bool | None = None
    account: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 120.0
    connect_timeout_s: float = 10.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a lake is.

    Attributes:
        kind: `local`, `s3`, `gcs`, `azure` or `http`.
        text: The address as it may be shown: without user, password and query.
        parts: The parsed URL; for a folder its path is absolute.
    """

    kind: str
    text: str
    parts: SplitResult = field(repr=False)


def parse_address(text: str) -> Address:
    """Read a folder's path or a URL.

    Raises:
        LakeAddressInvalid: The URL is of no known kind, or names no bucket or host.
    """
    if "://" not in text:
        return _local_address(Path(text).expanduser())
    try:
        parts = urlsplit(text)
    except ValueError:
        # Its text repeats the host's part of the address, in which a password may stand.
        raise LakeAddressInvalid(
            "the address is no URL: its host cannot be read",
            hint="percent-encode special characters of a user or password, e.g. `[` as `%5B`",
        ) from None
    kind = _SCHEMES.get(parts.scheme.lower())
    if kind is None:
        raise LakeAddressInvalid(
            f"a lake at a folder or one of {', '.join(f'{s}://' for s in _SCHEMES)} expected, "
            f"got `{parts.scheme}://`",
            hint="write for instance `s3://bucket/path` or `./lake`",
        )
    if kind == "local":
        return _local_address(Path(unquote(parts.path)))
    if not parts.hostname:
        raise LakeAddressInvalid(
            f"`{parts.scheme}://` names no bucket or host",
            hint=f"write `{parts.scheme}://NAME/path`",
        )
    host = parts.netloc.rpartition("@")[2]
    return Address(kind, f"{parts.scheme}://{host}{parts.path}".rstrip("/"), parts)


def without_secrets(text: str) -> str:
    """Return *text* with user, password and query taken out of every URL in it.

    The libraries behind a store repeat in their errors the address they were given.
    """
    return _URL_QUERY.sub(r"\1", _URL_SECRETS.sub("", text))


def _local_address(path: Path) -> Address:
    absolute = path.absolute()
    return Address("local", str(absolute), SplitResult("file", "", str(absolute), "", ""))


def open_object_store(address: Address, options: StoreOptions) -> ObjectStore:
    """Open the store behind *address*; nothing is sent yet.

    Raises:
        LakeNotFound: The folder does not exist.
        LakeAddressInvalid: The options do not fit the address.
    """
    try:
        return _OPENERS[address.kind](address, options)
    except LakeNotFound:
        raise
    except Exception as error:
        raise LakeAddressInvalid(
            f"lake `{address.text}` cannot be opened: {_first_line(error)}",
            hint="check the address and the store's options",
        ) from error


def _first_line(error: Exception) -> str:
    return without_secrets((str(error).splitlines() or [type(error).__name__])[0])


def is_anonymous(address: Address, options: StoreOptions) -> bool:
    """Tell whether requests go out unsigned."""
    if options.anonymous is not None:
        return options.anonymous
    return not any(os.environ.get(name) for name in _CREDENTIAL_VARIABLES[address.kind])


def _open_local(address: Address, options: StoreOptions) -> ObjectStore:
    path = Path(address.parts.path)
    if not path.is_dir():
        raise LakeNotFound(
            f"no folder `{path}`", hint="check the path; it is taken from the current folder"
        )
    return LocalStore(path)


def _open_s3(address: Address, options: StoreOptions) -> ObjectStore:
    config: S3Config = {}
    if options.region:
        config["region"] = options.region
    if options.endpoint_url:
        config["endpoint"] = options.endpoint_url
    if is_anonymous(address, options):
        config["skip_signature"] = True
    path_style = bool(options.endpoint_url) if options.path_style is None else options.path_style
    config["virtual_hosted_style_request"] = not path_style
    return S3Store(
        address.parts.netloc,
        prefix=_prefix(address),
        config=config,
        client_options=_client(options, options.endpoint_url),
        retry_config=_no_retries(),
    )


def _open_gcs(address: Address, options: StoreOptions) -> ObjectStore:
    config: GCSConfig = {}
    if options.endpoint_url:
        config["base_url"] = options.endpoint_url
    if is_anonymous(address, options):
        config["skip_signature"] = True
    return GCSStore(
        address.parts.netloc,
        prefix=_prefix(address),
        config=config,
        client_options=_client(options, options.endpoint_url),
        retry_config=_no_retries(),
    )


def _open_azure(address: Address, options: StoreOptions) -> ObjectStore:
    config: AzureConfig = {}
    if options.account:
        config["account_name"] = options.account
    if options.endpoint_url:
        config["endpoint"] = options.endpoint_url
    if is_anonymous(address, options):
        config["skip_signature"] = True
    return AzureStore(
        address.parts.netloc.partition("@")[0],
        prefix=_prefix(address),
        config=config,
        client_options=_client(options, options.endpoint_url),
        retry_config=_no_retries(),
    )


def _open_http(address: Address, options: StoreOptions) -> ObjectStore:
    url = address.parts.geturl()
    return HTTPStore(url, client_options=_client(options, url), retry_config=_no_retries())


_OPENERS = {
    "local": _open_local,
    "s3": _open_s3,
    "gcs": _open_gcs,
    "azure": _open_azure,
    "http": _open_http,
}


def _prefix(address: Address) -> str | None:
    return unquote(address.parts.path).strip("/") or None


def _client(options: StoreOptions, url: str) -> ClientConfig:
    config: ClientConfig = {
        "timeout": timedelta(seconds=options.timeout_s),
        "connect_timeout": timedelta(seconds=options.connect_timeout_s),
    }
    if options.headers:
        config["default_headers"] = dict(options.headers)
    if url.lower().startswith("http://"):
        config["allow_http"] = True
    return config


def _no_retries() -> RetryConfig:
    """Retries are ours (`retry.RetryPolicy`): bounded, logged and the same for every store."""
    return {"max_retries": 0}
