"""Payload columns that hold an Arrow record batch. Needs pyarrow: `cdpplugin[arrow]`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import pyarrow as pa

from cdpplugin.errors import UnsupportedEncoding
from cdpplugin.metadata import Encoding
from cdpplugin.payloads import JsonPayloads, PayloadInvalid, Payloads, encode_json

JsonRows = Callable[[pa.RecordBatch], list[bytes]]


class ArrowPayloads(Payloads):
    """The rows of an Arrow record batch, all of one message type."""

    __slots__ = ("_json", "_json_rows", "record_batch")

    encoding: Encoding = "arrow"

    def __init__(self, record_batch: pa.RecordBatch, json_rows: JsonRows | None = None) -> None:
        self.record_batch = record_batch
        self._json_rows = json_rows
        self._json: JsonPayloads | None = None

    @classmethod
    def from_ipc(cls, stream: bytes, json_rows: JsonRows | None = None) -> Self:
        """Return the rows of one Arrow IPC stream.

        Raises:
            PayloadInvalid: The bytes are not one.
        """
        try:
            with pa.ipc.open_stream(stream) as reader:
                table = reader.read_all().combine_chunks()
        except (pa.ArrowInvalid, OSError) as error:
            raise PayloadInvalid(
                f"expected an Arrow IPC stream, got something else: {error}"
            ) from (error)
        batches = table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
        return cls(batches[0], json_rows)

    def __len__(self) -> int:
        return int(self.record_batch.num_rows)

    def to(self, encoding: Encoding) -> Payloads:
        if encoding == self.encoding:
            return self
        if encoding != "json":
            raise UnsupportedEncoding(
                f"typed rows have no `{encoding}` form",
                hint="read them as json or arrow, or take the ledgers before the `rows` stage",
            )
        if self._json is None:
            self._json = JsonPayloads((self._json_rows or plain_json_rows)(self.record_batch))
        return self._json

    def json(self) -> Sequence[bytes]:
        return self.to("json").json()

    def wire_rows(self) -> Sequence[bytes]:
        return ()

    def arrow_ipc(self) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.record_batch.schema) as writer:
            writer.write_batch(self.record_batch)
        content: bytes = sink.getvalue().to_pybytes()
        return content

    def take(self, rows: Sequence[int]) -> Self:
        return self._with(self.record_batch.take(pa.array(rows, pa.int64())))

    def slice(self, start: int, stop: int) -> Self:
        return self._with(self.record_batch.slice(start, max(0, stop - start)))

    def concat(self, others: Sequence[Payloads]) -> Payloads | None:
        batches = [self.record_batch]
        for other in others:
            if not isinstance(other, ArrowPayloads):
                return None
            if other._json_rows is not self._json_rows:
                return None
            batches.append(other.record_batch)
        if any(batch.schema != self.record_batch.schema for batch in batches):
            return None
        return self._with(pa.concat_batches(batches))

    def _with(self, record_batch: pa.RecordBatch) -> Self:
        return type(self)(record_batch, self._json_rows)

    @property
    def size_bytes(self) -> int:
        return int(self.record_batch.nbytes)


def plain_json_rows(record_batch: pa.RecordBatch) -> list[bytes]:
    """Return each row as a JSON object; times as RFC 3339 text, bytes as base64."""
    rows: list[dict[str, Any]] = record_batch.to_pylist()
    return [encode_json(row) for row in rows]
