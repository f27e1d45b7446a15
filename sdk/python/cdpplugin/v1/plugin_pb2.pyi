import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Feature(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEATURE_UNSPECIFIED: _ClassVar[Feature]
    FEATURE_CONFIGURE: _ClassVar[Feature]
    FEATURE_LIFECYCLE: _ClassVar[Feature]
    FEATURE_HEALTH: _ClassVar[Feature]
    FEATURE_PROCESS_BATCH: _ClassVar[Feature]
    FEATURE_STREAM: _ClassVar[Feature]
    FEATURE_READ: _ClassVar[Feature]
    FEATURE_CONSUME: _ClassVar[Feature]
    FEATURE_STATE: _ClassVar[Feature]
    FEATURE_FORGET: _ClassVar[Feature]
    FEATURE_TOKEN: _ClassVar[Feature]
FEATURE_UNSPECIFIED: Feature
FEATURE_CONFIGURE: Feature
FEATURE_LIFECYCLE: Feature
FEATURE_HEALTH: Feature
FEATURE_PROCESS_BATCH: Feature
FEATURE_STREAM: Feature
FEATURE_READ: Feature
FEATURE_CONSUME: Feature
FEATURE_STATE: Feature
FEATURE_FORGET: Feature
FEATURE_TOKEN: Feature

class MetadataRequest(_message.Message):
    __slots__ = ("protocol_min", "protocol_max")
    PROTOCOL_MIN_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_MAX_FIELD_NUMBER: _ClassVar[int]
    protocol_min: int
    protocol_max: int
    def __init__(self, protocol_min: _Optional[int] = ..., protocol_max: _Optional[int] = ...) -> None: ...

class MetadataResponse(_message.Message):
    __slots__ = ("name", "version", "type", "description", "author", "license", "input_types", "output_types", "config_schema", "output_schema", "resources", "input_encoding", "stateful", "protocol", "features", "sdk")
    class OutputSchemaEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    LICENSE_FIELD_NUMBER: _ClassVar[int]
    INPUT_TYPES_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TYPES_FIELD_NUMBER: _ClassVar[int]
    CONFIG_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    INPUT_ENCODING_FIELD_NUMBER: _ClassVar[int]
    STATEFUL_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    SDK_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    type: str
    description: str
    author: str
    license: str
    input_types: _containers.RepeatedScalarFieldContainer[str]
    output_types: _containers.RepeatedScalarFieldContainer[str]
    config_schema: bytes
    output_schema: _containers.ScalarMap[str, bytes]
    resources: ResourceRequirements
    input_encoding: str
    stateful: bool
    protocol: int
    features: _containers.RepeatedScalarFieldContainer[Feature]
    sdk: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., type: _Optional[str] = ..., description: _Optional[str] = ..., author: _Optional[str] = ..., license: _Optional[str] = ..., input_types: _Optional[_Iterable[str]] = ..., output_types: _Optional[_Iterable[str]] = ..., config_schema: _Optional[bytes] = ..., output_schema: _Optional[_Mapping[str, bytes]] = ..., resources: _Optional[_Union[ResourceRequirements, _Mapping]] = ..., input_encoding: _Optional[str] = ..., stateful: _Optional[bool] = ..., protocol: _Optional[int] = ..., features: _Optional[_Iterable[_Union[Feature, str]]] = ..., sdk: _Optional[str] = ...) -> None: ...

class ResourceRequirements(_message.Message):
    __slots__ = ("min_memory_mb", "max_memory_mb", "cpu_shares", "gpu_required")
    MIN_MEMORY_MB_FIELD_NUMBER: _ClassVar[int]
    MAX_MEMORY_MB_FIELD_NUMBER: _ClassVar[int]
    CPU_SHARES_FIELD_NUMBER: _ClassVar[int]
    GPU_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    min_memory_mb: int
    max_memory_mb: int
    cpu_shares: int
    gpu_required: bool
    def __init__(self, min_memory_mb: _Optional[int] = ..., max_memory_mb: _Optional[int] = ..., cpu_shares: _Optional[int] = ..., gpu_required: _Optional[bool] = ...) -> None: ...

class ConfigureRequest(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: bytes
    def __init__(self, config: _Optional[bytes] = ...) -> None: ...

class ConfigureResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartRequest(_message.Message):
    __slots__ = ("pipeline", "stage", "network", "schemas", "imported_state")
    class SchemasEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    PIPELINE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    SCHEMAS_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_STATE_FIELD_NUMBER: _ClassVar[int]
    pipeline: str
    stage: str
    network: str
    schemas: _containers.ScalarMap[str, bytes]
    imported_state: bytes
    def __init__(self, pipeline: _Optional[str] = ..., stage: _Optional[str] = ..., network: _Optional[str] = ..., schemas: _Optional[_Mapping[str, bytes]] = ..., imported_state: _Optional[bytes] = ...) -> None: ...

class StartResponse(_message.Message):
    __slots__ = ("durable_position", "source")
    DURABLE_POSITION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    durable_position: int
    source: SourceDescription
    def __init__(self, durable_position: _Optional[int] = ..., source: _Optional[_Union[SourceDescription, _Mapping]] = ...) -> None: ...

class SourceDescription(_message.Message):
    __slots__ = ("identity", "network", "unit", "first", "last", "start")
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    identity: str
    network: str
    unit: str
    first: int
    last: int
    start: str
    def __init__(self, identity: _Optional[str] = ..., network: _Optional[str] = ..., unit: _Optional[str] = ..., first: _Optional[int] = ..., last: _Optional[int] = ..., start: _Optional[str] = ...) -> None: ...

class StopRequest(_message.Message):
    __slots__ = ("export_state",)
    EXPORT_STATE_FIELD_NUMBER: _ClassVar[int]
    export_state: bool
    def __init__(self, export_state: _Optional[bool] = ...) -> None: ...

class StopResponse(_message.Message):
    __slots__ = ("exported_state",)
    EXPORTED_STATE_FIELD_NUMBER: _ClassVar[int]
    exported_state: bytes
    def __init__(self, exported_state: _Optional[bytes] = ...) -> None: ...

class HealthRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HealthResponse(_message.Message):
    __slots__ = ("status", "message", "details")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    status: str
    message: str
    details: _struct_pb2.Struct
    def __init__(self, status: _Optional[str] = ..., message: _Optional[str] = ..., details: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class SourceInfo(_message.Message):
    __slots__ = ("name", "network", "uri")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    name: str
    network: str
    uri: str
    def __init__(self, name: _Optional[str] = ..., network: _Optional[str] = ..., uri: _Optional[str] = ...) -> None: ...

class ProcessRequest(_message.Message):
    __slots__ = ("id", "type", "payload", "metadata", "source", "trace_id", "content_type")
    ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    id: str
    type: str
    payload: bytes
    metadata: _struct_pb2.Struct
    source: SourceInfo
    trace_id: str
    content_type: str
    def __init__(self, id: _Optional[str] = ..., type: _Optional[str] = ..., payload: _Optional[bytes] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., source: _Optional[_Union[SourceInfo, _Mapping]] = ..., trace_id: _Optional[str] = ..., content_type: _Optional[str] = ...) -> None: ...

class ProcessResponse(_message.Message):
    __slots__ = ("id", "type", "payload", "metadata", "source", "trace_id", "content_type", "dropped")
    ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    id: str
    type: str
    payload: bytes
    metadata: _struct_pb2.Struct
    source: SourceInfo
    trace_id: str
    content_type: str
    dropped: bool
    def __init__(self, id: _Optional[str] = ..., type: _Optional[str] = ..., payload: _Optional[bytes] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., source: _Optional[_Union[SourceInfo, _Mapping]] = ..., trace_id: _Optional[str] = ..., content_type: _Optional[str] = ..., dropped: _Optional[bool] = ...) -> None: ...

class MessageBatch(_message.Message):
    __slots__ = ("rows", "ids", "types", "payloads", "metadata", "sources", "trace_ids", "content_types", "encoding", "arrow")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    PAYLOADS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    TRACE_IDS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    ARROW_FIELD_NUMBER: _ClassVar[int]
    rows: int
    ids: _containers.RepeatedScalarFieldContainer[str]
    types: _containers.RepeatedScalarFieldContainer[str]
    payloads: _containers.RepeatedScalarFieldContainer[bytes]
    metadata: _containers.RepeatedScalarFieldContainer[bytes]
    sources: _containers.RepeatedCompositeFieldContainer[SourceInfo]
    trace_ids: _containers.RepeatedScalarFieldContainer[str]
    content_types: _containers.RepeatedScalarFieldContainer[str]
    encoding: str
    arrow: bytes
    def __init__(self, rows: _Optional[int] = ..., ids: _Optional[_Iterable[str]] = ..., types: _Optional[_Iterable[str]] = ..., payloads: _Optional[_Iterable[bytes]] = ..., metadata: _Optional[_Iterable[bytes]] = ..., sources: _Optional[_Iterable[_Union[SourceInfo, _Mapping]]] = ..., trace_ids: _Optional[_Iterable[str]] = ..., content_types: _Optional[_Iterable[str]] = ..., encoding: _Optional[str] = ..., arrow: _Optional[bytes] = ...) -> None: ...

class ProcessBatchRequest(_message.Message):
    __slots__ = ("batch",)
    BATCH_FIELD_NUMBER: _ClassVar[int]
    batch: MessageBatch
    def __init__(self, batch: _Optional[_Union[MessageBatch, _Mapping]] = ...) -> None: ...

class ProcessBatchResponse(_message.Message):
    __slots__ = ("outputs", "output_rows", "errors", "dropped")
    class DroppedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_ROWS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    outputs: MessageBatch
    output_rows: _containers.RepeatedScalarFieldContainer[int]
    errors: _containers.RepeatedCompositeFieldContainer[RowError]
    dropped: _containers.ScalarMap[str, int]
    def __init__(self, outputs: _Optional[_Union[MessageBatch, _Mapping]] = ..., output_rows: _Optional[_Iterable[int]] = ..., errors: _Optional[_Iterable[_Union[RowError, _Mapping]]] = ..., dropped: _Optional[_Mapping[str, int]] = ...) -> None: ...

class RowError(_message.Message):
    __slots__ = ("row", "error")
    ROW_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    row: int
    error: Error
    def __init__(self, row: _Optional[int] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("instruction", "code", "message", "hint", "retry_after")
    class Instruction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        INSTRUCTION_UNSPECIFIED: _ClassVar[Error.Instruction]
        INSTRUCTION_RETRY: _ClassVar[Error.Instruction]
        INSTRUCTION_DROP: _ClassVar[Error.Instruction]
        INSTRUCTION_FATAL: _ClassVar[Error.Instruction]
    INSTRUCTION_UNSPECIFIED: Error.Instruction
    INSTRUCTION_RETRY: Error.Instruction
    INSTRUCTION_DROP: Error.Instruction
    INSTRUCTION_FATAL: Error.Instruction
    INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    instruction: Error.Instruction
    code: str
    message: str
    hint: str
    retry_after: _duration_pb2.Duration
    def __init__(self, instruction: _Optional[_Union[Error.Instruction, str]] = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StreamRequest(_message.Message):
    __slots__ = ("sequence", "batch")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    batch: MessageBatch
    def __init__(self, sequence: _Optional[int] = ..., batch: _Optional[_Union[MessageBatch, _Mapping]] = ...) -> None: ...

class StreamResponse(_message.Message):
    __slots__ = ("sequence", "answer", "error", "credits")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    answer: ProcessBatchResponse
    error: Error
    credits: int
    def __init__(self, sequence: _Optional[int] = ..., answer: _Optional[_Union[ProcessBatchResponse, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., credits: _Optional[int] = ...) -> None: ...

class ReadRequest(_message.Message):
    __slots__ = ("after_position", "after_token", "acknowledged_through", "credits")
    AFTER_POSITION_FIELD_NUMBER: _ClassVar[int]
    AFTER_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_THROUGH_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    after_position: int
    after_token: bytes
    acknowledged_through: int
    credits: int
    def __init__(self, after_position: _Optional[int] = ..., after_token: _Optional[bytes] = ..., acknowledged_through: _Optional[int] = ..., credits: _Optional[int] = ...) -> None: ...

class ReadResponse(_message.Message):
    __slots__ = ("batch", "positions", "completed_through", "token", "error", "ended")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_THROUGH_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    batch: MessageBatch
    positions: _containers.RepeatedScalarFieldContainer[int]
    completed_through: int
    token: bytes
    error: Error
    ended: bool
    def __init__(self, batch: _Optional[_Union[MessageBatch, _Mapping]] = ..., positions: _Optional[_Iterable[int]] = ..., completed_through: _Optional[int] = ..., token: _Optional[bytes] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., ended: _Optional[bool] = ...) -> None: ...

class ConsumeRequest(_message.Message):
    __slots__ = ("sequence", "batch", "positions", "completed_through", "flush")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_THROUGH_FIELD_NUMBER: _ClassVar[int]
    FLUSH_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    batch: MessageBatch
    positions: _containers.RepeatedScalarFieldContainer[int]
    completed_through: int
    flush: bool
    def __init__(self, sequence: _Optional[int] = ..., batch: _Optional[_Union[MessageBatch, _Mapping]] = ..., positions: _Optional[_Iterable[int]] = ..., completed_through: _Optional[int] = ..., flush: _Optional[bool] = ...) -> None: ...

class ConsumeResponse(_message.Message):
    __slots__ = ("sequence", "durable_through", "error")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    DURABLE_THROUGH_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    durable_through: int
    error: Error
    def __init__(self, sequence: _Optional[int] = ..., durable_through: _Optional[int] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class ForgetRequest(_message.Message):
    __slots__ = ("pipeline", "stage", "network")
    PIPELINE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    pipeline: str
    stage: str
    network: str
    def __init__(self, pipeline: _Optional[str] = ..., stage: _Optional[str] = ..., network: _Optional[str] = ...) -> None: ...

class ForgetResponse(_message.Message):
    __slots__ = ("done",)
    DONE_FIELD_NUMBER: _ClassVar[int]
    done: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, done: _Optional[_Iterable[str]] = ...) -> None: ...
