"""The languages that a new plugin can be written in, and what its project takes from each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from cdpplugin.metadata import PluginKind

PluginRuntime = Literal["grpc", "wasm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language, and how a plugin in it is built and run.

    Attributes:
        title: As people write it.
        kinds: What can be made in each runtime; the first runtime is the default.
        execution: The lines of the manifest that say how it is built and started, by runtime.
        unit_test: The command that runs the project's unit tests.
        notes: What its README says of the language, by runtime.
    """

    title: str
    kinds: Mapping[PluginRuntime, Sequence[PluginKind]]
    execution: Mapping[PluginRuntime, str]
    unit_test: str
    notes: Mapping[PluginRuntime, str]

    @property
    def default_runtime(self) -> PluginRuntime:
        """The runtime of a plugin of which nothing else is said."""
        return next(iter(self.kinds))


_ALL: Final[Sequence[PluginKind]] = ("processor", "source", "consumer")
_PROCESSOR: Final[Sequence[PluginKind]] = ("processor",)

LANGUAGES: Final[Mapping[str, Language]] = {
    "python": Language(
        title="Python",
        kinds={"grpc": _ALL, "wasm": _PROCESSOR},
        execution={
            "grpc": "executable: plugin.py",
            "wasm": "runtime: wasm\nexecutable: my-plugin.wasm\n"
            "build: [python, -m, cdpplugin.componentize, plugin.py, -o, my-plugin.wasm]",
        },
        unit_test="python -m pytest                # the unit tests (pip install pytest)",
        notes={
            "grpc": "It runs in flowctl's own Python until it needs more: list packages in a "
            "`requirements.txt` (with `cdpplugin[grpc]` among them), and it gets an environment of "
            "its own.",
            "wasm": "It runs in a sandbox, in CPython compiled to WebAssembly: packages written in "
            "Python alone work, once listed in `requirements.txt`. Import at the top of a file: "
            "what is imported is kept in the module. A build takes some 20 seconds.",
        },
    ),
    "go": Language(
        title="Go",
        kinds={"grpc": _ALL, "wasm": _PROCESSOR},
        execution={
            "grpc": "executable: bin/my-plugin\nbuild: [go, build, -o, bin/my-plugin, .]",
            "wasm": "runtime: wasm\nexecutable: bin/my-plugin.wasm\n"
            "build: [env, GOOS=wasip1, GOARCH=wasm, go, build, -buildmode=c-shared, -trimpath, "
            "-o, bin/my-plugin.wasm, .]",
        },
        unit_test="go test ./...                   # the unit tests",
        notes={
            "grpc": "The `replace` in `go.mod` says where the SDK lies. Change it where the "
            "project moves to another machine.",
            "wasm": "It runs in a sandbox: no files, no network, no environment, one thread.\n\n"
            "The `replace` in `go.mod` says where the SDK lies. Change it where the project moves "
            "to another machine.",
        },
    ),
    "node": Language(
        title="JavaScript",
        kinds={"grpc": _ALL, "wasm": _PROCESSOR},
        execution={
            "grpc": "executable: node\nargs: [index.js]\nbuild: [npm, run, setup]",
            "wasm": "runtime: wasm\nexecutable: my-plugin.wasm\nbuild: [npm, run, wasm]",
        },
        unit_test="npm test                        # the unit tests",
        notes={
            "grpc": "The SDK has types for TypeScript, too.\n\n`package.json` says where the SDK "
            "lies. Change it where the project moves to another machine.",
            "wasm": "It runs in a sandbox, in SpiderMonkey: no `node:` modules, no files, no "
            "network. A build takes some 20 seconds.\n\n`package.json` says where the SDK lies. "
            "Change it where the project moves to another machine.",
        },
    ),
    "rust": Language(
        title="Rust",
        kinds={"wasm": _PROCESSOR},
        execution={
            "wasm": "runtime: wasm\nexecutable: my-plugin.wasm\n"
            "build: [sh, SDK_PATH/rust/build.sh, my-plugin.wasm]",
        },
        unit_test="cargo test                      # the unit tests",
        notes={
            "wasm": "It runs in a sandbox: no files, no network, no environment. A build needs the "
            "target: `rustup target add wasm32-unknown-unknown`.\n\n`Cargo.toml` and the `build` "
            "in `plugin.yaml` say where the SDK lies. Change them where the project moves to "
            "another machine.",
        },
    ),
    "c": Language(
        title="C",
        kinds={"wasm": _PROCESSOR},
        execution={
            "wasm": "runtime: wasm\nexecutable: my-plugin.wasm\n"
            "build: [sh, SDK_PATH/c/wasm-cc, -o, my-plugin.wasm, large_transfers.c]",
        },
        unit_test="make test                       # the unit tests",
        notes={
            "wasm": "It runs in a sandbox: no files, no network, no environment, no C library (put "
            "`--wasi` behind `wasm-cc` to have one). A build takes what is there: clang with lld, "
            "zig, or `pip install ziglang`.\n\n`Makefile` and the `build` in `plugin.yaml` say "
            "where the SDK lies. Change them where the project moves to another machine.",
        },
    ),
}
"""Every language, by the name that `--lang` takes."""
