from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.artifacts.manifest import ManifestInvalid, load_manifest

BRIEF = """\
# plugin.yaml
name: my-processor
version: 1.0.0
executable: my-processor
port: 50051

# Optional Docker deployment
docker:
  image: myorg/my-processor:1.0.0
  ports:
    "50051": "50051"
"""
FULL = """\
name: enrich
version: 1.2.3-rc.1
type: processor
runtime: grpc
description: Adds facts.
author: Ann
license: Apache-2.0
executable: ./enrich
args: [--level, 3]
build: [go, build, ./...]
requires: {cdp-pipeline: ">=0.1"}
config_schema: {type: object, properties: {level: {type: integer, default: null}}}
input_types: [Transaction]
output_types: [Enriched]
output_schema: {Enriched: {type: object}}
input_encoding: sep51
stateful: true
resources: {min_memory_mb: 64, cpu_shares: 512}
permissions: {env: [API_URL], files: [data]}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "plugin.yaml"
    file.write_text(text)
    return file


class TestLoad:
    def test_brief(self, tmp_path: Path) -> None:
        """The brief's manifest is read as it is; its ports are ignored with a notice."""
        file = write(tmp_path, BRIEF)
        manifest = load_manifest(file)

        assert ("my-processor", "1.0.0", "grpc") == (
            manifest.name,
            manifest.version,
            manifest.chosen_runtime,
        )
        assert [
            f"{file}:5:1: `port` is ignored, the host never uses a fixed port",
            f"{file}:10:3: `docker.ports` is ignored, the host never uses a fixed port",
        ] == manifest.notices()

    def test_everything(self, tmp_path: Path) -> None:
        """Every key is read, from the folder as well as from the file."""
        write(tmp_path, FULL)
        manifest = load_manifest(tmp_path)

        assert tmp_path == manifest.folder
        assert (("--level", "3"), ("go", "build", "./...")) == (manifest.args, manifest.build)
        assert "data" == manifest.permissions.files[0].path
        assert [] == manifest.notices()

    def test_metadata(self, tmp_path: Path) -> None:
        """What the plugin would say of itself is known without starting it."""
        write(tmp_path, FULL)
        metadata = load_manifest(tmp_path).metadata()

        assert ("enrich@1.2.3-rc.1", True, "sep51") == (
            metadata.reference,
            metadata.stateful,
            metadata.input_encoding,
        )
        assert 64 == metadata.resources.min_memory_mb
        assert metadata.config_schema["properties"]["level"] == {"type": "integer", "default": None}

    def test_no_variables(self, tmp_path: Path) -> None:
        """A manifest is the same on every machine: variables in it are plain text."""
        write(tmp_path, "name: a\nversion: 1.0.0\ndescription: ${HOME} $$\n")

        assert "${HOME} $$" == load_manifest(tmp_path).description

    def test_wasm(self, tmp_path: Path) -> None:
        """A `.wasm` executable is executed as wasm."""
        write(tmp_path, "name: a\nversion: 1.0.0\nexecutable: filter.wasm\n")

        assert "wasm" == load_manifest(tmp_path).chosen_runtime


class TestFaults:
    def test_golden(self, tmp_path: Path) -> None:
        """All faults are reported with their places; the exit code is that of artifacts."""
        file = write(
            tmp_path,
            "name: a b\nversion: 1.0\nexecutible: x\ninput_types: T\ndocker: {}\nname: c\n",
        )
        with pytest.raises(ManifestInvalid) as caught:
            load_manifest(file)

        assert ("artifact.manifest_invalid", 3) == (caught.value.code, caught.value.exit_code)
        assert [
            "1:7: `name`: expected text that matches `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$` "
            "such as `my-processor`, got text `a b`",
            "2:10: `version`: expected a semantic version such as `1.0.0`, got the number `1.0`",
            "3:1: unknown key `executible`",
            "4:14: `input_types`: expected a list, got text `T`",
            "5:1: missing key `docker.image`, expected text of at least 1 character such as "
            "`myorg/my-plugin:1.0.0`",
            "6:1: key `name` stands twice, first in line 1",
        ] == [str(fault).removeprefix(f"{file}:") for fault in caught.value.faults]
        assert "did you mean `executable`?" == caught.value.faults[2].hint

    def test_runtime_as_type(self, tmp_path: Path) -> None:
        """A runtime under `type`, where a pipeline file has it, says where it belongs."""
        write(tmp_path, "name: a\nversion: 1.0.0\ntype: wasm\n")
        with pytest.raises(ManifestInvalid) as caught:
            load_manifest(tmp_path)

        assert "write `runtime: wasm`" in [fault.hint for fault in caught.value.faults]

    def test_missing(self, tmp_path: Path) -> None:
        """A folder without a manifest is told so."""
        with pytest.raises(ManifestInvalid, match="no file"):
            load_manifest(tmp_path)
