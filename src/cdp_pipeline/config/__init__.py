"""Turn `pipeline.yaml` and `flowctl.yaml` into frozen objects, and every mistake into advice."""

from cdp_pipeline.config.component import check_component, merged_config, secrets_of
from cdp_pipeline.config.environment import FilledDocument
from cdp_pipeline.config.faults import ConfigErrors, faults_of, raise_faults
from cdp_pipeline.config.limits import FileGrant, Limits, Permissions, Sandbox
from cdp_pipeline.config.load import load_pipeline, parse_pipeline
from cdp_pipeline.config.load_settings import load_settings
from cdp_pipeline.config.locations import KeyPath, Locations, dotted
from cdp_pipeline.config.paths import (
    cache_folder,
    config_folder,
    data_folder,
    resolve_path,
    resolve_paths,
    state_folder,
)
from cdp_pipeline.config.pipeline import (
    CheckpointConfig,
    DeadLetterConfig,
    PipelineConfig,
    PluginConfig,
)
from cdp_pipeline.config.schema import pipeline_schema, settings_schema
from cdp_pipeline.config.secrecy import MASK, Secrets
from cdp_pipeline.config.settings import HostSettings, RegistryConfig, TrustConfig
from cdp_pipeline.config.stage import (
    BatchConfig,
    ComponentConfig,
    ErrorPolicy,
    SourceConfig,
    StageConfig,
)
from cdp_pipeline.config.suggest import hint_of, nearest, unknown_name
from cdp_pipeline.config.tls import TlsConfig
from cdp_pipeline.config.validation import SchemaInvalid

__all__ = [
    "MASK",
    "BatchConfig",
    "CheckpointConfig",
    "ComponentConfig",
    "ConfigErrors",
    "DeadLetterConfig",
    "ErrorPolicy",
    "FileGrant",
    "FilledDocument",
    "HostSettings",
    "KeyPath",
    "Limits",
    "Locations",
    "Permissions",
    "PipelineConfig",
    "PluginConfig",
    "RegistryConfig",
    "Sandbox",
    "SchemaInvalid",
    "Secrets",
    "SourceConfig",
    "StageConfig",
    "TlsConfig",
    "TrustConfig",
    "cache_folder",
    "check_component",
    "config_folder",
    "data_folder",
    "dotted",
    "faults_of",
    "hint_of",
    "load_pipeline",
    "load_settings",
    "merged_config",
    "nearest",
    "parse_pipeline",
    "pipeline_schema",
    "raise_faults",
    "resolve_path",
    "resolve_paths",
    "secrets_of",
    "settings_schema",
    "state_folder",
    "unknown_name",
]
