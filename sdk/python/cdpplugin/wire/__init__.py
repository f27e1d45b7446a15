"""The contract on the wire: Python objects to and from the messages of `plugin.v1`.

Needs protobuf: `cdpplugin[grpc]`. Nothing outside of this package and of `server`
sees a protobuf message.
"""

from cdpplugin.wire.answers import decode_outputs, encode_outputs, merged_part
from cdpplugin.wire.batches import decode_batch, encode_batch
from cdpplugin.wire.faults import decode_error, encode_error
from cdpplugin.wire.identity import (
    PROTOCOL,
    decode_context,
    decode_description,
    decode_health,
    decode_metadata,
    encode_context,
    encode_description,
    encode_health,
    encode_metadata,
)
from cdpplugin.wire.singles import (
    collect_responses,
    decode_request,
    encode_requests,
    encode_response,
)
from cdpplugin.wire.streams import (
    decode_delivery,
    decode_resume,
    decode_source_batch,
    encode_delivery,
    encode_resume,
    encode_source_batch,
)
from cdpplugin.wire.structs import NumberTooLarge, decode_struct, encode_struct

__all__ = [
    "PROTOCOL",
    "NumberTooLarge",
    "collect_responses",
    "decode_batch",
    "decode_context",
    "decode_delivery",
    "decode_description",
    "decode_error",
    "decode_health",
    "decode_metadata",
    "decode_outputs",
    "decode_request",
    "decode_resume",
    "decode_source_batch",
    "decode_struct",
    "encode_batch",
    "encode_context",
    "encode_delivery",
    "encode_description",
    "encode_error",
    "encode_health",
    "encode_metadata",
    "encode_outputs",
    "encode_requests",
    "encode_response",
    "encode_resume",
    "encode_source_batch",
    "encode_struct",
    "merged_part",
]
