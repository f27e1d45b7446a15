"""What authors may import from `cdpplugin`, and rely on."""

from __future__ import annotations

import cdpplugin

PUBLIC = [
    "Base",
    "Batch",
    "ConfigInvalid",
    "Constant",
    "Consumer",
    "Context",
    "Delivery",
    "Drop",
    "Encoding",
    "Fatal",
    "HealthStatus",
    "JsonPayloads",
    "KeepsState",
    "Lazy",
    "Logger",
    "Message",
    "OutputCollector",
    "OutputPart",
    "Outputs",
    "PayloadInvalid",
    "Payloads",
    "Plugin",
    "PluginError",
    "PluginKind",
    "PluginMetadata",
    "Processor",
    "ResourceRequirements",
    "Resume",
    "Retry",
    "Sep51Payloads",
    "Source",
    "SourceBatch",
    "SourceDescription",
    "SourceInfo",
    "UnsupportedEncoding",
    "concat",
    "consumer",
    "decode_json",
    "encode_json",
    "get_logger",
    "processor",
    "serve",
    "serve_consumer",
    "serve_processor",
    "serve_source",
    "source",
    "view",
    "views",
]


def test_the_public_names_are_those_that_were_agreed() -> None:
    """A name comes and goes on purpose, with a change of this list."""
    assert PUBLIC == cdpplugin.__all__


def test_every_public_name_is_there() -> None:
    """`from cdpplugin import *` gives all of them."""
    assert [] == [name for name in PUBLIC if not hasattr(cdpplugin, name)]


def test_every_public_class_and_function_is_described() -> None:
    """`help(cdpplugin.Name)` starts with a sentence."""
    for name in PUBLIC:
        member = getattr(cdpplugin, name)
        if getattr(member, "__module__", "").startswith("cdpplugin"):
            assert (member.__doc__ or "").split("\n")[0].rstrip().endswith((".", ",", "/")), name
