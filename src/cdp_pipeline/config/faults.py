"""Report every fault of a file at once, each with its place and a way out.

ConfigError              one fault: code, message, hint, `where` = file:line:column
└── ConfigErrors         config.invalid      several faults of one file

Codes: config.unreadable, config.syntax, config.unknown_key, config.missing_key,
config.value_invalid, config.unknown_name, config.duplicate_key, config.duplicate_name,
config.env_missing, config.schema_invalid.
"""

from __future__ import annotations

from collections.abc import Iterable

from cdp_pipeline.errors import ConfigError


class ConfigErrors(ConfigError):
    """Several faults of one file.

    Attributes:
        faults: Each of them, in the order of the file.
    """

    def __init__(self, faults: Iterable[ConfigError], where: str = "") -> None:
        self.faults = list(faults)
        lines = "\n".join(f"  {fault}" for fault in self.faults)
        super().__init__(f"{len(self.faults)} faults\n{lines}", where=where)


def faults_of(error: ConfigError) -> list[ConfigError]:
    """Return the single faults *error* stands for."""
    return list(error.faults) if isinstance(error, ConfigErrors) else [error]


def raise_faults(faults: Iterable[ConfigError], file: str) -> None:
    """Raise what *faults* amount to: nothing, the one fault, or all of them together.

    Raises:
        ConfigError: There is one fault.
        ConfigErrors: There are several.
    """
    found = in_file_order(faults)
    if len(found) == 1:
        raise found[0]
    if found:
        raise ConfigErrors(found, where=file)


def in_file_order(faults: Iterable[ConfigError]) -> list[ConfigError]:
    """Return *faults* without repetitions, ordered by line and column."""
    unique = {(fault.where, fault.code, fault.message): fault for fault in faults}
    return sorted(unique.values(), key=lambda fault: _line_and_column(fault.where))


def _line_and_column(where: str) -> tuple[int, int]:
    parts = where.rsplit(":", 2)
    if len(parts) == 3 and parts[1].isdecimal() and parts[2].isdecimal():
        return int(parts[1]), int(parts[2])
    return 0, 0
