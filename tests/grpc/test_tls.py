"""Plugins elsewhere as a pipeline or a command names them: with TLS, mutual TLS and a token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.config import load_pipeline
from tests._flowctl import Finished, flowctl
from tests.grpc._service import Service, certificates

CA = {"ca": "authority.pem", "server_name": "server"}
OWN = {"certificate": "client.pem", "key": "client-key.pem"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with certificates, and a pipeline's input."""
    certificates(tmp_path)
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n{"n": 2}\n')
    return tmp_path


@pytest.fixture
def encrypted(folder: Path) -> Iterator[Service]:
    """A plugin that shows a certificate."""
    service = Service(folder, str(folder))
    yield service
    service.close()


@pytest.fixture
def mutual(folder: Path) -> Iterator[Service]:
    """A plugin that shows a certificate, and wants to see the host's."""
    service = Service(folder, str(folder), "mutual")
    yield service
    service.close()


def write(folder: Path, path: str, **keys: Any) -> Path:
    """Write a pipeline whose plugin is at *path*, into a file of its own folder."""
    file = folder / "elsewhere.yaml"
    pipeline = {
        "name": "elsewhere",
        "plugins": [{"name": "far", "path": path, **keys}],
        "source": {"type": "jsonl", "config": {"path": "in.jsonl"}},
        "pipeline": [
            {"plugin": "far", "config": {"threshold": 5}},
            {"type": "save-to-jsonl", "config": {"path": "out.jsonl"}},
        ],
    }
    file.write_text(json.dumps(pipeline))
    return file


def run(folder: Path, service: Service, **keys: Any) -> Finished:
    """Run a pipeline of *service*, from another folder than the file's."""
    address = f"localhost:{service.port}"
    return flowctl("run", write(folder, address, type="grpc", **keys), cwd=Path("/"))


def answers(folder: Path) -> int:
    """Return how many messages came back from the plugin."""
    lines = (folder / "out.jsonl").read_text().splitlines()
    return sum('"threshold":5' in line.replace(" ", "") for line in lines)


class TestReached:
    def test_with_tls(self, folder: Path, encrypted: Service) -> None:
        """`tls.ca`, resolved against the file, is whom the plugin's certificate is held to."""
        done = run(folder, encrypted, tls=CA)
        assert (0, 2) == (done.code, answers(folder)), done.err

    def test_with_mutual_tls(self, folder: Path, mutual: Service) -> None:
        """`tls.certificate` and `tls.key` show the plugin who the host is."""
        done = run(folder, mutual, tls={**CA, **OWN})
        assert (0, 2) == (done.code, answers(folder)), done.err

    def test_with_a_token(self, folder: Path) -> None:
        """`token` is what the plugin expects; another is refused, and neither is shown."""
        service = Service(folder, token="a-long-secret")
        try:
            done = run(folder, service, token="a-long-secret")
            refused = run(folder, service, token="some-other-secret")
        finally:
            service.close()
        assert (0, 2) == (done.code, answers(folder)), done.err
        assert 4 == refused.code
        assert "token" in refused.fault.message
        assert "secret" not in done.err + refused.err


class TestRefused:
    @pytest.mark.parametrize(
        ("tls", "meaning"),
        [
            ({**CA, "ca": "other/authority.pem"}, "not signed by a trusted authority"),
            ({}, "not signed by a trusted authority"),
            ({**CA, "server_name": "example.org"}, "is for another name"),
            ({**CA, "ca": "authority-key.pem"}, "no certificate or key that can be used"),
        ],
    )
    def test_what_cannot_be_trusted(
        self, folder: Path, encrypted: Service, tls: dict[str, str], meaning: str
    ) -> None:
        """A certificate of others, or of another name, ends the run at once and says why."""
        (folder / "other").mkdir()
        certificates(folder / "other")
        done = run(folder, encrypted, tls=tls)

        assert (4, "plugin.tls_failed") == (done.code, done.fault.code)
        assert meaning in done.fault.message
        assert "tls" in done.fault.hint
        assert not (folder / "out.jsonl").exists()

    def test_tls_to_a_plugin_that_speaks_none(self, folder: Path) -> None:
        """With `tls` nothing is ever sent in plain text."""
        service = Service(folder)
        try:
            done = run(folder, service, tls=CA)
        finally:
            service.close()
        assert (4, "plugin.tls_failed") == (done.code, done.fault.code)
        assert "does not speak TLS" in done.fault.message

    def test_a_missing_file(self, folder: Path, encrypted: Service) -> None:
        """A file that is not there is named."""
        done = run(folder, encrypted, tls={"ca": "nothing.pem"})
        assert "tls.unreadable" == done.fault.code
        assert str(folder / "nothing.pem") in done.err

    @pytest.mark.parametrize("keys", [{"tls": {}}, {"token": "a-long-secret"}])
    def test_for_a_plugin_on_this_machine(self, folder: Path, keys: dict[str, Any]) -> None:
        """Keys of a connection that is none are refused, not passed over."""
        (folder / "mine.py").write_text("")
        done = flowctl("run", write(folder, "mine.py", **keys))
        assert (2, "config.value_invalid") == (done.code, done.fault.code)
        assert f"`{next(iter(keys))}` is for a plugin at an address" in done.fault.message

    @pytest.mark.parametrize("key", ["certificate", "key"])
    def test_half_of_what_mutual_tls_takes(self, folder: Path, key: str) -> None:
        """A certificate without its key is no proof, nor the key without its certificate."""
        done = flowctl("validate", write(folder, "localhost:1", tls={key: OWN[key]}))
        assert (2, "config.missing_key") == (done.code, done.fault.code)


def test_an_empty_path(folder: Path) -> None:
    """A path that came out empty is refused; it never stands for another authority."""
    done = flowctl("validate", write(folder, "localhost:1", tls={"ca": "${CA}"}), env={"CA": ""})
    assert (2, "config.value_invalid") == (done.code, done.fault.code)


def test_paths_resolve_against_the_file(folder: Path) -> None:
    """Each file of `tls` is found from the pipeline's folder; a name is no path."""
    tls = load_pipeline(write(folder, "localhost:1", tls={**CA, **OWN})).plugins[0].tls
    assert tls is not None
    expected = tuple(str(folder / f"{name}.pem") for name in ("authority", "client", "client-key"))
    assert expected == (tls.ca, tls.certificate, tls.key)
    assert "server" == tls.server_name


class TestLines:
    """What a failed handshake prints: our error, and not the lines of gRPC's own core."""

    @pytest.mark.parametrize("tls", [{}, {**CA, "ca": "authority-key.pem"}])
    def test_only_our_error(self, folder: Path, encrypted: Service, tls: dict[str, str]) -> None:
        """A certificate nobody trusts, a file that is none: one error, in every command."""
        words = ["--tls-ca", str(folder / tls["ca"])] if tls else ["--tls"]
        inspected = flowctl("plugin", "inspect", encrypted.address, *words)
        assert self.error_lines(inspected) == inspected.err.splitlines()
        ran = run(folder, encrypted, tls=tls)
        assert self.error_lines(ran) == ran.err.splitlines()

    def test_unless_somebody_wants_them(self, folder: Path, encrypted: Service) -> None:
        """Who sets GRPC_VERBOSITY gets what it says."""
        command = ("plugin", "inspect", encrypted.address, "--tls-ca", folder / "server-key.pem")
        done = flowctl(*command, env={"GRPC_VERBOSITY": "ERROR"})
        assert "ssl_transport_security" in done.err

    @staticmethod
    def error_lines(done: Finished) -> list[str]:
        """The lines of the one error that is shown."""
        fault = done.fault
        return [
            f"error[{fault.code}]: {fault.message}",
            f"  at {fault.where}",
            f"  hint: {fault.hint}",
        ]


class TestCommands:
    """`flowctl plugin inspect` and `conformance` reach what a pipeline reaches."""

    @staticmethod
    def options(folder: Path, *names: str) -> list[str]:
        known = {
            "ca": ["--tls-ca", str(folder / "authority.pem")],
            "certificate": ["--tls-certificate", str(folder / "client.pem")],
            "key": ["--tls-key", str(folder / "client-key.pem")],
            "name": ["--tls-server-name", "server"],
        }
        return [word for name in names for word in known[name]]

    def test_with_tls(self, folder: Path, encrypted: Service) -> None:
        """A plugin that shows a certificate is asked, and tried, over an encrypted connection."""
        options = self.options(folder, "ca", "name")
        address = f"localhost:{encrypted.port}"
        shown = flowctl("plugin", "inspect", address, *options)
        assert "elsewhere@1.0.0 (processor, grpc)" == shown.out.splitlines()[0], shown.err
        tried = flowctl("plugin", "conformance", address, "--case", "metadata.identity", *options)
        assert 0 == tried.code, tried.err
        assert "1 passed, 0 failed, 0 skipped" in tried.out

    def test_with_mutual_tls(self, folder: Path, mutual: Service) -> None:
        """The host shows its certificate; without it the plugin does not answer."""
        options = self.options(folder, "ca", "name", "certificate", "key")
        shown = flowctl("plugin", "inspect", mutual.address, *options)
        assert "elsewhere@1.0.0 (processor, grpc)" == shown.out.splitlines()[0], shown.err

    def test_with_a_token(self, folder: Path) -> None:
        """The token comes from the variable that is named; another one is refused, unseen."""
        service = Service(folder, token="a-long-secret")
        command = ("plugin", "inspect", service.address, "--token-env", "ELSEWHERE_KEY")
        tried = ("plugin", "conformance", *command[2:], "--case", "metadata.identity")
        try:
            shown = flowctl(*command, env={"ELSEWHERE_KEY": "a-long-secret"})
            passed = flowctl(*tried, env={"ELSEWHERE_KEY": "a-long-secret"})
            refused = flowctl(*command, env={"ELSEWHERE_KEY": "some-other-secret"})
            silent = flowctl(*command[:3])
        finally:
            service.close()
        assert (0, 0) == (shown.code, passed.code), shown.err + passed.err
        for each in (refused, silent):
            assert (4, True) == (each.code, "--token-env" in each.fault.hint)
            assert "refuses the host's token" in each.fault.message
        assert "secret" not in shown.out + shown.err + refused.out + refused.err

    def test_who_cannot_be_trusted(self, encrypted: Service) -> None:
        """`--tls` alone trusts the system's authorities, and says what else would help."""
        done = flowctl("plugin", "inspect", encrypted.address, "--tls")
        assert (4, "plugin.tls_failed") == (done.code, done.fault.code)
        assert "--tls-ca" in done.fault.hint
        assert encrypted.address == done.fault.where

    @pytest.mark.parametrize(
        ("words", "fault"),
        [
            (["--tls-certificate", "client.pem"], "usage.tls_incomplete"),
            (["--tls-key", "client-key.pem"], "usage.tls_incomplete"),
            (["--token-env", "NOT_SET"], "usage.token_missing"),
            (["--tls-ca", "nothing.pem"], "tls.unreadable"),
        ],
    )
    @pytest.mark.parametrize("command", ["inspect", "conformance"])
    def test_what_does_not_fit(
        self, folder: Path, command: str, words: list[str], fault: str
    ) -> None:
        """Half of a proof, a token that is not there, a file that is not: told before any call."""
        done = flowctl("plugin", command, "localhost:1", *words, cwd=folder)
        assert fault == done.fault.code
        assert done.fault.hint

    @pytest.mark.parametrize(
        "words",
        [
            ["--tls"],
            ["--tls-ca", "authority.pem"],
            ["--tls-certificate", "client.pem"],
            ["--tls-key", "client-key.pem"],
            ["--tls-server-name", "server"],
            ["--token-env", "HOME"],
        ],
    )
    @pytest.mark.parametrize("plugin", [".", "mine.py"])
    def test_for_a_plugin_on_this_machine(
        self, folder: Path, plugin: str, words: list[str]
    ) -> None:
        """Options of a connection that is none are refused, not passed over."""
        (folder / "mine.py").write_text("")
        manifest = {"name": "mine", "version": "1.0.0", "executable": "mine.py"}
        (folder / "plugin.yaml").write_text(json.dumps(manifest))
        done = flowctl("plugin", "inspect", plugin, *words, cwd=folder)
        assert (2, "usage.no_address") == (done.code, done.fault.code)
        assert f"`{words[0]}` is for a plugin at an address" in done.fault.message

    def test_a_manifest_that_names_an_address(self, folder: Path, encrypted: Service) -> None:
        """A folder whose plugin runs elsewhere takes the options of a connection."""
        manifest = {"name": "elsewhere", "version": "1.0.0", "address": encrypted.address}
        (folder / "plugin.yaml").write_text(json.dumps(manifest))
        shown = flowctl("plugin", "inspect", folder, *self.options(folder, "ca", "name"))
        assert "elsewhere@1.0.0 (processor, grpc)" == shown.out.splitlines()[0], shown.err
