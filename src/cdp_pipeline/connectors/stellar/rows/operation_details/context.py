"""What an operation's details are read from, beside its own body."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from .. import model, strkey
from ..assets import Asset, asset_id, read_asset
from ..ledger import Ledger, Transaction
from ..transactions import source_address

_changes_decoder = msgspec.json.Decoder(list[model.Change])
_result_decoder = msgspec.json.Decoder(Any)

Details = dict[str, Any]


class EntryChange(NamedTuple):
    """An entry before and after; None for one that did not exist."""

    before: model.LedgerEntry | None
    after: model.LedgerEntry | None


class Context:
    """One operation of a matched transaction.

    Attributes:
        index: Place in the transaction, from 0.
        source: G or M address of the operation's source account.
        mentions_sponsors: Whether its transaction touched any sponsored entry.
    """

    def __init__(
        self, ledger: Ledger, transaction: Transaction, index: int, *, mentions_sponsors: bool
    ) -> None:
        self.ledger = ledger
        self.transaction = transaction
        self.index = index
        self.source = operation_source(transaction.body, index)
        self.mentions_sponsors = mentions_sponsors

    @cached_property
    def changes(self) -> list[EntryChange]:
        """The operation's ledger entry changes; none when nothing was applied."""
        operations = self.transaction.meta.operations
        if self.index >= len(operations):
            return []
        return _paired(_changes_decoder.decode(operations[self.index].changes))

    @property
    def success(self) -> Any:
        """The body of a successful operation result, None where there is none."""
        results = self.transaction.operation_results
        result = results[self.index] if self.index < len(results) else None
        if not self.transaction.successful or not isinstance(result, model.OperationResult):
            return None
        body = _result_decoder.decode(next(iter(result.op_inner.values())))
        return body.get("success") if isinstance(body, dict) else None


def operation_source(body: model.Transaction, index: int) -> str:
    """Return the G or M address that an operation acts for."""
    return body.operations[index].source_account or source_address(body)


def _paired(changes: list[model.Change]) -> list[EntryChange]:
    paired: list[EntryChange] = []
    before: model.LedgerEntry | None = None
    for change in changes:
        if change.state is not None:
            before = change.state
        elif change.updated is not None:
            paired.append(EntryChange(before, change.updated))
        elif change.removed is not None:
            paired.append(EntryChange(before, None))
        else:
            paired.append(EntryChange(None, change.created or change.restored))
    return paired


def account_details(address: str, name: str) -> Details:
    """`name`, and for an M address `name_muxed` and `name_muxed_id`."""
    account, muxed_id = strkey.muxed_parts(address)
    if muxed_id is None:
        return {name: account}
    return {name: account, f"{name}_muxed": address, f"{name}_muxed_id": muxed_id}


def asset_details(asset: Asset | Any, prefix: str = "") -> Mapping[str, Any]:
    """Asset type, id, code and issuer of an asset or its SEP-51 form, under a prefix."""
    return _asset_details(asset if isinstance(asset, Asset) else read_asset(asset), prefix)


@lru_cache(maxsize=16384)
def _asset_details(asset: Asset, prefix: str) -> Mapping[str, Any]:
    details = {f"{prefix}asset_type": asset.type, f"{prefix}asset_id": asset_id(asset)}
    if asset.issuer:
        details[f"{prefix}asset_code"] = asset.code
        details[f"{prefix}asset_issuer"] = asset.issuer
    return MappingProxyType(details)
