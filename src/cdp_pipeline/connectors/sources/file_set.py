"""The files of a `jsonl` source: found by path or glob, read one after another by name.

The token of a batch tells where to go on: the file, the byte in it, how many lines came in
the files before, and which those were. A file that appears among those before was never read,
and is refused; one that is gone since is not missed.
"""

from __future__ import annotations

import glob
import os
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import msgspec

from .line_file import FileChanged, FileUnreadable, Place


@dataclass(frozen=True, slots=True)
class Token:
    """Where to go on.

    Attributes:
        file: Name of the file, relative to the folder that all have in common.
        place: Where in it.
        lines_before: Lines in all files before it.
        done: Digests of the names of those files.
    """

    file: str
    place: Place
    lines_before: int = 0
    done: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return it as bytes."""
        return msgspec.json.encode(asdict(self))


def decode_token(data: bytes) -> Token | None:
    """Return the token that *data* is, or None where it is none of ours."""
    try:
        return msgspec.json.decode(data, type=Token) if data else None
    except msgspec.DecodeError:
        return None


def name_digest(name: str) -> str:
    """Return a short digest of a file's name."""
    return sha256(os.fsencode(name)).hexdigest()[:12]


class FileSet:
    """The files that *pattern*, a path or a glob (`**` too), names at the moment.

    Attributes:
        pattern: The pattern, relative to the folder that does not change.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._is_glob = glob.has_magic(pattern) and not os.path.exists(pattern)
        parts = Path(pattern).parts
        fixed = len(parts) - 1
        if self._is_glob:
            fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
        self._folder = Path(*parts[:fixed])
        self.pattern = str(Path(*parts[fixed:]))

    def names(self) -> list[str]:
        """Return the names of the files, sorted, relative to their common folder.

        Raises:
            FileUnreadable: There is no such file; a glob may find none.
        """
        if self._is_glob:
            found = glob.glob(self.pattern, root_dir=self._folder, recursive=True)
            return sorted(name for name in found if os.path.isfile(self.path_of(name)))
        if not os.path.exists(self._pattern):
            raise FileUnreadable(f"no file `{self._pattern}`")
        if os.path.isdir(self._pattern):
            raise FileUnreadable(
                f"`{self._pattern}` is a folder, a file expected",
                hint=f"read the files in it with `{self._pattern}/*.jsonl`",
            )
        return [self.pattern]

    def path_of(self, name: str) -> str:
        """Return the path of the file *name*."""
        return str(self._folder / name)

    def after(self, name: str, done: tuple[str, ...]) -> list[str]:
        """Return the files that come after *name*.

        Raises:
            FileChanged: A file before it is none of those that are *done*.
        """
        names = self.names()
        known = set(done)
        for earlier in names:
            if earlier < name and name_digest(earlier) not in known:
                raise FileChanged(
                    f"`{self.path_of(earlier)}` is new, but comes before `{name}`, "
                    "which is being read",
                    hint="name new files so that they sort behind the others, or begin anew with "
                    "`flowctl checkpoint reset`",
                )
        return [later for later in names if later > name]
