"""What an error of PostgreSQL means to the host: try again, stop, or look at the message."""

from __future__ import annotations

import psycopg

from cdpplugin import Fatal, PluginError, Retry

SERVER_AWAY = "postgres.server_away"
LOGIN_REFUSED = "postgres.login_refused"
DATA_REFUSED = "postgres.data_refused"
REFUSED = "postgres.refused"

PASSING = ("08", "40", "53", "57", "58", "25006", "42P07", "55P03")
"""SQLSTATEs that pass by themselves (PostgreSQL documentation, appendix A): a connection that is
lost, a deadlock, too little memory, a shutdown, a server that is no longer the primary, another
session that makes the same table."""
LOGIN = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    "does not exist",
)
"""libpq keeps the SQLSTATE of a refused login to itself, so it is told by the server's words."""


def instruction(error: psycopg.Error, place: str) -> PluginError:
    """Return what the host is to do about *error*, which came from the database *place*."""
    text = f"{place}: {error.diag.message_primary or ' '.join(str(error).split())}"
    state = error.sqlstate
    if state is None:
        return _without_state(error, text)
    if state.startswith(PASSING):
        return Retry(text, code=SERVER_AWAY)
    if state.startswith(("28", "3D")):
        return _login_refused(text)
    if state.startswith(("22", "23")):
        hint = "set `on_error` of the stage, or mend the message in a stage before"
        return PluginError(text, code=DATA_REFUSED, hint=hint)
    hint = "see that the role may write to the table, and that its key is (type, id)"
    return Fatal(text, code=REFUSED, hint=hint)


def _without_state(error: psycopg.Error, text: str) -> PluginError:
    if isinstance(error, psycopg.DataError):  # of the driver itself, before anything is sent
        return PluginError(text, code=DATA_REFUSED)
    if any(words in text for words in LOGIN):
        return _login_refused(text)
    hint = "see that the server runs and can be reached, and that the pipeline grants `network`"
    return Retry(text, code=SERVER_AWAY, hint=hint)


def _login_refused(text: str) -> Fatal:
    hint = "correct user, password and database of `dsn`, or the server's pg_hba.conf"
    return Fatal(text, code=LOGIN_REFUSED, hint=hint)
