"""Decompress the zstd frame that a file of the lake is, within bounds."""

from __future__ import annotations

import threading

import zstandard

from .errors import CorruptFile

MAX_FILE_BYTES = 2 << 30
"""Default bound on what one file may decompress to."""

_STEP_BYTES = 4096
_zstd = threading.local()


def decompress_start(key: str, data: bytes, size_bytes: int) -> bytes:
    """Return the first *size_bytes* (or less) of what the frame *data* holds.

    Raises:
        CorruptFile: It is no zstd frame.
    """
    if not data:
        raise CorruptFile(key, "a zstd frame expected, got an empty file")
    try:
        with zstandard.ZstdDecompressor().stream_reader(data) as reader:
            return reader.read(size_bytes)
    except zstandard.ZstdError as error:
        raise CorruptFile(key, f"a zstd frame expected, got damaged bytes ({error})") from error


def decompress(key: str, data: bytes, *, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Return what the zstd frame *data* holds.

    Raises:
        CorruptFile: It is no whole frame, or holds more than *max_bytes*.
    """
    if not data:
        raise CorruptFile(key, "a zstd frame expected, got an empty file")
    try:
        size = zstandard.get_frame_parameters(data).content_size
        if size == zstandard.CONTENTSIZE_UNKNOWN:
            return _decompress_stepwise(key, data, max_bytes)
        _check_size(key, size, max_bytes)
        return _decompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise CorruptFile(
            key, f"a whole zstd frame expected, got cut or damaged bytes ({error})"
        ) from error


def _decompressor() -> zstandard.ZstdDecompressor:
    """One per thread: it is costly to make and must not be shared."""
    decompressor: zstandard.ZstdDecompressor | None = getattr(_zstd, "decompressor", None)
    if decompressor is None:
        decompressor = _zstd.decompressor = zstandard.ZstdDecompressor()
    return decompressor


def _decompress_stepwise(key: str, data: bytes, max_bytes: int) -> bytes:
    """Decompress a frame that does not say its size, stopping soon after the bound."""
    stream = zstandard.ZstdDecompressor().decompressobj()
    parts: list[bytes] = []
    size = 0
    for start in range(0, len(data), _STEP_BYTES):
        part = stream.decompress(data[start : start + _STEP_BYTES])
        parts.append(part)
        size += len(part)
        _check_size(key, size, max_bytes)
        if stream.eof:
            left = len(data) - start - _STEP_BYTES + len(stream.unused_data)
            if left > 0 or stream.unused_data:
                raise CorruptFile(key, "one zstd frame expected, got more bytes behind it")
            break
    if not stream.eof:
        raise CorruptFile(key, "a whole zstd frame expected, got one cut short")
    return b"".join(parts)


def _check_size(key: str, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise CorruptFile(key, f"at most {max_bytes} bytes expected, got {size} decompressed")
