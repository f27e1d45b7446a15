"""A new plugin: a complete, small project in one of the languages.

The templates in `templates/` are plugins called `my-plugin`; `shared/` holds what all
languages have, `LANGUAGE/shared`, `LANGUAGE/KIND` and `LANGUAGE/RUNTIME` the rest. What
differs from project to project is a word in them, which is replaced.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from cdp_pipeline.errors import UsageError
from cdp_pipeline.scaffold.plugin_languages import LANGUAGES, Language, PluginRuntime
from cdpplugin.metadata import PluginKind

TEMPLATES: Final = Path(__file__).parent / "templates"
KINDS: Final[tuple[PluginKind, ...]] = ("processor", "source", "consumer")
RUNTIMES: Final[tuple[PluginRuntime, ...]] = ("grpc", "wasm")
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PLAIN_PATH: Final = re.compile(r"[\w./@+~-]+")
"""A path that needs quotes in no file of any project."""
_BLOCKS: Final = {"EXECUTION", "UNIT_TEST", "NOTES"}
"""Words whose replacement holds others."""
_HIDDEN: Final = {"gitignore": ".gitignore", "npmrc": ".npmrc"}
"""Files that would else be in force among the templates."""


@dataclass(frozen=True, slots=True)
class NewPlugin:
    """What a user wants.

    Attributes:
        name: Its name, lower case with dashes, at most 64 characters.
        language: One of `LANGUAGES`.
        kind: What it is in a pipeline.
        runtime: How it is executed.
    """

    name: str
    language: str
    kind: PluginKind = "processor"
    runtime: PluginRuntime = "grpc"

    @property
    def description(self) -> str:
        """What it is, for people."""
        how = {"grpc": "in a process of its own", "wasm": "as WebAssembly"}[self.runtime]
        return f"a {self.kind} in {LANGUAGES[self.language].title}, {how}"


def new_plugin(name: str, language: str, kind: str = "", runtime: str = "") -> NewPlugin:
    """Return what is wanted; an empty *kind* or *runtime* is the usual one.

    Raises:
        UsageError: The name is none, or there is no such template.
    """
    if not _NAME.fullmatch(name) or len(name) > 64:
        raise UsageError(
            f"expected a name of lower-case words with dashes, got `{name}`",
            code="scaffold.name_invalid",
            hint=f"call it `{_suggested(name)}`",
        )
    _require("lang", language, LANGUAGES)
    known = LANGUAGES[language]
    _require("kind", kind or "processor", KINDS)
    _require("runtime", runtime or known.default_runtime, RUNTIMES)
    chosen = NewPlugin(
        name,
        language,
        cast(PluginKind, kind or "processor"),
        cast(PluginRuntime, runtime or known.default_runtime),
    )
    _require_template(chosen, known)
    return chosen


def _suggested(name: str) -> str:
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower())
    text = "-".join(words).lstrip("0123456789-")[:64].rstrip("-")
    return text or "my-plugin"


def _require(option: str, got: str, known: Mapping[str, object] | tuple[str, ...]) -> None:
    if got not in known:
        raise UsageError(
            f"--{option}: got `{got}`",
            code="scaffold.unknown_choice",
            hint=f"give one of {', '.join(known)}",
        )


def _require_template(wanted: NewPlugin, language: Language) -> None:
    possible = [
        f"--runtime {runtime} --kind {kind}"
        for runtime, kinds in language.kinds.items()
        for kind in kinds
    ]
    if wanted.kind in language.kinds.get(wanted.runtime, ()):
        return
    others = [
        name
        for name, each in LANGUAGES.items()
        if wanted.kind in each.kinds.get(wanted.runtime, ())
    ]
    elsewhere = f", or one of the languages {', '.join(others)}" if others else ""
    raise UsageError(
        f"there is no template for {wanted.description}",
        code="scaffold.no_template",
        hint=f"in {language.title} there are {'; '.join(possible)}{elsewhere}",
    )


def sdk_folder() -> Path:
    """Return the folder of all SDKs: those in the installed package, else in the checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "sdk"
    return installed if installed.is_dir() else package.parents[1] / "sdk"


def project(wanted: NewPlugin, folder: Path, sdks: Path | None = None) -> Mapping[Path, str]:
    """Return the text of every file of a plugin that is to lie in *folder*.

    Args:
        wanted: What it is.
        folder: Where it will lie.
        sdks: Folder of the SDKs; None are those that came with the host.

    Raises:
        UsageError: The SDK of its language is not there, or its path cannot be written into files.
    """
    sdks = sdk_folder() if sdks is None else sdks.absolute()
    sdk = sdks / wanted.language
    path = _seen_from(folder.absolute(), sdks)
    if wanted.language != "python" and not (sdk.is_dir() and _PLAIN_PATH.fullmatch(path)):
        raise UsageError(
            f"expected the SDK in a folder with a plain name, got `{sdk}`",
            code="scaffold.no_sdk",
            hint="install CDP Pipeline from its repository, in a folder whose path has only "
            "letters, digits and `._-+@~`",
        )
    words = _words(wanted, path, sdk)
    texts = {
        folder / _replaced(path.as_posix(), words): _replaced(text, words)
        for path, text in _template(wanted)
    }
    if wanted.language == "go":
        texts[folder / "go.sum"] = (sdk / "go.sum").read_text("utf-8")
    return texts


def _template(wanted: NewPlugin) -> Iterator[tuple[Path, str]]:
    """Yield each file of the template; a later one replaces an earlier one of the same path."""
    own = TEMPLATES / wanted.language
    layers = [TEMPLATES / "shared" / wanted.kind, own / "shared", own / wanted.kind]
    for layer in [*layers, own / wanted.runtime]:
        for file in sorted(layer.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                path = file.relative_to(layer)
                yield path.with_name(_HIDDEN.get(path.name, path.name)), file.read_text("utf-8")


def _words(wanted: NewPlugin, sdk_path: str, sdk: Path) -> Mapping[str, str]:
    """Return what replaces each word; some of the replacements hold words themselves."""
    language = LANGUAGES[wanted.language]
    return {
        "EXECUTION": language.execution[wanted.runtime],
        "UNIT_TEST": language.unit_test,
        "NOTES": language.notes[wanted.runtime],
        **(_go_words(sdk) if wanted.language == "go" else {}),
        "SDK_PATH": sdk_path,
        "my-plugin": wanted.name,
        "my_plugin": wanted.name.replace("-", "_"),
    }


def _replaced(text: str, words: Mapping[str, str]) -> str:
    pattern = re.compile("|".join(map(re.escape, words)))

    def replacement(found: re.Match[str]) -> str:
        word = found[0]
        return _replaced(words[word], words) if word in _BLOCKS else words[word]

    return pattern.sub(replacement, text)


def _go_words(sdk: Path) -> Mapping[str, str]:
    """Return the version of Go, and what the SDK requires: so `go build` needs no `go mod tidy`."""
    text = (sdk / "go.mod").read_text("utf-8")
    required = re.findall(r"^\t(\S+ v\S+)", text, re.MULTILINE)
    lines = "\n".join(f"\t{each} // indirect" for each in sorted(required))
    [version] = re.findall(r"^go (\S+)$", text, re.MULTILINE)
    return {"GO_VERSION": version, "GO_INDIRECT": f"require (\n{lines}\n)"}


def _seen_from(folder: Path, sdk: Path) -> str:
    """Return the path of the SDKs: relative within one checkout, which may be moved as a whole."""
    checkout = sdk.parent
    if (checkout / "proto").is_dir() and folder.is_relative_to(checkout):
        return Path(os.path.relpath(sdk, folder)).as_posix()
    return sdk.as_posix()
