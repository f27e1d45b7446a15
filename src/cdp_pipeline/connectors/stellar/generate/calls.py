"""Soroban operations: asset contract transfers, calls of the vault, longer lives, failed calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from stellar_sdk import xdr

from .assets import Asset
from .entries import TEMPORARY, ContractData, Entry, TimeToLive
from .events import asset_moved, contract_event
from .packing import EMPTY, VERSION_0, array, i32, opaque, sha256, tag, u32, u64
from .scene import Outcome, Scene, refused, succeeded
from .values import (
    FALSE_VALUE,
    TRUE_VALUE,
    VOID,
    i128,
    octets,
    record,
    string,
    symbol,
    value_u32,
    value_u64,
    vector,
    whole,
)
from .vault import instance_of

_INVOKE = xdr.OperationType.INVOKE_HOST_FUNCTION
_EXTEND = xdr.OperationType.EXTEND_FOOTPRINT_TTL
_CALL = tag(xdr.HostFunctionType.HOST_FUNCTION_TYPE_INVOKE_CONTRACT)
_CONTRACT = tag(xdr.SCAddressType.SC_ADDRESS_TYPE_CONTRACT)
_BY_SOURCE = tag(xdr.SorobanCredentialsType.SOROBAN_CREDENTIALS_SOURCE_ACCOUNT)
_CONTRACT_FUNCTION = tag(
    xdr.SorobanAuthorizedFunctionType.SOROBAN_AUTHORIZED_FUNCTION_TYPE_CONTRACT_FN
)
_ADDRESS = tag(xdr.SCValType.SCV_ADDRESS)
_MUXED = tag(xdr.SCAddressType.SC_ADDRESS_TYPE_MUXED_ACCOUNT)

_FIRST_PROTOCOL_WITH_MUXED_TRANSFERS = 23
# The least and about the most that pubnet grants: longer than any generated lake.
_PERSISTENT_LIFE_LEDGERS = 2_073_600
_LONGEST_LIFE_LEDGERS = 3_110_000
_RECORD_LIFE_LEDGERS = 16
_LEAST_SPENDABLE = 10**9


@dataclass(slots=True)
class Call:
    """An applied Soroban operation and what its transaction has to declare.

    Attributes:
        read_only, read_write: Packed `LedgerKey`s of the footprint.
        return_value: Packed; None where there is none.
    """

    outcome: Outcome
    read_only: list[bytes] = field(default_factory=list)
    read_write: list[bytes] = field(default_factory=list)
    return_value: bytes | None = None


def asset_transfer(scene: Scene) -> Call:
    """`transfer` of a Stellar Asset Contract between two accounts."""
    world, dice, sender = scene.world, scene.dice, scene.actor
    asset = world.native if dice.chance(0.4) else dice.pick(world.traded)
    amount = dice.amount(3)
    if scene.spendable(asset) < amount + _LEAST_SPENDABLE:
        return vault_record(scene)
    receiver = dice.pick([trader for trader in world.traders if trader is not sender])
    address, muxed_id = receiver.address, None
    if world.protocol >= _FIRST_PROTOCOL_WITH_MUXED_TRANSFERS and dice.chance(0.2):
        number = dice.below(1 << 32)
        address = _ADDRESS + _MUXED + u64(number) + receiver.key_pair.public
        muxed_id = value_u64(number)
    scene.move(asset, sender, receiver, amount, muxed_id)
    arguments = [sender.address, address, i128(amount)]
    holdings = [scene.holding(sender, asset), scene.holding(receiver, asset)]
    written = [held.key() for held in holdings if held is not None]
    call = _succeed(scene, asset.contract_id, "transfer", arguments, VOID)
    call.read_only.append(instance_of(asset.contract_id))
    call.read_write += written
    return call


def vault_deposit(scene: Scene) -> Call:
    """`deposit`: an asset moves into the contract, which says so in an event of its own."""
    asset = scene.world.traded[0]
    amount = scene.dice.amount(3)
    if scene.spendable(asset) < amount + _LEAST_SPENDABLE:
        return vault_record(scene)
    return _shift(scene, asset, "deposit", amount)


def vault_withdraw(scene: Scene) -> Call:
    """`withdraw`: part of a deposit moves back; without a deposit, one is made."""
    deposited = scene.world.vault.deposited.get(scene.actor.address, 0)
    if deposited < 2:
        return vault_deposit(scene)
    amount = scene.dice.between(1, deposited // 2)
    return _shift(scene, scene.world.traded[0], "withdraw", -amount)


def _shift(scene: Scene, asset: Asset, function: str, amount: int) -> Call:
    vault, account = scene.world.vault, scene.actor
    deposit = vault.deposit_of(account.address)
    for entry, is_new in (
        (vault.balance, vault.amount == 0 and not vault.deposits),
        (deposit, account.address not in vault.deposits),
    ):
        _store(scene, entry, is_new=is_new)
    vault.shift(account.address, deposit, amount)
    scene.debit(account, asset, amount)
    parties = (account.address, vault.address) if amount > 0 else (vault.address, account.address)
    scene.emit(asset_moved(asset, *parties, abs(amount)))
    total = vault.deposited[account.address]
    scene.emit(_shift_event(scene, function, abs(amount), total))
    arguments = [account.address, i128(abs(amount))]
    call = _succeed(scene, vault.contract_id, function, arguments, i128(total))
    call.read_only += (instance_of(asset.contract_id), vault.instance_key(), vault.code_key())
    call.read_write += (account.lines[asset.packed].key(), vault.balance.key(), deposit.key())
    return call


def _shift_event(scene: Scene, function: str, amount: int, total: int) -> bytes:
    vault = scene.world.vault
    topics = [symbol("vault"), symbol(function), scene.actor.address]
    data = record({"amount": i128(amount), "total": i128(total), "at": value_u32(scene.ledger)})
    return contract_event(vault.contract_id, topics, data)


def _store(scene: Scene, entry: ContractData, *, is_new: bool) -> None:
    """Announce a change of a persistent entry; a new one begins to live."""
    if not is_new:
        scene.changes.touch(entry)
        return
    scene.changes.create(entry)
    life = TimeToLive(entry, scene.ledger + _PERSISTENT_LIFE_LEDGERS)
    scene.changes.create(life)
    scene.world.vault.living.append(life)


def vault_record(scene: Scene) -> Call:
    """`record`: a short-lived entry, and an event with every kind of value."""
    vault = scene.world.vault
    vault.records_so_far += 1
    number = vault.records_so_far
    content = _content(scene, number)
    key = vector([symbol("Record"), value_u64(number)])
    entry = ContractData(vault.contract_id, key, TEMPORARY, content)
    life = TimeToLive(entry, scene.ledger + _RECORD_LIFE_LEDGERS)
    vault.records.append(life)
    new: tuple[Entry, ...] = (entry, life)
    for created in new:
        scene.changes.create(created)
    topics = [symbol("record"), scene.actor.address, value_u32(number), octets(sha256(content))]
    scene.emit(contract_event(vault.contract_id, topics[: scene.dice.between(1, 4)], content))
    arguments = [scene.actor.address, content]
    call = _succeed(scene, vault.contract_id, "record", arguments, value_u64(number))
    call.read_only += (vault.instance_key(), vault.code_key())
    call.read_write.append(entry.key())
    return call


def _content(scene: Scene, number: int) -> bytes:
    dice, kind = scene.dice, xdr.SCValType
    far = dice.below(1 << 50) << 80 | number
    nested = vector([value_u32(dice.below(100)), i128(-dice.amount()), VOID, FALSE_VALUE])
    return record(
        {
            "amount": i128(dice.amount() * -1 if dice.chance(0.3) else far),
            "big": whole(kind.SCV_U256, far << 100, 4),
            "error": tag(kind.SCV_ERROR) + tag(xdr.SCErrorType.SCE_CONTRACT) + u32(dice.below(50)),
            "flag": TRUE_VALUE if dice.chance(0.5) else FALSE_VALUE,
            "items": nested,
            "label": string(b"record %d of ledger %d" % (number, scene.ledger)),
            "level": tag(kind.SCV_I32) + i32(-dice.below(1000)),
            "low": whole(kind.SCV_I256, -far, 4),
            "owner": scene.world.vault.address,
            "raw": octets(dice.octets(dice.between(0, 9))),
            "score": whole(kind.SCV_I64, -dice.below(1 << 40), 1),
            "share": whole(kind.SCV_U128, far, 2),
            "since": whole(kind.SCV_TIMEPOINT, scene.close_time, 1),
            "span": whole(kind.SCV_DURATION, dice.below(86_400), 1),
        }
    )


def extend_life(scene: Scene) -> Call:
    """ExtendFootprintTTL of an entry of the vault; without any, a deposit is made."""
    vault = scene.world.vault
    if not vault.living:
        return vault_deposit(scene)
    life = scene.dice.pick(vault.living)
    extend_to = _LONGEST_LIFE_LEDGERS
    scene.changes.touch(life)
    life.live_until = scene.ledger + extend_to
    body = tag(_EXTEND) + VERSION_0 + u32(extend_to)
    return Call(Outcome(body, succeeded(_EXTEND)), read_only=[life.data.key()])


def failed_call(scene: Scene) -> Call:
    """A call of the vault that traps, or needs more than it declared."""
    vault, code = scene.world.vault, xdr.InvokeHostFunctionResultCode
    reason = scene.dice.pick(
        (
            code.INVOKE_HOST_FUNCTION_TRAPPED,
            code.INVOKE_HOST_FUNCTION_RESOURCE_LIMIT_EXCEEDED,
        )
    )
    arguments = [scene.actor.address, i128(10**30)]
    body = _invocation(vault.contract_id, "withdraw", arguments)
    call = Call(Outcome(body, refused(_INVOKE, reason)))
    call.read_only += (vault.instance_key(), vault.code_key())
    call.read_write.append(vault.balance.key())
    return call


def _succeed(
    scene: Scene, contract_id: bytes, function: str, arguments: list[bytes], returned: bytes
) -> Call:
    """The call and its result: the hash of `InvokeHostFunctionSuccessPreImage`."""
    result = succeeded(_INVOKE, sha256(returned + array(scene.events)))
    outcome = Outcome(_invocation(contract_id, function, arguments), result)
    return Call(outcome, return_value=returned)


def _invocation(contract_id: bytes, function: str, arguments: list[bytes]) -> bytes:
    """The operation body: the call, and the source account's authorization of it."""
    call = _CONTRACT + contract_id + opaque(function.encode()) + array(arguments)
    authorization = _BY_SOURCE + _CONTRACT_FUNCTION + call + EMPTY
    return tag(_INVOKE) + _CALL + call + array([authorization])


CALLS: tuple[tuple[Callable[[Scene], Call], int], ...] = (
    (asset_transfer, 40),
    (vault_deposit, 20),
    (vault_withdraw, 12),
    (vault_record, 24),
    (extend_life, 4),
)
"""What a Soroban transaction does, and how often."""
