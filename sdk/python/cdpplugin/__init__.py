"""The CDP Pipeline plugin SDK: the contract, and the shortest way to fulfil it.

A plugin in five lines::

    from cdpplugin import Message, processor

    @processor("large-payments", "1.0.0", input_types=["Payment"])
    def large_payments(message: Message) -> Message | None:
        return message if message.payload["amount"] > 1000 else None
"""

from cdpplugin.batch import Batch, Constant, Lazy, concat
from cdpplugin.delivery import Context, Delivery, Resume, SourceBatch, SourceDescription
from cdpplugin.errors import ConfigInvalid, Drop, Fatal, PluginError, Retry, UnsupportedEncoding
from cdpplugin.function import consumer, processor, source
from cdpplugin.log import Logger, get_logger
from cdpplugin.message import Message, view, views
from cdpplugin.metadata import (
    Encoding,
    HealthStatus,
    PluginKind,
    PluginMetadata,
    ResourceRequirements,
    SourceInfo,
)
from cdpplugin.outputs import OutputCollector, OutputPart, Outputs
from cdpplugin.payloads import (
    JsonPayloads,
    PayloadInvalid,
    Payloads,
    Sep51Payloads,
    decode_json,
    encode_json,
)
from cdpplugin.protocols import Base, Consumer, KeepsState, Plugin, Processor, Source
from cdpplugin.serving import serve, serve_consumer, serve_processor, serve_source

__version__ = "0.1.0"

__all__ = [
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
