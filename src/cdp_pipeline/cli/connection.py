"""How a plugin elsewhere is reached, as the command line says: certificates and a token.

The options are named like the keys of a pipeline file (`plugins: [{tls, token}]`). A token is
never an argument, which everybody on the machine could read: the option names a variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipeline.errors import UsageError

if TYPE_CHECKING:
    from cdp_pipeline.runtimes.grpc.remote import RemoteTerms

_PANEL = "A plugin at an address"

Tls = Annotated[
    bool,
    typer.Option(
        "--tls",
        help="TLS, trusting the system's authorities; `--tls-ca` and its like imply it.",
        rich_help_panel=_PANEL,
    ),
]
TlsCa = Annotated[
    Path | None,
    typer.Option(
        "--tls-ca",
        metavar="FILE",
        help="PEM file of the authorities that may have signed the plugin's certificate.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
TlsCertificate = Annotated[
    Path | None,
    typer.Option(
        "--tls-certificate",
        metavar="FILE",
        help="PEM file of the host's own certificate, for mutual TLS.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
TlsKey = Annotated[
    Path | None,
    typer.Option(
        "--tls-key",
        metavar="FILE",
        help="PEM file of its private key.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
TlsServerName = Annotated[
    str | None,
    typer.Option(
        "--tls-server-name",
        metavar="NAME",
        help="The name in the plugin's certificate, where it is not the address's host.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
TokenEnv = Annotated[
    str | None,
    typer.Option(
        "--token-env",
        metavar="NAME",
        help="Environment variable that holds the token which the plugin expects.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """What the command line says of the connection; each attribute is an option's value."""

    tls: bool
    tls_ca: Path | None
    tls_certificate: Path | None
    tls_key: Path | None
    tls_server_name: str | None
    token_env: str | None

    @property
    def given(self) -> list[str]:
        """The options that were given, as they are written."""
        names = (name for name in self.__slots__ if getattr(self, name))
        return [f"--{name.replace('_', '-')}" for name in names]

    def terms(self, environ: Mapping[str, str]) -> RemoteTerms:
        """Return how the plugin is reached.

        Raises:
            UsageError: usage.tls_incomplete or usage.token_missing.
        """
        from cdp_pipeline.runtimes.grpc.remote import RemoteTerms, TlsFiles

        if bool(self.tls_certificate) != bool(self.tls_key):
            raise UsageError(
                "expected `--tls-certificate` and `--tls-key` together, got one of them",
                code="usage.tls_incomplete",
                hint="give the certificate and its private key, or neither",
            )
        files = TlsFiles(
            authority=self.tls_ca,
            certificate=self.tls_certificate,
            key=self.tls_key,
            server_name=self.tls_server_name or "",
        )
        encrypted = any(name.startswith("--tls") for name in self.given)
        return RemoteTerms(tls=files if encrypted else None, token=self._token(environ))

    def _token(self, environ: Mapping[str, str]) -> str:
        if not self.token_env:
            return ""
        if token := environ.get(self.token_env, ""):
            return token
        raise UsageError(
            f"expected a token in the environment variable `{self.token_env}`, got none",
            code="usage.token_missing",
            hint=f"set `{self.token_env}`, or leave `--token-env` out",
        )

    def require_address(self, plugin: str) -> None:
        """Refuse every option: *plugin* runs on this machine.

        Raises:
            UsageError: usage.no_address; one was given.
        """
        if self.given:
            raise UsageError(
                f"`{self.given[0]}` is for a plugin at an address, got it for `{plugin}`, "
                "which is started here",
                code="usage.no_address",
                hint=f"leave `{self.given[0]}` out, or name the plugin as HOST:PORT",
            )
