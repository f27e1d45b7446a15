"""Payload columns that hold raw XDR or Arrow, read as JSON only when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import pyarrow as pa

from cdpplugin import JsonPayloads, Payloads, Sep51Payloads, UnsupportedEncoding, encode_json
from cdpplugin.metadata import Encoding

JsonRows = Callable[[pa.RecordBatch], list[bytes]]


class XdrPayloads(Payloads):
    """Raw XDR values of one type, one a row, e.g. `LedgerCloseMeta` of one network."""

    __slots__ = ("_converted", "network", "type_name", "xdr")

    encoding: Encoding = "xdr"

    def __init__(self, xdr: Sequence[bytes], *, network: str, type_name: str) -> None:
        self.xdr = xdr
        self.network = network
        self.type_name = type_name
        self._converted: dict[Encoding, Payloads] = {}

    def __len__(self) -> int:
        return len(self.xdr)

    def to(self, encoding: Encoding) -> Payloads:
        if encoding == self.encoding:
            return self
        if encoding not in self._converted:
            self._converted[encoding] = self._convert(encoding)
        return self._converted[encoding]

    def _convert(self, encoding: Encoding) -> Payloads:
        if encoding == "sep51":
            from cdp_pipeline.connectors.stellar.xdr import to_sep51

            return Sep51Payloads([to_sep51(value, self.type_name) for value in self.xdr])
        if encoding == "json" and self.type_name == "LedgerCloseMeta":
            from cdp_pipeline.connectors.stellar.networks import resolve_network
            from cdp_pipeline.connectors.stellar.rows import ledger_document

            network_id = resolve_network(self.network).network_id
            documents = (ledger_document(value, network_id=network_id) for value in self.xdr)
            return JsonPayloads([encode_json(document) for document in documents])
        if encoding == "json":
            return self.to("sep51").to("json")
        raise UnsupportedEncoding(
            f"raw XDR has no `{encoding}` form",
            hint="put a `rows` stage before this one to get typed rows",
        )

    def json(self) -> Sequence[bytes]:
        return self.to("json").json()

    def take(self, rows: Sequence[int]) -> Self:
        return self._with([self.xdr[row] for row in rows])

    def slice(self, start: int, stop: int) -> Self:
        return self._with(self.xdr[start:stop])

    def concat(self, others: Sequence[Payloads]) -> Payloads | None:
        columns = [self.xdr]
        for other in others:
            if not isinstance(other, XdrPayloads) or other._kind != self._kind:
                return None
            columns.append(other.xdr)
        return self._with([value for column in columns for value in column])

    def _with(self, xdr: Sequence[bytes]) -> Self:
        return type(self)(xdr, network=self.network, type_name=self.type_name)

    @property
    def _kind(self) -> tuple[str, str]:
        return self.network, self.type_name

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.xdr))


class ArrowPayloads(Payloads):
    """The rows of an Arrow record batch, all of one message type."""

    __slots__ = ("_json", "_json_rows", "record_batch")

    encoding: Encoding = "arrow"

    def __init__(self, record_batch: pa.RecordBatch, json_rows: JsonRows | None = None) -> None:
        self.record_batch = record_batch
        self._json_rows = json_rows
        self._json: JsonPayloads | None = None

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
