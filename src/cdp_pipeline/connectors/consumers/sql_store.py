"""What a database is to the SQL consumers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cdpplugin import Fatal

if TYPE_CHECKING:
    import pyarrow as pa

POSITIONS_TABLE = "cdp_positions"
EVERYTHING = ""  # the row of `cdp_positions` that stands for all tables of a stage
MAX_NAME_BYTES = 63  # what PostgreSQL keeps of a name; more is cut off there without a word


class TableMissing(Fatal):
    """A table that was written before is gone, though its position says it is whole."""

    code = "sql.table_missing"


class PositionLost(Fatal):
    """The database holds less than it once confirmed."""

    code = "sql.position_lost"
    hint = "start the pipeline again: it goes on from the position that the database holds"


class Store(ABC):
    """A database as one stage of one pipeline sees it. Calls come one at a time.

    Every method raises `Retry` for what may pass and `Fatal` for what will not.

    Attributes:
        where: The database, for people, without secrets.
    """

    where: str

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether there is a connection that works as far as is known."""

    @abstractmethod
    def open(self) -> None:
        """Connect, and create the table of positions where it is missing."""

    @abstractmethod
    def positions(self) -> dict[str, int]:
        """Return the stored positions of this stage by table; `EVERYTHING` for all of them."""

    @abstractmethod
    def missing(self, tables: Sequence[str]) -> Sequence[str]:
        """Return those of *tables* that are not in the database."""

    @abstractmethod
    def write(self, tables: Mapping[str, pa.Table], positions: Mapping[str, int]) -> None:
        """Upsert rows by `message_id` and store the positions, in one transaction."""

    @abstractmethod
    def forget(self) -> dict[str, int]:
        """Delete the positions of this stage; return what they were. Opens what it needs."""

    @abstractmethod
    def ping(self) -> None:
        """Ask the database for an answer."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection; never raises."""
