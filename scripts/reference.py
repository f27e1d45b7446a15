"""The reference pages, made from the code itself: commands, configuration, components, errors.

The contract and the environment have modules of their own beside this one.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE_ENDINGS = frozenset(
    {"bin", "json", "jsonl", "lock", "sock", "txt", "wasm", "wit", "yaml", "zst", "zstd"}
)
MESSAGES = ("is ", "has ", "ends ", "does ", "gives ")
"""How a table's message goes on after its subject; hints begin with what to do."""
NOTE = "<!-- Made by scripts/reference.py; do not edit. -->\n"


def pages() -> dict[str, str]:
    """Return every page by file name."""
    from reference_environment import environment
    from reference_protocol import protocol

    return {
        "cli.md": _page("Commands", _commands()),
        "configuration.md": _page("Configuration", _configuration()),
        "manifest.md": _page("Plugin manifest: `plugin.yaml`", _manifest()),
        "metrics.md": _page("Metrics", _metrics()),
        "components.md": _page("Components", _components()),
        "environment.md": _page("Environment variables", environment()),
        "errors.md": _page("Error codes", _errors()),
        "exit-codes.md": _page("Exit codes", _exit_codes()),
        "protocol.md": _page("The gRPC contract", protocol()),
    }


def _page(title: str, lines: Iterator[str]) -> str:
    return "\n".join([f"# {title}", "", NOTE, *lines])


def _commands() -> Iterator[str]:
    import typer.main

    from cdp_pipeline.cli.main import app

    command = typer.main.get_command(app)
    yield from _command(command, "flowctl")


def _command(command: Any, name: str) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if not children:
        yield f"## `{name}`\n"
        yield f"{(command.help or '').strip()}\n"
        yield "| argument | meaning | default |\n|---|---|---|"
        for parameter in command.params:
            yield _parameter(parameter)
        yield ""
    for child_name, child in sorted(children.items()):
        yield from _command(child, f"{name} {child_name}")


def _parameter(parameter: Any) -> str:
    names = ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
    if not parameter.opts[0].startswith("-"):
        names = f"`{parameter.name.upper()}`"
    default = parameter.default
    hidden = default is None or callable(default)
    shown = "" if hidden else f"`{getattr(default, 'value', default)}`"
    required = "required" if parameter.required else shown
    return f"| {names} | {_cell(getattr(parameter, 'help', '') or '')} | {required} |"


def _configuration() -> Iterator[str]:
    from cdp_pipeline.config import pipeline_schema, settings_schema

    files = {
        "Pipeline file": pipeline_schema(),
        "Host settings: `flowctl.yaml`": settings_schema(),
    }
    yield "A plugin's own file is on [its page](manifest.md); each key of the host's settings has"
    yield "[a variable](environment.md), too.\n"
    for title, schema in files.items():
        yield f"## {title}\n"
        yield from _described(schema, "###")


def _manifest() -> Iterator[str]:
    from cdp_pipeline.artifacts.manifest import plugin_schema

    yield "[Packaging](../guides/packaging.md) says what to write here and why.\n"
    yield from _described(plugin_schema(), "##")


def _described(schema: Mapping[str, Any], heading: str) -> Iterator[str]:
    """Yield the keys of a file, and of each mapping in it under a heading of its own."""
    yield from _keys(schema, schema, "")
    for name, inner in schema.get("$defs", {}).items():
        if inner.get("properties"):
            yield f"{heading} {name}\n"
            yield f"{inner.get('description', '')}\n"
            yield from _keys(inner, schema, "")


def _keys(schema: Mapping[str, Any], root: Mapping[str, Any], prefix: str) -> Iterator[str]:
    from cdp_pipeline.cli.components import form_of

    yield "| key | form | meaning | default |\n|---|---|---|---|"
    required = schema.get("required", [])
    for key, inner in schema.get("properties", {}).items():
        default = "required" if key in required else _default(inner)
        form = _reference(inner) or form_of(inner, root)
        meaning = inner.get("description", "")
        yield f"| `{prefix}{key}` | {_cell(form)} | {_cell(meaning)} | {default} |"
    yield ""


def _reference(inner: Mapping[str, Any]) -> str:
    """Return the name of the definition a key refers to, or nothing."""
    options = [inner, *inner.get("anyOf", []), *inner.get("allOf", []), inner.get("items", {})]
    for option in options:
        if isinstance(option, Mapping) and "$ref" in option:
            return str(option["$ref"]).rpartition("/")[2]
    return ""


def _default(inner: Mapping[str, Any]) -> str:
    return f"`{json.dumps(inner['default'])}`" if inner.get("default") is not None else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _metrics() -> Iterator[str]:
    from cdp_pipeline.admin.metrics import METRICS

    yield (
        "What `GET /metrics` of a [running host](../guides/operating.md#metrics) gives, in "
        "Prometheus' text format.\nEvery sample has the label `pipeline`.\n"
    )
    yield "| metric | kind | labels | meaning |\n|---|---|---|---|"
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{metric.shown_name}` | {metric.kind} | {labels} | {_cell(metric.help)} |"
    yield ""


def _components() -> Iterator[str]:
    from cdp_pipeline.host.catalog import Catalog

    catalog = Catalog()
    for kind in ("source", "processor", "consumer"):
        yield f"## {kind.capitalize()}s\n"
        for name, metadata in catalog.of_kind(kind):
            if not catalog.is_built_in(name):
                continue
            yield f"### `{name}`\n"
            yield f"{metadata.description.rstrip('.')}.\n"
            yield f"Takes {_types(metadata.input_types, 'anything')}."
            if kind != "consumer":
                yield f"Gives {_types(metadata.output_types, 'what it takes')}."
            yield ""
            if metadata.config_schema.get("properties"):
                yield from _keys(metadata.config_schema, metadata.config_schema, "")


def _types(types: Any, otherwise: str) -> str:
    return ", ".join(f"`{name}`" for name in types) or otherwise


def _errors() -> Iterator[str]:
    yield "Every error has a stable code. A message names the subject; the hint says what to do."
    yield "What a command ends with is on the page of [exit codes](exit-codes.md)."
    yield ""
    yield "| code | raised when | where |\n|---|---|---|"
    for code, (meaning, where) in sorted(error_codes().items()):
        said = meaning or code.rpartition(".")[2].replace("_", " ")
        yield f"| `{code}` | {_cell(said)} | `{where}` |"


def _exit_codes() -> Iterator[str]:
    from cdp_pipeline.errors import ExitCode

    yield "Every `flowctl` command ends with one of these."
    yield "An [error code](errors.md) says more precisely what failed.\n"
    yield "| exit code | name | when |\n|---|---|---|"
    meanings = _documented_members(ROOT / "src/cdp_pipeline/errors.py", ExitCode.__name__)
    for code in ExitCode:
        yield f"| {code.value} | `{code.name}` | {_cell(meanings[code.name])} |"


def _documented_members(module: Path, class_name: str) -> dict[str, str]:
    """Return the text under each member of an enum."""
    nodes = ast.walk(ast.parse(module.read_text()))
    body = next(n.body for n in nodes if isinstance(n, ast.ClassDef) and n.name == class_name)
    return {
        member.targets[0].id: str(text.value.value)
        for member, text in pairwise(body)
        if isinstance(member, ast.Assign)
        and isinstance(member.targets[0], ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


def error_codes() -> dict[str, tuple[str, str]]:
    """Return every code of the sources: what is said with it, and the module that says it."""
    trees = {path: ast.parse(path.read_text()) for path in _modules()}
    families = {code.partition(".")[0] for tree in trees.values() for code, _ in _codes(tree)}
    found: dict[str, tuple[str, str]] = {}
    for path, tree in trees.items():
        for code, meaning in (*_codes(tree), *_codes_in_tables(tree, families)):
            if not found.get(code, ("",))[0]:
                found[code] = (meaning, str(path.relative_to(ROOT)))
    return found


def _modules() -> Iterator[Path]:
    for folder in (ROOT / "src/cdp_pipeline", ROOT / "sdk/python/cdpplugin"):
        yield from (path for path in sorted(folder.rglob("*.py")) if "_pb2" not in path.name)


def _codes(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield (code, meaning) of every error class and of every error raised with a code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                code = _class_code(statement)
                if code:
                    yield code, (ast.get_docstring(node) or "").split("\n")[0]
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == "code" and node.args:
                    for code in _texts(keyword.value):
                        yield code, _template(node.args[0])


def _codes_in_tables(tree: ast.Module, families: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the codes in constants of a module that says what foreign errors mean."""
    for statement in tree.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            for node in ast.walk(statement.value):
                if isinstance(node, ast.Constant) and _is_code(node.value, families):
                    yield str(node.value), _said_beside(node, statement.value)


def _is_code(value: object, families: set[str]) -> bool:
    if not isinstance(value, str):
        return False
    family, dot, rest = value.partition(".")
    named = re.fullmatch(r"[a-z]+(_[a-z]+)*", rest) and rest not in FILE_ENDINGS
    return bool(dot and named) and family in families


def _said_beside(code: ast.Constant, table: ast.expr) -> str:
    """Return the message that follows *code* in its entry; where that is a hint, nothing."""
    for entry in ast.walk(table):
        if isinstance(entry, ast.Tuple) and code in entry.elts:
            after = entry.elts[entry.elts.index(code) + 1 :]
            texts = [node.value for node in after if isinstance(node, ast.Constant)]
            return next((str(text) for text in texts if str(text).startswith(MESSAGES)), "")
    return ""


def _class_code(statement: ast.stmt) -> str:
    if (
        isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and statement.targets[0].id == "code"
    ):
        return next(_texts(statement.value), "")
    return ""


def _texts(node: ast.expr) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and "." in inner.value:
            yield inner.value


def _template(node: ast.expr) -> str:
    """Return a message with its facts left out: `{}` for each."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    return ""
