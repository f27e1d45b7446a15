"""The work alone; `flowctl test .` tries the whole plugin."""

import pytest
from cdpplugin import Drop, Message, PluginError

from large_transfers import LargeTransfers


def transfer(**payload: object) -> Message:
    return Message(type="token_transfers", payload=payload)


def test_a_large_transfer_is_marked() -> None:
    output = LargeTransfers().process(transfer(amount=1500, asset="native"))
    assert output.payload == {"amount": 1500, "asset": "native", "large": True}
    assert output.metadata == {"marked_by": "my-plugin"}


def test_a_small_one_is_dropped() -> None:
    with pytest.raises(Drop):
        LargeTransfers().process(transfer(amount=999.9))


def test_the_configuration_says_what_is_large() -> None:
    transfers = LargeTransfers()
    transfers.configure({"min_amount": 5})
    assert transfers.process(transfer(amount=5)).payload["large"]


def test_a_transfer_without_an_amount_is_an_error() -> None:
    with pytest.raises(PluginError, match="expected `amount` to be a number, got `None`"):
        LargeTransfers().process(transfer(asset="native"))
