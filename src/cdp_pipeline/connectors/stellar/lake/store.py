"""Read and list the files of a lake, whatever it is kept in, with errors that say what to do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import obstore
from obstore.exceptions import (
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from .address import (
    Address,
    ObjectStore,
    StoreOptions,
    open_object_store,
    parse_address,
    without_secrets,
)
from .errors import (
    LakeAddressInvalid,
    LakeCannotList,
    LakeError,
    LakeNotFound,
    LakePermissionDenied,
    LakeUnreachable,
)
from .retry import with_retries

T = TypeVar("T")

if TYPE_CHECKING:
    from obstore import ListStream, ObjectMeta

    _Stream: TypeAlias = ListStream[Sequence[ObjectMeta]]
    _Page: TypeAlias = "list[StoredFile] | None"

_PAGE_SIZE = 1000
_MAX_REQUESTS = 32
_STATUS = re.compile(r"status code: (\d{3})")
_BUSY_STATUS = {"408", "425", "429"}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One key of a store.

    Attributes:
        key: The key, relative to the lake.
        size_bytes: Size of the file.
    """

    key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies directly in one folder.

    Attributes:
        folders: Names of the folders in it, whole keys without a slash at the end.
        files: The files in it.
    """

    folders: list[str]
    files: list[StoredFile]


class Listing:
    """The pages of one listing; a page that fails is asked for again."""

    def __init__(
        self,
        open_stream: Callable[[str], _Stream],
        ask: Callable[[Callable[[], _Page]], Awaitable[_Page]],
        after: str,
    ) -> None:
        self._open_stream = open_stream
        self._ask = ask
        self._last = after
        self._stream: _Stream | None = None

    def __aiter__(self) -> Listing:
        return self

    async def __anext__(self) -> list[StoredFile]:
        page = await self._ask(self._next_page)
        if page is None:
            raise StopAsyncIteration
        if page:
            self._last = page[-1].key
        return page

    def _next_page(self) -> _Page:
        if self._stream is None:
            self._stream = self._open_stream(self._last)
        try:
            found = next(self._stream, None)
        except BaseError:
            # Go on behind the last key seen. Only stores that list in order get here twice:
            # a folder's errors are not retried.
            self._stream = None
            raise
        if found is None:
            return None
        return [StoredFile(each["path"], each["size"]) for each in found]


class LakeStore:
    """The files under one address. Every request is retried as the options say.

    Attributes:
        address: Where it is.
        can_list: Whether keys can be listed; a plain web server cannot.
        lists_in_order: Whether keys come in the order of their names; a folder's do not.
    """

    def __init__(self, address: Address, store: ObjectStore, options: StoreOptions) -> None:
        self.address = address
        self.can_list = address.kind != "http"
        self.lists_in_order = address.kind in ("s3", "gcs", "azure")
        self._store = store
        self._options = options
        # Threads of Python's own, not obstore's async calls: those finish on threads that the
        # interpreter does not wait for, and one that reports back while it exits kills the process.
        self._threads = ThreadPoolExecutor(_MAX_REQUESTS, thread_name_prefix="lake-store")

    async def get(self, key: str) -> bytes | None:
        """Return the bytes of *key*, or None where there is no such file.

        Raises:
            LakeUnreachable, LakePermissionDenied, LakeError: The store did not serve it.
        """

        def request() -> bytes | None:
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except FileNotFoundError:
                return None

        return await self._ask(request)

    async def exists(self, key: str) -> bool:
        """Tell whether there is a file *key*.

        Raises:
            LakeUnreachable, LakePermissionDenied, LakeError: The store did not say.
        """

        def request() -> bool:
            try:
                obstore.head(self._store, key)
            except FileNotFoundError:
                return False
            return True

        return await self._ask(request)

    async def list_folder(self, folder: str = "") -> Folder:
        """Return what lies directly in *folder* (a whole key without slashes at its ends).

        Raises:
            LakeCannotList: The store has no listing.
            LakeNotFound: There is no such bucket.
        """

        def request() -> Folder:
            found = obstore.list_with_delimiter(self._store, folder or None)
            files = [StoredFile(each["path"], each["size"]) for each in found["objects"]]
            return Folder([name.rstrip("/") for name in found["common_prefixes"]], files)

        return await self._list(request)

    def pages(self, prefix: str = "", after: str = "") -> Listing:
        """Return the files below the folder *prefix* whose keys sort after *after*, in pages.

        Going through them raises:
            LakeCannotList: The store has no listing.
            LakeNotFound: There is no such bucket.
        """

        def stream(after: str) -> _Stream:
            return obstore.list(
                self._store, prefix or None, offset=after or None, chunk_size=_PAGE_SIZE
            )

        return Listing(stream, self._list, after)

    async def _list(self, request: Callable[[], T]) -> T:
        if not self.can_list:
            raise LakeCannotList(
                f"`{self.address.text}` cannot be listed: a plain web server has no listing",
                hint="give the first ledger and the last one, "
                "or read the lake through `s3://`, `gs://`, `az://` or a folder",
            )
        return await self._ask(request, listing=True)

    async def _ask(self, request: Callable[[], T], *, listing: bool = False) -> T:
        async def translated() -> T:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, request)
            except FileNotFoundError as error:
                raise self._not_found() from error
            except (BaseError, OSError) as error:
                raise self._translate(error, listing=listing) from error

        return await with_retries(self._options.retry, translated)

    def _not_found(self) -> LakeNotFound:
        return LakeNotFound(
            f"nothing at `{self.address.text}`",
            hint="check the name of the bucket or folder, and the region",
        )

    def _translate(self, error: Exception, *, listing: bool) -> LakeError:
        text = _first_line(error)
        subject = f"lake `{self.address.text}`: {text}"
        status = _STATUS.search(text)
        code = status[1] if status else ""
        if (
            isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError)
            or "permission denied" in text.lower()
        ):
            return LakePermissionDenied(subject, hint=_permission_hint(self.address, listing))
        if code == "404":
            return self._not_found()
        if isinstance(error, NotSupportedError):
            return LakeCannotList(subject, hint="give the first ledger and the last one")
        if "redirect" in text.lower():
            return LakeAddressInvalid(subject, hint="set `region` to the region of the bucket")
        if self.address.kind == "local" or (
            code and not code.startswith("5") and code not in _BUSY_STATUS
        ):
            return LakeError(subject, hint="the store's answer above says what it did not accept")
        return LakeUnreachable(subject, hint="check the address and the network, then run again")


def open_store(address: str, options: StoreOptions | None = None) -> LakeStore:
    """Open the store at *address*, a folder's path or a URL; nothing is sent yet.

    Raises:
        LakeAddressInvalid: *address* is of no known kind, or the options do not fit it.
        LakeNotFound: The folder does not exist.
    """
    options = StoreOptions() if options is None else options
    parsed = parse_address(address)
    return LakeStore(parsed, open_object_store(parsed, options), options)


def _permission_hint(address: Address, listing: bool) -> str:
    if address.kind == "local":
        return "let the user who runs flowctl read the folder and its files"
    need = "list the bucket" if listing else "read the files"
    return (
        f"give credentials that may {need} (from the environment), "
        "or set `anonymous: true` for a public lake"
    )


def _first_line(error: Exception) -> str:
    """What the store said, without the page of HTML or debug text behind it, or secrets."""
    line = str(error).strip().split("\n", 1)[0]
    return without_secrets(line.partition(": <")[0])
