"""`GET /metrics`: what Prometheus reads is what the run has counted."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cdp_pipeline.admin.metrics import METRICS
from tests._host import Host, running_host
from tests.admin.test_server import client

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with running_host(tmp_path) as found:
        yield found


def scraped(host: Host) -> str:
    with client(host) as asks:
        answer = asks.get("/metrics")
    assert (200, "text/plain; version=0.0.4; charset=utf-8") == (
        answer.status_code,
        answer.headers["content-type"],
    )
    return answer.text


def samples(text: str) -> Samples:
    """Return each sample by its name and labels, as Prometheus' own parser finds them."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_metric_is_there(host: Host) -> None:
    """Each has its kind, its text, and the labels that the table names."""
    families = {family.name: family for family in text_string_to_metric_families(scraped(host))}

    for metric in METRICS:
        family = families[metric.name]
        assert (metric.kind, metric.help) == (family.type, family.documentation)
        for sample in family.samples:
            assert {"pipeline", *metric.labels} == set(sample.labels)
            assert metric.shown_name == sample.name


def test_the_numbers_are_those_of_the_status(host: Host) -> None:
    """A paused run counts no further: status and metrics say the same."""
    with client(host) as asks:
        asks.post("/pipeline/pause").raise_for_status()
        before = asks.get("/status").json()
        found = samples(asks.get("/metrics").text)
        after = asks.get("/status").json()
    name = ("pipeline", after["pipeline"])
    stage = after["stages"][0]
    labels = frozenset({name, ("stage", stage["name"]), ("kind", stage["kind"])})
    rows = found["cdp_stage_rows_in_total", labels]

    assert before["stages"][0]["rows_in"] <= rows <= stage["rows_in"]
    assert 1.0 == found["cdp_run_state", frozenset({name, ("state", "paused")})]
    assert 0.0 == found["cdp_run_state", frozenset({name, ("state", "running")})]


def test_what_is_not_known_yet_is_left_out(host: Host) -> None:
    """A stream without an end has no last position, and no number stands in its place."""
    assert not [name for name, _ in samples(scraped(host)) if name == "cdp_source_last_position"]


def test_a_plugin_is_told_by_its_version(host: Host) -> None:
    """So that a graph shows what a reload has changed."""
    labels = {
        ("stage", "stage-0"),
        ("plugin", "enrich"),
        ("version", "1.2.0"),
        ("kind", "processor"),
        ("runtime", "grpc"),
    }
    found = {
        name: value for (name, given), value in samples(scraped(host)).items() if labels <= given
    }

    assert (7, 70_000, 3, 2) == (
        found["cdp_plugin_calls_total"],
        found["cdp_plugin_rows_total"],
        found["cdp_plugin_failed_rows_total"],
        found["cdp_plugin_reloads_total"],
    )


def test_promtool_finds_no_fault(host: Host) -> None:
    """Names and texts keep the rules of Prometheus."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on PATH")
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=scraped(host),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stdout + done.stderr)
