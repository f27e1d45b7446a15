"""The plugin's configuration; `plugin.yaml` holds its schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import httpx

from cdpplugin import ConfigInvalid


@dataclass(frozen=True)
class Settings:
    """What to read, as `plugin.yaml` describes it; times are in seconds."""

    url: str
    type: str
    records: str = "_embedded.records"
    cursor_field: str = "paging_token"
    cursor: str = ""
    limit: int = 200
    follow: bool = True
    poll_interval: float = 5
    timeout: float = 30
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """Return the settings that *config* means.

        Raises:
            ConfigInvalid: It does not fit.
        """
        names = [each.name for each in fields(cls)]
        unknown = sorted(config.keys() - set(names))
        if unknown:
            known = ", ".join(f"`{name}`" for name in names)
            raise ConfigInvalid(f"unknown key `{unknown[0]}`", hint=f"the keys are {known}")
        settings = cls(**{"url": "", "type": "", **config})
        settings._check()
        return settings

    def _check(self) -> None:
        try:
            address = httpx.URL(self.url)
        except (httpx.InvalidURL, TypeError):
            address = httpx.URL("")
        if address.scheme not in ("http", "https") or not address.host:
            raise ConfigInvalid(
                "`url`: expected an address with http:// or https://", hint="set `url`"
            )
        if not self.type or not self.cursor_field:
            raise ConfigInvalid(
                "expected `type` and `cursor_field`, got an empty text", hint="set both"
            )
        for name in ("limit", "poll_interval", "timeout"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
                raise ConfigInvalid(
                    f"`{name}`: expected a number, more than 0, got `{value}`", hint="leave it out"
                )

    @property
    def place(self) -> str:
        """The address in words: without a query and a password, which may hold secrets."""
        address = httpx.URL(self.url)
        return str(address.copy_with(query=None, fragment=None, userinfo=b""))

    @property
    def identity(self) -> str:
        """The address without a password: what the stream is."""
        return str(httpx.URL(self.url).copy_with(userinfo=b""))

    def query(self, cursor: str) -> dict[str, str]:
        """Return what is asked for the page after *cursor*."""
        paging = {"limit": str(self.limit), "order": "asc"}
        return {"cursor": cursor, **paging} if cursor else paging
