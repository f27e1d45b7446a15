"""Operations of issuers: authorize holders, give out a regulated asset, claw it back."""

from __future__ import annotations

from stellar_sdk import xdr

from .accounts import AUTHORIZED, Account, TrustLine
from .assets import Asset
from .events import authorization_set, clawed_back
from .packing import i64, tag, u32
from .scene import Outcome, Scene, succeeded

_PAYMENT = xdr.OperationType.PAYMENT
_SET_FLAGS = xdr.OperationType.SET_TRUST_LINE_FLAGS
_ALLOW_TRUST = xdr.OperationType.ALLOW_TRUST
_CLAWBACK = xdr.OperationType.CLAWBACK

_ENOUGH = 10**12


def set_trust_line_flags(scene: Scene) -> Outcome:
    """Authorize a holder of the regulated asset, or take the authorization away."""
    asset, holder, line = _regulated_holder(scene)
    authorized = _toggle(scene, asset, holder, line)
    flags = (0, AUTHORIZED) if authorized else (AUTHORIZED, 0)
    body = tag(_SET_FLAGS) + holder.account_id + asset.packed + u32(flags[0]) + u32(flags[1])
    return Outcome(body, succeeded(_SET_FLAGS))


def allow_trust(scene: Scene) -> Outcome:
    """The older operation for the same."""
    asset, holder, line = _regulated_holder(scene)
    authorized = _toggle(scene, asset, holder, line)
    body = tag(_ALLOW_TRUST) + holder.account_id + asset.code + u32(int(authorized))
    return Outcome(body, succeeded(_ALLOW_TRUST))


def give_out(scene: Scene) -> Outcome:
    """Pay the regulated asset or points to somebody who may hold it."""
    asset = scene.world.points if scene.dice.chance(0.5) else scene.world.regulated
    holders = [
        trader
        for trader in scene.world.traders
        if (line := trader.lines.get(asset.packed)) is not None
        and line.is_authorized
        and line.balance < _ENOUGH
    ]
    if not holders:
        return set_trust_line_flags(scene)
    holder, amount = scene.dice.pick(holders), scene.dice.amount()
    scene.act_as(_issuer(asset))
    packed, muxed_id = scene.address(holder)
    scene.move(asset, scene.actor, holder, amount, muxed_id)
    return Outcome(tag(_PAYMENT) + packed + asset.packed + i64(amount), succeeded(_PAYMENT))


def clawback(scene: Scene) -> Outcome:
    """Take part of the regulated asset back from a holder; give some out where nobody has any."""
    asset, holder, line = _regulated_holder(scene)
    if line.balance == 0:
        return give_out(scene)
    amount = scene.dice.between(1, line.balance)
    scene.debit(holder, asset, amount)
    scene.emit(clawed_back(asset, holder.address, amount))
    body = tag(_CLAWBACK) + asset.packed + holder.account_id + i64(amount)
    return Outcome(body, succeeded(_CLAWBACK))


def _regulated_holder(scene: Scene) -> tuple[Asset, Account, TrustLine]:
    """The regulated asset and one who trusts it; the scene goes on as its issuer."""
    asset = scene.world.regulated
    scene.act_as(_issuer(asset))
    holders = [trader for trader in scene.world.traders if asset.packed in trader.lines]
    holder = scene.dice.pick(holders)
    return asset, holder, holder.lines[asset.packed]


def _toggle(scene: Scene, asset: Asset, holder: Account, line: TrustLine) -> bool:
    scene.changes.touch(line)
    line.flags ^= AUTHORIZED
    scene.emit(authorization_set(asset, holder.address, authorized=line.is_authorized))
    return line.is_authorized


def _issuer(asset: Asset) -> Account:
    assert asset.issuer is not None
    return asset.issuer
