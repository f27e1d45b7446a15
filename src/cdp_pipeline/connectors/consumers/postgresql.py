"""Write rows to PostgreSQL, a table a message type, exactly once.

Rows go by COPY into a temporary table and from there into theirs, upserted by `message_id`.
Copying straight into the table was measured 16 % faster, which is not worth a second path.

What a PostgreSQL column cannot hold: text has no U+0000, so the six characters of its JSON
escape are stored; times have no nanoseconds, so they are cut to microseconds.
"""

from __future__ import annotations

from typing import Any, Self
from urllib.parse import quote

from pydantic import Field, JsonValue, SecretStr, model_validator

from cdp_pipeline.connectors.consumers.sql import SqlConsumer, SqlSettings
from cdp_pipeline.connectors.consumers.sql_store import Store
from cdp_pipeline.connectors.settings import DurationS
from cdpplugin import ConfigInvalid, Context, PluginMetadata

_SECRET: dict[str, JsonValue] = {"secret": True}
_PARTS = ("host", "port", "database", "user", "password", "sslmode")


class PostgresqlSettings(SqlSettings):
    """Configuration of `save-to-postgresql`; what is left out is taken from libpq's defaults."""

    dsn: SecretStr | None = Field(
        default=None,
        json_schema_extra=_SECRET,
        description="Where the database is: `postgresql://user:password@host/database` or "
        "`host=... dbname=...`; instead of the six keys below.",
    )
    host: str | None = Field(default=None, description="Host name, or folder of the Unix socket.")
    port: int | None = Field(default=None, ge=1, le=65535, description="TCP port.")
    database: str | None = Field(default=None, description="Name of the database.")
    user: str | None = Field(default=None, description="Role that writes.")
    password: SecretStr | None = Field(
        default=None, json_schema_extra=_SECRET, description="Password of the role."
    )
    sslmode: str | None = Field(
        default=None,
        pattern="^(disable|allow|prefer|require|verify-ca|verify-full)$",
        description="How much TLS is asked for; `verify-full` for a server over a network.",
    )
    db_schema: str | None = Field(
        default=None,
        alias="schema",
        min_length=1,
        max_length=63,
        description="Schema of the tables, created where it is missing; by default the first one "
        "of the role's search path.",
    )
    connect_timeout: DurationS = Field(
        default=10.0, description="Time to wait for a connection at the most, e.g. `10s`."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        both = [name for name in _PARTS if getattr(self, name) is not None]
        if self.dsn is not None and both:
            raise ValueError(f"expected either `dsn` or the single keys, got `dsn` and `{both[0]}`")
        return self

    def connection(self) -> dict[str, str]:
        """Return libpq's parameters.

        Raises:
            ConfigInvalid: The DSN is none, or its port is no number; its text is not repeated,
                since it may hold a password.
        """
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        if self.dsn is not None:
            try:
                found = conninfo_to_dict(self.dsn.get_secret_value())
            except psycopg.Error:
                raise ConfigInvalid(
                    "`dsn`: expected `postgresql://user:password@host:port/database` or "
                    "`host=... dbname=...`, got something else",
                    hint="percent-encode special characters of a password in a URL",
                ) from None
            _check_ports(str(found.get("port") or ""))
            return {name: str(value) for name, value in found.items() if value is not None}
        password = self.password.get_secret_value() if self.password else None
        parts = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": password,
            "sslmode": self.sslmode,
        }
        return {name: str(value) for name, value in parts.items() if value is not None}

    def secrets(self) -> list[str]:
        """Return every form in which the password might stand in a text."""
        password = self.connection().get("password", "")
        return [each for each in {password, quote(password), quote(password, safe="")} if each]


def _check_ports(ports: str) -> None:
    """Check a DSN's port, or its list of ports with one for each host (libpq)."""
    for port in ports.split(","):
        if port and not (port.isdecimal() and 1 <= int(port) <= 65535):
            # What stands there may be a piece of a password: it is not repeated.
            raise ConfigInvalid(
                "`dsn`: expected a port from 1 to 65535, got something else",
                hint="percent-encode special characters of a password in a URL",
            )


class SaveToPostgresql(SqlConsumer):
    """The consumer `save-to-postgresql`."""

    settings_model = PostgresqlSettings

    def metadata(self) -> PluginMetadata:
        """Say who it is."""
        return PluginMetadata(
            "save-to-postgresql",
            "0.1.0",
            "consumer",
            "Writes rows to PostgreSQL, a table a message type, exactly once",
            license="Apache-2.0",
            config_schema=PostgresqlSettings.model_json_schema(),
            input_encoding="arrow",
        )

    async def configure(self, config: Any) -> None:
        """Take the configuration.

        Raises:
            ConfigInvalid: It does not fit, or `dsn` is none.
        """
        await super().configure(config)
        self._settings.connection()

    def store_of(self, settings: Any, context: Context) -> Store:
        """Return the database; nothing is connected yet."""
        from cdp_pipeline.connectors.consumers.postgresql_store import PostgresqlStore

        return PostgresqlStore(
            settings.connection(),
            schema=settings.db_schema,
            pipeline=context.pipeline,
            stage=context.stage,
            connect_timeout_s=settings.connect_timeout,
            secrets=settings.secrets(),
        )
