"""What becomes a component: the plugin of a file, or an error that says why it cannot be one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from cdpplugin import PluginError, PluginMetadata, componentize
from cdpplugin.component import exports_of, load_plugin
from cdpplugin.componentize import main, world_of
from cdpplugin.function import FunctionProcessor

SERVED = """
import sys
import cdpplugin
from beside import NAME

assert __name__ == "__main__"

def function(message):
    return message

cdpplugin.serve_processor(cdpplugin.PluginMetadata(NAME, "1.0.0"), function, workers=4)
"""
DECORATED = """
import cdpplugin

@cdpplugin.processor("decorated", "1.0.0")
def function(message):
    return message
"""
CLASS = """
import cdpplugin
from cdpplugin import Base, Context

class Own(Base):
    def metadata(self):
        return cdpplugin.PluginMetadata("own", "1.0.0")

    def process_batch(self, batch):
        return cdpplugin.Outputs.each(batch)
"""
SOURCE = """
import cdpplugin
cdpplugin.serve_source(cdpplugin.PluginMetadata("s", "1.0.0"), lambda: iter(()))
"""
RAW = DECORATED.replace('"1.0.0"', '"1.0.0", input_encoding="xdr"')
ARGUMENTS = """
import sys
import cdpplugin
metadata = cdpplugin.PluginMetadata("-".join(sys.argv[1:]), "1.0.0")
cdpplugin.serve_processor(metadata, lambda message: message)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for a plugin; afterwards this process is as it was."""
    (tmp_path / "beside.py").write_text("NAME = 'served'")
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    yield tmp_path
    sys.modules.pop("beside", None)


def written(folder: Path, text: str) -> Path:
    file = folder / "plugin.py"
    file.write_text(text)
    return file


class TestLoading:
    @pytest.mark.parametrize(
        ("text", "name"), [(SERVED, "served"), (DECORATED, "decorated"), (CLASS, "own")]
    )
    def test_the_one_plugin_of_a_file(self, folder: Path, text: str, name: str) -> None:
        """What it serves, the decorated function, or its own class: as a native host takes it."""
        assert name == load_plugin(written(folder, text)).metadata().name

    def test_arguments(self, folder: Path) -> None:
        """The file finds the arguments that a process would be given."""
        file = written(folder, ARGUMENTS)
        assert "a-b" == load_plugin(file, ["a", "b"]).metadata().name

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "found 0"),
            (DECORATED + DECORATED.replace("function", "other"), "found 2"),
            (SOURCE, "is a source"),
            (RAW, "`xdr`"),
        ],
    )
    def test_what_cannot_be_one(self, folder: Path, text: str, said: str) -> None:
        """It is refused with the reason, and with what to do."""
        with pytest.raises(PluginError) as raised:
            load_plugin(written(folder, text))
        assert "plugin.component_unsupported" == raised.value.code
        assert said in raised.value.message
        assert raised.value.hint


class TestWorld:
    def test_all_of_it(self) -> None:
        """A plugin that has every function has the world as it is specified."""
        specified = Path(__file__).resolve().parents[3] / "spec/wit/plugin.wit"
        every = [
            *("metadata", "configure", "start", "process", "process-batch", "health", "stop"),
            *("export-state", "import-state"),
        ]
        assert specified.read_text() == world_of(every)

    def test_without_state(self) -> None:
        """Functions that a plugin does not have are left out, and nothing else is."""
        plugin = FunctionProcessor(PluginMetadata("p", "1.0.0"), lambda message: message)
        text = world_of(exports_of(plugin))
        assert "state" not in text
        assert 7 == text.count("export ")
        assert text.startswith("//")
        assert text.rstrip().endswith("}")


class TestCommand:
    def test_without_the_tool(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It says what is missing, and how to get it."""
        monkeypatch.setattr(componentize, "find_spec", lambda name: None)
        assert 1 == main([str(written(folder, SERVED))])
        said = capsys.readouterr().err
        assert "error[plugin.sdk_incomplete]" in said
        assert "pip install componentize-py" in said

    def test_a_file_that_cannot_be_loaded(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The author's own error is shown, before anything is built."""
        monkeypatch.setattr(componentize, "find_spec", lambda name: object())
        assert 1 == main([str(written(folder, "import nowhere_to_be_found"))])
        said = capsys.readouterr().err
        assert "error[plugin.build_failed]" in said
        assert "nowhere_to_be_found" in said
        assert not list(folder.glob("*.wasm"))

    def test_the_world_is_shipped(self) -> None:
        """The world's text is part of the package."""
        shipped = resources.files("cdpplugin.component") / "plugin.wit"
        assert "world plugin" in shipped.read_text()
