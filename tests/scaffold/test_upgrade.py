"""Pipelines of the Go ancestor become pipelines that validate, or it is said why they do not.

The files here have the shapes, types and options of its published examples, in words of our own.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from cdp_pipeline.config.document import parse_document
from cdp_pipeline.config.scalars import read_scalar
from cdp_pipeline.errors import ConfigError
from cdp_pipeline.scaffold.ancestor import ALIASES, CONSUMERS, OTHER_SOURCES, PROCESSORS
from cdp_pipeline.scaffold.conversion import Conversion
from cdp_pipeline.scaffold.pipeline_text import flow, scalar
from cdp_pipeline.scaffold.upgrade import upgrade
from cdp_pipeline.scaffold.values import moment, network_name, pipeline_name, translated
from tests.scaffold.conftest import Faults

TESTNET = "Test SDF Network ; September 2015"
ENVIRONMENT = {"DATABASE_URL": "postgresql://localhost/x", "REDIS_URL": "x", "BUCKET": "b"}

PROCESSORS_THERE = """
LatestLedger LedgerReader LedgerChanges LedgerToJSON Passthrough BlankProcessor LatestLedgerRPC
TransactionXDRExtractor StdoutSink FilterPayments TransformToAppPayment CreateAccount AccountData
ProcessAccountDataFull AccountDataFilter AccountTransaction AccountYearAnalytics AccountEffect
StellarEffects ParticipantExtractor WalletBackend TransformToAppAccount TransformToAppTrustline
TransformToAppTrade MarketMetricsProcessor TransformToMarketAnalytics TransformToMarketCapProcessor
TransformToTokenPrice TransformToAssetStats TransformToTickerAsset TransformToTickerOrderbook
TransformToAppMetrics AssetEnrichment ContractInvocation ContractInvocationV2 ContractInvocationV3
FilteredContractInvocation ContractInvocationExtractor ContractCreation ContractEvent
StellarContractEvent ContractFilter FilterEventsProcessor ContractData ContractLedgerReader
GetEventsRPC EventPaymentExtractor Soroswap SoroswapRouter Kale BronzeExtractors
BronzeToContractInvocation
"""
CONSUMERS_THERE = """
SaveToParquet SaveToLedgerParquet SaveToGCS SaveToExcel SaveLatestLedgerToExcel SaveToDuckLake
SaveToDuckLakeEnhanced SilverIngester BronzeToDuckDB SaveToPostgreSQL SaveToPostgreSQLBronze
BufferedPostgreSQL WalletBackendPostgreSQL SaveAssetToPostgreSQL SaveAssetEnrichment
SavePaymentToPostgreSQL SaveAccountDataToPostgreSQL SaveContractEventsToPostgreSQL
SaveSoroswapToPostgreSQL SaveContractInvocationsToPostgreSQL
SaveExtractedContractInvocationsToPostgreSQL SaveEventPaymentToPostgreSQL
SaveContractDataToPostgreSQL SaveToDuckDB SaveContractToDuckDB SaveSoroswapPairsToDuckDB
SaveSoroswapRouterToDuckDB SaveAccountDataToDuckDB SaveToTimescaleDB SaveToClickHouse SaveToMongoDB
SaveToRedis SavePaymentsToRedis SaveLatestLedgerToRedis SaveToRedisOrderbook SaveToMarketAnalytics
SaveToZeroMQ SaveToWebSocket PublishToGooglePubSub PublishToGooglePubSubV2 NotificationDispatcher
AnthropicClaude StdoutConsumer DebugLogger LogDebug
"""


def converted(tmp_path: Path, text: str, only: str = "") -> list[Conversion]:
    """Return the pipelines of an old file."""
    file = tmp_path / "old.yaml"
    file.write_text(text)
    return upgrade(file, only)


def one(tmp_path: Path, text: str) -> Conversion:
    """Return the only pipeline of an old file."""
    [conversion] = converted(tmp_path, text)
    return conversion


def lacking(conversion: Conversion) -> dict[str, str]:
    """Return what has no counterpart: `line:column` and message."""
    return {
        ":".join(fault.where.split(":")[-2:]): fault.message for fault in conversion.findings.faults
    }


LEGACY = {
    "payments-to-parquet": f"""\
pipelines:
  Payments:
    source:
      type: BufferedStorageSourceAdapter
      config:
        bucket_name: lake-bucket/ledgers/testnet
        network: testnet
        buffer_size: 640
        num_workers: 10
        retry_limit: 3
        retry_wait: 5
        start_ledger: 539328
        ledgers_per_file: 1
        files_per_partition: 64000
    processors:
      - type: TransformToAppPayment
        config: {{network_passphrase: "{TESTNET}"}}
      - type: FilterPayments
        config: {{min_amount: "100.00", asset_code: native, network_passphrase: "{TESTNET}"}}
    consumers:
      - type: SaveToParquet
        config:
          storage_type: GCS
          bucket_name: ${{BUCKET}}
          path_prefix: testnet/payments
          compression: zstd
          buffer_size: 50000
          max_file_size_mb: 512
          rotation_interval_minutes: 60
          partition_by: ledger_range
          ledgers_per_file: 50000
          schema_evolution: true
          debug: false
""",
    "events-by-time-from-s3": f"""\
pipelines:
  events:
    name: Events of a month
    source:
      type: S3BufferedStorageSourceAdapter
      config: {{bucket_name: b, region: us-east-1, network: testnet, start_time_ago: 30d,
               continuous_mode: true, force_path_style: true, endpoint: "http://localhost:9000"}}
    processors:
      - type: StellarContractEvent
        config: {{network_passphrase: "{TESTNET}", event_types: [1]}}
      - type: ContractFilter
        config: {{contract_id: CDLZFC3SYJYDZT7K67VZ75HPJVIEUVNIXF47ZG2FB2RMQQVU2HHGCYSC}}
    consumers:
      - type: SaveContractEventsToPostgreSQL
        config: {{host: localhost, port: 5432, database: e, username: u, password: $DATABASE_URL,
                 sslmode: require, max_open_conns: 10, max_idle_conns: 5, connect_timeout: 30}}
      - type: SaveToDuckDB
        config: {{db_path: events.duckdb}}
      - type: StdoutConsumer
        config: {{}}
""",
    "invocations-and-json": """\
pipelines:
  calls:
    source: {type: FSBufferedStorageSourceAdapter, config: {path: ./lake, end_time: "2024-01-01"}}
    processors:
      - type: FilteredContractInvocation
        config: {contract_ids: [CA, CB], account_ids: [GA]}
    consumers: [{type: SaveToTimescaleDB, config: {connection_string: "${DATABASE_URL}"}}]
  json:
    source: {type: GCSBufferedStorageSourceAdapter, config: {bucket_name: b, end_ledger: 9}}
    processors: [{type: LedgerToJSON, name: j, config: {}}]
    consumers: [{type: DebugLogger}]
  latest:
    source: {type: BufferedStorageSourceAdapter, config: {bucket_name: b, end_time_ago: now}}
    processors: [{type: LatestLedger}]
    consumers: [{type: SaveToDuckDB, config: {db_path: /tmp/l.duckdb}}]
""",
}
V2 = {
    "names": """\
source: {bucket: lake/landing/ledgers/testnet, network: testnet, workers: 10, start_ledger: 503100}
process: [latest_ledger]
save_to: stdout
""",
    "options": """\
source: {s3: bucket/prefix, region: us-east-2, network: mainnet}
process: [{payment_filter: {min: 100, asset_code: "USDC:GABC"}}]
save_to:
  - parquet: "gs://b/p"
  - postgres: "${DATABASE_URL}"
  - duckdb: {db_path: x.duckdb}
""",
    "addresses": """\
source: "s3://bucket/prefix"
process: contract_events
save_to: {parquet: out/events, console: null}
""",
    "an address in a variable, and a stage as in a legacy file": f"""\
source: {{bucket: b, network: testnet}}
process:
  - type: LedgerReader
    config: {{network_passphrase: "{TESTNET}"}}
save_to: "${{DATABASE_URL}}"
""",
}


SCRAMBLED = [parse_document(text, "x.yaml").data for text in (*LEGACY.values(), *V2.values())]
STRANGE: list[object] = [
    None,
    5,
    "x",
    "$",
    "a\nb",
    [],
    {},
    [[1]],
    {"type": [1]},
    True,
    1.5,
    "\x07",
    "::",
]


def scrambled(random: Random, value: object) -> object:
    """Return *value* with some of it replaced by something else."""
    if random.random() < 0.06:
        return random.choice(STRANGE)
    if isinstance(value, dict):
        return {
            random.choice(["type", "x\x07", key, key, key, key]): scrambled(random, item)
            for key, item in value.items()
        }
    return [scrambled(random, item) for item in value] if isinstance(value, list) else value


class TestWhatConverts:
    @pytest.mark.parametrize("name", LEGACY)
    def test_legacy_files(self, tmp_path: Path, name: str, faults_of_text: Faults) -> None:
        """Every pipeline of a legacy file whose components have counterparts validates."""
        for conversion in converted(tmp_path, LEGACY[name]):
            assert {} == lacking(conversion)
            assert [] == faults_of_text(str(conversion.text), ENVIRONMENT)

    @pytest.mark.parametrize("name", V2)
    def test_v2_files(self, tmp_path: Path, name: str, faults_of_text: Faults) -> None:
        """Short names, addresses and options in short validate as what they stand for."""
        conversion = one(tmp_path, V2[name])

        assert {} == lacking(conversion)
        assert [] == faults_of_text(str(conversion.text), ENVIRONMENT)

    def test_what_it_says(self, tmp_path: Path) -> None:
        """Place, range, sizes, conditions and network are the old ones, in our words."""
        text = str(one(tmp_path, LEGACY["payments-to-parquet"]).text)

        assert "network: testnet\n" in text
        assert "path: gs://lake-bucket/ledgers/testnet\n    start: 539328\n" in text
        assert "tables: [operations]" in text
        assert 'payload.details.amount >= 100.0 && payload.details.asset_type == "native"' in text
        assert 'path: "gs://${BUCKET}/testnet/payments"\n' in text
        assert "partition_by: {ledger_range: 50000}" in text
        assert "max_rows: 50000\n      max_bytes: 512MB\n      max_age: 60m\n" in text
        assert "# ledgers_per_file: 1\n" in text

    def test_several_pipelines_keep_their_order_and_one_can_be_chosen(self, tmp_path: Path) -> None:
        """Each pipeline of a legacy file is one of its own."""
        names = [each.name for each in converted(tmp_path, LEGACY["invocations-and-json"])]
        chosen = converted(tmp_path, LEGACY["invocations-and-json"], "json")

        assert ["calls", "json", "latest"] == names
        assert ["json"] == [each.name for each in chosen]
        with pytest.raises(ConfigError, match="unknown pipeline") as raised:
            converted(tmp_path, LEGACY["invocations-and-json"], "jsn")
        assert "did you mean `json`?" == raised.value.hint

    def test_two_consumers_of_one_place_write_once(self, tmp_path: Path) -> None:
        """What two consumers wrote to two tables of a database is one stage with all tables."""
        conversion = one(
            tmp_path,
            """\
source: {bucket: b}
process: [contract_events]
save_to: [{soroswap_pairs_duckdb: {db_path: d}}, {soroswap_router_duckdb: {db_path: d}}]
""",
        )

        assert 1 == str(conversion.text).count("type: save-to-duckdb")
        assert "not written again" in str(conversion.text)

    def test_a_literal_dollar_and_variables(self) -> None:
        """`$NAME` is a variable there and `${NAME}` here; any other dollar is one of its own."""
        assert "${A}/${B}$$5 $$" == translated("$A/${B}$5 $")


class TestWhatDoesNot:
    def test_components_and_options_are_named_at_their_place(self, tmp_path: Path) -> None:
        """Each thing without a counterpart has its line and column, and the rest converts."""
        conversion = one(
            tmp_path,
            """\
pipelines:
  mixed:
    source:
      type: BufferedStorageSourceAdapter
      config: {bucket_name: b, access_token: t}
    processors:
      - type: TransformToAppMetrics
      - type: FilterPayments
        config:
          min_amount: "1"
          memo_text: hello
    consumers:
      - type: SaveToPostgreSQL
        config:
          host: h
          ssl_mode: disable
      - type: SaveToRedis
        config: {redis_address: "r:6379", redis_password: s3cr3t}
""",
        )

        assert ["5:32", "7:15", "11:11", "16:11", "17:15"] == list(lacking(conversion))
        assert all(fault.hint for fault in conversion.findings.faults)
        assert {"config.not_convertible"} == {fault.code for fault in conversion.findings.faults}
        [option] = [f for f in conversion.findings.faults if "ssl_mode" in f.message]
        assert "did you mean `sslmode`?" == option.hint
        text = str(conversion.text)
        assert 5 == text.count("# NO COUNTERPART")
        assert "s3cr3t" not in text
        became = [(each.old, each.new) for each in conversion.findings.converted]
        assert ("FilterPayments", ["rows", "filter"]) in became
        assert ("SaveToPostgreSQL", ["save-to-postgresql"]) in became

    @pytest.mark.parametrize("kind", OTHER_SOURCES)
    def test_a_source_without_counterpart_leaves_a_hole(
        self, tmp_path: Path, kind: str, faults_of_text: Faults
    ) -> None:
        """The new file says what is missing and does not validate; a public lake is suggested."""
        conversion = one(
            tmp_path,
            f"""\
pipelines:
  p:
    source: {{type: {kind}, config: {{network: mainnet, start_ledger: 5}}}}
    processors: [{{type: LatestLedger}}]
    consumers: [{{type: StdoutConsumer}}]
""",
        )

        assert ["3:20"] == list(lacking(conversion))
        assert "aws-public-blockchain/v1.1/stellar/ledgers/pubnet" in str(conversion.text)
        assert "start: 5" in str(conversion.text)
        [fault] = faults_of_text(str(conversion.text))
        assert "source" in fault.message

    @pytest.mark.parametrize(
        "source", ['"stellar://mainnet"', '{stellar: mainnet, ledgers: "1-2"}', "core", "rpc"]
    )
    def test_v2_sources_without_counterpart(self, tmp_path: Path, source: str) -> None:
        """The addresses of stellar-core and RPC are told apart from those of lakes."""
        old = f"source: {source}\nprocess: [contract_data]\nsave_to: [{{ws: {{port: '8080'}}}}]\n"

        assert [1, 2, 3] == [int(place.split(":")[0]) for place in lacking(one(tmp_path, old))]

    def test_shapes_that_the_ancestor_never_loaded(self, tmp_path: Path) -> None:
        """A top-level `pipeline:`, or sections without a name, are read all the same."""
        body = """\
source: {type: CaptiveCoreInboundAdapter, config: {network: testnet, core_binary_path: /x}}
processors: [{type: BronzeExtractors}, {type: ContractDataProcessor}]
consumers: [{type: SaveToPostgreSQLBronze, config: {host: h, enable_retention: true}}]
"""
        inner = "".join(f"  {line}\n" for line in body.splitlines())
        sections = one(tmp_path, body)
        nested = one(tmp_path, f"pipeline:\n  name: Payment Pipeline\n{inner}")

        assert ("old", "Payment-Pipeline") == (sections.name, nested.name)
        assert 4 == len(lacking(sections)) == len(lacking(nested))
        assert any("15 of its 19 tables" in message for message in lacking(nested).values())

    def test_a_second_processor_of_ledgers(self, tmp_path: Path) -> None:
        """What failed there with `expected LedgerCloseMeta` is named instead of written."""
        old = "source: {bucket: b}\nprocess: [contract_events, create_account]\nsave_to: stdout\n"
        [message] = lacking(one(tmp_path, old)).values()

        assert "it takes ledgers, and `contract_events` come to it" in message

    def test_two_networks(self, tmp_path: Path) -> None:
        """A processor for another network than the source's is a fault."""
        old = f"""\
source: {{bucket: b, network: mainnet}}
process: [{{latest_ledger: {{network_passphrase: "{TESTNET}"}}}}]
save_to: stdout
"""
        [message] = lacking(one(tmp_path, old)).values()

        assert "names the network `testnet`, another one `pubnet`" in message

    def test_a_pipeline_that_does_nothing(self, tmp_path: Path) -> None:
        """Empty lists of processors and consumers are valid there; here something must happen."""
        source = "source: {type: gcs, config: {bucket_name: b}}"
        old = f"pipelines:\n  p:\n    {source}\n    consumers: []\n"

        assert ["2:3"] == list(lacking(one(tmp_path, old)))

    @pytest.mark.parametrize("seed", range(20))
    def test_whatever_a_file_holds(self, tmp_path: Path, seed: int) -> None:
        """Values of the wrong kind anywhere end in findings, and in a text that is YAML."""
        random = Random(seed)
        for _ in range(40):
            data = scrambled(random, random.choice(SCRAMBLED))
            conversions: list[Conversion] = []
            with suppress(ConfigError):
                conversions = converted(tmp_path, json.dumps(data))
            for conversion in conversions:
                parse_document(str(conversion.text), "new.yaml")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("name: x\nsource: {type: stdin}\npipeline: [rows]\n", "of this version already"),
            ("a: 1\n", "expected `pipelines:`"),
        ],
    )
    def test_files_of_another_kind(self, tmp_path: Path, text: str, message: str) -> None:
        """A file that is none of the ancestor's is refused, and is told apart from one of ours."""
        with pytest.raises(ConfigError, match=message) as raised:
            converted(tmp_path, text)

        assert "config.format_unknown" == raised.value.code
        assert raised.value.hint


class TestEveryType:
    def test_the_tables_are_complete(self) -> None:
        """Every type that the ancestor's two factories knew has an entry, each alias a type."""
        assert set(PROCESSORS_THERE.split()) <= PROCESSORS.keys()
        assert set(CONSUMERS_THERE.split()) <= CONSUMERS.keys()
        assert set(ALIASES["processor"].values()) <= PROCESSORS.keys()
        assert set(ALIASES["consumer"].values()) <= CONSUMERS.keys()

    @pytest.mark.parametrize("name", PROCESSORS)
    def test_a_processor_converts_and_validates_or_is_named(
        self, tmp_path: Path, name: str, faults_of_text: Faults
    ) -> None:
        """A pipeline with it alone has a fault at its place, or validates."""
        old = f"source: {{bucket: b}}\nprocess: [{name}]\nsave_to: stdout\n"
        conversion = one(tmp_path, old)

        assert set() == lacking(conversion).keys() - {"2:11"}
        if not lacking(conversion):
            assert [] == faults_of_text(str(conversion.text))

    @pytest.mark.parametrize("name", CONSUMERS)
    def test_a_consumer_converts_and_validates_or_is_named(
        self, tmp_path: Path, name: str, faults_of_text: Faults
    ) -> None:
        """A pipeline with it alone has a fault at its place, or validates."""
        place = {"SaveToParquet": "path: out"}.get(name, "")
        if "DuckDB" in name and CONSUMERS[name].stage:
            place = "db_path: out.duckdb"
        old = f"source: {{bucket: b}}\nprocess: [ledger]\nsave_to: [{{{name}: {{{place}}}}}]\n"
        conversion = one(tmp_path, old)

        assert set() == lacking(conversion).keys() - {"3:12"}
        if CONSUMERS[name].stage:
            assert [] == [*lacking(conversion), *faults_of_text(str(conversion.text))]

    @pytest.mark.parametrize("name", [n for n, each in PROCESSORS.items() if each.options])
    def test_every_option_of_a_processor_is_written_or_named(
        self, tmp_path: Path, name: str, faults_of_text: Faults
    ) -> None:
        """With all its options at once the result is what validates, less what was named."""
        lists = {"contract_ids", "account_ids", "addresses", "event_types"}
        numbers = {"min_amount": "1", "max_amount": "2", "year": "2024", "asset_code": "A:G"}
        options = ", ".join(
            f"{option}: {'[x]' if option in lists else numbers.get(option, 'x')}"
            for option in PROCESSORS[name].options
        )
        old = f"source: {{bucket: b}}\nprocess: [{{{name}: {{{options}}}}}]\nsave_to: stdout\n"
        conversion = one(tmp_path, old)

        assert all(name in message for message in lacking(conversion).values())
        assert [] == faults_of_text(str(conversion.text))


class TestValues:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("6m", "6min"),
            ("6mo", "6mo"),
            ("3 days ago", "3d"),
            ("1y", "1y"),
            ("now", "latest"),
            ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
            (100, 100),
        ],
    )
    def test_moments(self, old: object, new: object) -> None:
        """`6m` are six minutes there and no time here."""
        assert new == moment(old)

    def test_networks_and_names(self) -> None:
        """Names and passphrases give the same network; a name becomes one that may stand."""
        assert "pubnet" == network_name("mainnet") == network_name("Pubnet")
        assert "testnet" == network_name(TESTNET)
        assert "A Net ; Of Ours" == network_name("A Net ; Of Ours")
        assert "My-Pipeline" == pipeline_name(" My Pipeline!")
        assert "pipeline" == pipeline_name("///")

    @pytest.mark.parametrize(
        "text",
        [
            *["", "yes", "1", "1e3", "null", "~", "a: b", "#x", "'", '"', "\\", "a\nb", "é", "-"],
            *[
                "s3://b/p",
                "\x07",
                "\x7f",
                "\x85",
                "\u2028",
                "\ufeff",
                "\U0001f600\n",
                "a 'b' \"c\"",
            ],
            *["x$y", "${X}", "${X:-a b}", "$$", "x:", "[a", "{a", "0x1F", ".5", "true", " a "],
        ],
    )
    def test_text_is_read_as_it_was_written(self, text: str) -> None:
        """What is written as a scalar is the same text again to a YAML reader."""
        document = parse_document(f"a: {scalar(text)}\nb: {flow([text])}\n", "x.yaml")

        assert {"a": text, "b": [text]} == document.data
        assert 5 == read_scalar(scalar(5))
