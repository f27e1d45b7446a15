"""Token transfers: which events are read, what they show, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
import stellar_sdk as sdk
from stellar_sdk import scval, xdr

from cdp_pipeline.connectors.stellar.rows import EventsMissing
from tests.stellar.built_ledger import (
    CONTRACT,
    ISSUED_BY,
    LONGER,
    PASSPHRASE,
    POOL_STRKEY,
    A,
    B,
    applied,
    bad_auth,
    envelope,
    event,
    fee_event,
    meta,
    operation_meta,
    result,
    rows_of,
    token_event,
)

PAY = sdk.Payment(B, sdk.Asset.native(), "1")
OTHER_CONTRACT = LONGER.contract_id(PASSPHRASE)


def transfers(*events: xdr.ContractEvent) -> list[dict[str, Any]]:
    """Rows of one operation's events; the fee comes first and is left out."""
    rows = applied([PAY], events=list(events), table="token_transfers")
    assert rows[0]["event_topic"] == "fee"
    return rows[1:]


def amounts(to_muxed_id: xdr.SCVal) -> xdr.SCVal:
    entries = {"amount": scval.to_int128(5), "to_muxed_id": to_muxed_id}
    return scval.to_map({scval.to_symbol(name): value for name, value in entries.items()})


@pytest.mark.parametrize(
    ("topic", "addresses", "sender", "receiver"),
    [
        ("transfer", [A, B], A, B),
        ("transfer", [A, POOL_STRKEY], A, POOL_STRKEY),
        ("mint", [B], None, B),
        ("mint", [ISSUED_BY, B], None, B),
        ("burn", [A], A, None),
        ("clawback", [A], A, None),
        ("clawback", [ISSUED_BY, A], A, None),
    ],
)
def test_events_of_an_asset_contract(
    topic: str, addresses: list[str], sender: str | None, receiver: str | None
) -> None:
    """The parties by topic; before protocol 23 the administrator came before the holder."""
    (row,) = transfers(token_event(topic, *addresses))

    assert {
        "event_topic": topic,
        "from": sender,
        "to": receiver,
        "asset": f"credit_alphanum4:USDC:{ISSUED_BY}",
        "asset_type": "credit_alphanum4",
        "asset_code": "USDC",
        "asset_issuer": ISSUED_BY,
        "amount": 5 * 0.0000001,
        "amount_raw": "5",
        "contract_id": CONTRACT,
        "to_muxed": None,
        "to_muxed_id": None,
    }.items() <= row.items()


@pytest.mark.parametrize("asset", [None, f"USDC:{ISSUED_BY}", "just a name"])
def test_a_token_that_is_no_stellar_asset_has_no_asset(asset: str | None) -> None:
    """SEP-41 tokens count too; a contract that merely claims an asset's name is not believed."""
    (row,) = transfers(token_event("transfer", A, B, asset=asset, contract=OTHER_CONTRACT))

    assert (
        row["asset"],
        row["asset_type"],
        row["asset_code"],
        row["asset_issuer"],
        row["contract_id"],
    ) == ("", "", None, None, OTHER_CONTRACT)


@pytest.mark.parametrize(
    ("to_muxed_id", "identity"),
    [(scval.to_uint64(77), 77), (scval.to_string("memo"), 0), (scval.to_bytes(bytes(32)), 0)],
)
def test_muxed_receivers_show_their_m_address(to_muxed_id: xdr.SCVal, identity: int) -> None:
    """The id of the map; text and hash memos count as id 0, as stellar-etl writes them."""
    (row,) = transfers(token_event("transfer", A, B, data=amounts(to_muxed_id)))

    assert row["amount_raw"] == "5"
    assert sdk.MuxedAccount(B, identity).account_muxed == row["to_muxed"]
    assert str(identity) == row["to_muxed_id"]


@pytest.mark.parametrize(
    "other",
    [
        token_event("approve", A, B),
        token_event("transfer", A),
        token_event("transfer", A, B, A),
        token_event("burn", A, B),
        token_event("transfer", A, B, data=scval.to_uint32(5)),
        token_event("transfer", A, B, data=scval.to_map({})),
        token_event("fee", A),
        event(
            [scval.to_symbol("transfer"), scval.to_uint32(1), scval.to_uint32(2)], scval.to_void()
        ),
        event([], scval.to_void()),
    ],
)
def test_events_of_other_shapes_are_no_transfers(other: xdr.ContractEvent) -> None:
    """Other topics, too few or many parties, no amount, or a fee that an operation claims."""
    assert transfers(other) == []


def test_transfers_come_in_the_order_in_which_money_moved() -> None:
    """All fees, then per transaction its operations and its refund, then refunds after all."""
    processed = []
    for amount in (100, 200):
        signed = envelope([sdk.BumpSequence(amount)])
        operations = [operation_meta([], [token_event("transfer", A, B, amount=amount + 1)])]
        own = [
            *fee_event(-amount - 3, "AFTER_ALL_TXS"),
            *fee_event(amount),
            *fee_event(-amount - 2, "AFTER_TX"),
        ]
        processed.append((signed, result(signed, [bad_auth()]), meta(operations, own)))

    rows = rows_of(processed, "token_transfers")
    assert [row["amount_raw"] for row in rows] == [
        "100",
        "200",
        "101",
        "-102",
        "201",
        "-202",
        "-103",
        "-203",
    ]
    assert [row["operation_id"] is not None for row in rows] == [
        False,
        False,
        True,
        False,
        True,
        False,
        False,
        False,
    ]


def test_meta_of_version_4_without_events_is_found_out() -> None:
    """A charged fee is an event: a transaction without one was written without classic events."""
    with pytest.raises(EventsMissing, match="1 of 1 transactions"):
        applied([PAY], own_events=[], table="token_transfers")


def test_balance_changes_of_a_call_are_those_of_asset_contracts() -> None:
    """Only events of an asset's own contract, with the amount in units."""
    from tests.stellar.test_rows_soroban import invoke

    events = [
        token_event("transfer", A, B, amount=12_345_678),
        token_event("mint", B, asset=None, contract=OTHER_CONTRACT),
    ]
    (row,) = applied([invoke()], events=events, soroban=True)

    assert row["details"]["asset_balance_changes"] == [
        {
            "type": "transfer",
            "from": A,
            "to": B,
            "amount": "1.2345678",
            "asset_type": "credit_alphanum4",
            "asset_code": "USDC",
            "asset_issuer": ISSUED_BY,
        }
    ]


def test_contract_events_are_listed_with_their_place() -> None:
    """A transaction's own events have no operation; those of operations name theirs."""
    rows = applied([PAY], events=[token_event("mint", B)], table="contract_events")

    assert [None, rows[1]["transaction_id"] + 1] == [row["operation_id"] for row in rows]
    assert [row["type_string"] for row in rows] == ["ContractEventTypeContract"] * 2
    assert [{"symbol": "mint"}, {"address": B}, {"string": f"USDC:{ISSUED_BY}"}] == (
        rows[1]["topics_decoded"]
    )
