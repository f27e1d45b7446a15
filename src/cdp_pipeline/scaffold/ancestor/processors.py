"""The ancestor's processors and what each becomes. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from cdp_pipeline.scaffold.ancestor.counterpart import (
    Condition,
    Counterpart,
    Dropped,
    Lacking,
    Option,
    none,
)

_IN_LIST = Condition("{contract} in {value}")
_IS_CONTRACT = Condition("{contract} == {value}")
_CONTRACTS: Mapping[str, Option] = {"contract_id": _IS_CONTRACT, "contract_ids": _IN_LIST}
_PAYMENT_OPTIONS: Mapping[str, Option] = {
    "min_amount": Condition("payload.details.amount >= {value}"),
    "max_amount": Condition("payload.details.amount <= {value}"),
    "asset_code": Condition("{asset}"),
    "addresses": Condition("(payload.details.from in {value} || payload.details.to in {value})"),
    "memo_text": Lacking("memos stand in the table `transactions`, column `memo`", ""),
}
_PAYMENTS = '["payment", "path_payment_strict_receive", "path_payment_strict_send"]'
_ROWS_NOTE = "rows have the columns of stellar-etl, not the ancestor's fields"
_INVOCATION = Counterpart(
    tables=("operations",),
    where='payload.type_string == "invoke_host_function"',
    options={
        **_CONTRACTS,
        "account_ids": Condition("payload.source_account in {value}"),
        "output_mode": Dropped("an operation is a row; `details` holds function and parameters"),
        "include_raw_xdr": Lacking("the table `transactions` holds the XDR", False),
        "include_auth_proof": Lacking("read it from `ledger-to-json`", False),
        "include_call_graph": Lacking(
            "rows hold no call graph; the events are in `contract_events`", False
        ),
        "include_all_events": Lacking("events are in the table `contract_events`", False),
        "max_call_depth": Dropped("rows hold no call graph"),
        "event_filters": Lacking("put a `filter` behind `rows` with the table `contract_events`"),
    },
    note=f"{_ROWS_NOTE}: function and parameters are in `details`",
)
_ENTRIES = (
    "changes of ledger entries are not extracted",
    "write a plugin that takes `LedgerCloseMeta` and reads the changes: docs/guides/migrating.md",
)
_AGGREGATE = (
    "figures over many ledgers are not computed in a pipeline",
    "save rows with `save-to-duckdb` and compute them in SQL, or write a stateful plugin: "
    "docs/guides/migrating.md",
)
_EVENTS_HINT = (
    "`rows` with the table `contract_events` gives its events, decoded; what they mean is for a "
    "plugin: docs/guides/migrating.md"
)
_EVENTS = Counterpart(
    tables=("contract_events",),
    options={**_CONTRACTS, "event_types": Condition("payload.type in {value}")},
    note="one row an event, with topics and data decoded",
)

PROCESSORS: Mapping[str, Counterpart] = {
    "LatestLedger": Counterpart(stage="latest-ledger", note="field names differ"),
    "LatestLedgerRPC": Counterpart(
        stage="latest-ledger", note="made from the ledger, not from an RPC answer"
    ),
    "LedgerReader": Counterpart(tables=("transactions", "operations"), note=_ROWS_NOTE),
    "LedgerChanges": none(*_ENTRIES),
    "LedgerToJSON": Counterpart(
        stage="ledger-to-json", note="the form is that of SEP-51, one message a ledger"
    ),
    "Passthrough": Counterpart(
        options={
            "add_metadata": Dropped("every message carries its source, network and position"),
            "include_full_xdr": Dropped("ledgers travel as XDR"),
            "include_xdr_json": Lacking("add the stage `ledger-to-json`", False),
        }
    ),
    "BlankProcessor": Counterpart(),
    "TransactionXDRExtractor": Counterpart(
        tables=("transactions",),
        note="columns `tx_envelope`, `tx_result`, `tx_meta` and `tx_fee_meta` hold the XDR",
    ),
    "StdoutSink": Counterpart(stage="stdout"),
    "FilterPayments": Counterpart(
        tables=("operations",),
        where='payload.type_string == "payment"',
        options=_PAYMENT_OPTIONS,
        note=f"{_ROWS_NOTE}: amount, asset, `from` and `to` are in `details`",
    ),
    "TransformToAppPayment": Counterpart(
        tables=("operations",),
        where=f"payload.type_string in {_PAYMENTS}",
        options=_PAYMENT_OPTIONS,
        note=f"{_ROWS_NOTE}; `details.from` pays `details.to` (the ancestor had them the wrong "
        "way round); account merges and claimed balances are not among them: their amount is "
        "not in the operation",
    ),
    "CreateAccount": Counterpart(
        tables=("operations",), where='payload.type_string == "create_account"', note=_ROWS_NOTE
    ),
    "AccountData": none(*_ENTRIES),
    "ProcessAccountDataFull": none(*_ENTRIES),
    "AccountDataFilter": none(*_ENTRIES),
    "AccountTransaction": Counterpart(
        tables=("transactions",),
        options={
            "account": Condition("payload.account == {value}"),
            "year": Condition('payload.closed_at.startsWith("{bare}-")'),
        },
        note="transactions that the account sent; those it only takes part in are not among them",
    ),
    "AccountYearAnalytics": none(*_AGGREGATE),
    "AccountEffect": none("effects are not extracted", _ENTRIES[1]),
    "StellarEffects": none("effects are not extracted", _ENTRIES[1]),
    "ParticipantExtractor": none("participants are not extracted"),
    "WalletBackend": none("participants and state changes of a wallet are not extracted"),
    "TransformToAppAccount": none(*_ENTRIES),
    "TransformToAppTrustline": Counterpart(
        tables=("operations",),
        where='payload.type_string in ["change_trust", "allow_trust", "set_trust_line_flags"]',
        note=_ROWS_NOTE,
    ),
    "TransformToAppTrade": none(
        "trades are not extracted: they stand in results of operations", _ENTRIES[1]
    ),
    "MarketMetricsProcessor": none(*_AGGREGATE),
    "TransformToMarketAnalytics": none(*_AGGREGATE),
    "TransformToMarketCapProcessor": none(*_AGGREGATE),
    "TransformToTokenPrice": none(*_AGGREGATE),
    "TransformToAssetStats": none(*_AGGREGATE),
    "TransformToTickerAsset": none(*_AGGREGATE),
    "TransformToTickerOrderbook": none(*_AGGREGATE),
    "TransformToAppMetrics": none(*_AGGREGATE),
    "AssetEnrichment": none("nothing is looked up in a database"),
    "ContractInvocation": _INVOCATION,
    "ContractInvocationV2": _INVOCATION,
    "ContractInvocationV3": _INVOCATION,
    "FilteredContractInvocation": _INVOCATION,
    "ContractInvocationExtractor": Counterpart(
        tables=("operations",),
        where='payload.type_string == "invoke_host_function"',
        options={
            "extraction_schemas": Lacking(
                "set fields from `details.parameters_json_decoded` with the processor `map`"
            )
        },
        note=_ROWS_NOTE,
    ),
    "ContractCreation": Counterpart(
        tables=("operations",),
        where='payload.type_string == "invoke_host_function" && '
        'payload.details.type in ["create_contract", "create_contract_v2"]',
        note=_ROWS_NOTE,
    ),
    "ContractEvent": _EVENTS,
    "StellarContractEvent": _EVENTS,
    "GetEventsRPC": Counterpart(
        tables=("contract_events",), note="made from the ledger, not from an RPC answer"
    ),
    "ContractFilter": Counterpart(tables=("contract_events",), options=_CONTRACTS, any_rows=True),
    "FilterEventsProcessor": none(*_ENTRIES),
    "ContractData": none(*_ENTRIES),
    "ContractLedgerReader": none(*_ENTRIES),
    "EventPaymentExtractor": none("events of payment contracts are not read", _EVENTS_HINT),
    "Soroswap": none("events of Soroswap are not read", _EVENTS_HINT),
    "SoroswapRouter": none("events of Soroswap are not read", _EVENTS_HINT),
    "Kale": none("events of Kale are not read", _EVENTS_HINT),
    "BronzeExtractors": Counterpart(
        tables=("ledgers", "transactions", "operations", "contract_events"),
        note=_ROWS_NOTE,
        lacking="15 of its 19 tables: effects, trades, snapshots of ledger entries, "
        "evicted and restored keys",
        hint=_ENTRIES[1],
    ),
    "BronzeToContractInvocation": none("bronze tables are not read"),
}
