"""Landlock: a process gives up its rights to files and TCP, for itself and all it will start.

Source of numbers and structures: linux/landlock.h and the kernel's
Documentation/userspace-api/landlock.rst. System call numbers are the same on all
architectures (since Linux 5.13). Standard library only: the keeper reads this file by its path.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Iterable, Mapping

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH, _NET_PORT = 1, 2  # enum landlock_rule_type

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_MAKE_DEVICES = 1 << 6 | 1 << 11  # MAKE_CHAR and MAKE_BLOCK
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
"""The rights that a rule on something that is no folder may have."""
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1 << 0, 1 << 1

_RIGHTS = ((1, (1 << 13) - 1), (2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV))
"""Since which version of the interface (ABI) there are which rights to files."""
TCP_ABI = 4
"""Since which version TCP can be confined."""
SCOPE_ABI = 6
"""Since which version signals and abstract sockets can be confined."""

ACCESS: Mapping[str, int] = {
    "list": _READ_DIR,
    "read": _READ_FILE | _READ_DIR,
    "execute": _READ_FILE | _READ_DIR | _EXECUTE,
    "device": _READ_FILE | _WRITE_FILE | _IOCTL_DEV,
    "write": ~_MAKE_DEVICES & ((1 << 15) - 1),
}
"""What a rule allows, each word with its rights; `write` includes reading and executing."""


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


class _NetPort(ctypes.Structure):
    _fields_ = (("allowed_access", ctypes.c_uint64), ("port", ctypes.c_uint64))


def abi() -> int:
    """Return the version of the interface that this kernel has; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    try:
        return _call(_CREATE_RULESET, None, 0, _VERSION)
    except OSError:
        return 0


def restrict(
    version: int, rules: Iterable[tuple[str, str]], *, port: int, may_connect: bool
) -> None:
    """Give up all rights to files and TCP but those of *rules*; there is no way back.

    `no_new_privs` must have been set before.

    Args:
        version: The interface's version, as `abi` gives it.
        rules: Paths, each with a word of `ACCESS`. One that is not there is left out.
        port: The TCP port that may be listened on.
        may_connect: Whether TCP connections may be opened; they may come from a port of the
            kernel's choice.

    Raises:
        OSError: The kernel refuses.
    """
    rights = sum(bits for since, bits in _RIGHTS if version >= since)
    network = _BIND_TCP | (0 if may_connect else _CONNECT_TCP)
    terms = _Ruleset(
        rights,
        network if version >= TCP_ABI else 0,
        _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if version >= SCOPE_ABI else 0,
    )
    # An older kernel takes a larger structure, as long as what it does not know is zero.
    ruleset = _call(_CREATE_RULESET, ctypes.byref(terms), ctypes.sizeof(terms), 0)
    try:
        for path, word in rules:
            _allow_path(ruleset, path, ACCESS[word] & rights)
        if version >= TCP_ABI:
            for each in (port, 0) if may_connect else (port,):
                listening = _NetPort(_BIND_TCP, each)
                _call(_ADD_RULE, ruleset, _NET_PORT, ctypes.byref(listening), 0)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow_path(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        rule = _PathBeneath(rights, descriptor)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *words))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
