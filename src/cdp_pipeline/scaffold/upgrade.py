"""Turn a file of the ancestor's into pipeline files, one a pipeline."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cdp_pipeline.config.document import read_document
from cdp_pipeline.config.faults import raise_faults
from cdp_pipeline.config.suggest import unknown_name
from cdp_pipeline.errors import UsageError
from cdp_pipeline.scaffold.conversion import Conversion, convert
from cdp_pipeline.scaffold.documents import old_pipelines


def upgrade(file: Path, only: str = "") -> list[Conversion]:
    """Return every pipeline of *file*, or the one called *only*, converted.

    Raises:
        ConfigError: *file* cannot be read, is none of the ancestor's, or has no such pipeline.
    """
    document = read_document(file)
    raise_faults(document.faults, str(file))
    found = old_pipelines(document)
    if only:
        chosen = [old for old in found if old.name == only]
        if not chosen:
            names = [old.name for old in found]
            raise unknown_name("pipeline", only, names, document.locations.where(()))
        found = chosen
    return [convert(old, document.locations) for old in found]


def places(conversions: Sequence[Conversion], out: Path | None) -> list[Path]:
    """Return the file of each pipeline: *out* itself, or named after the pipeline in a folder."""
    is_file = out is not None and out.suffix in (".yaml", ".yml") and not out.is_dir()
    if out is not None and is_file:
        if len(conversions) > 1:
            raise UsageError(
                f"there are {len(conversions)} pipelines for the one file `{out}`",
                hint="give a folder, or choose one with `--pipeline NAME`",
            )
        return [out]
    folder = out or Path()
    files = [folder / f"{each.name}.yaml" for each in conversions]
    for index, file in enumerate(files):
        if file in files[:index]:
            files[index] = file.with_stem(f"{file.stem}-{index + 1}")
    return files


def write_new(files: Sequence[tuple[Path, str]], *, force: bool, like: Path | None = None) -> None:
    """Write every one of *files*, or none where one is there already.

    Args:
        files: Path and text of each.
        force: Whether files that are there are replaced.
        like: The file whose permissions they get: who may not read a secret there, may not here.

    Raises:
        UsageError: `usage.file_exists`, or a folder cannot be written to.
    """
    for file, _ in files:
        if file.exists() and (not force or (like is not None and file.samefile(like))):
            raise UsageError(
                f"`{file}` is there already",
                code="usage.file_exists",
                hint="`--force` replaces it; or choose another place",
            )
    bits = like.stat().st_mode & 0o666 if like is not None else 0o666
    for file, text in files:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            mode = "w" if force else "x"
            with open(file, mode, encoding="utf-8", opener=lambda p, f: os.open(p, f, bits)) as out:
                out.write(text)
        except OSError as error:
            raise UsageError(f"`{file}` cannot be written: {error.strerror}") from error
