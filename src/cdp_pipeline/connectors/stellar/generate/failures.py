"""Operations that fail, each with the code that the network would give, and change nothing."""

from __future__ import annotations

from collections.abc import Callable

from stellar_sdk import xdr

from .accounts import LARGEST_LIMIT, SigningKey
from .packing import EMPTY, i32, i64, sha256, tag
from .scene import Outcome, Scene, refused, succeeded

_Kind = xdr.OperationType


def harmless(scene: Scene) -> Outcome:
    """Succeeds and changes nothing: what stands before the failing operation."""
    kind = _Kind.BUMP_SEQUENCE
    return Outcome(tag(kind) + i64(0), succeeded(kind))


def _payment_underfunded(scene: Scene) -> Outcome:
    asset = scene.dice.pick(scene.world.traded)
    receiver = scene.dice.pick(scene.world.traders).account_id
    amount = scene.spendable(asset) + scene.dice.amount()
    body = tag(_Kind.PAYMENT) + receiver + asset.packed + i64(amount)
    return Outcome(body, refused(_Kind.PAYMENT, xdr.PaymentResultCode.PAYMENT_UNDERFUNDED))


def _payment_without_trust(scene: Scene) -> Outcome:
    asset = scene.dice.pick(scene.world.traded)
    receiver = scene.world.root.account_id
    body = tag(_Kind.PAYMENT) + receiver + asset.packed + i64(scene.dice.amount())
    return Outcome(body, refused(_Kind.PAYMENT, xdr.PaymentResultCode.PAYMENT_NO_TRUST))


def _payment_to_nobody(scene: Scene) -> Outcome:
    nobody = SigningKey(sha256(scene.dice.octets(16))).account_id
    body = tag(_Kind.PAYMENT) + nobody + scene.world.native.packed + i64(scene.dice.amount())
    return Outcome(body, refused(_Kind.PAYMENT, xdr.PaymentResultCode.PAYMENT_NO_DESTINATION))


def _account_exists(scene: Scene) -> Outcome:
    existing = scene.dice.pick(scene.world.traders).account_id
    body = tag(_Kind.CREATE_ACCOUNT) + existing + i64(10**8)
    code = xdr.CreateAccountResultCode.CREATE_ACCOUNT_ALREADY_EXIST
    return Outcome(body, refused(_Kind.CREATE_ACCOUNT, code))


def _path_too_dear(scene: Scene) -> Outcome:
    """There is no market between points and anything."""
    sent, got = scene.world.native, scene.world.points
    receiver = scene.world.traders[0].account_id
    amounts = sent.packed + i64(10**7) + receiver + got.packed + i64(10**9) + EMPTY
    kind = _Kind.PATH_PAYMENT_STRICT_SEND
    code = xdr.PathPaymentStrictSendResultCode
    trusted = got.packed in scene.world.traders[0].lines
    reason = code.PATH_PAYMENT_STRICT_SEND_NO_TRUST
    if trusted:
        reason = code.PATH_PAYMENT_STRICT_SEND_TOO_FEW_OFFERS
    return Outcome(tag(kind) + amounts, refused(kind, reason))


def _offer_underfunded(scene: Scene) -> Outcome:
    asset = scene.dice.pick(scene.world.traded)
    amount = scene.spendable(asset) + scene.dice.amount()
    terms = asset.packed + scene.world.native.packed + i64(amount) + i32(1) + i32(1) + i64(0)
    kind, code = _Kind.MANAGE_SELL_OFFER, xdr.ManageSellOfferResultCode
    return Outcome(tag(kind) + terms, refused(kind, code.MANAGE_SELL_OFFER_UNDERFUNDED))


def _offer_not_found(scene: Scene) -> Outcome:
    """An edit of an offer id that was never given out."""
    asset = scene.dice.pick(scene.world.traded)
    unknown = i64(10**12 + scene.dice.below(10**6))
    terms = asset.packed + scene.world.native.packed + i64(0) + i32(1) + i32(1) + unknown
    kind, code = _Kind.MANAGE_BUY_OFFER, xdr.ManageBuyOfferResultCode
    return Outcome(tag(kind) + terms, refused(kind, code.MANAGE_BUY_OFFER_NOT_FOUND))


def _trust_without_issuer(scene: Scene) -> Outcome:
    nobody = SigningKey(sha256(scene.dice.octets(16))).account_id
    code = tag(xdr.AssetType.ASSET_TYPE_CREDIT_ALPHANUM4) + b"GONE"
    kind = _Kind.CHANGE_TRUST
    body = tag(kind) + code + nobody + i64(LARGEST_LIMIT)
    return Outcome(body, refused(kind, xdr.ChangeTrustResultCode.CHANGE_TRUST_NO_ISSUER))


def _claim_of_nothing(scene: Scene) -> Outcome:
    version = tag(xdr.ClaimableBalanceIDType.CLAIMABLE_BALANCE_ID_TYPE_V0)
    kind, code = _Kind.CLAIM_CLAIMABLE_BALANCE, xdr.ClaimClaimableBalanceResultCode
    body = tag(kind) + version + sha256(scene.dice.octets(16))
    return Outcome(body, refused(kind, code.CLAIM_CLAIMABLE_BALANCE_DOES_NOT_EXIST))


FAILURES: tuple[Callable[[Scene], Outcome], ...] = (
    _payment_underfunded,
    _payment_without_trust,
    _payment_to_nobody,
    _account_exists,
    _path_too_dear,
    _offer_underfunded,
    _offer_not_found,
    _trust_without_issuer,
    _claim_of_nothing,
)
