"""What `executable` of a native plugin's manifest may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.artifacts.manifest import load_manifest
from cdp_pipeline.errors import ConfigError
from cdp_pipeline.host.native_executable import creator

CODE = """
import cdpplugin

@cdpplugin.processor("one", "1.0.0")
def one(message):
    return message

@cdpplugin.processor("two", "1.0.0")
def two(message):
    return message
"""


def folder(path: Path, executable: str) -> Path:
    (path / "inner").mkdir()
    (path / "code.py").write_text(CODE)
    (path / "inner" / "code.py").write_text(CODE)
    (path / "plugin.yaml").write_text(
        f"name: one\nversion: 1.0.0\nruntime: native\nexecutable: '{executable}'\n"
    )
    return path


@pytest.mark.parametrize(
    ("executable", "name"),
    [
        ("code.py:one", "one"),
        ("inner/code.py:two", "two"),
        ("code:two", "two"),
        ("inner.code:one", "one"),
        ("cdp_pipeline.connectors.consumers.stdout:Stdout", "stdout"),
    ],
)
def test_a_file_a_module_of_the_folder_or_an_installed_one(
    tmp_path: Path, executable: str, name: str
) -> None:
    """Each form leads to the plugin it names."""
    create = creator(load_manifest(folder(tmp_path, executable)))

    assert name == create().metadata().name


@pytest.mark.parametrize("executable", ["", "plugin", "none.py", "no_such_module:plugin"])
def test_what_leads_nowhere_is_refused(tmp_path: Path, executable: str) -> None:
    """The fault stands in the manifest, before anything is run."""
    with pytest.raises(ConfigError) as raised:
        creator(load_manifest(folder(tmp_path, executable)))

    assert "plugin.not_found" == raised.value.code
    assert "plugin.yaml" in raised.value.where
