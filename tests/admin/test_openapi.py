"""The description of the API: what stands in it is what the server does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from cdp_pipeline.admin.openapi import describe
from cdp_pipeline.observability.logs import configure_logs, logger
from tests._host import ENRICH, ROLLED_BACK, Host, running_host
from tests.admin.test_server import client
from tests.conftest import ROOT

DESCRIBED = json.loads((ROOT / "spec/admin-openapi.json").read_text())
_REGISTRY: Registry[Any] = Registry().with_resource("api:", Resource(DESCRIBED, DRAFT202012))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with running_host(tmp_path) as found:
        yield found


def operations() -> list[tuple[str, str]]:
    return [(path, method) for path, each in DESCRIBED["paths"].items() for method in each]


def fits(answer: Any, described: Mapping[str, Any]) -> None:
    """Require that *answer* has the form that is described."""
    reference = described["content"]["application/json"]["schema"]["$ref"]
    schema = {"$ref": f"api:{reference}"}
    jsonschema.Draft202012Validator(schema, registry=_REGISTRY).validate(answer)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from ([node["$ref"]] if "$ref" in node else [])
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def test_the_committed_description_is_the_servers_own(host: Host) -> None:
    """`spec/admin-openapi.json` is what `/openapi.json` answers."""
    with client(host) as asks:
        assert DESCRIBED == asks.get("/openapi.json").json() == json.loads(json.dumps(describe()))


def test_every_reference_leads_somewhere() -> None:
    """No `$ref` names a form that is not there, and none is there that nobody refers to."""
    names = {reference.rpartition("/")[2] for reference in references(DESCRIBED)}

    assert DESCRIBED["components"]["schemas"].keys() == names


@pytest.mark.parametrize(("path", "method"), operations(), ids=str)
def test_every_answer_is_as_described(host: Host, path: str, method: str) -> None:
    """Each operation answers with a described status, in exactly the described form."""
    configure_logs()
    logger(plugin="enrich@1.2.0", stage="stage-0").info("scored", rows=10)
    host.call(lambda: host.manager.events.note("stage-0", "e@1", "state", "runs", waited_s=0.5))
    with client(host) as asks:
        answer = asks.request(method.upper(), path.replace("{name}", "enrich"))
    described = DESCRIBED["paths"][path][method]["responses"]

    assert 200 == answer.status_code
    [media_type] = described["200"]["content"]
    assert answer.headers["content-type"].startswith(media_type)
    if media_type == "application/json":
        fits(answer.json(), described["200"])


@pytest.mark.parametrize(
    ("path", "method"), [each for each in operations() if "{name}" in each[0]], ids=str
)
def test_an_unknown_plugin_is_as_described(host: Host, path: str, method: str) -> None:
    """Each operation on a plugin answers 404 for one that is not there."""
    with client(host) as asks:
        answer = asks.request(method.upper(), path.replace("{name}", "nobody"))

    assert 404 == answer.status_code
    fits(answer.json(), DESCRIBED["paths"][path][method]["responses"]["404"])


def test_every_parameter_has_the_described_bounds(host: Host) -> None:
    """The default and both bounds are taken, and what lies beyond them is a described 400."""
    with client(host) as asks:
        for path, method in operations():
            described = DESCRIBED["paths"][path][method]
            for parameter in described.get("parameters", []):
                if parameter["in"] == "path":
                    continue
                name, schema = parameter["name"], parameter["schema"]
                url = path.replace("{name}", "enrich")
                good = [schema["default"], schema["minimum"]]
                bad = [schema["minimum"] - 1, "x"]
                if "maximum" in schema:
                    bad.append(schema["maximum"] + 1)
                for value in good:
                    assert 200 == asks.get(url, params={name: value}).status_code, (path, name)
                for value in bad:
                    answer = asks.get(url, params={name: value})
                    assert 400 == answer.status_code, (path, name, value)
                    fits(answer.json(), described["responses"]["400"])


def test_the_other_statuses_are_as_described(host: Host) -> None:
    """A reload that was rolled back, a run that is not ready, a pause while it drains."""
    host.manager.reports = [ROLLED_BACK]
    host.manager.found[1] = replace(ENRICH, state="unhealthy")
    with client(host) as asks:
        reload, ready = asks.post("/plugins/enrich/reload"), asks.get("/readyz")
        host.call(lambda: setattr(host.pipeline._outcome, "stopped", True))
        pause, resume = asks.post("/pipeline/pause"), asks.post("/pipeline/resume")
        unknown = asks.get("/nothing")
    paths = DESCRIBED["paths"]

    assert [409, 503, 409, 409] == [a.status_code for a in (reload, ready, pause, resume)]
    fits(reload.json(), paths["/plugins/{name}/reload"]["post"]["responses"]["409"])
    fits(ready.json(), paths["/readyz"]["get"]["responses"]["503"])
    fits(pause.json(), paths["/pipeline/pause"]["post"]["responses"]["409"])
    fits(resume.json(), paths["/pipeline/resume"]["post"]["responses"]["409"])
    fits(unknown.json(), paths["/status"]["get"]["responses"]["default"])
