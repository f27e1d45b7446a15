"""Applies planned transactions: charges fees, runs operations, refunds, packs results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stellar_sdk import xdr

from .accounts import Account
from .calls import CALLS, Call, failed_call
from .changes import Changes
from .dice import Dice
from .envelopes import Envelope, envelope, transaction_body
from .events import fee_charged, fee_refunded
from .metas import Effects
from .operations import weighted
from .packing import EMPTY, VERSION_0, array, i32, i64, tag
from .planning import Plan
from .scene import Scene
from .world import World

_INNER = i32(xdr.OperationResultCode.opINNER.value)
_SUCCESS = tag(xdr.TransactionResultCode.txSUCCESS)
_FAILED = tag(xdr.TransactionResultCode.txFAILED)
_INNER_SUCCESS = tag(xdr.TransactionResultCode.txFEE_BUMP_INNER_SUCCESS)
_INNER_FAILED = tag(xdr.TransactionResultCode.txFEE_BUMP_INNER_FAILED)

_FIRST_PROTOCOL_WITH_LATE_REFUNDS = 23


@dataclass(slots=True)
class Applied:
    """A transaction as it stands in a ledger.

    Attributes:
        fee_changes: Packed changes of taking the fee.
        late_changes: Packed changes of a refund after all transactions (protocol 23).
        results: Packed `OperationResult`s.
        fee_charged: Stroops kept in the end.
    """

    plan: Plan
    envelope: Envelope
    fee_changes: bytes
    results: list[bytes]
    effects: Effects
    fee_charged: int
    late_changes: bytes = EMPTY

    def result_pair(self) -> bytes:
        """The packed `TransactionResultPair`."""
        plan, results = self.plan, array(self.results)
        head = self.envelope.hash + i64(self.fee_charged)
        if plan.payer is None:
            return head + (_FAILED if plan.fails else _SUCCESS) + results + VERSION_0
        outer, inner = (_INNER_FAILED, _FAILED) if plan.fails else (_INNER_SUCCESS, _SUCCESS)
        pair = self.envelope.inner_hash + i64(0) + inner + results + VERSION_0
        return head + outer + pair + VERSION_0


class Applier:
    """Applies the transactions of one ledger."""

    def __init__(self, world: World, dice: Dice, ledger: int, close_time: int) -> None:
        self._world = world
        self._dice = dice
        self._ledger = ledger
        self._close_time = close_time

    def apply_all(self, plans: Sequence[Plan]) -> list[Applied]:
        """Take all fees, apply all transactions, pay all refunds: in the network's order."""
        fees = [self._charge(plan) for plan in plans]
        applied = [self._apply(plan, fee) for plan, fee in zip(plans, fees, strict=True)]
        if self._refunds_late:
            for transaction in applied:
                transaction.late_changes = self._refund(transaction.plan, transaction.effects)
        for transaction in applied:
            self._world.fee_pool += transaction.fee_charged
        return applied

    @property
    def _refunds_late(self) -> bool:
        return self._world.protocol >= _FIRST_PROTOCOL_WITH_LATE_REFUNDS

    def _charge(self, plan: Plan) -> bytes:
        changes = Changes(self._ledger)
        changes.touch(plan.fee_account)
        plan.fee_account.balance -= plan.fee_taken
        return changes.pack()

    def _apply(self, plan: Plan, fee_changes: bytes) -> Applied:
        effects = Effects(before=self._raise_sequence(plan), resources=plan.resources)
        payer, native = plan.fee_account.address, self._world.native
        effects.fee_events.append(fee_charged(native, payer, plan.fee_taken))
        signed, results = self._run(plan, effects)
        if not self._refunds_late:
            effects.after = self._refund(plan, effects)
        charged = plan.inclusion_fee + (plan.resources.charged if plan.resources else 0)
        return Applied(plan, signed, fee_changes, results, effects, charged)

    def _raise_sequence(self, plan: Plan) -> bytes:
        packed: list[bytes] = []
        for account in (plan.payer, plan.source):
            if account is None:
                continue
            changes = Changes(self._ledger)
            changes.touch(account)
            if account is plan.source:
                account.sequence += 1
                account.sequence_ledger = self._ledger
                account.sequence_time = self._close_time
            packed.append(changes.pack())
        # Each packed list starts with its count; the lists become one.
        total = i32(2 * len(packed))
        return total + b"".join(part[4:] for part in packed)

    def _run(self, plan: Plan, effects: Effects) -> tuple[Envelope, list[bytes]]:
        """Apply the operations; sign the transaction that they turn out to be."""
        operations: list[bytes] = []
        results: list[bytes] = []
        actors: list[Account] = []
        call: Call | None = None
        for index in range(plan.operation_count):
            scene = self._scene(plan, index)
            if plan.resources is not None:
                call = self._call(plan, scene)
                outcome = call.outcome
                effects.return_value = call.return_value
            else:
                outcome = plan.steps[index](scene)
            self._collect(plan, scene, effects)
            operations.append(scene.pack_source() + outcome.body)
            results.append(_INNER + outcome.result)
            actors.append(scene.actor)
        body = transaction_body(self._dice, plan, operations, call, self._ledger, self._close_time)
        return envelope(self._world.network_id, plan, body, actors), results

    def _call(self, plan: Plan, scene: Scene) -> Call:
        return failed_call(scene) if plan.fails else weighted(self._dice, CALLS)(scene)

    def _collect(self, plan: Plan, scene: Scene, effects: Effects) -> None:
        if not plan.fails:
            effects.changes.append(scene.changes.pack())
            effects.events.append(scene.events)

    def _scene(self, plan: Plan, index: int) -> Scene:
        return Scene(
            self._world,
            self._dice,
            self._ledger,
            self._close_time,
            plan.source,
            plan.source.sequence,
            index,
            plan.memo,
            Changes(self._ledger),
        )

    def _refund(self, plan: Plan, effects: Effects) -> bytes:
        if plan.resources is None:
            return EMPTY
        refund = plan.resources.declared - plan.resources.charged
        if refund == 0:
            return EMPTY
        changes = Changes(self._ledger)
        changes.touch(plan.fee_account)
        plan.fee_account.balance += refund
        payer, protocol = plan.fee_account.address, self._world.protocol
        event = fee_refunded(self._world.native, payer, refund, protocol=protocol)
        effects.fee_events.append(event)
        return changes.pack()
