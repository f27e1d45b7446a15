"""Says which lake to generate: everything that decides its bytes, checked once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cdpplugin import PluginError

from ..lake.layout import FIRST_LEDGER, MAX_SEQUENCE, Layout
from ..networks import STANDALONE_PASSPHRASE

_PROTOCOLS = {1: range(20, 23), 2: range(23, 28)}
_MOST_TRANSACTIONS = 10_000


class LakeSpecInvalid(PluginError):
    """A generated lake cannot have these properties."""

    code = "lake.generate.spec_invalid"


class LakeOccupied(PluginError):
    """The folder holds something other than this lake."""

    code = "lake.generate.occupied"
    hint = "choose an empty folder, or remove this one first"


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeSpec:
    """Which ledgers a generated lake holds and how they are cut into files.

    Attributes:
        ledgers: How many ledgers, at least 1.
        first_ledger: Sequence of the first one; ledgers 0 and 1 do not exist in any lake.
        seed: Decides keys, amounts and choices. The ledgers of a shorter lake are the first
            ledgers of a longer one of otherwise the same spec.
        transactions_per_ledger: Mean over the ledgers that are not empty; each has between
            half and one and a half times as many. 0 makes every ledger empty.
        empty_ratio: Share of ledgers without any transaction.
        failed_ratio: Share of transactions that fail.
        soroban_ratio: Share of transactions that call a contract.
        fee_bump_ratio: Share of transactions wrapped in a fee bump.
        meta_version: Arm of `LedgerCloseMeta`: 2 as written from protocol 23 on, 1 before.
        protocol_version: 20 to 22 with `meta_version` 1, 23 to 27 with 2; None takes 22 or 23.
        unified_events: Whether CAP-67 events are present. None takes what the network did: yes
            from protocol 23 on, no before. True with `meta_version` 1 is what a core with
            BACKFILL_STELLAR_ASSET_EVENTS writes, and uses `TransactionMeta` V4 instead of V3.
        network_passphrase: Of the invented network; by default the standalone one, so that a
            generated lake never passes for a public one.
        start_time: Close time of the first ledger, in seconds since 1970 (2025-01-01).
        seconds_per_ledger: Between two close times.
        ledgers_per_file: SEP-54 `ledgersPerBatch`.
        files_per_partition: SEP-54 `batchesPerPartition`.

    Raises:
        LakeSpecInvalid: A value is out of its range or two contradict each other.
    """

    ledgers: int
    first_ledger: int = FIRST_LEDGER
    seed: int = 1
    transactions_per_ledger: int = 20
    empty_ratio: float = 0.03
    failed_ratio: float = 0.12
    soroban_ratio: float = 0.15
    fee_bump_ratio: float = 0.06
    meta_version: int = 2
    protocol_version: int | None = None
    unified_events: bool | None = None
    network_passphrase: str = STANDALONE_PASSPHRASE
    start_time: int = 1_735_689_600
    seconds_per_ledger: int = 5
    ledgers_per_file: int = 1
    files_per_partition: int = 64_000

    def __post_init__(self) -> None:
        self._check_range()
        self._check_at_least("seconds_per_ledger", 1)
        self._check_at_least("ledgers_per_file", 1)
        self._check_at_least("files_per_partition", 0)
        self._check_at_least("start_time", 1)
        self._check_protocol()
        for name in ("empty_ratio", "failed_ratio", "soroban_ratio", "fee_bump_ratio"):
            if not 0 <= getattr(self, name) <= 1:
                raise _invalid(name, "a share from 0 to 1", getattr(self, name))
        if not 0 <= self.transactions_per_ledger <= _MOST_TRANSACTIONS:
            expected = f"0 to {_MOST_TRANSACTIONS}"
            raise _invalid("transactions_per_ledger", expected, self.transactions_per_ledger)
        if not self.network_passphrase:
            raise _invalid("network_passphrase", "a text", repr(self.network_passphrase))

    @property
    def last_ledger(self) -> int:
        """Sequence of the last ledger, included."""
        return self.first_ledger + self.ledgers - 1

    @property
    def protocol(self) -> int:
        """The protocol version, with the default filled in."""
        if self.protocol_version is not None:
            return self.protocol_version
        return 23 if self.meta_version == 2 else 22

    @property
    def has_unified_events(self) -> bool:
        """Whether CAP-67 events are present, with the default filled in."""
        return self.meta_version == 2 if self.unified_events is None else self.unified_events

    @property
    def layout(self) -> Layout:
        """How the ledgers are spread over files and folders."""
        return Layout(self.ledgers_per_file, self.files_per_partition)

    def whole_files(self) -> LakeSpec:
        """The spec widened to whole files, as Galexie widens the range of a bounded export."""
        first = max(FIRST_LEDGER, self.layout.file_start(self.first_ledger))
        last = self.layout.file_end(self.last_ledger)
        return replace(self, first_ledger=first, ledgers=last - first + 1)

    def _check_range(self) -> None:
        self._check_at_least("ledgers", 1)
        self._check_at_least("first_ledger", FIRST_LEDGER)
        if self.last_ledger > MAX_SEQUENCE:
            raise _invalid("ledgers", f"an end at or below {MAX_SEQUENCE}", self.ledgers)

    def _check_at_least(self, name: str, least: int) -> None:
        if getattr(self, name) < least:
            raise _invalid(name, f"at least {least}", getattr(self, name))

    def _check_protocol(self) -> None:
        known = _PROTOCOLS.get(self.meta_version)
        if known is None:
            raise _invalid("meta_version", "1 or 2", self.meta_version)
        if self.protocol not in known:
            expected = f"{known[0]} to {known[-1]} with meta_version {self.meta_version}"
            raise _invalid("protocol_version", expected, self.protocol)


def _invalid(name: str, expected: str, got: object) -> LakeSpecInvalid:
    hint = f"set `{name}` to {expected}"
    return LakeSpecInvalid(f"`{name}` must be {expected}, got {got}", hint=hint)
