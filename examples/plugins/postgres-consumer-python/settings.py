"""The plugin's configuration; `plugin.yaml` holds its schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from cdpplugin import ConfigInvalid

NAMES = ("dsn", "table", "connect_timeout")
TABLE = re.compile(r"[A-Za-z_]\w{0,62}(\.[A-Za-z_]\w{0,62})?", re.ASCII)
LIVENESS = {
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A server that vanishes without a word is noticed within about half a minute."""


@dataclass(frozen=True)
class Settings:
    """Where to write.

    Attributes:
        connection: Parameters of libpq; they hold the password.
        table: The table as it is written in SQL.
        place: The database in words, without a secret.
    """

    connection: Mapping[str, Any] = field(repr=False)
    table: sql.Identifier
    place: str

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """Return the settings that *config* means.

        Raises:
            ConfigInvalid: It does not fit. The DSN is not repeated: it may hold a password.
        """
        for name in config:
            if name not in NAMES:
                known = ", ".join(f"`{each}`" for each in NAMES)
                raise ConfigInvalid(f"unknown key `{name}`", hint=f"the keys are {known}")
        table = config.get("table", "messages")
        if not isinstance(table, str) or not TABLE.fullmatch(table):
            raise ConfigInvalid(
                f"`table`: expected `name` or `schema.name`, got `{table}`",
                hint="use letters, digits and `_` only",
            )
        timeout_s = config.get("connect_timeout", 10)
        if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or timeout_s <= 0:
            raise ConfigInvalid(
                f"`connect_timeout`: expected seconds, more than 0, got `{timeout_s}`",
                hint="leave it out for 10 s",
            )
        given = _parameters(config.get("dsn"))
        host = given.get("host") or given.get("hostaddr") or "the default host"
        database = given.get("dbname") or given.get("user") or "the default database"
        return cls(
            # libpq takes 1 s for 2 s.
            {"connect_timeout": max(2, ceil(timeout_s)), **LIVENESS, **given},
            sql.Identifier(*table.split(".")),
            f"PostgreSQL database `{database}` on `{host}`",
        )


def _parameters(dsn: object) -> Mapping[str, Any]:
    try:
        given = conninfo_to_dict(dsn) if isinstance(dsn, str) else {}
    except psycopg.Error:
        given = {}
    if not given:
        raise ConfigInvalid(
            "`dsn`: expected `postgresql://user:password@host/database` or `host=... dbname=...`, "
            f"got {'something else' if dsn else 'nothing'}",
            hint="percent-encode special characters of a password in a URL",
        ) from None
    return given
