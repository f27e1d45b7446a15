"""The database that the campaign writes to."""

from __future__ import annotations

from tests._postgres import postgres, postgres_server

__all__ = ["postgres", "postgres_server"]
