"""`flowctl config upgrade`: files, exit codes, JSON, and pipelines that run."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from tests._flowctl import flowctl

TWO = """\
pipelines:
  payments:
    source: {type: fs, config: {path: ./lake, end_ledger: 31}}
    processors: [{type: FilterPayments, config: {min_amount: "1", asset_code: native}}]
    consumers: [{type: StdoutConsumer}]
  cache:
    source: {type: fs, config: {path: ./lake, end_ledger: 31}}
    processors: [{type: AccountTransaction, config: {year: 2025}}]
    consumers:
      - type: StdoutConsumer
      - type: SaveToRedis
        config: {redis_password: s3cr3t}
"""


def old(tmp_path: Path, text: str = TWO) -> Path:
    file = tmp_path / "old.yaml"
    file.write_text(text)
    return file


def test_a_file_for_each_pipeline(tmp_path: Path) -> None:
    """Each is written, what is lacking is told with its place, and the exit code says so."""
    old(tmp_path)
    done = flowctl("config", "upgrade", "old.yaml", "--out", "new", cwd=tmp_path)

    assert 1 == done.code
    assert ("config.not_convertible", "old.yaml:11:15") == (done.fault.code, done.fault.where)
    assert {"payments.yaml", "cache.yaml"} == {file.name for file in (tmp_path / "new").iterdir()}
    assert "new/payments.yaml is written and valid\n" in done.err
    assert "s3cr3t" not in done.err + (tmp_path / "new/cache.yaml").read_text()


def test_one_of_them_to_standard_output(tmp_path: Path) -> None:
    """`--out -` prints a pipeline that `flowctl validate` accepts; nothing is written."""
    old(tmp_path)
    chosen = ["--pipeline", "payments", "--out", "-"]
    done = flowctl("config", "upgrade", "old.yaml", *chosen, cwd=tmp_path)
    both = flowctl("config", "upgrade", "old.yaml", "--out", "-", cwd=tmp_path)
    (tmp_path / "new.yaml").write_text(done.out)

    assert 0 == done.code, done.err
    assert 0 == flowctl("validate", "new.yaml", cwd=tmp_path).code
    assert (2, "") == (both.code, both.out)


def test_as_json(tmp_path: Path) -> None:
    """Both lists are there for each pipeline, with places; notes say what differs."""
    old(tmp_path)
    done = flowctl("config", "upgrade", "old.yaml", "--output", "json", cwd=tmp_path)
    payments, cache = json.loads(done.out)

    assert (1, "") == (done.code, done.err)
    assert (True, []) == (payments["valid"], payments["not_convertible"])
    processor = payments["converted"][1]
    assert ("processor", "FilterPayments") == (processor["kind"], processor["type"])
    assert (["rows", "filter"], "old.yaml:4:25") == (processor["became"], processor["where"])
    assert processor["notes"]
    [lacking] = cache["not_convertible"]
    assert "SaveToRedis" in lacking["message"]
    assert lacking["hint"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A file that is there stays without `--force`, and the old file always."""
    old(tmp_path)
    arguments = ["config", "upgrade", "old.yaml", "--pipeline", "payments", "--out"]
    (tmp_path / "new.yaml").write_text("mine")
    refused = flowctl(*arguments, "new.yaml", cwd=tmp_path)
    itself = flowctl(*arguments, "old.yaml", "--force", cwd=tmp_path)

    assert (2, "usage.file_exists") == (refused.code, refused.fault.code)
    assert "mine" == (tmp_path / "new.yaml").read_text()
    assert (2, TWO) == (itself.code, (tmp_path / "old.yaml").read_text())
    assert 0 == flowctl(*arguments, "new.yaml", "--force", cwd=tmp_path).code


def test_who_may_not_read_the_old_file_may_not_read_the_new_one(tmp_path: Path) -> None:
    """The old file's permissions are the new one's: it may hold passwords."""
    old(tmp_path).chmod(0o600)
    flowctl("config", "upgrade", "old.yaml", "--pipeline", "payments", cwd=tmp_path)

    assert 0o600 == stat.S_IMODE((tmp_path / "payments.yaml").stat().st_mode)


def test_what_is_still_to_do(tmp_path: Path) -> None:
    """A variable that is not set is no lack of a counterpart; it is told with its place."""
    text = "source: {bucket: b}\nprocess: [ledger]\nsave_to: {postgres: $NOT_SET_ANYWHERE}\n"
    old(tmp_path, text)
    done = flowctl("config", "upgrade", "old.yaml", "--out", "new.yaml", cwd=tmp_path)

    assert 0 == done.code
    assert "not valid yet" in done.err
    assert "still to do at new.yaml:" in done.err


def test_converted_pipelines_do_what_the_old_ones_did(tmp_path: Path) -> None:
    """Payments of a lake: those of at least the amount, in that asset, and no others."""
    old(tmp_path)
    flowctl("lake", "generate", "--ledgers", "30", "--out", "lake", cwd=tmp_path)
    flowctl("config", "upgrade", "old.yaml", cwd=tmp_path)
    payments = flowctl("run", "payments.yaml", cwd=tmp_path)
    cache = flowctl("run", "cache.yaml", cwd=tmp_path)

    assert (0, 0) == (payments.code, cache.code), payments.err + cache.err
    rows = [json.loads(line)["payload"] for line in payments.out.splitlines()]
    assert rows
    assert {"payment"} == {row["type_string"] for row in rows}
    assert {"native"} == {row["details"]["asset_type"] for row in rows}
    assert min(row["details"]["amount"] for row in rows) >= 1
    years = {json.loads(line)["payload"]["closed_at"][:4] for line in cache.out.splitlines()}
    assert {"2025"} == years
