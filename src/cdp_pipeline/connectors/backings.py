"""Payload columns that hold raw XDR or Arrow, read as JSON only when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from cdpplugin import JsonPayloads, Payloads, Sep51Payloads, UnsupportedEncoding, encode_json
from cdpplugin.arrow import ArrowPayloads, JsonRows, plain_json_rows
from cdpplugin.backing import BACKINGS, Backings, Received
from cdpplugin.metadata import Encoding

__all__ = ["HOST_BACKINGS", "ArrowPayloads", "JsonRows", "XdrPayloads", "plain_json_rows"]


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

    def wire_rows(self) -> Sequence[bytes]:
        return self.xdr

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


def _xdr(received: Received) -> Payloads:
    """Return ledgers (or other values) that came from another process.

    Raises:
        UnsupportedEncoding: A batch mixes types or networks; the column is of one each.
    """
    kinds = set(zip(received.types, (s.network for s in received.sources), strict=True))
    if len(kinds) > 1:
        raise UnsupportedEncoding(
            f"expected raw XDR of one type and network in a batch, got {len(kinds)}",
            hint="send one batch for each message type",
        )
    type_name, network = next(iter(kinds), ("", ""))
    return XdrPayloads(received.rows, network=network, type_name=type_name)


HOST_BACKINGS: Backings = {**BACKINGS, "xdr": _xdr}
"""How the host reads payload columns that come from a plugin's process."""
