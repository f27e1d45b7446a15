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
SDK = "stellar-sdk"
SEP51, CONTROL, SCAN, ROWS = "SEP-51 JSON", "SEP-51 JSON, again", "scan", "rows of five tables"
OURS = (SEP51, SCAN, ROWS)


def measure(size: Size) -> Measurement:
    """Decode each ledger in turns; a ratio is stellar-sdk's time over ours in the same round."""
    found = Measurement({}, facts={"ledgers": list(LARGE)})
    for sequence in LARGE[: size.of(tiny=1, normal=len(LARGE))]:
        _check(sequence)
        _measure_ledger(size, sequence, found)
    least = min(series.median for name, series in found.ratios.items() if SEP51 in name)
    rows = min(series.median for name, series in found.ratios.items() if ROWS in name)
    control = f"{LARGE[0]}, {SEP51}"
    found.goals = [
        Goal("ledger decode to SEP-51 JSON, against stellar-sdk", "at least", 10, least, "x", control),
        Goal("ledger to rows of five tables, against stellar-sdk's decode alone", "at least", 10, rows, "x", control),
    ]
    return found


def _measure_ledger(size: Size, sequence: int, found: Measurement) -> None:
    taken = take_turns(
        _variants(sequence), rounds=size.of(tiny=1, normal=9, full=25), budget_s=25
    )
    for name, samples in taken.items():
        found.series[f"{sequence}, {name}"] = Series("ms", samples)
    for name in OURS:
        found.ratios[f"{sequence}, {SDK} / {name}"] = ratio(taken[SDK], taken[name])
    found.controls[f"{sequence}, {SEP51}"] = ratio(taken[CONTROL], taken[SEP51])


def _variants(sequence: int) -> dict[str, Callable[[], float]]:
    batch, ledger = ledger_batch_xdr(sequence), ledger_xdr(sequence)
    network_id = resolve_network(PUBNET_PASSPHRASE).network_id
    return {
        SDK: lambda: _ms(lambda: LedgerCloseMetaBatch.from_xdr_bytes(batch)),
        SEP51: lambda: _ms(lambda: to_sep51(batch, BATCH)),
        CONTROL: lambda: _ms(lambda: to_sep51(batch, BATCH)),
        SCAN: lambda: _ms(lambda: scan(batch, BATCH)),
        ROWS: lambda: _ms(lambda: extract(ledger, network_id=network_id, tables=TABLES)),
    }


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
