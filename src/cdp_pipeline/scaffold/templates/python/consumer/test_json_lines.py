"""The work alone; `flowctl test .` tries the whole plugin."""

import json
from pathlib import Path

from cdpplugin import Context, Message

from json_lines import JsonLines


def test_each_message_is_a_line(tmp_path: Path) -> None:
    lines = JsonLines()
    lines.configure({"path": str(tmp_path)})
    lines.start(Context(pipeline="test", stage="lines"))
    lines.consume(Message(id="a", type="number", payload={"number": 1}))
    lines.consume(Message(id="b", type="number", payload={"number": 2}))
    lines.stop()
    written = (tmp_path / "test.lines.jsonl").read_text().splitlines()
    assert [json.loads(line)["payload"]["number"] for line in written] == [1, 2]
