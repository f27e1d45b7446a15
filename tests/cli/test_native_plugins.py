"""Plugins from Python files in a pipeline: found, run, and refused with an error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests._flowctl import Finished, flowctl
from tests._workshop import Workshop

PLUGINS = '''
import json
import pathlib

import cdpplugin

HERE = pathlib.Path(__file__).parent
seen = []

@cdpplugin.source("numbers", "1.0.0")
def numbers():
    for n in range(1, 8):
        yield cdpplugin.Message(type="number", payload={"n": n}, id=f"n{n}")

@cdpplugin.processor("double", "1.0.0")
def double(message):
    """Put a doubled copy behind each message; tell how many this stage has seen."""
    seen.append(message.id)
    first, second = dict(message.payload), {"n": message.payload["n"] * 2}
    first["seen"] = second["seen"] = len(seen)
    return [
        cdpplugin.Message(type=message.type, payload=first),
        cdpplugin.Message(type=message.type, payload=second),
    ]

@cdpplugin.processor("odd", "1.0.0")
def odd(message):
    if message.payload["n"] % 2 == 0:
        raise cdpplugin.Drop("even")
    return message

@cdpplugin.consumer("keep", "1.0.0")
def keep(message):
    with (HERE / "kept.jsonl").open("a") as file:
        file.write(json.dumps({"id": message.id, **message.payload}) + "\\n")
'''

CLASS_PLUGIN = """
import cdpplugin

class Add(cdpplugin.Base):
    def metadata(self):
        schema = {
            "type": "object",
            "properties": {"amount": {"type": "integer", "description": "What to add."}},
            "required": ["amount"],
            "additionalProperties": False,
        }
        return cdpplugin.PluginMetadata("add", "2.0.0", "processor", config_schema=schema)

    async def configure(self, config):
        self.amount = config["amount"]

    def process_batch(self, batch):
        rows = map(batch.payloads.value, range(len(batch)))
        values = [{"n": row["n"] + self.amount} for row in rows]
        return cdpplugin.Outputs.each(cdpplugin.Batch.of("number", values))
"""


def run(workshop: Workshop, name: str, *stages: str, source: str = "numbers") -> Finished:
    """Run a pipeline of plugins of one file."""
    (workshop.folder / "plugins.py").write_text(PLUGINS)
    names = dict.fromkeys([source, *stages])
    return workshop.run(
        name,
        plugins=[{"name": each, "path": f"plugins.py:{each}"} for each in names],
        source={"plugin": source},
        pipeline=[
            *({"plugin": stage, "name": f"{stage}-{n}"} for n, stage in enumerate(stages)),
            {"type": "stdout", "config": {"content": "payload"}},
        ],
    )


def kept_by(workshop: Workshop) -> list[dict[str, Any]]:
    """Return what the consumer `keep` was given."""
    lines = (workshop.folder / "kept.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


class TestFiles:
    def test_source_processor_and_consumer_of_one_file(self, workshop: Workshop) -> None:
        """Functions of one Python file stand where a source, a stage and a consumer stand."""
        done = run(workshop, "one", "odd", "keep")
        again = run(workshop, "one", "odd", "keep")
        kept = kept_by(workshop)

        assert (0, 0) == (done.code, again.code)
        assert "dropped 3: even" in done.err
        assert [1, 3, 5, 7] == [json.loads(line)["n"] for line in done.out.splitlines()]
        assert [("n1", 1), ("n3", 3), ("n5", 5), ("n7", 7)] == [
            (each["id"], each["n"]) for each in kept
        ]
        assert "" == again.out

    def test_two_stages_never_share_an_object(self, workshop: Workshop) -> None:
        """The same plugin twice has two states, and outputs get ids of their own."""
        done = run(workshop, "twice", "double", "keep", "double")
        values = [json.loads(line) for line in done.out.splitlines()]
        ids = {each["id"] for each in kept_by(workshop)}

        assert 0 == done.code
        assert 28 == len(values)
        assert 14 == max(value["seen"] for value in values)
        assert 14 == len(ids)

    def test_a_class_with_a_schema(self, workshop: Workshop) -> None:
        """The one plugin class of a file needs no name; its configuration reaches it."""
        (workshop.folder / "add.py").write_text(CLASS_PLUGIN)
        (workshop.folder / "in.jsonl").write_text('{"n": 1}\n{"n": 2}\n')
        done = workshop.run(
            "class",
            plugins=[{"name": "add", "path": "add.py", "config": {"amount": 10}}],
            source={"type": "jsonl", "config": {"path": "in.jsonl"}},
            pipeline=[{"plugin": "add"}, {"type": "stdout", "config": {"content": "payload"}}],
        )

        assert (0, '{"n":11}\n{"n":12}\n') == (done.code, done.out)

    def test_an_error_keeps_what_came_before(self, workshop: Workshop) -> None:
        """The third of five lines fails: two are durable, the error names plugin and line."""
        (workshop.folder / "in.jsonl").write_text("".join(f'{{"n":{n}}}\n' for n in range(1, 6)))
        (workshop.folder / "third.py").write_text(
            "import cdpplugin\n"
            "@cdpplugin.processor('third', '1.2.3')\n"
            "def third(message):\n"
            "    assert message.payload['n'] != 3, 'three is refused'\n"
            "    return message\n"
        )
        done = workshop.run(
            "third",
            plugins=[{"name": "third", "path": "third.py"}],
            source={"type": "jsonl", "config": {"path": "in.jsonl"}},
            pipeline=[{"plugin": "third"}, {"type": "stdout", "config": {"content": "payload"}}],
        )

        assert (4, '{"n":1}\n{"n":2}\n') == (done.code, done.out)
        assert "durable through 2" in done.err
        assert "position 3: AssertionError: three is refused" in done.fault.message
        assert "third@1.2.3" == done.fault.where


REFUSED = {
    "missing_name": ("plugins.py:nobody", PLUGINS, 3, "plugin.not_found"),
    "ambiguous": ("plugins.py", PLUGINS, 3, "plugin.ambiguous"),
    "no_file": ("none.py", "", 2, "plugin.not_found"),
    "no_plugin": ("plugins.py", "x = 1\n", 3, "plugin.not_found"),
    "syntax": ("plugins.py", "def (:\n", 3, "plugin.load_failed"),
    "import": ("plugins.py", "import no_such_module\n", 3, "plugin.load_failed"),
    "exits": ("plugins.py", "import sys; sys.exit(0)\n", 3, "plugin.load_failed"),
    "source_as_stage": ("plugins.py:numbers", PLUGINS, 2, "component.wrong_kind"),
    "constructor": (
        "plugins.py",
        "import cdpplugin\nclass P(cdpplugin.Base):\n"
        "    def __init__(self): raise ValueError('no')\n"
        "    def metadata(self): return cdpplugin.PluginMetadata('p', '1', 'processor')\n",
        3,
        "plugin.load_failed",
    ),
    "metadata": (
        "plugins.py",
        "import cdpplugin\nclass P(cdpplugin.Base):\n"
        "    def metadata(self): raise ValueError('no')\n",
        3,
        "plugin.metadata_invalid",
    ),
    "kind": (
        "plugins.py",
        "import cdpplugin\nclass P(cdpplugin.Base):\n"
        "    def metadata(self): return cdpplugin.PluginMetadata('p', '1', 'wizard')\n",
        3,
        "plugin.metadata_invalid",
    ),
    "configure": (
        "plugins.py",
        "import cdpplugin\nclass P(cdpplugin.Base):\n"
        "    def metadata(self): return cdpplugin.PluginMetadata('p', '1', 'processor')\n"
        "    async def configure(self, config): raise ValueError('no')\n",
        4,
        "plugin.failed",
    ),
    "exit_called": (
        "plugins.py",
        "import cdpplugin, sys\n@cdpplugin.processor('p', '1.0.0')\ndef p(m): sys.exit(0)\n",
        4,
        "plugin.exit_called",
    ),
    "output": (
        "plugins.py",
        "import cdpplugin\n@cdpplugin.processor('p', '1.0.0')\ndef p(m): return 42\n",
        4,
        "",
    ),
}


class TestRefused:
    @pytest.mark.parametrize("case", REFUSED)
    def test_a_plugin_that_is_none(self, workshop: Workshop, case: str) -> None:
        """A file that cannot be used ends in one error that says where; never in a traceback."""
        path, text, code, fault_code = REFUSED[case]
        if text:
            (workshop.folder / "plugins.py").write_text(text)
        (workshop.folder / "in.jsonl").write_text('{"n": 1}\n')
        done = workshop.run(
            "refused",
            plugins=[{"name": "it", "path": path}],
            source={"type": "jsonl", "config": {"path": "in.jsonl"}},
            pipeline=[{"plugin": "it"}, "stdout"],
        )

        assert (code, "") == (done.code, done.out), done.err
        assert fault_code in done.fault.code
        assert done.fault.where

    def test_a_processor_in_the_source_s_place(self, workshop: Workshop) -> None:
        """What a Python file gives is known only at the start: then its kind is checked."""
        done = run(workshop, "wrong", "odd", source="double")

        assert (2, "component.wrong_kind") == (done.code, done.fault.code)
        assert "expected a source" in done.fault.message
        assert flowctl("validate", workshop.folder / "wrong.yaml").code == 0
