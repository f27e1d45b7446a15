"""A group of commands one of which need not be named."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

DEFAULT = "run"


class DefaultCommandGroup(TyperGroup):
    """Takes `GROUP ARGUMENTS` as `GROUP run ARGUMENTS`, where no command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line, the command filled in."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)
