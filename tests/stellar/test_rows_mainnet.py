"""Rows of whole mainnet and testnet ledgers agree with each other and with the ledger's counts."""

from __future__ import annotations

import base64
import json
import os
from collections import Counter
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard

from cdp_pipeline.connectors.stellar.rows import (
    SCHEMAS,
    TABLES,
    EventsMissing,
    LedgerUnreadable,
    Rows,
    TableUnknown,
    TransactionUnmatched,
    extract,
    ledger_document,
    to_json_rows,
)
from cdp_pipeline.connectors.stellar.xdr import XdrError, to_sep51

DATA = Path(os.environ.get("CDP_TEST_DATA", Path(__file__).parents[2] / "../shared/data"))
PUBNET = sha256(b"Public Global Stellar Network ; September 2015").digest()
TESTNET = sha256(b"Test SDF Network ; September 2015").digest()
NATIVE_CONTRACT = "CAS3J7GYLGXMF6TDJBBYYSE3HQ6BBSMLNUQ34T6TZMYMW2EVH34XOWMA"
BATCH_HEADER_BYTES = 12
WITH_EVENTS = (30820015, 57500008, 63092988, 63092990)
WITHOUT_EVENTS = 53312000

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"no test data at {DATA}; set CDP_TEST_DATA"
)


@cache
def ledger_xdr(sequence: int, lake: str = "lake_1x64000") -> bytes:
    (path,) = (DATA / lake).glob(f"**/*--{sequence}.xdr.zst")
    batch = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    return batch[BATCH_HEADER_BYTES:]


@cache
def mainnet(sequence: int) -> Rows:
    return extract(ledger_xdr(sequence), network_id=PUBNET, tables=TABLES)


def column(rows: Rows, table: str, name: str) -> list[Any]:
    values: list[Any] = rows.tables[table][name].to_pylist()
    return values


@pytest.mark.parametrize("sequence", WITH_EVENTS)
def test_counts_of_the_ledger_row_are_those_of_the_other_tables(sequence: int) -> None:
    """Transactions = successful + failed, and operation counts are those of their rows."""
    rows = mainnet(sequence)
    (ledger,) = rows.tables["ledgers"].to_pylist()
    successful = Counter(column(rows, "transactions", "successful"))
    applied = {
        identity
        for identity, ok in zip(
            column(rows, "transactions", "id"),
            column(rows, "transactions", "successful"),
            strict=True,
        )
        if ok
    }
    of_operations = column(rows, "operations", "transaction_id")

    assert sequence == ledger["sequence"] == rows.sequence
    assert ledger["successful_transaction_count"] == successful[True]
    assert ledger["failed_transaction_count"] == successful[False]
    assert ledger["operation_count"] == sum(each in applied for each in of_operations)
    assert ledger["tx_set_operation_count"] == str(len(of_operations))
    assert sum(column(rows, "transactions", "operation_count")) == len(of_operations)


@pytest.mark.parametrize("sequence", WITH_EVENTS)
def test_batches_have_the_declared_schema_and_unique_ids(sequence: int) -> None:
    """Each batch has its table's schema; row ids are unique and name network and ledger."""
    rows = mainnet(sequence)
    for table in TABLES:
        ids = rows.ids(table)
        rows.tables[table].validate(full=True)

        assert SCHEMAS[table] == rows.tables[table].schema
        assert rows.tables[table].num_rows == len(ids) == len(set(ids))
        assert all(each.split(":")[:2] == ["pubnet", str(sequence)] for each in ids)


def test_ids_name_transaction_operation_and_event() -> None:
    """Transactions, operations and events count from 1; operation 0 is the transaction itself."""
    rows = mainnet(63092990)

    assert rows.ids("ledgers") == ["pubnet:63092990"]
    assert rows.ids("transactions")[0] == "pubnet:63092990:1"
    assert rows.ids("operations")[0] == "pubnet:63092990:1:1"
    assert rows.ids("token_transfers")[0] == "pubnet:63092990:1:0:1"
    assert set(rows.ids("token_transfers")) <= set(rows.ids("contract_events"))


@pytest.mark.parametrize("sequence", WITH_EVENTS)
def test_raw_columns_are_xdr_of_their_types(sequence: int) -> None:
    """Each base64 column decodes, strictly, as the XDR type it is said to hold."""
    rows = mainnet(sequence)
    columns = {
        ("ledgers", "ledger_header"): "LedgerHeader",
        ("transactions", "tx_envelope"): "TransactionEnvelope",
        ("transactions", "tx_result"): "TransactionResult",
        ("transactions", "tx_meta"): "TransactionMeta",
        ("transactions", "tx_fee_meta"): "LedgerEntryChanges",
        ("contract_events", "contract_event_xdr"): "DiagnosticEvent",
    }
    for (table, name), type_name in columns.items():
        for text in column(rows, table, name):
            to_sep51(base64.b64decode(text), type_name)


@pytest.mark.parametrize("sequence", WITH_EVENTS)
def test_encoded_topics_and_data_are_the_decoded_ones(sequence: int) -> None:
    """Base64 values of an event decode to the JSON beside them, and to the whole event's."""
    for line in to_json_rows("contract_events", mainnet(sequence).tables["contract_events"]):
        row = json.loads(line)
        topics = [json.loads(to_sep51(base64.b64decode(topic), "SCVal")) for topic in row["topics"]]
        event = json.loads(to_sep51(base64.b64decode(row["contract_event_xdr"]), "DiagnosticEvent"))
        body = event["event"]["body"]["v0"]

        assert topics == row["topics_decoded"] == body["topics"]
        assert json.loads(to_sep51(base64.b64decode(row["data"]), "SCVal")) == row["data_decoded"]
        assert (event["event"]["contract_id"] or "") == row["contract_id"]
        assert event["in_successful_contract_call"] == row["in_successful_contract_call"]


@pytest.mark.parametrize("sequence", WITH_EVENTS)
def test_fee_events_add_up_to_the_fees_charged(sequence: int) -> None:
    """Fees minus refunds of a transaction are its `fee_charged`, from before and after all."""
    rows = mainnet(sequence)
    fees: Counter[int] = Counter()
    for row in rows.tables["token_transfers"].to_pylist():
        if row["event_topic"] == "fee":
            fees[row["transaction_id"]] += int(row["amount_raw"])
            assert row["contract_id"] == NATIVE_CONTRACT
    charged = zip(
        column(rows, "transactions", "id"), column(rows, "transactions", "fee_charged"), strict=True
    )

    assert dict(charged) == dict(fees)


@pytest.mark.parametrize("sequence", WITH_EVENTS)
def test_soroban_fees_add_up(sequence: int) -> None:
    """Charged = inclusion + non-refundable + refundable, with rent in it; the rest came back."""
    seen = 0
    for row in mainnet(sequence).tables["transactions"].to_pylist():
        if not row["resource_fee"]:
            continue
        seen += 1
        parts = row["non_refundable_resource_fee_charged"] + row["refundable_resource_fee_charged"]
        assert row["fee_charged"] == row["inclusion_fee_charged"] + parts
        assert row["resource_fee"] == parts + row["resource_fee_refund"]
        assert 0 <= row["rent_fee_charged"] <= row["refundable_resource_fee_charged"]

    assert (sequence > 50_000_000) == bool(seen)


def test_parameters_of_contract_calls_agree_in_all_forms() -> None:
    """`parameters` and `parameters_json` are the same XDR; its decoded form is beside it."""
    called = 0
    for row in to_json_rows("operations", mainnet(63092990).tables["operations"]):
        details = json.loads(row)["details"]
        if details.get("type") != "invoke_contract":
            continue
        called += 1
        encoded = details["parameters_json"]
        decoded = [json.loads(to_sep51(base64.b64decode(value), "SCVal")) for value in encoded]

        assert encoded == [each["value"] for each in details["parameters"]]
        assert decoded == details["parameters_json_decoded"]
        assert {"address": details["contract_id"]} == decoded[0]
        assert details["ledger_key_hash"]

    assert called > 10


def test_a_ledger_without_events_is_an_error() -> None:
    """Meta below version 4 has no classic events: refused by name, with the way out."""
    with pytest.raises(EventsMissing) as caught:
        extract(ledger_xdr(WITHOUT_EVENTS), network_id=PUBNET, tables=["token_transfers"])

    assert caught.value.code == "rows.events_missing"
    assert "163 of 163" in caught.value.message
    assert "EMIT_CLASSIC_EVENTS" in caught.value.hint
    assert "missing_events: count" in caught.value.hint


def test_missing_events_can_be_counted_instead() -> None:
    """`missing_events="count"` reports the transactions that lack events; others have none."""
    rows = extract(
        ledger_xdr(WITHOUT_EVENTS),
        network_id=PUBNET,
        tables=["token_transfers"],
        missing_events="count",
    )

    assert rows.stats.missing_events == 163
    assert mainnet(63092990).stats.missing_events == 0


def test_other_tables_of_a_ledger_without_events_are_complete() -> None:
    """Only token transfers need the events; meta version 3 has contract events of its own."""
    tables = [table for table in TABLES if table != "token_transfers"]
    rows = extract(ledger_xdr(WITHOUT_EVENTS), network_id=PUBNET, tables=tables)

    assert rows.tables["transactions"].num_rows == 163
    assert rows.tables["contract_events"].num_rows == 21
    assert "token_transfers" not in rows.tables


@pytest.mark.parametrize("sequence", [997, 998, 999])
def test_testnet_ledgers_match_on_their_own_network(sequence: int) -> None:
    """Meta version 3 without events; every transaction is found by hash, and rows name testnet."""
    tables = ["ledgers", "transactions", "operations"]
    rows = extract(ledger_xdr(sequence, "lake_testnet"), network_id=TESTNET, tables=tables)

    assert [f"testnet:{sequence}"] == rows.ids("ledgers")
    assert rows.tables["transactions"].num_rows == len(rows.ids("transactions"))


def test_the_wrong_network_is_an_error() -> None:
    """Transaction hashes depend on the network, so no row comes from a ledger of another one."""
    with pytest.raises(TransactionUnmatched, match="which no envelope hashes to"):
        extract(ledger_xdr(63092990), network_id=TESTNET, tables=["operations"])


def test_only_the_tables_asked_for_are_extracted() -> None:
    """The result has exactly the tables named; an unknown name is refused."""
    rows = extract(ledger_xdr(63092990), network_id=PUBNET, tables=["ledgers"])

    assert list(rows.tables) == ["ledgers"]
    with pytest.raises(TableUnknown, match="`trades`"):
        extract(b"", network_id=PUBNET, tables=["trades"])


@pytest.mark.parametrize("sequence", [30820015, 53312000])
def test_damaged_ledgers_never_give_wrong_rows(sequence: int) -> None:
    """Cut off anywhere, or with bytes left over: XdrError, never some of the rows."""
    xdr = ledger_xdr(sequence)
    step = len(xdr) // 12
    for cut in range(0, len(xdr), step):
        with pytest.raises(XdrError):
            extract(xdr[:cut], network_id=PUBNET, tables=TABLES, missing_events="count")
    with pytest.raises(XdrError):
        extract(xdr + bytes(4), network_id=PUBNET, tables=TABLES, missing_events="count")


def test_flipped_bytes_of_envelopes_are_found_by_hash() -> None:
    """A changed envelope either is no valid XDR or hashes to no result's transaction."""
    xdr = ledger_xdr(30820015)
    envelopes = [
        base64.b64decode(text) for text in column(mainnet(30820015), "transactions", "tx_envelope")
    ]
    for envelope in envelopes[:12]:
        place = xdr.index(envelope) + 60
        damaged = xdr[:place] + bytes((xdr[place] ^ 1,)) + xdr[place + 1 :]
        with pytest.raises((XdrError, TransactionUnmatched, LedgerUnreadable)):
            extract(damaged, network_id=PUBNET, tables=["transactions"])


def test_the_ledger_document_holds_what_plugins_read_first() -> None:
    """`sequence`, hashes, close time and protocol on top; transactions and operations as rows."""
    document = ledger_document(ledger_xdr(30820015), network_id=PUBNET)
    rows = mainnet(30820015)

    assert document["sequence"] == 30820015
    assert column(rows, "ledgers", "ledger_hash") == [document["hash"]]
    assert column(rows, "ledgers", "previous_ledger_hash") == [document["previous_hash"]]
    assert document["closed_at"] == "2020-07-27T21:12:51Z"
    assert document["protocol_version"] == 13
    assert rows.tables["transactions"].num_rows == len(document["transactions"])
    assert column(rows, "operations", "id") == [each["id"] for each in document["operations"]]
    assert isinstance(document["operations"][0]["details"], dict)


def test_an_empty_table_keeps_its_schema() -> None:
    """A ledger without contract events gives a batch of no rows and all columns."""
    batch = extract(
        ledger_xdr(997, "lake_testnet"), network_id=TESTNET, tables=["contract_events"]
    ).tables["contract_events"]

    assert batch.num_rows == 0
    assert SCHEMAS["contract_events"] == batch.schema
    assert isinstance(batch, pa.RecordBatch)
