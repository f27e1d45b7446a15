"""Make a WebAssembly component of a plugin's file.

python -m cdpplugin.componentize FILE [ARGUMENT ...] -o PLUGIN.wasm

The file is the one that a process would run, with the same arguments. It is run here once, to
see what plugin it serves, and once within the component, whose memory is kept as it is then:
what the file imports and makes at its top level is part of the component.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from cdpplugin.component import exports_of, load_plugin
from cdpplugin.errors import PluginError
from cdpplugin.protocols import Plugin

ENTRY = "cdp_component_entry"
WORLD = "plugin"

_PROGRAM = """\
import sys
from os.path import dirname
from pathlib import Path

from componentize_py_types import Err

from cdpplugin.component import World, load_plugin, prepare

# The folder of the plugin's file comes right behind this one's.
folder = sys.path[sys.path.index(dirname(__file__)) + 1]
prepare()
world = World(load_plugin(Path(folder, {file!r}), {arguments!r}), Err)
# The arguments were for the file; componentize-py fails where it finds several.
sys.argv.clear()


def WitWorld():
    return world
"""


def componentize(file: Path, arguments: Sequence[str], output: Path) -> None:
    """Write the component of *file*, run with *arguments*, to *output*.

    Raises:
        PluginError: plugin.sdk_incomplete, plugin.component_unsupported or
            plugin.build_failed; it cannot be made.
    """
    if find_spec("componentize_py") is None:
        raise PluginError(
            "a component is built by `componentize-py`, which is not installed",
            code="plugin.sdk_incomplete",
            hint="pip install componentize-py, or name it in the plugin's requirements.txt",
        )
    functions = exports_of(_loaded(file, arguments))
    with tempfile.TemporaryDirectory(prefix="cdp-component-") as made:
        folder = Path(made)
        program = _PROGRAM.format(file=file.name, arguments=list(arguments))
        (folder / f"{ENTRY}.py").write_text(program, encoding="utf-8")
        (folder / "plugin.wit").write_text(world_of(functions), encoding="utf-8")
        _run(folder, file.resolve().parent)
        output.parent.mkdir(parents=True, exist_ok=True)
        draft = output.with_name(f".{output.name}.new")
        draft.write_bytes((folder / "plugin.wasm").read_bytes())
        draft.replace(output)


def _loaded(file: Path, arguments: Sequence[str]) -> Plugin:
    """Return what plugin *file* serves; what it prints meanwhile is not of interest twice."""
    sys.path.insert(0, str(file.resolve().parent))
    try:
        return load_plugin(file.resolve(), arguments)
    except PluginError:
        raise
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        raise PluginError(
            f"`{file}` cannot be loaded: {type(error).__name__}: {error}",
            code="plugin.build_failed",
            hint="run the file with python; what it imports must be there",
        ) from error


def world_of(functions: Sequence[str]) -> str:
    """Return the world of components with those of its functions that a plugin has."""
    text = (Path(__file__).parent / "component" / "plugin.wit").read_text(encoding="utf-8")
    every = re.findall(r"\n  ///[^\n]*\n  export ([a-z-]+):[^\n]*\n", text)
    for name in set(every) - set(functions):
        text = re.sub(rf"\n  ///[^\n]*\n  export {name}:[^\n]*\n", "", text)
    return text


def _run(folder: Path, plugin_folder: Path) -> None:
    paths = [option for path in _search_path(folder, plugin_folder) for option in ("-p", path)]
    command = [sys.executable, "-c", "import componentize_py; componentize_py.script()"]
    options = ["--quiet", "--wit-path", str(folder / "plugin.wit"), "--world", WORLD]
    output = str(folder / "plugin.wasm")
    done = subprocess.run(  # noqa: S603 - what is run is this interpreter
        [*command, *options, "componentize", ENTRY, *paths, "-o", output],
        env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
        check=False,
    )
    if done.returncode:
        raise PluginError(
            f"componentize-py ended with {done.returncode}; what it says stands above",
            code="plugin.build_failed",
            hint="a component can import only what is written in Python alone",
        )


def _search_path(folder: Path, plugin_folder: Path) -> list[str]:
    """Return where modules are looked for: the entry, the plugin, this SDK, its environment."""
    own = Path(__file__).resolve().parent.parent
    standard = {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    standard |= {f"{path}/lib-dynload" for path in standard}
    found = [str(folder), str(plugin_folder), str(own)]
    for path in map(os.path.realpath, sys.path):
        if os.path.isdir(path) and path not in standard and path not in found:
            found.append(path)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m cdpplugin.componentize",
        description="Make a WebAssembly component of a plugin's file.",
    )
    parser.add_argument("file", type=Path, help="the file that a process would run")
    parser.add_argument("arguments", nargs="*", help="what the process would be given")
    parser.add_argument("-o", "--output", type=Path, help="default: the file's name in .wasm")
    given = parser.parse_args(arguments)
    try:
        componentize(given.file, given.arguments, given.output or given.file.with_suffix(".wasm"))
    except PluginError as error:
        print(f"error[{error.code}]: {error.message}\n\nhint: {error.hint}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
