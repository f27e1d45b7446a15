"""A plugin is found by its entry point or in a file, and a file that is none says why."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from cdp_pipeline.errors import ArtifactError, ConfigError
from cdp_pipeline.runtimes import discovery
from cdpplugin import Batch, Plugin

FUNCTION = """
from cdpplugin import Message, processor

seen = []

@processor({name!r}, "1.0.0")
def {name}(message: Message) -> Message:
    seen.append(message.id)
    return Message(type=str(len(seen)), payload=None)
"""
CLASS = """
from cdpplugin import Base, Batch, Outputs, PluginMetadata

class {name}(Base):
    def metadata(self):
        return PluginMetadata({name!r}, "1.0.0", "processor")

    def process_batch(self, batch):
        return Outputs.each(batch)
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str, name: str = "plugin.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return written


def name_of(plugin: Plugin) -> str:
    return plugin.metadata().name


def refused(reference: Path | str) -> ArtifactError:
    with pytest.raises(ArtifactError) as caught:
        discovery.load_file(str(reference))
    return caught.value


class TestFile:
    @pytest.mark.parametrize("text", [FUNCTION, CLASS])
    def test_the_one_plugin_of_a_file_is_found(self, write: Write, text: str) -> None:
        """A file with one plugin, object or class, needs no name."""
        assert "only" == name_of(discovery.load_file(str(write(text.format(name="only")))))

    def test_an_object_goes_before_a_class(self, write: Write) -> None:
        """A class that an object is made of is not a second plugin."""
        text = CLASS.format(name="Made") + "\nmade = Made()\n"

        assert "Made" == name_of(discovery.load_file(str(write(text))))

    def test_imported_classes_are_not_the_files_own(self, write: Write) -> None:
        """A file that derives from another plugin's class offers its own only."""
        write(CLASS.format(name="Parent"), "parent.py")
        text = "from parent import Parent\n\nclass Child(Parent):\n    pass\n"

        assert "Parent" == name_of(discovery.load_file(str(write(text))))

    def test_one_of_several_is_named(self, write: Write) -> None:
        """`FILE.py:NAME` tells which."""
        path = write(FUNCTION.format(name="one") + CLASS.format(name="Two"))
        path.write_text(path.read_text() + FUNCTION.format(name="three"))
        names = ("one", "Two", "three")

        assert list(names) == [name_of(discovery.load_file(f"{path}:{name}")) for name in names]

    def test_a_folder_may_be_called_anything(self, write: Write) -> None:
        """Dots, dashes and spaces in the path do no harm."""
        path = write(FUNCTION.format(name="only"), "my plugins.d/a-b.c.py")

        assert "only" == name_of(discovery.load_file(f"{path}:only"))


class TestRefused:
    def test_several_plugins_must_be_told_apart(self, write: Write) -> None:
        """The error names them, and how one is chosen."""
        error = refused(write(FUNCTION.format(name="one") + FUNCTION.format(name="two")))

        assert "plugin.ambiguous" == error.code
        assert "`one`, `two`" in error.message
        assert "plugin.py:NAME" in error.hint

    @pytest.mark.parametrize("text", ["", "x = 1\n", "class Helper:\n    pass\n"])
    def test_a_file_without_a_plugin_says_so(self, write: Write, text: str) -> None:
        """The hint is what to write."""
        error = refused(write(text))

        assert "plugin.not_found" == error.code
        assert "cdpplugin.processor" in error.hint

    def test_a_name_that_is_not_there(self, write: Write) -> None:
        """The file and the name are both in the message."""
        path = write(FUNCTION.format(name="one"))
        error = refused(f"{path}:two")

        assert "plugin.not_found" == error.code
        assert str(path) in error.message
        assert "`two`" in error.message

    def test_a_name_that_is_no_plugin(self, write: Write) -> None:
        """What lacks the contract's methods is refused before a run, not in it."""
        path = write("from collections import OrderedDict as NotAPlugin\n")

        assert "plugin.load_failed" == refused(f"{path}:NotAPlugin").code

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        """A missing file is not found, a folder neither."""
        assert "plugin.not_found" == refused(tmp_path / "none.py").code
        assert "plugin.not_found" == refused(tmp_path).code

    @pytest.mark.parametrize(
        "text",
        [
            "import a_module_nobody_has\n",
            "this is not python\n",
            "raise RuntimeError('broken')\n",
            "import sys\nsys.exit(3)\n",
            CLASS.format(name="Greedy") + "\n    def __init__(self, wanted): ...\n",
            CLASS.format(name="Sad") + "\n    def __init__(self): raise OSError('sad')\n",
        ],
        ids=["import", "syntax", "error", "exit", "arguments", "constructor"],
    )
    def test_a_file_that_cannot_be_run(self, write: Write, text: str) -> None:
        """Whatever a file does when it is run, the host lives on and names it."""
        path = write(text)
        error = refused(path)

        assert "plugin.load_failed" == error.code
        assert str(path) in error.message
        assert error.__cause__ is not None


class TestIsolation:
    def test_two_loads_share_no_state(self, write: Write) -> None:
        """Two stages of one file have their own globals."""
        path = str(write(FUNCTION.format(name="only")))
        batch = Batch.of("T", [1], ids=["a"])
        answers = [
            discovery.load_file(path).process_batch(batch).parts[0].batch.types[0]  # type: ignore[attr-defined]
            for _ in range(2)
        ]

        assert ["1", "1"] == answers

    def test_a_module_beside_the_file_can_be_imported(self, write: Write) -> None:
        """A plugin may be several files and packages of one folder."""
        write("from beside.deep import NAME\n", "helper.py")
        write("", "beside/__init__.py")
        write("NAME = 'from-beside'\n", "beside/deep.py")
        text = "from helper import NAME\n" + FUNCTION.format(name="only").replace("'only'", "NAME")

        assert "from-beside" == name_of(discovery.load_file(str(write(text))))

    def test_two_plugins_may_have_a_helper_of_the_same_name(self, write: Write) -> None:
        """Each gets the one beside it."""
        text = "from helper import NAME\n" + FUNCTION.format(name="only").replace("'only'", "NAME")
        paths = []
        for folder in ("first", "second"):
            write(f"NAME = {folder!r}\n", f"{folder}/helper.py")
            paths.append(write(text, f"{folder}/plugin.py"))

        assert ["first", "second"] == [name_of(discovery.load_file(str(path))) for path in paths]

    @pytest.mark.parametrize("text", [FUNCTION.format(name="only"), "1 / 0\n"])
    def test_the_import_path_is_as_before(self, write: Write, text: str) -> None:
        """Neither a good nor a broken file leaves its folder on the path."""
        write("", "helper.py")
        before = list(sys.path)
        with suppress(ArtifactError):
            discovery.load_file(str(write("import helper\n" + text)))

        assert before == sys.path
        assert "helper" not in sys.modules

    def test_installed_modules_stay_imported(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A library that a plugin imports first is everybody's, wherever it is installed."""
        write("", "site/installed_library.py")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        discovery.load_file(str(write("import installed_library\n" + FUNCTION.format(name="x"))))

        assert "installed_library" in sys.modules
        del sys.modules["installed_library"]


class TestInstalled:
    def test_built_in_components_are_found_as_a_strangers_are(self) -> None:
        """Every entry point of the group loads, and says who it is."""
        points = discovery.installed()
        assert {"galexie", "filter", "save-to-parquet"} <= points.keys()
        for name, point in points.items():
            assert name == name_of(discovery.load_installed(point))

    def test_each_load_is_a_new_object(self) -> None:
        """Two stages of one type do not share a plugin object."""
        point = discovery.installed()["filter"]

        assert discovery.load_installed(point) is not discovery.load_installed(point)

    @pytest.mark.parametrize("value", ["no_such_module:X", "json:NoSuchName", "json:loads"])
    def test_an_entry_point_that_cannot_be_loaded(self, value: str) -> None:
        """A distribution that is half installed is named, with the reason."""
        with pytest.raises(ArtifactError) as caught:
            discovery.load_installed(EntryPoint("x", value, discovery.GROUP))

        assert "plugin.load_failed" == caught.value.code
        assert f"`{value}`" in caught.value.message

    def test_two_distributions_may_not_offer_one_name(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Which of them would run must not depend on chance."""
        points = [EntryPoint("x", value, discovery.GROUP) for value in ("a:A", "b:B")]
        monkeypatch.setattr(discovery, "entry_points", lambda group: points)
        with pytest.raises(ConfigError) as caught:
            discovery.installed()

        assert "plugin.duplicate_type" == caught.value.code
        assert "`a:A` and `b:B`" in caught.value.message
