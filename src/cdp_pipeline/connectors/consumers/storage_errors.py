"""What can go wrong where rows are kept, told apart by what helps.

StorageFull          storage.full               a `Retry`: space may be freed
StorageUnreachable   storage.unreachable        a `Retry`: the store may come back
StorageDenied        storage.permission_denied  a `Fatal`
StorageInvalid       storage.path_invalid       a `Fatal`: no such bucket, not a folder ...
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from cdp_pipeline.connectors.stellar.lake.address import without_secrets
from cdpplugin import Fatal, PluginError, Retry

_FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_INVALID = {errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}
_STATUS = re.compile(r"status code: (\d{3})")
_BUSY_STATUS = {"408", "425", "429"}


class StorageFull(Retry):
    """No space, or no quota, is left."""

    code = "storage.full"
    hint = "free space there; a run that has ended is run again, and goes on where it was"


class StorageUnreachable(Retry):
    """The store did not answer, or answered that it is busy."""

    code = "storage.unreachable"
    hint = (
        "check the address and the network; a run that has ended is run again, and goes on "
        "where it was"
    )


class StorageDenied(Fatal):
    """Writing or reading there is not allowed."""

    code = "storage.permission_denied"
    hint = "let the user who runs flowctl write there, or give credentials that may"


class StorageInvalid(Fatal):
    """The address cannot be written to, whoever asks."""

    code = "storage.path_invalid"
    hint = "check `path`: a folder that can be made, or a bucket that exists"


@contextmanager
def storage_errors(place: str) -> Iterator[None]:
    """Turn the errors of files and object stores at *place* into instructions to the host.

    Raises:
        StorageFull, StorageUnreachable, StorageDenied, StorageInvalid: As they are named.
    """
    try:
        yield
    except PluginError:
        raise
    except OSError as error:
        raise _file_error(error, place) from error
    except Exception as error:
        known = _store_error(error, place)
        if known is None:
            raise
        raise known from error


def _file_error(error: OSError, place: str) -> PluginError:
    where = f"`{error.filename or place}`"
    text = f"{where}: {(error.strerror or str(error)).lower()}"
    if error.errno in _FULL:
        return StorageFull(text)
    if error.errno in _DENIED or isinstance(error, PermissionError):
        return StorageDenied(text)
    if error.errno in _INVALID or isinstance(error, FileNotFoundError):
        return StorageInvalid(text)
    return StorageUnreachable(text)


def _store_error(error: Exception, place: str) -> PluginError | None:
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

    if not isinstance(error, BaseError):
        return None
    text = f"`{place}`: {_first_line(error)}"
    status = _STATUS.search(text)
    code = status[1] if status else ""
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or code in ("401", "403"):
        return StorageDenied(text)
    if code and not code.startswith("5") and code not in _BUSY_STATUS:
        return StorageInvalid(text)
    return StorageUnreachable(text)


def _first_line(error: Exception) -> str:
    """What the store said, without the page of HTML or debug text behind it, or secrets."""
    return without_secrets(str(error).strip().split("\n", 1)[0].partition(": <")[0])
