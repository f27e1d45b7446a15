"""Every hash, link and count of generated ledgers, recomputed with stellar-sdk."""

from __future__ import annotations

import itertools
from hashlib import sha256

import pytest
from stellar_sdk import Keypair, xdr

from cdp_pipeline.connectors.stellar.generate import LakeSpec, generate_ledgers
from cdp_pipeline.connectors.stellar.networks import STANDALONE_PASSPHRASE
from tests.generate.closed import Closed


def test_decodes_and_encodes_to_the_same_bytes(every: list[Closed]) -> None:
    """What the generator packs by hand is exactly what the XDR definitions say."""
    for ledger in every:
        assert xdr.LedgerCloseMeta.from_xdr_bytes(ledger.raw.xdr).to_xdr_bytes() == ledger.raw.xdr


def test_headers_are_linked(every: list[Closed]) -> None:
    """The stored hash is that of the header, and the next header names it."""
    for ledger in every:
        expected = sha256(ledger.header.to_xdr_bytes()).digest()
        assert expected == ledger.meta.ledger_header.hash.hash == ledger.raw.hash
    for before, after in itertools.pairwise(every):
        assert before.raw.hash == after.header.previous_ledger_hash.hash == after.raw.previous_hash
        assert before.header.ledger_seq.uint32 + 1 == after.header.ledger_seq.uint32


def test_transaction_set_hash(every: list[Closed]) -> None:
    """The value agreed on names the transaction set, which names the ledger before."""
    for ledger in every:
        expected = sha256(ledger.meta.tx_set.to_xdr_bytes()).digest()
        assert expected == ledger.header.scp_value.tx_set_hash.hash
        named = ledger.meta.tx_set.v1_tx_set.previous_ledger_hash.hash
        assert ledger.header.previous_ledger_hash.hash == named


def test_result_set_hash(every: list[Closed]) -> None:
    """The header names the results in apply order."""
    for ledger in every:
        results = xdr.TransactionResultSet([one.result for one in ledger.meta.tx_processing])
        expected = sha256(results.to_xdr_bytes()).digest()
        assert expected == ledger.header.tx_set_result_hash.hash


def test_every_envelope_has_one_result(every: list[Closed]) -> None:
    """Transaction set and results hold the same transactions by hash."""
    for ledger in every:
        assert len(ledger.envelopes) == len(ledger.transactions) == ledger.raw.transactions


def test_phases_are_sorted_and_applied_in_another_order(modern: list[Closed]) -> None:
    """A phase is in the order of envelope hashes; transactions are applied in another one."""
    reordered = 0
    for ledger in modern:
        classic, parallel = ledger.meta.tx_set.v1_tx_set.phases
        for component in classic.v0_components:
            hashes = [
                sha256(envelope.to_xdr_bytes()).digest()
                for envelope in component.txs_maybe_discounted_fee.txs
            ]
            assert sorted(hashes) == hashes
        assert 1 == parallel.v
        applied = [one.envelope.to_xdr_bytes() for one in ledger.transactions]
        reordered += applied != [one.to_xdr_bytes() for one in ledger.envelopes]
    assert reordered > len(modern) // 2


def test_values_are_signed(every: list[Closed]) -> None:
    """The proposing validator's signature and its consensus message verify."""
    network_id = sha256(STANDALONE_PASSPHRASE.encode()).digest()
    for ledger in every:
        value = ledger.header.scp_value
        signed = value.ext.lc_value_signature
        validator = Keypair.from_raw_ed25519_public_key(signed.node_id.node_id.ed25519.uint256)
        kind = xdr.EnvelopeType.ENVELOPE_TYPE_SCPVALUE.to_xdr_bytes()
        proposal = value.tx_set_hash.to_xdr_bytes() + value.close_time.to_xdr_bytes()
        validator.verify(network_id + kind + proposal, signed.signature.signature)
        (message,) = ledger.meta.scp_info[0].v0.ledger_messages.messages
        statement = message.statement
        assert ledger.raw.sequence == statement.slot_index.uint64
        assert value.to_xdr_bytes() == statement.pledges.externalize.commit.value.value
        kind = xdr.EnvelopeType.ENVELOPE_TYPE_SCP.to_xdr_bytes()
        validator.verify(network_id + kind + statement.to_xdr_bytes(), message.signature.signature)


def test_time_and_counters_grow(every: list[Closed]) -> None:
    """Close times grow by the spec's step; fee pool and ids never fall; coins stay."""
    for before, after in itertools.pairwise(every):
        assert before.raw.close_time + 5 == after.raw.close_time
        assert after.raw.close_time == after.header.scp_value.close_time.time_point.uint64
        assert before.header.fee_pool.int64 <= after.header.fee_pool.int64
        assert before.header.id_pool.uint64 <= after.header.id_pool.uint64
        assert before.header.total_coins == after.header.total_coins


def test_fee_pool_is_the_sum_of_fees(every: list[Closed]) -> None:
    """Each ledger adds to the fee pool what its results say was charged."""
    total = 0
    for ledger in every:
        total += sum(one.result.fee_charged.int64 for one in ledger.transactions)
        assert total == ledger.header.fee_pool.int64


def test_versions(modern: list[Closed], before_23: list[Closed], backfilled: list[Closed]) -> None:
    """Protocol, ledger meta and transaction meta go together as on the network."""
    expected = {(23, 2, 4)}, {(22, 1, 3)}, {(22, 1, 4)}
    got = tuple(
        {
            (ledger.header.ledger_version.uint32, ledger.version, meta_version)
            for ledger in ledgers
            for meta_version in {one.processed.tx_apply_processing.v for one in ledger.transactions}
        }
        for ledgers in (modern, before_23, backfilled)
    )
    assert expected == got


def test_some_ledgers_are_empty_and_sizes_vary() -> None:
    """Empty ledgers occur; others have between half and one and a half times the mean."""
    spec = LakeSpec(ledgers=60, transactions_per_ledger=4, empty_ratio=0.2)
    counts = [ledger.transactions for ledger in generate_ledgers(spec)]
    assert {0, 2, 3, 4, 5, 6} == set(counts)


def test_upgrades_are_applied(modern: list[Closed]) -> None:
    """An upgrade in the value agreed on is listed, and changes the header's setting."""
    (upgraded,) = [ledger for ledger in modern if ledger.meta.upgrades_processing]
    upgrade = upgraded.meta.upgrades_processing[0].upgrade
    assert [upgrade.to_xdr_bytes()] == [
        one.upgrade_type for one in upgraded.header.scp_value.upgrades
    ]
    assert upgrade.new_max_tx_set_size == upgraded.header.max_tx_set_size


def test_skip_list_holds_states_of_the_past(modern: list[Closed]) -> None:
    """`skipList[0]` is the state hash of the last ledger whose sequence 50 divides."""
    by_sequence = {ledger.raw.sequence: ledger for ledger in modern}
    for ledger in modern:
        reference = by_sequence.get(ledger.raw.sequence // 50 * 50)
        if reference is not None:
            assert reference.header.bucket_list_hash == ledger.header.skip_list[0]


@pytest.mark.parametrize("meta_version", [1, 2])
def test_same_spec_same_bytes(meta_version: int) -> None:
    """Two runs give the same ledgers; another seed gives others."""
    spec = LakeSpec(ledgers=12, meta_version=meta_version)
    first, second = (b"".join(one.xdr for one in generate_ledgers(spec)) for _ in range(2))
    other = LakeSpec(ledgers=12, meta_version=meta_version, seed=2)
    assert first == second
    assert first != b"".join(one.xdr for one in generate_ledgers(other))


def test_a_shorter_lake_is_the_beginning_of_a_longer() -> None:
    """The number of ledgers does not influence what they hold."""
    short = [one.xdr for one in generate_ledgers(LakeSpec(ledgers=15))]
    long = [one.xdr for one in generate_ledgers(LakeSpec(ledgers=30))]
    assert short == long[:15]


def test_bytes_are_pinned() -> None:
    """The bytes of a spec are a promise: demonstrations and benchmarks compare across versions."""
    expected = "fd33e350842136c683d3385be34bf7ca26d737de53d9bb7c0e46ecc06b163437"
    ledgers = b"".join(one.xdr for one in generate_ledgers(LakeSpec(ledgers=25)))
    assert expected == sha256(ledgers).hexdigest()
