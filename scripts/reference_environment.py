"""The reference page of environment variables.

The variables of settings come from the settings' own schema; the others are listed here. That
none is missing is checked against the sources by `tests/docs/test_environment_page.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

HOST = {
    "FLOWCTL_CONFIG": "The settings file, where `--settings` names none.",
    "FLOWCTL_TRACEBACK": "With any value, a fault of `flowctl` itself is shown with its traceback.",
    "NO_COLOR": "With any value, nothing is coloured; nor where output is no terminal.",
    "TERM": "What the terminal can do; `dumb` shows no colour.",
    "GRPC_VERBOSITY": "What gRPC's own core logs; `flowctl` sets it to `NONE` unless it is set.",
}
FOLDERS = {
    "HOME": "`~` in paths, and the folder in which the defaults below lie.",
    "XDG_STATE_HOME": "State of pipelines: `cdp/PIPELINE` in it; by default `~/.local/state`.",
    "XDG_CACHE_HOME": "Compiled modules and plugins' environments: `cdp` in it; may be deleted; by "
    "default `~/.cache`.",
    "XDG_CONFIG_HOME": "Settings: `cdp/flowctl.yaml` in it; by default `~/.config`.",
    "XDG_DATA_HOME": "Plugins: `cdp/plugins` in it; by default `~/.local/share`.",
    "XDG_RUNTIME_DIR": "Sockets: `cdp` in it; without it, a private folder of the user's own below "
    "`/tmp`.",
}
STORES = {
    "AWS_ACCESS_KEY_ID": "S3, with `AWS_SECRET_ACCESS_KEY`, and with `AWS_SESSION_TOKEN` for "
    "temporary ones.",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "S3, by a web identity, as in Kubernetes.",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "S3, by the credentials of an ECS task.",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "S3, by the credentials of an EKS pod.",
    "GOOGLE_APPLICATION_CREDENTIALS": "GCS, by a file of credentials.",
    "GOOGLE_SERVICE_ACCOUNT": "GCS, by a service account's file.",
    "GOOGLE_SERVICE_ACCOUNT_PATH": "The same.",
    "GOOGLE_SERVICE_ACCOUNT_KEY": "GCS, by a service account's key as JSON.",
    "AZURE_STORAGE_ACCOUNT_KEY": "Azure, by the account's key.",
    "AZURE_STORAGE_ACCESS_KEY": "The same.",
    "AZURE_STORAGE_SAS_TOKEN": "Azure, by a shared access signature.",
    "AZURE_STORAGE_SAS_KEY": "The same.",
    "AZURE_STORAGE_TOKEN": "Azure, by a bearer token.",
    "AZURE_STORAGE_CLIENT_ID": "Azure, by a client, with its secret and tenant.",
    "AZURE_CLIENT_ID": "The same.",
    "AZURE_FEDERATED_TOKEN_FILE": "Azure, by a workload identity.",
}
TOOLS = {
    "DOCKER_HOST": "Where the Docker Engine listens, for plugins in containers.",
    "DOCKER_CERT_PATH": "The client's certificates, where the Docker Engine listens by TLS.",
    "DOCKER_TLS_VERIFY": "With any value, the Docker Engine is reached by TLS.",
    "WASI_SDK_PATH": "Where the WASI SDK is, for plugins in C.",
}
PLUGIN = {
    "PLUGIN_MODE": "`grpc`, where a host has started the plugin.",
    "PLUGIN_SOCKET": "Path of the Unix socket to listen on.",
    "PLUGIN_PORT": "Port of the loopback to listen on, for a plugin that does not know "
    "`PLUGIN_SOCKET`.",
    "PLUGIN_ADDRESS": "`HOST:PORT` to listen on, for a plugin that runs as a remote service. "
    "A host never sets it.",
    "PLUGIN_TOKEN": "Secret that every call over TCP must carry.",
    "PLUGIN_PROTOCOL": "Versions of the protocol that the host speaks.",
    "PLUGIN_MAX_MESSAGE_BYTES": "Largest gRPC message.",
    "PLUGIN_NAME": "The name by which the pipeline knows the plugin.",
    "PLUGIN_CONFIG": "The configuration as JSON, for a plugin without `Configure`.",
    "TMPDIR": "An empty folder for temporary files.",
    "VIRTUAL_ENV": "The environment made of the plugin's `requirements.txt`, where it has one.",
}
PASSED_ON = ("PATH", "HOME", "LANG", "LC_*", "TZ")


def environment() -> Iterator[str]:
    """Yield the page's lines."""
    yield "A pipeline file reads any variable by `${NAME}` or `${NAME:-default}` in a value."
    yield "These have a meaning of their own.\n"
    yield "## Settings\n"
    yield "Each key of [`flowctl.yaml`](configuration.md) has one; it wins over the file."
    yield "Lists of paths are separated as in `PATH`.\n"
    yield from _table(_settings())
    yield "## The command\n"
    yield from _table(HOST)
    yield "## Folders\n"
    yield from _table(FOLDERS)
    yield "## Object stores\n"
    yield "Credentials of lakes and of `save-to-parquet`. Without any, lakes are read unsigned.\n"
    yield from _table(STORES)
    yield "## Tools\n"
    yield from _table(TOOLS)
    yield "## What a plugin finds\n"
    yield "[The handshake](../../spec/handshake.md) says more. From the host's own environment"
    yield f"a plugin gets {', '.join(f'`{name}`' for name in PASSED_ON)}, and what manifest and"
    yield "pipeline both name under `permissions.env`.\n"
    yield from _table(PLUGIN)


def listed() -> set[str]:
    """Return every variable of the page."""
    tables = (_settings(), HOST, FOLDERS, STORES, TOOLS, PLUGIN)
    return {name for table in tables for name in table} | set(PASSED_ON)


def _settings() -> dict[str, str]:
    from cdp_pipeline.config import settings_schema
    from cdp_pipeline.config.load_settings import variables

    schema = settings_schema()
    return {name: _described(schema, path) for name, path in variables().items()}


def _described(schema: Mapping[str, Any], path: Any) -> str:
    """Return what the schema says of the key at *path*."""
    inner: Mapping[str, Any] = schema
    for key in path:
        inner = _resolved(inner, schema)["properties"][key]
    return f"`{'.'.join(map(str, path))}`: {inner.get('description', '')}"


def _resolved(inner: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    for option in (inner, *inner.get("allOf", []), *inner.get("anyOf", [])):
        if "$ref" in option:
            found: Mapping[str, Any] = schema["$defs"][str(option["$ref"]).rpartition("/")[2]]
            return found
    return inner


def _table(rows: Mapping[str, str]) -> Iterator[str]:
    yield "| variable | meaning |\n|---|---|"
    for name, meaning in rows.items():
        text = " ".join(meaning.split()).replace("|", "\\|")
        yield f"| `{name}` | {text} |"
    yield ""
