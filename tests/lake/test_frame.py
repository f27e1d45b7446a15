"""zstd frames, whole or not."""

from __future__ import annotations

from typing import Any

import pytest
import zstandard

from cdp_pipeline.connectors.stellar.lake.errors import CorruptFile
from cdp_pipeline.connectors.stellar.lake.frame import decompress


def stream_compress(data: bytes) -> bytes:
    """A frame that does not say its size, as a streaming encoder writes it."""
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(data) + compressor.flush()


class TestDecompress:
    @pytest.mark.parametrize("compress", [zstandard.compress, stream_compress])
    @pytest.mark.parametrize("size", [0, 1, 4096, 300_000])
    def test_whole_frames(self, compress: Any, size: int) -> None:
        """A frame gives its content, whether it says its size or not."""
        data = bytes(range(256)) * (size // 256) + bytes(size % 256)

        assert data == decompress("k", compress(data))

    @pytest.mark.parametrize("compress", [zstandard.compress, stream_compress])
    def test_cut_frames(self, compress: Any) -> None:
        """A frame cut anywhere is an error that names the file."""
        frame = compress(bytes(range(256)) * 40)

        for size in range(len(frame)):
            with pytest.raises(CorruptFile, match="`k`"):
                decompress("k", frame[:size])

    @pytest.mark.parametrize("compress", [zstandard.compress, stream_compress])
    def test_more_behind_the_frame(self, compress: Any) -> None:
        """Bytes behind the frame are an error."""
        with pytest.raises(CorruptFile, match="`k`"):
            decompress("k", compress(b"content") + b"more")

    @pytest.mark.parametrize("compress", [zstandard.compress, stream_compress])
    def test_bombs(self, compress: Any) -> None:
        """A frame that would grow beyond the bound is refused."""
        with pytest.raises(CorruptFile, match="at most 1000 bytes expected"):
            decompress("k", compress(bytes(10_000_000)), max_bytes=1000)

    def test_no_frame(self) -> None:
        """Bytes that are no zstd frame are an error that names the file."""
        with pytest.raises(CorruptFile, match="`k`"):
            decompress("k", b"not a frame at all")
