"""What a pipeline may ask of a plugin, and what it is told where that cannot be had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cdp_pipeline.cli.main import app
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.errors import CdpError, ConfigError
from cdp_pipeline.host.catalog import Catalog
from cdp_pipeline.host.plugins import Plugins

PLUGIN = """\
from cdpplugin import processor

@processor("mine", "1.4.0")
def mine(message):
    return message
"""


def run(folder: Path, plugin: str) -> CdpError | None:
    """Run a pipeline with *plugin*'s terms; return what it was refused for."""
    (folder / "mine.py").write_text(PLUGIN)
    (folder / "in.jsonl").write_text(json.dumps({"n": 1}) + "\n")
    file = folder / "pipeline.yaml"
    file.write_text(
        "name: terms\n"
        f"plugins: [{{name: mine, path: mine.py, {plugin}}}]\n"
        "source: {type: jsonl, config: {path: in.jsonl}}\n"
        "pipeline: [{plugin: mine}, {type: save-to-jsonl, config: {path: out}}]\n"
    )
    result = CliRunner().invoke(app, ["run", str(file)])
    assert result.exception is None or isinstance(result.exception, (CdpError, SystemExit))
    return result.exception if isinstance(result.exception, CdpError) else None


@pytest.mark.parametrize("version", ["^1.2", ">=1.0,<2", "1.4.0"])
def test_a_wanted_version_is_accepted(tmp_path: Path, version: str) -> None:
    """A plugin whose version satisfies the constraint runs."""
    assert run(tmp_path, f'version: "{version}"') is None


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ('version: ">=2"', "plugin.version_mismatch"),
        ('version: "newest"', "config.value_invalid"),
        ("sandbox: required", "plugin.not_confined"),
    ],
)
def test_terms_that_cannot_be_kept_are_refused(tmp_path: Path, terms: str, code: str) -> None:
    """What the pipeline demands and nobody can give stops it before the first row."""
    refused = run(tmp_path, terms)

    assert refused is not None
    assert code == refused.code
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("versions", "code", "said"),
    [
        (">=0.1 <9", None, ""),
        (">=9", "plugin.host_mismatch", "`made-for@1.0.0` requires cdp-pipeline >=9, this is"),
        ("soon", "config.value_invalid", "expected versions such as"),
    ],
)
def test_a_plugin_for_another_host_is_refused(
    tmp_path: Path, versions: str, code: str | None, said: str
) -> None:
    """What a manifest requires of the host holds, and the error leads to that line of it."""
    folder = tmp_path / "made-for"
    folder.mkdir()
    (folder / "plugin.py").write_text(PLUGIN)
    (folder / "plugin.yaml").write_text(
        "name: made-for\nversion: 1.0.0\nruntime: native\nexecutable: plugin.py\n"
        f'requires: {{cdp-pipeline: "{versions}"}}\n'
    )
    plugins = Plugins(Catalog(), {})
    listed = PluginConfig(name="made-for", path=str(folder))
    if code is None:
        metadata = plugins.listed(listed).metadata
        assert metadata is not None
        assert "made-for@1.0.0" == metadata.reference
        return
    with pytest.raises(ConfigError, match=said) as caught:
        plugins.listed(listed)
    assert (code, f"{folder / 'plugin.yaml'}:5:12") == (caught.value.code, caught.value.where)


def named(folder: Path, version: str) -> CdpError | None:
    """Run a pipeline whose plugin has no path; return what it was refused for."""
    (folder / "in.jsonl").write_text(json.dumps({"n": 1}) + "\n")
    file = folder / "pipeline.yaml"
    file.write_text(
        "name: named\n"
        f"plugins: [{{name: stamp, {version}}}]\n"
        "source: {type: jsonl, config: {path: in.jsonl}}\n"
        "pipeline: [{plugin: stamp}, {type: save-to-jsonl, config: {path: out}}]\n"
    )
    (folder / "flowctl.yaml").write_text("plugin_folders: [plugins]\n")
    settings = str(folder / "flowctl.yaml")
    result = CliRunner().invoke(app, ["run", str(file), "--settings", settings])
    return result.exception if isinstance(result.exception, CdpError) else None


class TestFolders:
    @pytest.mark.parametrize(("wanted", "used"), [("", "1.10.0"), ("version: '<1.10'", "1.9.0")])
    def test_the_newest_that_is_wanted(self, tmp_path: Path, wanted: str, used: str) -> None:
        """A plugin without a path is the newest of its name in the folders of plugins."""
        for version in ("1.2.0", "1.9.0", "1.10.0"):
            place = tmp_path / "plugins" / f"stamp-{version}"
            place.mkdir(parents=True)
            (place / "plugin.yaml").write_text(
                f"name: stamp\nversion: {version}\nruntime: native\nexecutable: main.py\n"
            )
            (place / "main.py").write_text(
                "from cdpplugin import processor\n"
                f'@processor("stamp", "{version}")\n'
                "def stamp(message):\n"
                f'    message.payload["version"] = "{version}"\n'
                "    return message\n"
            )
        (tmp_path / "plugins" / "broken").mkdir()
        (tmp_path / "plugins" / "broken" / "plugin.yaml").write_text("name: [")
        assert named(tmp_path, wanted or "config: {}") is None
        [written] = (tmp_path / "out").glob("*.jsonl")
        assert used == json.loads(written.read_text())["version"]

    def test_none_of_that_name(self, tmp_path: Path) -> None:
        """Where none has the name, the error says where was looked and what to do."""
        error = named(tmp_path, "config: {}")
        assert error is not None
        assert "plugin.not_found" == error.code
        assert str(tmp_path / "plugins") in error.message


LATE = """\
from cdpplugin import Base, OutputPart, Outputs, PluginMetadata

class Late(Base):
    def metadata(self):
        schema = {"additionalProperties": False, "properties": {"limit": {"type": "integer"}}}
        return PluginMetadata("late", "1.0.0", "processor", config_schema=schema)

    async def process_batch(self, batch):
        return Outputs([OutputPart(batch, range(len(batch)))])
"""


def test_a_schema_that_only_the_running_plugin_tells(tmp_path: Path) -> None:
    """Its faults are told at their lines as well, before anything moves; exit code 2."""
    (tmp_path / "late.py").write_text(LATE)
    (tmp_path / "in.jsonl").write_text(json.dumps({"n": 1}) + "\n")
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        "name: late\n"
        "plugins: [{name: late, path: late.py}]\n"
        "source: {type: jsonl, config: {path: in.jsonl}}\n"
        "pipeline:\n"
        "  - plugin: late\n"
        "    config:\n"
        "      limit: many\n"
        "      lmit: 3\n"
        "  - {type: save-to-jsonl, config: {path: out}}\n"
    )
    error = CliRunner().invoke(app, ["run", str(file)]).exception
    assert isinstance(error, CdpError)
    assert 2 == error.exit_code
    assert f"{file}:7:14" in str(error)
    assert f"{file}:8:7" in str(error)
    assert not (tmp_path / "out").exists()
