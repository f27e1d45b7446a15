"""Plugins in unit tests: a folder in its real runtime, a file; and the fixtures of pytest."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.testing import start_test_plugin
from cdpplugin import ConfigInvalid, PluginError
from tests.conftest import ROOT

BOUND_S = 300
PLUGINS = ROOT / "examples" / "plugins"
PAYMENT = {
    "type": "operations",
    "payload": {
        "type_string": "payment",
        "operation_trace_code": "PaymentResultCodePaymentSuccess",
    },
}


class TestFolder:
    def test_in_its_process(self, caplog: pytest.LogCaptureFixture) -> None:
        """A folder is built and runs as a pipeline would run it; what it prints is logged."""
        if shutil.which("go") is None:
            pytest.skip("no go on PATH")
        config = {"families": ["payment"]}
        with (
            caplog.at_level(logging.DEBUG),
            start_test_plugin(PLUGINS / "enrich-go", config=config) as plugin,
        ):
            output = plugin.process(PAYMENT)
            assert output is not None
            assert "payment" == output.payload["family"]
            other = {"type": "operations", "payload": {"type_string": "clawback"}}
            assert plugin.process(other) is None
            assert "another family" == plugin.dropped
            with pytest.raises(PluginError, match="expected `type_string`") as error:
                plugin.process({"type": "operations", "payload": {}})
            assert "enrich.type_unknown" == error.value.code
        assert "plugin is listening" in caplog.text
        with pytest.raises(ConfigInvalid, match="there is no family"):
            start_test_plugin(PLUGINS / "enrich-go", config={"families": ["sorobn"]})

    def test_that_is_not_there(self, tmp_path: Path) -> None:
        """A folder without a plugin is refused as everywhere."""
        with pytest.raises(ArtifactError):
            start_test_plugin(tmp_path / "none")


class TestFile:
    def test_python(self) -> None:
        """A Python file gives its plugin, named or not."""
        for path in (
            PLUGINS / "large_payments.py",
            f"{PLUGINS / 'large_payments.py'}:large_payments",
        ):
            with start_test_plugin(path) as plugin:
                payload = {"amount": 2_000_000, "asset": "native"}
                assert plugin.process({"type": "token_transfers", "payload": payload})
                assert plugin.process({"type": "token_transfers", "payload": {"amount": 5}}) is None


TESTS = """
import cdpplugin
import pytest


@cdpplugin.processor("shouter", "1.0.0")
def shout(message):
    message.payload = message.payload.upper() + shout.config.get("mark", "")
    return message


@pytest.fixture(scope="session")
def shared(start_session_test_plugin):
    return start_session_test_plugin(shout, config={"mark": "?"})


@pytest.mark.parametrize("mark", ["!", "."])
def test_each(start_test_plugin, mark):
    plugin = start_test_plugin(shout, config={"mark": mark})
    assert "HEY" + mark == plugin.process({"type": "T", "payload": "hey"}).payload


def test_file(start_test_plugin):
    assert "HEY" == start_test_plugin(__file__ + ":shout").process({"payload": "hey"}).payload


def test_shared(shared):
    assert "HEY?" == shared.process({"payload": "hey"}).payload
"""


UNUSED = """
import sys


def test_modules():
    roots = ("cdp_pipeline", "cdpplugin", "pydantic", "google")
    assert {
        "cdp_pipeline", "cdp_pipeline.testing", "cdp_pipeline.testing.pytest_plugin"
    } == {name for name in sys.modules if name.partition(".")[0] in roots}
"""


def run_pytest(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S,
    )
    assert 0 == done.returncode, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


class TestPytest:
    @pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["alone", "xdist"])
    def test_fixtures(self, tmp_path: Path, options: list[str]) -> None:
        """Both fixtures are there for everybody, every warning an error, alone and shared out."""
        (tmp_path / "pytest.ini").write_text(
            "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
        )
        (tmp_path / "test_shout.py").write_text(TESTS)
        assert "4 passed" in run_pytest(tmp_path, *options)

    def test_costs_nothing_unused(self, tmp_path: Path) -> None:
        """A run that asks for no plugin imports nothing of ours but the module of the fixtures."""
        (tmp_path / "test_modules.py").write_text(UNUSED)
        assert "1 passed" in run_pytest(tmp_path)
