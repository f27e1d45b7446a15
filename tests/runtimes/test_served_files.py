"""Files that serve their plugin when they are run, loaded into the host instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.discovery import load_file
from cdp_pipeline.runtimes.native import NativeProcessor, handle
from cdpplugin import Batch

SERVED = """
import cdpplugin

def add_one(msg: cdpplugin.Message) -> cdpplugin.Message:
    msg.metadata["n"] = msg.payload + 1
    return msg

metadata = cdpplugin.PluginMetadata(name="add-one", version="2.0.0", type="processor")

cdpplugin.serve_processor(metadata, add_one)
"""


def test_one_file_is_both(tmp_path: Path) -> None:
    """A file that ends with `serve_processor` starts no server in the host: it is the plugin."""
    file = tmp_path / "add_one.py"
    file.write_text(SERVED)
    assert "add-one@2.0.0" == load_file(str(file)).metadata().reference


async def test_it_works(tmp_path: Path) -> None:
    """Loaded natively it does what it does as a process."""
    file = tmp_path / "add_one.py"
    file.write_text(SERVED)
    native = handle(load_file(str(file)))
    assert isinstance(native, NativeProcessor)
    outputs = await native.process_batch(Batch.of("T", [1]))
    assert [{"n": 2}] == list(outputs.parts[0].batch.metadata)
    await native.stop()


def test_two_are_ambiguous(tmp_path: Path) -> None:
    """A file that serves two plugins is refused."""
    file = tmp_path / "two.py"
    file.write_text(SERVED + SERVED.replace("add-one", "add-two"))
    with pytest.raises(ArtifactError) as raised:
        load_file(str(file))
    assert "plugin.ambiguous" == raised.value.code
