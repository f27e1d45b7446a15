"""Write what was recorded of a stage as a file of cases that `flowctl test` runs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cdp_pipeline.errors import UsageError

_NOT_PLAIN = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_VARIABLE = re.compile(r"(?<!\$)(?:\$\$)*\$\{(\w+)\}")
_STATEFUL = "its state is not in this file: what came out may depend on messages before these"
_CONSUMER = (
    "it writes where the pipeline writes: give it another place in `config` before it is run"
)


def cases_text(
    found: Mapping[str, Any], pipeline: str, out: Path, redact: Sequence[str] = ()
) -> str:
    """Return the file of cases.

    Args:
        found: The admin API's answer: what was recorded.
        pipeline: The pipeline's name.
        out: The file that it is for; a plugin below its folder is named relative to it.
        redact: Members whose values are not written, such as `payload.account`.

    Raises:
        UsageError: record.nothing_redacted; no message has one of these members.
    """
    for path in redact:
        _require_member(found["cases"], path)
    origin = found["origin"]
    plugin = dict(origin["plugin"])
    stage = {"plugin": plugin["name"]} if plugin else {"type": origin["type"]}
    stage |= {"name": found["stage"]} | ({"config": origin["config"]} if origin["config"] else {})
    lines = []
    if plugin:
        plugin["path"] = _path(plugin.get("path", ""), out)
        plugin = {key: value for key, value in plugin.items() if value}
        lines += ["plugins:", f"  - {_flow(plugin)}"]
    lines += ["pipeline:", f"  - {_flow(stage)}", "", "test_cases:"]
    needed = list(dict.fromkeys(_VARIABLE.findall("\n".join(lines))))
    head = [f"# {text}" for text in (_source(found, pipeline), *cautions(found))]
    if needed:
        head.append(f"requires_env: {_flow(needed)}")
    for number, case in enumerate(found["cases"], 1):
        lines += _case(found, case, number, redact)
    return "\n".join([*head, *lines, ""])


def cautions(found: Mapping[str, Any]) -> list[str]:
    """Return what somebody who runs the cases should know."""
    told = [f"`{found['stage']}` is stateful; {_STATEFUL}"] if found["is_stateful"] else []
    if found["kind"] == "consumer":
        told.append(f"`{found['stage']}` is a consumer; {_CONSUMER}")
    if found["masked"]:
        told.append(f"{found['masked']} messages held secrets; `***` stands in their place")
    if found["left_out"]:
        told.append(f"{found['left_out']} messages are no JSON and are left out")
    return told


def _source(found: Mapping[str, Any], pipeline: str) -> str:
    return _one_line(f"Recorded at stage `{found['stage']}` ({found['reference']}) of `{pipeline}`")


def _case(
    found: Mapping[str, Any], case: Mapping[str, Any], number: int, redact: Sequence[str]
) -> Iterator[str]:
    given = case["given"]
    message = {"id": given["id"], "type": given["type"], **_content(given)}
    for path in redact:
        _redact(message, path.split("."), _placeholder)
    name = _one_line(f"{number}: {message['type']} {message['id']}")
    yield f"  - name: {_escaped(name)}"
    yield f"    input: {_escaped(message)}"
    yield f"    expect: {_escaped(_expected(found, case, redact))}"


def _expected(found: Mapping[str, Any], case: Mapping[str, Any], redact: Sequence[str]) -> Any:
    outputs = []
    for each in case["outputs"]:
        outputs.append({"type": each["type"], **_content(each)})
        for path in redact:
            _redact(outputs[-1], path.split("."), None)
    expected = [*outputs, *([{"error": case["code"]}] if case["code"] else [])]
    if not expected:
        return "accepted" if found["kind"] == "consumer" else "drop"
    return expected[0] if len(expected) == 1 else expected


def _content(message: Mapping[str, Any]) -> dict[str, Any]:
    metadata = json.loads(message["metadata"])
    content = {"payload": json.loads(message["payload"])}
    return content | ({"metadata": metadata} if metadata else {})


def _require_member(cases: Sequence[Mapping[str, Any]], path: str) -> None:
    """Refuse a *path* at which nothing stands: one that is misspelt would redact nothing."""
    messages = [each for case in cases for each in (case["given"], *case["outputs"])]
    whole = [{"id": each["id"], "type": each["type"], **_content(each)} for each in messages]
    if not any(_redact(each, path.split("."), None) for each in whole):
        raise UsageError(
            f"expected `{path}` in a message, got none that has it; nothing is written",
            code="record.nothing_redacted",
            hint="name the member from the top, such as `payload.account` or `payload.items[*].id`",
        )


def _redact(value: Any, path: Sequence[str], instead: Any) -> bool:
    """Put what *instead* makes in the place of the member at *path*; None takes it away.

    Return whether there was one.
    """
    if isinstance(value, list):
        return sum(_redact(each, path, instead) for each in value) > 0
    key = path[0].removesuffix("[*]")
    if not isinstance(value, dict) or key not in value:
        return False
    if len(path) > 1:
        return _redact(value[key], path[1:], instead)
    if instead is None:
        del value[key]
    else:
        value[key] = instead(value[key])
    return True


def _placeholder(value: Any) -> Any:
    if isinstance(value, str):
        return "redacted"
    return type(value)() if isinstance(value, (bool, int, float)) else None


def _path(path: str, out: Path) -> str:
    """Return a plugin's *path* as suits the file *out*."""
    folder = out.absolute().parent
    if not os.path.isabs(path):
        return path
    for above in (folder, folder.parent):
        if Path(path).is_relative_to(above):
            relative = os.path.relpath(path, folder)
            return relative if relative.startswith("..") else f"./{relative}"
    return path


def _escaped(value: Any) -> str:
    return _flow(_literal(value))


def _literal(value: Any) -> Any:
    """Return *value*, no text of which names a variable; keys never do."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _literal(inner) for key, inner in value.items()}
    return [_literal(inner) for inner in value] if isinstance(value, list) else value


def _flow(value: Any) -> str:
    """Return *value* as JSON, which is YAML too but for a few characters."""
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_PLAIN.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _one_line(text: str) -> str:
    return " ".join(text.split())
