"""What a PostgreSQL error means to the host: try again, or stop, and what the user can do.

By SQLSTATE (PostgreSQL documentation, appendix A). libpq keeps the SQLSTATE of a refused
connection to itself, so those few are told by the server's English words; any other
refusal counts as one that may pass.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from cdpplugin import Fatal, PluginError, Retry

CONNECTION_LOST = "postgresql.connection_lost"
DATA_REFUSED = "postgresql.data_refused"

_LOST = (
    CONNECTION_LOST,
    "see that the server runs and can be reached; a run that has ended is run again, and goes "
    "on where it was",
)
_BUSY = ("postgresql.conflict", "let no other session write the same tables at the same time")
_FULL = ("postgresql.resources", "free disk space, memory or connections on the server")
_LOGIN = ("postgresql.authentication", "correct `user` and `password`, or the server's pg_hba.conf")
_UNKNOWN = ("postgresql.unknown_database", "create the database, or correct `database`")
_DENIED = (
    "postgresql.permission_denied",
    "grant the role CREATE and TEMPORARY on the database, CREATE and USAGE on the schema, and "
    "SELECT, INSERT, UPDATE on the tables",
)
_SETTING = ("postgresql.connection_invalid", "correct `dsn`, or libpq's environment variables")
_TLS = ("postgresql.tls", "correct `sslmode`, or the server's certificate")
_DATA = (DATA_REFUSED, "correct the column's type, its constraint, or the stage before")
_REFUSED = ("postgresql.refused", "")

_RETRIES = {
    "08": _LOST,  # connection exception
    "57P": _LOST,  # shutdown, crash, still starting
    "25006": _LOST,  # read-only: a server that is no longer the primary
    "40": _BUSY,  # serialization failure, deadlock
    "55P03": _BUSY,  # lock not available
    "57014": _BUSY,  # cancelled, as by a statement timeout
    "42P07": _BUSY,  # another session created the same table
    "42701": _BUSY,  # another session added the same column
    "53": _FULL,  # disk full, out of memory, too many connections
    "58030": _FULL,  # input/output error
}
_FATALS = {
    "28": _LOGIN,
    "3D": _UNKNOWN,
    "42501": _DENIED,
    "22": _DATA,  # data exception
    "23": _DATA,  # constraint violation
}
_REFUSALS = (
    ("password authentication failed", _LOGIN),
    ("no password supplied", _LOGIN),
    ("authentication failed", _LOGIN),
    ("no pg_hba.conf entry", _LOGIN),
    ("is not permitted to log in", _LOGIN),
    ("permission denied for database", _DENIED),
    ("invalid port number", _SETTING),
    ("invalid integer value", _SETTING),
    ("invalid sslmode value", _SETTING),
    ("invalid connection option", _SETTING),
    ("does not support ssl", _TLS),
    ("certificate", _TLS),
)


def instruction(error: psycopg.Error, where: str, secrets: Sequence[str] = ()) -> PluginError:
    """Return what the host is to do about *error*, which came from *where*, without *secrets*."""
    text = masked(_text(error), secrets)
    state = error.sqlstate
    if state is None:
        return _without_state(error, text, where)
    code, hint = _found(_RETRIES, state, ("", ""))
    if code or _is_race(error):
        code, hint = (code, hint) if code else _BUSY
        return Retry(f"{where}: {text}", code=code, hint=hint)
    code, hint = _found(_FATALS, state, _REFUSED)
    return Fatal(f"{where}: {text}", code=code, hint=hint)


def masked(text: str, secrets: Sequence[str]) -> str:
    """Return *text* with every secret in it made unreadable."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _text(error: psycopg.Error) -> str:
    diagnosis = error.diag
    if diagnosis.message_primary is None:
        return " ".join(str(error).split())
    context = (diagnosis.context or "").splitlines()
    parts = [diagnosis.message_primary, diagnosis.message_detail, *context[:1]]
    return "; ".join(part for part in parts if part)


def _found(
    table: dict[str, tuple[str, str]], state: str, default: tuple[str, str]
) -> tuple[str, str]:
    for length in (5, 3, 2):
        if state[:length] in table:
            return table[state[:length]]
    return default


def _is_race(error: psycopg.Error) -> bool:
    """Say whether two sessions created the same thing: a clash in the system catalogue."""
    return error.sqlstate == "23505" and (error.diag.table_name or "").startswith("pg_")


def _without_state(error: psycopg.Error, text: str, where: str) -> PluginError:
    if not isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return Fatal(f"{where}: {text}", code=_REFUSED[0])
    words = text.casefold()
    for sign, (code, hint) in _REFUSALS:
        if sign in words:
            return Fatal(f"{where}: {text}", code=code, hint=hint)
    missing = "does not exist" in words and ("database" in words or "role" in words)
    if missing:
        code, hint = _UNKNOWN if 'database "' in words else _LOGIN
        return Fatal(f"{where}: {text}", code=code, hint=hint)
    if error.pgconn is not None and error.pgconn.needs_password:
        return Fatal(f"{where}: {text}", code=_LOGIN[0], hint=_LOGIN[1])
    return Retry(f"{where}: {text}", code=_LOST[0], hint=_LOST[1])
