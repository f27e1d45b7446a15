"""Operations on the account itself: options, sequence number, data, trust."""

from __future__ import annotations

from stellar_sdk import xdr

from .accounts import CLAWBACK_ENABLED, LARGEST_LIMIT, TrustLine
from .assets import Asset
from .entries import Note
from .packing import ABSENT, PRESENT, i64, opaque, sha256, tag, u32
from .scene import Outcome, Scene, succeeded
from .world import POOL_SHARE

_SET_OPTIONS = xdr.OperationType.SET_OPTIONS
_BUMP_SEQUENCE = xdr.OperationType.BUMP_SEQUENCE
_MANAGE_DATA = xdr.OperationType.MANAGE_DATA
_CHANGE_TRUST = xdr.OperationType.CHANGE_TRUST
_HASH_SIGNER = tag(xdr.SignerKeyType.SIGNER_KEY_TYPE_HASH_X)

_NOTE_NAMES = (b"config", b"kyc.level", b"greeting", b"web_auth_domain auth")
_HOME_DOMAINS = (b"example.com", b"example.org", b"stellar.example", b"")
_UNCHANGED_BEFORE_DOMAIN = ABSENT * 7


def set_options(scene: Scene) -> Outcome:
    """Set the home domain, or add or remove a signer that reveals a hash."""
    account = scene.actor
    scene.changes.touch(account)
    if scene.dice.chance(0.5):
        account.home_domain = scene.dice.pick(_HOME_DOMAINS)
        options = _UNCHANGED_BEFORE_DOMAIN + PRESENT + opaque(account.home_domain) + ABSENT
    else:
        options = _UNCHANGED_BEFORE_DOMAIN + ABSENT + PRESENT + _change_signer(scene)
    return Outcome(tag(_SET_OPTIONS) + options, succeeded(_SET_OPTIONS))


def _change_signer(scene: Scene) -> bytes:
    account = scene.actor
    if len(account.signers) > 1:
        removed = account.signers.pop(scene.dice.below(len(account.signers)))
        account.sub_entries -= 1
        return removed[:-4] + u32(0)
    added = _HASH_SIGNER + sha256(scene.dice.octets(8)) + u32(1)
    account.signers = sorted([*account.signers, added])
    account.sub_entries += 1
    return added


def bump_sequence(scene: Scene) -> Outcome:
    """Raise the sequence number of a visitor; without visitors, ask for what is already so.

    Visitors send no transactions, so that the next one of a trader still follows its last.
    """
    target = 0
    if scene.world.visitors:
        scene.act_as(scene.dice.pick(scene.world.visitors))
        target = scene.actor.sequence + scene.dice.between(1, 1000)
        scene.changes.touch(scene.actor)
        scene.actor.sequence = target
        scene.actor.sequence_ledger = scene.ledger
        scene.actor.sequence_time = scene.close_time
    return Outcome(tag(_BUMP_SEQUENCE) + i64(target), succeeded(_BUMP_SEQUENCE))


def manage_data(scene: Scene) -> Outcome:
    """Add, change or remove a data entry."""
    account, name = scene.actor, scene.dice.pick(_NOTE_NAMES)
    note = account.notes.get(name)
    if note is not None and scene.dice.chance(0.4):
        return _remove_note(scene, note)
    value = scene.dice.octets(scene.dice.between(1, 64))
    if note is not None:
        scene.changes.touch(note)
        note.value = value
    else:
        note = account.notes[name] = Note(account, name, value)
        scene.changes.create(note)
        scene.changes.touch(account)
        account.sub_entries += 1
    body = tag(_MANAGE_DATA) + opaque(name) + PRESENT + opaque(value)
    return Outcome(body, succeeded(_MANAGE_DATA))


def _remove_note(scene: Scene, note: Note) -> Outcome:
    scene.changes.remove(note)
    scene.changes.touch(note.account)
    note.account.sub_entries -= 1
    del note.account.notes[note.name]
    body = tag(_MANAGE_DATA) + opaque(note.name) + ABSENT
    return Outcome(body, succeeded(_MANAGE_DATA))


def change_trust(scene: Scene) -> Outcome:
    """Trust an asset or the pool, change a limit, or trust no longer."""
    world = scene.world
    if scene.dice.chance(0.2) and POOL_SHARE + world.pool.pool_id not in scene.actor.lines:
        return _trust_pool(scene)
    asset = world.regulated if scene.dice.chance(0.3) else world.points
    line = scene.actor.lines.get(asset.packed)
    if line is None:
        limit = scene.dice.pick((LARGEST_LIMIT, 10**13))
        _add_line(scene, asset, limit)
    elif asset is world.points and line.balance == 0 and scene.dice.chance(0.4):
        limit = 0
        _remove_line(scene, line)
    else:
        limit = scene.dice.pick((LARGEST_LIMIT, 10**14 + line.balance))
        scene.changes.touch(line)
        line.limit = limit
    return Outcome(tag(_CHANGE_TRUST) + asset.packed + i64(limit), succeeded(_CHANGE_TRUST))


def _add_line(scene: Scene, asset: Asset, limit: int) -> None:
    scene.changes.touch(scene.actor)
    line = scene.world.add_line(scene.actor, asset.packed)
    line.limit = limit
    if asset is scene.world.regulated:
        line.flags = CLAWBACK_ENABLED
    scene.changes.create(line)


def _remove_line(scene: Scene, line: TrustLine) -> None:
    scene.changes.touch(scene.actor)
    scene.changes.remove(line)
    scene.actor.sub_entries -= 1
    del scene.actor.lines[line.line]


def _trust_pool(scene: Scene) -> Outcome:
    """Get ready to hold shares of the pool; both its assets are needed from then on."""
    pool, account = scene.world.pool, scene.actor
    scene.changes.touch(account)
    for asset in (pool.asset_a, pool.asset_b):
        scene.changes.touch(account.lines[asset.packed])
        account.lines[asset.packed].pool_uses += 1
    scene.changes.touch(pool)
    pool.holders += 1
    scene.changes.create(scene.world.add_line(account, POOL_SHARE + pool.pool_id))
    constant_product = tag(xdr.LiquidityPoolType.LIQUIDITY_POOL_CONSTANT_PRODUCT)
    line = POOL_SHARE + constant_product + pool.parameters()
    return Outcome(tag(_CHANGE_TRUST) + line + i64(LARGEST_LIMIT), succeeded(_CHANGE_TRUST))
