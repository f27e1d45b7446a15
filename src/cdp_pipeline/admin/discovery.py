"""Find the hosts of this user that run now, by the state folders of their pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cdp_pipeline.admin.endpoint import RECORD_NAME, Endpoint
from cdp_pipeline.config.paths import states_folder
from cdp_pipeline.config.suggest import hint_of, listed
from cdp_pipeline.errors import StateError
from cdp_pipeline.runtimes.processes.liveness import is_running, may_judge


class HostNotRunning(StateError):
    """No host runs that could be asked."""

    code = "host.not_running"


class SeveralHosts(StateError):
    """Several hosts run, and none was named."""

    code = "host.several_running"


def running_hosts(environ: Mapping[str, str]) -> list[Endpoint]:
    """Return where running hosts listen, by the name of their pipelines."""
    return sorted(_running(environ), key=lambda endpoint: endpoint.pipeline)


def find_host(environ: Mapping[str, str], pipeline: str | None = None) -> Endpoint:
    """Return where the host of *pipeline* listens; without a name, the only one that runs.

    Raises:
        HostNotRunning: It does not run, or none does.
        SeveralHosts: *pipeline* is None, and several run.
    """
    hosts = running_hosts(environ)
    names = [host.pipeline for host in hosts]
    if pipeline is not None:
        hosts = [host for host in hosts if host.pipeline == pipeline]
    if not hosts:
        raise _not_running(pipeline, names)
    if len(hosts) > 1:
        raise SeveralHosts(
            f"expected one running pipeline, found {listed(names)}",
            hint="name one with `--pipeline`",
        )
    return hosts[0]


def _running(environ: Mapping[str, str]) -> Iterator[Endpoint]:
    for record in states_folder(environ).glob(f"*/{RECORD_NAME}"):
        endpoint = Endpoint.read(record.parent)
        if endpoint is None:
            continue
        # What runs in another container cannot be seen from here; asking it will tell.
        if not may_judge(endpoint.process) or is_running(endpoint.process):
            yield endpoint


def _not_running(pipeline: str | None, running: list[str]) -> HostNotRunning:
    if pipeline is None:
        return HostNotRunning(
            "no pipeline is running", hint="start one with `flowctl run`, without `--admin off`"
        )
    return HostNotRunning(
        f"the pipeline `{pipeline}` is not running",
        hint=hint_of(pipeline, running)
        or f"start it with `flowctl run`, without `--admin off`, as the pipeline `{pipeline}`",
    )
