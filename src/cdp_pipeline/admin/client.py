"""Ask a running host, by its Unix socket or by TCP with its token."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from cdp_pipeline.admin.discovery import HostNotRunning
from cdp_pipeline.admin.endpoint import Endpoint
from cdp_pipeline.errors import CdpError, StateError, UsageError

_ANSWER_S = 10.0
"""How long a host may take over an answer for which it waits for nobody, in seconds."""


class HostUnreachable(StateError):
    """A host runs and cannot be asked."""

    code = "host.unreachable"


class Client:
    """Asks one host; a context manager."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=endpoint.socket or None),
            base_url=f"http://{endpoint.address or 'localhost'}",
            headers=_credentials(endpoint),
            timeout=_ANSWER_S,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(self, path: str, *, timeout_s: float = _ANSWER_S, **query: float) -> dict[str, Any]:
        """Return the answer to a question.

        Raises:
            CdpError: The host refuses, or cannot be asked.
        """
        return self._ask("GET", path, query, timeout_s=timeout_s)

    def post(self, path: str, *, timeout_s: float | None = _ANSWER_S) -> dict[str, Any]:
        """Return the answer to a command; waits for ever where *timeout_s* is None.

        Raises:
            CdpError: The host refuses, or cannot be asked.
        """
        return self._ask("POST", path, {}, timeout_s=timeout_s)

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, float],
        *,
        timeout_s: float | None = _ANSWER_S,
    ) -> dict[str, Any]:
        timeout = httpx.Timeout(timeout_s, connect=_ANSWER_S)
        try:
            response = self._http.request(method, path, params=query, timeout=timeout)
        except httpx.ConnectError as error:
            raise HostNotRunning(
                f"the host of `{self.endpoint.pipeline}` cannot be reached: {error}",
                hint="it may just have ended; `flowctl run` starts it",
            ) from error
        except httpx.HTTPError as error:
            raise self._unreachable(str(error) or type(error).__name__) from error
        return self._answer(response)

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self._unreachable(f"it answers {response.status_code} with something else")
        if response.is_error and "code" in body:
            raise _refusal(response.status_code, body)
        return body

    def _unreachable(self, why: str) -> HostUnreachable:
        where = self.endpoint.socket or self.endpoint.address
        return HostUnreachable(
            f"the host of `{self.endpoint.pipeline}` gives no answer: {why}",
            where=where,
            hint="look at its log; it may be ending, or be too busy to answer",
        )


def plugin_path(name: str, below: str = "") -> str:
    """Return the path of a plugin, whatever characters its name has."""
    return f"/plugins/{quote(name, safe='')}{below}"


def _credentials(endpoint: Endpoint) -> dict[str, str]:
    """Return the header with the token, where one is needed.

    Raises:
        HostUnreachable: The token cannot be read.
    """
    if not endpoint.token_file:
        return {}
    try:
        token = Path(endpoint.token_file).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise HostUnreachable(
            f"the token of the host of `{endpoint.pipeline}` cannot be read",
            where=endpoint.token_file,
            hint="the user who runs the pipeline can read it",
        ) from error
    return {"authorization": f"Bearer {token}"}


def _refusal(status: int, body: Mapping[str, Any]) -> CdpError:
    """Return what a host refuses as an error of this process: its fault is 5xx, ours 4xx."""
    kind = CdpError if status >= 500 else UsageError
    said = {key: str(body.get(key, "")) for key in ("code", "message", "hint")}
    return kind(said["message"], code=said["code"], hint=said["hint"])
