"""The cases, in the order in which they run; a new one is a module here and a line below."""

from __future__ import annotations

from collections.abc import Mapping

from bench.case import Case
from bench.cases import decode, help, latency, ledgers, memory, native, overhead  # noqa: A004

CASES: Mapping[str, Case] = {
    module.CASE.name: module.CASE
    for module in (native, overhead, latency, decode, ledgers, memory, help)
}
