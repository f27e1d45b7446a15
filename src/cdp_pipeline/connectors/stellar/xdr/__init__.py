"""Decodes Stellar XDR: to SEP-51 JSON, to the byte ranges of chosen types, or just to check it.

Fast (a WebAssembly kernel walks a type table; the GIL is free meanwhile) and strict: bytes that
are not exactly one value of the type raise `XdrError`, they never give a wrong answer.

    to_sep51(ledger)                                  # b'{"v1":{"ext":"v0",...'
    scan(ledger, spans=["LedgerHeader"])              # [Span('LedgerHeader', 48, 372)]

Types are those of protocol 27, named as in Stellar's `.x` files; see `type_names`.
"""

from __future__ import annotations

from cdp_pipeline.connectors.stellar.xdr.decoding import (
    Decoded,
    Span,
    decode,
    scan,
    to_sep51,
    value_end,
)
from cdp_pipeline.connectors.stellar.xdr.errors import XdrError
from cdp_pipeline.connectors.stellar.xdr.schema import type_names

__all__ = [
    "Decoded",
    "Span",
    "XdrError",
    "decode",
    "scan",
    "to_sep51",
    "type_names",
    "value_end",
]
