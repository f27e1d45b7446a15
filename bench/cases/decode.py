"""`decode`: a ledger decoded by us and by stellar-sdk, on real ledgers of about 1 MB."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import perf_counter

from stellar_sdk.xdr import LedgerCloseMetaBatch

from bench.case import Case, Goal, Measurement, Series, Size
from bench.real_ledgers import LARGE, ledger_batch_xdr, ledger_xdr
from bench.rig import Invalid
from bench.rounds import ratio, take_turns
from cdp_pipeline.connectors.stellar.networks import PUBNET_PASSPHRASE, resolve_network
from cdp_pipeline.connectors.stellar.rows import TABLES, extract
from cdp_pipeline.connectors.stellar.xdr import scan, to_sep51

BATCH = "LedgerCloseMetaBatch"
SDK, SEP51, SCAN, ROWS = "stellar-sdk", "SEP-51 JSON", "scan", "rows of five tables"
OURS = (SEP51, SCAN, ROWS)
AGAIN = ", again"


def measure(size: Size) -> Measurement:
    """Decode each ledger in turns; a ratio is stellar-sdk's time over ours in the same round."""
    found = Measurement({}, facts={"ledgers": list(LARGE)})
    for sequence in LARGE[: size.of(tiny=1, normal=len(LARGE))]:
        _check(sequence)
        _measure_ledger(size, sequence, found)
    found.goals = [
        _goal(found, SEP51, "ledger decode to SEP-51 JSON, stellar-sdk's time over ours"),
    ]
    return found


def _goal(found: Measurement, ours: str, what: str) -> Goal:
    """Return the goal with the worst ledger's number."""
    medians = {name: ratio.median for name, ratio in found.ratios.items() if ours in name}
    worst = min(medians, key=lambda name: medians[name])
    return Goal(what, "at least", 10, medians[worst], "x", worst)


def _measure_ledger(size: Size, sequence: int, found: Measurement) -> None:
    taken = take_turns(_variants(sequence), rounds=size.of(tiny=1, normal=9, full=25), budget_s=25)
    for name, samples in taken.items():
        found.series[f"{sequence}, {name}"] = Series("ms", samples)
    for name in OURS:
        label = f"{sequence}, {SDK} / {name}"
        found.ratios[label] = ratio(taken[SDK], taken[name])
        again = ratio(taken[SDK + AGAIN], taken[name + AGAIN])
        found.controls[label] = ratio(again.samples, found.ratios[label].samples)


def _variants(sequence: int) -> dict[str, Callable[[], float]]:
    batch, ledger = ledger_batch_xdr(sequence), ledger_xdr(sequence)
    network_id = resolve_network(PUBNET_PASSPHRASE).network_id
    decoders = {
        SDK: lambda: _ms(lambda: LedgerCloseMetaBatch.from_xdr_bytes(batch)),
        SEP51: lambda: _ms(lambda: to_sep51(batch, BATCH)),
        SCAN: lambda: _ms(lambda: scan(batch, BATCH)),
        ROWS: lambda: _ms(lambda: extract(ledger, network_id=network_id, tables=TABLES)),
    }
    return decoders | {name + AGAIN: decode for name, decode in decoders.items()}


def _ms(work: Callable[[], object]) -> float:
    begun_s = perf_counter()
    kept = work()  # noqa: F841 - giving the result back to memory is not charged
    return (perf_counter() - begun_s) * 1e3


def _check(sequence: int) -> None:
    """Both decoders must have read the same ledger."""
    xdr = ledger_batch_xdr(sequence)
    ours = json.loads(to_sep51(xdr, BATCH))
    theirs = LedgerCloseMetaBatch.from_xdr_bytes(xdr)
    if (ours["start_sequence"], len(ours["ledger_close_metas"])) != (
        theirs.start_sequence.uint32,
        len(theirs.ledger_close_metas),
    ):
        raise Invalid(f"the decoders differ on ledger {sequence}")


CASE = Case(
    "decode",
    "Real ledgers of about 1 MB: stellar-sdk's `from_xdr_bytes` with its default settings, beside "
    "our SEP-51 JSON, our scan and our rows of all five tables; the worse ledger counts.",
    measure,
)
