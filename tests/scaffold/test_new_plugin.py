"""`flowctl plugin new` writes a project that works as it is, whatever is chosen."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cdp_pipeline.errors import UsageError
from cdp_pipeline.scaffold.new_plugin import KINDS, RUNTIMES, new_plugin, project, sdk_folder
from cdp_pipeline.scaffold.plugin_languages import LANGUAGES
from tests import _rust
from tests._flowctl import BOUND_S, COMMAND, Finished, flowctl

TOOLS = {
    "python": [],
    "go": ["go"],
    "node": ["node", "npm"],
    "rust": ["cargo"],
    "c": ["make", "cc"],
}
UNIT_TESTS = {
    "python": [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
    "go": ["go", "test", "./..."],
    "node": ["npm", "test"],
    "rust": ["cargo", "test", "--quiet"],
    "c": ["make", "test"],
}
TEMPLATES = [
    (lang, kind, runtime)
    for lang, language in LANGUAGES.items()
    for runtime, kinds in language.kinds.items()
    for kind in kinds
]
BUILD_BOUND_S = 600


@dataclass(frozen=True)
class Project:
    """A plugin that was just made and built."""

    folder: Path
    lang: str
    made: Finished

    def run(self, command: list[str]) -> str:
        """Run a command in its folder; it must end well."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_BOUND_S,
            env=caches() | {"COLUMNS": "200"},
        )
        assert 0 == done.returncode, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout + done.stderr


def caches() -> dict[str, str]:
    """Return the environment, the caches of compilers left where they are."""
    return {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}


@pytest.fixture(scope="module", params=TEMPLATES, ids="-".join)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Each template, generated and built."""
    lang, kind, runtime = request.param
    missing = [tool for tool in TOOLS[lang] if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} on PATH")
    if lang == "rust":
        _rust.compiler()
    where = tmp_path_factory.mktemp("new")
    name = f"new-{lang}-{kind}-{runtime}"
    how = ["--lang", lang, "--kind", kind, "--runtime", runtime]
    result = Project(where / name, lang, flowctl("plugin", "new", name, *how, cwd=where))
    assert 0 == result.made.code, result.made.err
    result.run([COMMAND, "plugin", "build", "."])
    return result


class TestEveryTemplate:
    def test_its_cases_pass(self, made: Project) -> None:
        """`flowctl test` tries some cases, and all pass."""
        told = made.run([COMMAND, "test", "."])
        assert told.splitlines()[-1].endswith("passed, 0 failed"), told
        assert not told.startswith("0 passed"), told

    def test_it_keeps_every_rule(self, made: Project) -> None:
        """`flowctl plugin conformance` finds no rule that it breaks."""
        told = made.run([COMMAND, "plugin", "conformance", "."])
        [verdict] = [line for line in told.splitlines() if "@0.1.0, conformance" in line]
        assert ", 0 failed, " in verdict

    def test_its_unit_tests_pass(self, made: Project) -> None:
        """The command that its README names passes, once what it needs is installed."""
        if made.lang == "node" and not (made.folder / "node_modules").is_dir():
            made.run(["npm", "run", "setup"])
        made.run(UNIT_TESTS[made.lang])

    def test_nothing_of_the_template_is_left(self, made: Project) -> None:
        """Its files have the project's name, and no word that was to be replaced."""
        for line in made.made.out.splitlines():
            file = made.folder / line.strip()
            if line.startswith("  ") and file.suffix != ".sum":
                text = file.read_text() + file.name
                for word in (
                    "my-plugin",
                    "my_plugin",
                    "SDK_PATH",
                    "EXECUTION",
                    "GO_INDIRECT",
                    "NOTES",
                ):
                    assert word not in text, (file, word)

    def test_what_is_built_is_not_committed(self, made: Project) -> None:
        """Its `.gitignore` covers all that a build and the tests leave behind."""
        subprocess.run(["git", "init", "-q"], cwd=made.folder, check=True)
        told = made.run(["git", "status", "--porcelain", "--untracked-files=all"])
        lock = {"package-lock.json", "Cargo.lock"}
        seen = {line[3:] for line in told.splitlines()} - lock
        listed = {line.strip() for line in made.made.out.splitlines() if line.startswith("  ")}
        assert listed == seen
        shutil.rmtree(made.folder / ".git")


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "better"),
        [("MyFilter", "my-filter"), ("my_filter", "my-filter"), ("9x", "x"), ("-", "my-plugin")],
    )
    def test_a_name_that_is_none(self, name: str, better: str) -> None:
        """The error shows a name that would do."""
        with pytest.raises(UsageError) as caught:
            new_plugin(name, "go")
        assert ("scaffold.name_invalid", f"call it `{better}`") == (
            caught.value.code,
            caught.value.hint,
        )

    def test_what_there_is_no_template_for(self) -> None:
        """The error says what there is in this language, and which languages have it."""
        with pytest.raises(UsageError) as caught:
            new_plugin("reader", "rust", "source", "grpc")
        assert "scaffold.no_template" == caught.value.code
        assert (
            "in Rust there are --runtime wasm --kind processor, or one of the languages python, "
            "go, node" == caught.value.hint
        )

    @pytest.mark.parametrize("wrong", [{"language": "cobol"}, {"kind": "sink"}, {"runtime": "jvm"}])
    def test_a_choice_nobody_knows(self, wrong: Mapping[str, str]) -> None:
        """Each option names what it takes."""
        with pytest.raises(UsageError) as caught:
            new_plugin("x", **{"language": "python", **wrong})
        assert "scaffold.unknown_choice" == caught.value.code
        assert "give one of " in (caught.value.hint or "")

    def test_files_that_are_there(self, tmp_path: Path) -> None:
        """Nothing is written over what is there, and nothing beside it."""
        (tmp_path / "busy").mkdir()
        (tmp_path / "busy" / "README.md").write_text("mine")
        done = flowctl("plugin", "new", "busy", "--lang", "c", cwd=tmp_path)
        assert (2, "usage.file_exists") == (done.code, done.fault.code)
        assert ["README.md"] == [file.name for file in (tmp_path / "busy").iterdir()]

    def test_nobody_to_ask(self, tmp_path: Path) -> None:
        """Without a terminal, what is missing is named."""
        done = flowctl("plugin", "new", cwd=tmp_path)
        assert (2, "usage.invalid") == (done.code, done.fault.code)
        assert "--lang" in done.fault.hint

    def test_a_path_that_no_build_file_can_hold(self, tmp_path: Path) -> None:
        """SDKs in a folder with a space are refused before a broken project is written."""
        sdks = tmp_path / "two words"
        (sdks / "c").mkdir(parents=True)
        with pytest.raises(UsageError) as caught:
            project(new_plugin("x", "c"), tmp_path / "x", sdks)
        assert "scaffold.no_sdk" == caught.value.code


ALL = [(lang, kind, runtime) for lang in LANGUAGES for kind in KINDS for runtime in RUNTIMES]


@pytest.mark.parametrize("choice", sorted({*ALL} - {*TEMPLATES}), ids="-".join)
def test_what_has_no_template_has_a_reason(choice: tuple[str, str, str]) -> None:
    """Whatever cannot be combined is refused with what there is."""
    with pytest.raises(UsageError) as caught:
        new_plugin("x", *choice)
    assert "scaffold.no_template" == caught.value.code


@pytest.mark.parametrize("choice", TEMPLATES, ids="-".join)
def test_every_project_is_complete(choice: tuple[str, str, str]) -> None:
    """Each has a manifest, cases, a page that explains it, and says what is not committed."""
    names = {file.name for file in project(new_plugin("x", *choice), Path("x"))}
    assert {"plugin.yaml", "self-test.yaml", "conformance.yaml", "README.md", ".gitignore"} <= names


def test_within_the_repository_paths_are_relative(tmp_path: Path) -> None:
    """A project beside the SDKs can be moved with them."""
    folder = sdk_folder().parent / "examples" / "plugins" / "x"
    files = project(new_plugin("x", "go"), folder)
    assert "=> ../../../sdk/go\n" in files[folder / "go.mod"]


def test_it_asks(tmp_path: Path) -> None:
    """On a terminal, with nothing said, it asks; an empty answer takes what is offered."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "plugin", "new"],
        cwd=tmp_path,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    os.close(theirs)
    os.write(ours, b"asked-for\nrust\n")
    out, _ = process.communicate(timeout=BOUND_S)
    os.close(ours)
    assert 0 == process.returncode, out.decode()
    assert "asked-for: a processor in Rust, as WebAssembly" in out.decode()
    assert (tmp_path / "asked-for" / "src" / "lib.rs").is_file()
