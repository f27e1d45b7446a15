"""Closes one ledger after another: transaction set, results, header, `LedgerCloseMeta`.

Each header holds the hash of the one before, of the transaction set and of the results. The hash of
the ledger state (`bucketListHash`) is the one value that a reader cannot recompute, here as in any
lake, since the state is not in it: it is a digest chained over what each ledger did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stellar_sdk import xdr

from .accounts import BASE_RESERVE
from .dice import Dice
from .packing import (
    ABSENT,
    EMPTY,
    PRESENT,
    VERSION_0,
    VERSION_1,
    array,
    i64,
    opaque,
    sha256,
    tag,
    u32,
    u64,
)
from .planning import BASE_FEE, plan_ledger
from .spec import LakeSpec
from .transactions import Applied, Applier
from .world import TOTAL_COINS, World

_NO_HASH = bytes(32)
_SIGNED = tag(xdr.StellarValueType.STELLAR_VALUE_SIGNED)
_CLOSE_VALUE = tag(xdr.EnvelopeType.ENVELOPE_TYPE_SCPVALUE)
_CONSENSUS = tag(xdr.EnvelopeType.ENVELOPE_TYPE_SCP)
_EXTERNALIZE = tag(xdr.SCPStatementType.SCP_ST_EXTERNALIZE)
_DISCOUNTED = tag(xdr.TxSetComponentType.TXSET_COMP_TXS_MAYBE_DISCOUNTED_FEE)
_SET_SIZE_UPGRADE = tag(xdr.LedgerUpgradeType.LEDGER_UPGRADE_MAX_TX_SET_SIZE)
_LARGEST_SETS = (1000, 1500)
_LEDGERS_BETWEEN_UPGRADES = 128
_SKIP_DISTANCES = (50, 5_000, 50_000, 500_000)
_FIRST_PROTOCOL_WITH_PARALLEL_SETS = 23


@dataclass(frozen=True, slots=True)
class GeneratedLedger:
    """One ledger.

    Attributes:
        sequence: Of the ledger.
        xdr: The packed `LedgerCloseMeta`.
        hash: Of the header, 32 bytes.
        previous_hash: Of the header before, 32 bytes.
        close_time: Seconds since 1970.
        transactions, operations: How many it holds, failed ones included.
    """

    sequence: int
    xdr: bytes
    hash: bytes
    previous_hash: bytes
    close_time: int
    transactions: int
    operations: int


def generate_ledgers(spec: LakeSpec) -> Iterator[GeneratedLedger]:
    """Yield the ledgers of the spec in order, each linked to the one before by its hash."""
    chain = _Chain(spec)
    for sequence in range(spec.first_ledger, spec.last_ledger + 1):
        yield chain.close(sequence)


class _Chain:
    """The ledgers closed so far, as far as the next one depends on them."""

    def __init__(self, spec: LakeSpec) -> None:
        self._spec = spec
        self._world = World(spec)
        self._dice = Dice(spec.seed)
        self._state_hash = sha256(b"state before the lake")
        self._skip_list = [_NO_HASH] * len(_SKIP_DISTANCES)
        self._largest_set = _LARGEST_SETS[0]
        value = _NO_HASH + u64(spec.start_time - spec.seconds_per_ledger) + EMPTY + VERSION_0
        self._hash = sha256(self._header(spec.first_ledger - 1, value, _NO_HASH, _NO_HASH))

    def close(self, sequence: int) -> GeneratedLedger:
        spec, previous_hash = self._spec, self._hash
        age = sequence - spec.first_ledger
        close_time = spec.start_time + age * spec.seconds_per_ledger
        plans = plan_ledger(spec, self._world, self._dice)
        applied = Applier(self._world, self._dice, sequence, close_time).apply_all(plans)
        evicted = self._world.vault.evict(sequence)
        transaction_set = self._transaction_set(applied)
        upgrades = self._upgrades(sequence)
        value = self._value(sha256(transaction_set), close_time, upgrades)
        pairs = [transaction.result_pair() for transaction in applied]
        processing = self._processing(applied, pairs)
        self._state_hash = sha256(self._state_hash + processing)
        self._extend_skip_list(sequence)
        header = self._header(sequence, value, sha256(array(pairs)), previous_hash)
        self._hash = sha256(header)
        meta = b"".join(
            (
                u32(spec.meta_version) + VERSION_1 + VERSION_0 + i64(1000),
                self._hash + header + VERSION_0 + transaction_set + processing,
                array([upgrade + EMPTY for upgrade in upgrades]),
                array([self._consensus(sequence, value)]),
                u64(self._world.vault.size_bytes()) + array(evicted),
                EMPTY if spec.meta_version == 1 else b"",
            )
        )
        operations = sum(plan.operation_count for plan in plans)
        return GeneratedLedger(
            sequence, meta, self._hash, previous_hash, close_time, len(plans), operations
        )

    def _transaction_set(self, applied: Sequence[Applied]) -> bytes:
        """`GeneralizedTransactionSet`: both phases in the order of the envelopes' hashes."""
        classic = [one.envelope.packed for one in applied if one.plan.resources is None]
        soroban = [one.envelope.packed for one in applied if one.plan.resources is not None]
        parallel = self._spec.protocol >= _FIRST_PROTOCOL_WITH_PARALLEL_SETS
        phases = (_phase(classic), _parallel_phase(soroban) if parallel else _phase(soroban))
        return VERSION_1 + self._hash + array(phases)

    def _processing(self, applied: Sequence[Applied], pairs: Sequence[bytes]) -> bytes:
        """`TransactionResultMeta`s, or with version 2 `TransactionResultMetaV1`s."""
        spec = self._spec
        modern, unified = spec.meta_version == 2, spec.has_unified_events
        packed: list[bytes] = []
        for transaction, pair in zip(applied, pairs, strict=True):
            effects = transaction.effects
            meta = effects.pack_v4(unified_events=unified) if modern or unified else None
            meta = effects.pack_v3() if meta is None else meta
            middle = pair + transaction.fee_changes + meta
            late = transaction.late_changes
            packed.append(VERSION_0 + middle + late if modern else middle)
        return array(packed)

    def _upgrades(self, sequence: int) -> list[bytes]:
        """Now and then the validators change how large a transaction set may be."""
        if sequence % _LEDGERS_BETWEEN_UPGRADES:
            return []
        self._largest_set = sum(_LARGEST_SETS) - self._largest_set
        return [_SET_SIZE_UPGRADE + u32(self._largest_set)]

    def _value(self, set_hash: bytes, close_time: int, upgrades: Sequence[bytes]) -> bytes:
        """`StellarValue`, signed by the validator that proposed it."""
        validator = self._world.validator
        proposal = self._world.network_id + _CLOSE_VALUE + set_hash + u64(close_time)
        signature = validator.account_id + opaque(validator.sign(proposal))
        packed_upgrades = array([opaque(upgrade) for upgrade in upgrades])
        return set_hash + u64(close_time) + packed_upgrades + _SIGNED + signature

    def _consensus(self, sequence: int, value: bytes) -> bytes:
        """`SCPHistoryEntry`: the only validator says that the value is decided."""
        validator = self._world.validator
        quorum = u32(1) + array([validator.account_id]) + EMPTY
        decided = _EXTERNALIZE + u32(1) + opaque(value) + u32(1) + sha256(quorum)
        statement = validator.account_id + u64(sequence) + decided
        signature = validator.sign(self._world.network_id + _CONSENSUS + statement)
        messages = u32(sequence) + array([statement + opaque(signature)])
        return VERSION_0 + array([quorum]) + messages

    def _extend_skip_list(self, sequence: int) -> None:
        """Keep hashes of the past at growing distances, as `skipList` of the header does."""
        if sequence % _SKIP_DISTANCES[0]:
            return
        reach, shifted = sequence - _SKIP_DISTANCES[0], 0
        for distance in _SKIP_DISTANCES[1:]:
            if reach <= 0 or reach % distance:
                break
            shifted += 1
            reach -= distance
        for place in range(shifted, 0, -1):
            self._skip_list[place] = self._skip_list[place - 1]
        self._skip_list[0] = self._state_hash

    def _header(
        self, sequence: int, value: bytes, results_hash: bytes, previous_hash: bytes
    ) -> bytes:
        """The packed `LedgerHeader`."""
        world = self._world
        return b"".join(
            (
                u32(self._spec.protocol) + previous_hash + value + results_hash,
                self._state_hash + u32(sequence) + i64(TOTAL_COINS) + i64(world.fee_pool),
                u32(0) + u64(world.last_id) + u32(BASE_FEE) + u32(BASE_RESERVE),
                u32(self._largest_set) + b"".join(self._skip_list) + VERSION_0,
            )
        )


def _phase(envelopes: Sequence[bytes]) -> bytes:
    """A phase of transactions that are applied one after another."""
    if not envelopes:
        return VERSION_0 + EMPTY
    base_fee = PRESENT + i64(BASE_FEE)
    return VERSION_0 + array([_DISCOUNTED + base_fee + array(sorted(envelopes, key=sha256))])


def _parallel_phase(envelopes: Sequence[bytes]) -> bytes:
    """A phase of one stage with one cluster, since all calls may touch the same entries."""
    if not envelopes:
        return VERSION_1 + ABSENT + EMPTY
    cluster = array(sorted(envelopes, key=sha256))
    return VERSION_1 + PRESENT + i64(BASE_FEE) + array([array([cluster])])
