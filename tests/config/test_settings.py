from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.config import HostSettings, faults_of, load_settings
from cdp_pipeline.config.load_settings import settings_file, variables
from cdp_pipeline.errors import ConfigError


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def fault(tmp_path: Path, **environ: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {"HOME": str(tmp_path), **environ}, tmp_path)
    (found,) = faults_of(caught.value)
    return found


class TestSearch:
    def test_order(self, tmp_path: Path) -> None:
        """The command line wins over the variable, over the folder, over the user's file."""
        user = write(tmp_path / "config/cdp/flowctl.yaml", "")
        environ = {"HOME": "/h", "XDG_CONFIG_HOME": str(tmp_path / "config")}
        assert user == settings_file(None, environ, tmp_path)

        here = write(tmp_path / "flowctl.yaml", "")
        assert here == settings_file(None, environ, tmp_path)

        environ["FLOWCTL_CONFIG"] = "/named.yaml"
        assert Path("/named.yaml") == settings_file(None, environ, tmp_path)
        assert Path("x.yaml") == settings_file("x.yaml", environ, tmp_path)

    def test_none(self, tmp_path: Path) -> None:
        """Without any file the defaults hold."""
        settings = load_settings(None, {"HOME": "/h"}, tmp_path)

        expected = HostSettings(plugin_folders=("/h/.local/share/cdp/plugins",))
        assert expected.model_dump() == settings.model_dump()

    def test_named_but_missing(self, tmp_path: Path) -> None:
        """A file that was named must exist."""
        assert "config.unreadable" == fault(tmp_path, FLOWCTL_CONFIG="/no/such/file.yaml").code


class TestFile:
    def test_values(self, tmp_path: Path) -> None:
        """All settings are read; paths resolve against the file's folder."""
        file = write(
            tmp_path / "etc/flowctl.yaml",
            "plugin_folders: [plugins, /opt/plugins]\nhealth_interval: 5s\n"
            "limits: {memory: 256MB}\ntrust: {signatures: required, keys: [k.pem]}\n"
            "registry: {url: https://plugins.example.org}\nlog_format: json\n",
        )
        settings = load_settings(file, {"HOME": "/h"}, tmp_path)

        assert (str(tmp_path / "etc/plugins"), "/opt/plugins") == settings.plugin_folders
        assert (5.0, 256_000_000) == (settings.health_interval, settings.limits.memory)
        assert (str(tmp_path / "etc/k.pem"),) == settings.trust.keys
        assert ("required", "json") == (settings.trust.signatures, settings.log_format)

    def test_fault(self, tmp_path: Path) -> None:
        """A wrong key of the file is named with its place."""
        file = write(tmp_path / "flowctl.yaml", "helth_interval: 5s\n")
        found = fault(tmp_path)

        assert f"{file}:1:1: unknown key `helth_interval`" == str(found)
        assert "did you mean `health_interval`?" == found.hint


class TestVariables:
    def test_every_key_has_one(self) -> None:
        """Each setting has a variable, named after it."""
        assert {
            "FLOWCTL_PLUGIN_FOLDERS",
            "FLOWCTL_HOT_RELOAD",
            "FLOWCTL_RELOAD_DEBOUNCE",
            "FLOWCTL_RELOAD_WINDOW",
            "FLOWCTL_MAX_RESTARTS",
            "FLOWCTL_RESTART_WINDOW",
            "FLOWCTL_QUARANTINE_WAIT",
            "FLOWCTL_HEALTH_INTERVAL",
            "FLOWCTL_UNHEALTHY_THRESHOLD",
            "FLOWCTL_MAX_PLUGINS",
            "FLOWCTL_LIMITS_MEMORY",
            "FLOWCTL_LIMITS_CPU",
            "FLOWCTL_LIMITS_TIMEOUT",
            "FLOWCTL_LIMITS_PIDS",
            "FLOWCTL_LIMITS_FILES",
            "FLOWCTL_LIMITS_FUEL",
            "FLOWCTL_LIMITS_INSTANCES",
            "FLOWCTL_LIMITS_OUTPUT",
            "FLOWCTL_TRUST_SIGNATURES",
            "FLOWCTL_TRUST_KEYS",
            "FLOWCTL_REGISTRY_URL",
            "FLOWCTL_LOG_FORMAT",
        } == set(variables())

    def test_win_over_the_file(self, tmp_path: Path) -> None:
        """A variable wins over the file; others of the same object stay."""
        write(tmp_path / "flowctl.yaml", "max_plugins: 3\nlimits: {memory: 1MB, pids: 9}\n")
        settings = load_settings(
            None,
            {"HOME": "/h", "FLOWCTL_MAX_PLUGINS": "5", "FLOWCTL_LIMITS_MEMORY": "2MB"},
            tmp_path,
        )

        assert (5, 2_000_000, 9) == (
            settings.max_plugins,
            settings.limits.memory,
            settings.limits.pids,
        )

    def test_lists(self, tmp_path: Path) -> None:
        """Lists of paths are separated as in PATH, and resolve against the working folder."""
        settings = load_settings(
            None,
            {"HOME": "/h", "FLOWCTL_PLUGIN_FOLDERS": "a:/b", "FLOWCTL_TRUST_KEYS": "k.pem"},
            tmp_path,
        )

        assert (str(tmp_path / "a"), "/b") == settings.plugin_folders
        assert (str(tmp_path / "k.pem"),) == settings.trust.keys

    def test_strangers_are_ignored(self, tmp_path: Path) -> None:
        """Variables that set nothing are not looked at."""
        environ = {"HOME": "/h", "FLOWCTL_NO_SUCH_THING": "x", "FLOWCTL_MAX_PLUGINS": ""}

        assert 64 == load_settings(None, environ, tmp_path).max_plugins

    @pytest.mark.parametrize(
        ("name", "value", "error"),
        [
            (
                "FLOWCTL_MAX_PLUGINS",
                "many",
                "`max_plugins`: expected an integer of at least 1, got text `many`",
            ),
            (
                "FLOWCTL_LIMITS_TIMEOUT",
                "1 year",
                "`limits.timeout`: expected a duration such as `500ms`, `30s` or `1h30m`, "
                "got text `1 year`",
            ),
            (
                "FLOWCTL_LOG_FORMAT",
                "jsn",
                "`log_format`: expected one of `auto`, `text`, `json`, got text `jsn`",
            ),
        ],
    )
    def test_wrong_value(self, tmp_path: Path, name: str, value: str, error: str) -> None:
        """A wrong value names the variable it came from."""
        found = fault(tmp_path, **{name: value})

        assert (f"${name}", error) == (found.where, found.message)
