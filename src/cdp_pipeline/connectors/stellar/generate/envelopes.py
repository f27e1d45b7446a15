"""Packs and signs transaction envelopes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stellar_sdk import xdr

from .accounts import Account
from .calls import Call
from .dice import Dice
from .packing import ABSENT, EMPTY, PRESENT, VERSION_0, VERSION_1, array, i64, sha256, tag, u32, u64
from .planning import Plan

_TRANSACTION = tag(xdr.EnvelopeType.ENVELOPE_TYPE_TX)
_FEE_BUMP = tag(xdr.EnvelopeType.ENVELOPE_TYPE_TX_FEE_BUMP)
_MUXED = tag(xdr.CryptoKeyType.KEY_TYPE_MUXED_ED25519)
_NO_PRECONDITION = tag(xdr.PreconditionType.PRECOND_NONE)
_TIME_BOUNDS = tag(xdr.PreconditionType.PRECOND_TIME)
_PRECONDITIONS_V2 = tag(xdr.PreconditionType.PRECOND_V2)


class Envelope(NamedTuple):
    """A signed transaction.

    Attributes:
        packed: `TransactionEnvelope`.
        hash: What the network knows it by; of a fee bump the outer hash.
        inner_hash: Of the transaction within a fee bump; else the same.
    """

    packed: bytes
    hash: bytes
    inner_hash: bytes


def envelope(network_id: bytes, plan: Plan, body: bytes, actors: Sequence[Account]) -> Envelope:
    """Sign a packed `Transaction` for its source and every other actor, and wrap a fee bump."""
    inner_hash = sha256(network_id + _TRANSACTION + body)
    signers = dict.fromkeys((plan.source, *actors))
    signatures = [signer.key_pair.decorated_signature(inner_hash) for signer in signers]
    packed = _TRANSACTION + body + array(signatures)
    if plan.payer is None:
        return Envelope(packed, inner_hash, inner_hash)
    declared = plan.resources.declared if plan.resources else 0
    fee = plan.bid * (plan.operation_count + 1) + declared
    bump = plan.payer.account_id + i64(fee) + packed + VERSION_0
    outer_hash = sha256(network_id + _FEE_BUMP + bump)
    signature = plan.payer.key_pair.decorated_signature(outer_hash)
    return Envelope(_FEE_BUMP + bump + array([signature]), outer_hash, inner_hash)


def transaction_body(
    dice: Dice,
    plan: Plan,
    operations: Sequence[bytes],
    call: Call | None,
    ledger: int,
    close_time: int,
) -> bytes:
    """A packed `Transaction`; the source's sequence number must have been raised already."""
    source = plan.source
    declared = plan.resources.declared if plan.resources else 0
    packed_source = source.account_id
    if dice.chance(0.05):
        packed_source = _MUXED + u64(dice.below(1 << 32)) + source.key_pair.public
    return b"".join(
        (
            packed_source + u32(plan.bid * plan.operation_count + declared),
            i64(source.sequence) + _conditions(dice, source.sequence, ledger, close_time),
            plan.memo.packed + array(operations),
            VERSION_0 if call is None else VERSION_1 + _soroban_data(dice, call, declared),
        )
    )


def _conditions(dice: Dice, sequence: int, ledger: int, close_time: int) -> bytes:
    kind = dice.below(10)
    if kind < 2:
        return _NO_PRECONDITION
    earliest = close_time - 60 if dice.chance(0.2) else 0
    time_bounds = u64(earliest) + u64(close_time + dice.between(10, 300))
    if kind < 9:
        return _TIME_BOUNDS + time_bounds
    ledger_bounds = PRESENT + u32(max(1, ledger - 10)) + u32(0)
    lowest_sequence = PRESENT + i64(sequence - 1) if dice.chance(0.5) else ABSENT
    return b"".join(
        (
            _PRECONDITIONS_V2 + PRESENT + time_bounds + ledger_bounds + lowest_sequence,
            u64(0) + u32(0) + EMPTY,
        )
    )


def _soroban_data(dice: Dice, call: Call, declared: int) -> bytes:
    """`SorobanTransactionData`: the footprint, the resources and their fee."""
    read_bytes = 400 * len(call.read_only) + 200 * len(call.read_write)
    return b"".join(
        (
            VERSION_0 + array(call.read_only) + array(call.read_write),
            u32(dice.between(500_000, 9_000_000)) + u32(read_bytes),
            u32(300 * len(call.read_write)) + i64(declared),
        )
    )
