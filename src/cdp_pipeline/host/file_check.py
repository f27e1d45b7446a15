"""All that can be known of a pipeline file before anything is started."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from cdp_pipeline.config import HostSettings, faults_of, load_pipeline
from cdp_pipeline.errors import CdpError, ConfigError
from cdp_pipeline.host.catalog import Catalog
from cdp_pipeline.host.plugins import Plugins
from cdp_pipeline.host.trial import configuration_faults
from cdp_pipeline.host.unfinished import with_component_faults
from cdp_pipeline.host.validation import Report, check


def check_file(
    file: Path, environ: Mapping[str, str], settings: HostSettings | None = None
) -> Report:
    """Return what is wrong with the pipeline in *file*; nothing is started or touched."""
    try:
        config = load_pipeline(file, environ)
    except ConfigError as error:
        whole = with_component_faults(error, file, environ)
        return Report(faults=list[CdpError](faults_of(whole)))
    report = check(config, environ, plugins=Plugins(Catalog(), environ, settings))
    report.faults += asyncio.run(configuration_faults(report, config))
    return report
