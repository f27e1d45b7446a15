"""What a plugin is tried on: lines of JSON, or ledgers in the forms that it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cdp_pipeline.errors import UsageError
from cdp_pipeline.testing.asking import Answer
from cdp_pipeline.testing.message_lines import read_messages
from cdpplugin import Batch, PluginMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Where the messages come from.

    Attributes:
        path: A file of lines, `-` for standard input; empty for none.
        type: The type of lines that are payloads; by default the plugin's only input type.
        ledgers: Files of ledgers.
        network: The network of ledgers that lie in no lake which names it.
    """

    path: str = ""
    type: str = ""
    ledgers: Sequence[Path] = ()
    network: str = ""

    def read(self, metadata: PluginMetadata) -> AsyncIterator[Batch | Answer]:
        """Yield the messages one by one; an `Answer` is a ledger of which nothing can be made.

        Raises:
            UsageError: The plugin is a source, or takes no ledgers; or a line cannot be used.
            ConfigError: A file cannot be read.
        """
        if metadata.type == "source" and (self.path or self.ledgers):
            raise UsageError(
                f"`{metadata.reference}` is a source, which takes no messages",
                code="usage.no_input",
                hint="leave `--input` and `--ledger` out",
            )
        if self.ledgers:
            from cdp_pipeline.testing.ledger_files import forms_for, read_ledger_files

            return read_ledger_files(self.ledgers, forms_for(metadata), self.network)
        takes = metadata.input_types
        return read_messages(self.path, self.type or (takes[0] if len(takes) == 1 else ""))
