"""Make every generated file anew, or with --check tell which are stale.

    python scripts/generate.py [--check]

Generated: the protobuf stubs, the Python SDK's copy of the world of components, the JSON
Schemas, the description of the admin API and golden vectors in spec/, the reference pages in
docs/reference.
The XDR table and kernel have generators of their own (`scripts/xdr_schema.py`,
`scripts/xdr_kernel.py`), which this one calls.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

Generated = Iterator[tuple[Path, bytes]]


def stubs() -> Generated:
    """Yield the Python stubs of the wire contract."""
    with tempfile.TemporaryDirectory() as folder:
        flags = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", *flags]
        subprocess.run([*command, "cdpplugin/v1/plugin.proto"], check=True)
        for path in sorted(Path(folder).rglob("plugin_pb2*")):
            yield ROOT / "sdk/python" / path.relative_to(folder), path.read_bytes()


def world() -> Generated:
    """Yield the world of components, which the Python SDK builds against."""
    content = (ROOT / "spec/wit/plugin.wit").read_bytes()
    yield ROOT / "sdk/python/cdpplugin/component/plugin.wit", content


def schemas() -> Generated:
    """Yield the JSON Schemas that editors use."""
    from cdp_pipeline.artifacts.manifest import plugin_schema
    from cdp_pipeline.config import pipeline_schema, settings_schema
    from cdp_pipeline.host.catalog import Catalog

    catalog = Catalog()
    built_in = [name for name in catalog.types if catalog.is_built_in(name)]
    found = {
        "pipeline": pipeline_schema(catalog.metadata(name) for name in built_in),
        "plugin": plugin_schema(),
        "settings": settings_schema(),
    }
    for name, schema in found.items():
        yield ROOT / "spec" / f"{name}.schema.json", _text(json.dumps(schema, indent=2))


def admin_api() -> Generated:
    """Yield the OpenAPI description of the admin API."""
    from cdp_pipeline.admin.openapi import describe

    yield ROOT / "spec/admin-openapi.json", _text(json.dumps(describe(), indent=2))


def pages() -> Generated:
    """Yield the reference pages."""
    import reference

    for name, page in reference.pages().items():
        yield ROOT / "docs/reference" / name, _text(page)


def golden() -> Generated:
    """Yield the golden vectors that every SDK replays."""
    import vectors

    for name, content in vectors.files():
        yield ROOT / "spec/vectors" / name, _text(content)


def _text(content: str) -> bytes:
    return (content.rstrip() + "\n").encode()


def xdr_is_stale() -> bool:
    """Tell whether the XDR table or kernel must be made anew; the table needs the definitions."""
    data = Path(os.environ.get("CDP_TEST_DATA", ROOT.parent / "shared/data"))
    commands = [["xdr_kernel.py", "--check"]]
    definitions = data / "xdr" / "py-stellar-base_xdr"
    if definitions.is_dir():
        commands.append(["xdr_schema.py", str(definitions), "--check"])
    scripts = ROOT / "scripts"
    return any(
        subprocess.run([sys.executable, str(scripts / name), *rest], check=False).returncode
        for name, *rest in commands
    )


def main() -> int:
    """Generate, or check; the exit code tells."""
    check = "--check" in sys.argv[1:]
    stale = []
    for path, content in (*stubs(), *world(), *schemas(), *admin_api(), *golden(), *pages()):
        if path.exists() and path.read_bytes() == content:
            continue
        stale.append(path.relative_to(ROOT))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for path in stale:
        print(f"{'stale' if check else 'made'}: {path}")
    if check and xdr_is_stale():
        print("stale: the XDR table or kernel; see scripts/xdr_schema.py and scripts/xdr_kernel.py")
        return 1
    if check and stale:
        print("run `make proto`")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
