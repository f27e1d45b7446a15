"""What a file would say to make a stage that runs: its plugin, its configuration, no secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cdp_pipeline.config.annotations import is_secret, marked_paths
from cdp_pipeline.config.locations import KeyPath
from cdp_pipeline.config.pipeline import PipelineConfig
from cdp_pipeline.config.secrecy import says_secret
from cdp_pipeline.config.stage import ComponentConfig
from cdpplugin import PluginMetadata

_NOT_OF_THE_PLUGIN = {"config", "limits", "token"}


class Origin:
    """Tells it of one stage.

    A value that came whole from a variable is told as that variable; any other secret one as a
    variable named after the stage and the key.

    Args:
        pipeline: The pipeline.
        stage: The stage.
        metadata: What its plugin says of itself; None where that is unknown.
        environ: The environment that the pipeline was filled in from.
    """

    def __init__(
        self,
        pipeline: PipelineConfig,
        stage: ComponentConfig,
        metadata: PluginMetadata | None,
        environ: Mapping[str, str],
    ) -> None:
        self._pipeline = pipeline
        self._stage = stage
        self._schema = metadata.config_schema if metadata else {}
        self._environ = environ
        self._secret: frozenset[KeyPath] = frozenset()

    def told(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return `plugin` (or an empty object), `type` (or empty) and the stage's `config`."""
        self._secret = marked_paths(config, self._schema, is_secret)
        return {
            "plugin": self._plugin(),
            "type": self._stage.type,
            "config": {key: self._value(value, (key,)) for key, value in config.items()},
        }

    def _plugin(self) -> Mapping[str, Any]:
        plugin = self._pipeline.plugin(self._stage.plugin)
        if plugin is None:
            return {}
        told = plugin.model_dump(mode="json", exclude_defaults=True, exclude=_NOT_OF_THE_PLUGIN)
        if plugin.token:
            told["token"] = self._variable(("token",))
        return told

    def _value(self, value: Any, path: KeyPath) -> Any:
        if name := self._whole_variable(value, path):
            return f"${{{name}}}"
        if path in self._secret or (isinstance(path[-1], str) and says_secret(path[-1])):
            return value if value is None else self._variable(path)
        if isinstance(value, Mapping):
            return {key: self._value(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._value(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        if self._pipeline.secrets.masked(value) != value:
            return self._variable(path)
        return value.replace("$", "$$")

    def _whole_variable(self, value: Any, path: KeyPath) -> str:
        """Return the variable that *value* is, if it is one and nothing else."""
        for base in reversed(self._pipeline.config_paths(self._stage)):
            if self._pipeline.document.at((*base, *path)) is None:
                continue
            names = self._pipeline.secrets.variables.get((*base, *path), ())
            read = self._pipeline.document.at((*base, *path))
            texts = {str(value), str(read), str(read).lower()}
            return names[0] if len(names) == 1 and self._environ.get(names[0]) in texts else ""
        return ""

    def _variable(self, path: KeyPath) -> str:
        words = "_".join(map(str, (self._stage.name, *path)))
        return f"${{{re.sub(r'[^A-Z0-9]+', '_', words.upper()).strip('_')}}}"
