"""Marks large transfers, and leaves out the others."""

from collections.abc import Mapping
from typing import Any

from cdpplugin import Drop, Message, PluginError


class LargeTransfers:
    """Knows from which amount on a transfer is large."""

    def __init__(self) -> None:
        self.min_amount: float = 1000

    def configure(self, config: Mapping[str, Any]) -> None:
        """Take the configuration; the host has checked it against the schema in plugin.yaml."""
        self.min_amount = config.get("min_amount", 1000)

    def process(self, message: Message) -> Message:
        """Return a large transfer marked; an error costs this message only."""
        amount = message.payload.get("amount")
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            raise PluginError(
                f"expected `amount` to be a number, got `{amount}`",
                code="my_plugin.no_amount",
                hint="put `rows` with the table token_transfers before this stage",
            )
        if amount < self.min_amount:
            raise Drop("small")
        message.payload["large"] = True
        message.metadata["marked_by"] = "my-plugin"
        return message
