"""Packs contract events, and the unified asset events of CAP-67."""

from __future__ import annotations

from collections.abc import Sequence

from stellar_sdk import xdr

from .assets import Asset
from .packing import PRESENT, VERSION_0, array, tag
from .values import FALSE_VALUE, TRUE_VALUE, i128, record, symbol

_HEAD = VERSION_0 + PRESENT
_BODY = tag(xdr.ContractEventType.CONTRACT) + VERSION_0

_TRANSFER, _MINT, _BURN = symbol("transfer"), symbol("mint"), symbol("burn")
_CLAWBACK, _SET_AUTHORIZED, _FEE = symbol("clawback"), symbol("set_authorized"), symbol("fee")

_BEFORE_ALL = tag(xdr.TransactionEventStage.TRANSACTION_EVENT_STAGE_BEFORE_ALL_TXS)
_AFTER_TRANSACTION = tag(xdr.TransactionEventStage.TRANSACTION_EVENT_STAGE_AFTER_TX)
_AFTER_ALL = tag(xdr.TransactionEventStage.TRANSACTION_EVENT_STAGE_AFTER_ALL_TXS)

_FIRST_PROTOCOL_WITH_LATE_REFUNDS = 23


def contract_event(contract_id: bytes, topics: Sequence[bytes], data: bytes) -> bytes:
    """A `ContractEvent` of the kind that contracts emit themselves."""
    return _HEAD + contract_id + _BODY + array(topics) + data


def asset_moved(
    asset: Asset, sender: bytes, receiver: bytes, amount: int, muxed_id: bytes | None = None
) -> bytes:
    """A transfer; a mint where the issuer sends, a burn where it receives.

    `sender` and `receiver` are packed SCV_ADDRESS; `muxed_id` is the packed value that tells the
    receiver's sub-account, from a muxed address or from the memo.
    """
    issuer = asset.issuer_address
    data = i128(amount)
    if muxed_id is not None and (receiver != issuer or sender == issuer):
        data = record({"amount": data, "to_muxed_id": muxed_id})
    if issuer and (sender == issuer) != (receiver == issuer):
        topics = [_MINT, receiver] if sender == issuer else [_BURN, sender]
    else:
        topics = [_TRANSFER, sender, receiver]
    return contract_event(asset.contract_id, [*topics, asset.topic], data)


def clawed_back(asset: Asset, holder: bytes, amount: int) -> bytes:
    """The issuer took an amount back."""
    return contract_event(asset.contract_id, [_CLAWBACK, holder, asset.topic], i128(amount))


def authorization_set(asset: Asset, holder: bytes, *, authorized: bool) -> bytes:
    """The issuer allowed or forbade a holder to use its asset."""
    data = TRUE_VALUE if authorized else FALSE_VALUE
    return contract_event(asset.contract_id, [_SET_AUTHORIZED, holder, asset.topic], data)


def fee_charged(native: Asset, payer: bytes, amount: int) -> bytes:
    """The `TransactionEvent` of the fee taken before any transaction is applied."""
    return _BEFORE_ALL + contract_event(native.contract_id, [_FEE, payer], i128(amount))


def fee_refunded(native: Asset, payer: bytes, amount: int, *, protocol: int) -> bytes:
    """The `TransactionEvent` of a refund; `amount` is positive, the event says it negative."""
    late = protocol >= _FIRST_PROTOCOL_WITH_LATE_REFUNDS
    event = contract_event(native.contract_id, [_FEE, payer], i128(-amount))
    return (_AFTER_ALL if late else _AFTER_TRANSACTION) + event
