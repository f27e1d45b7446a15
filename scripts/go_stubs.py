"""Make the Go stubs of the wire contract anew, or with --check tell whether they are stale.

    python scripts/go_stubs.py [--check]

Needs a Go toolchain; the two generators are fetched at the versions named below, into a
folder that is removed again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "sdk/go/gen/plugin/v1"
PROTO = "cdpplugin/v1/plugin.proto"
MODULE = "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
GENERATORS = (
    "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.10",
    "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.1",
)


def generated(workspace: Path) -> dict[str, bytes]:
    """Return the stubs, keyed by file name."""
    tools, out = workspace / "bin", workspace / "out"
    out.mkdir()
    environment = {**os.environ, "GOBIN": str(tools)}
    for generator in GENERATORS:
        subprocess.run(["go", "install", generator], check=True, env=environment)
    environment["PATH"] = f"{tools}{os.pathsep}{environment['PATH']}"
    options = (f"module={MODULE}", f"M{PROTO}={MODULE}/gen/plugin/v1;pluginv1")
    flags = [f"--{kind}_opt={option}" for kind in ("go", "go-grpc") for option in options]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}"]
    command += [*flags, f"--go_out={out}", f"--go-grpc_out={out}", PROTO]
    subprocess.run(command, check=True, env=environment)
    return {path.name: path.read_bytes() for path in sorted(out.rglob("*.go"))}


def main() -> int:
    """Generate, or check; the exit code tells."""
    with tempfile.TemporaryDirectory() as workspace:
        files = generated(Path(workspace))
    stale = [
        name
        for name, content in files.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_bytes() != content
    ]
    if "--check" in sys.argv[1:]:
        for name in stale:
            print(f"stale: {FOLDER.relative_to(ROOT) / name}")
        return bool(stale)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (FOLDER / name).write_bytes(files[name])
        print(f"wrote {FOLDER.relative_to(ROOT) / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
