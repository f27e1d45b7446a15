"""The plugin as a host runs it: `start_test_plugin` comes with flowctl."""

from pathlib import Path

import pytest
from cdpplugin import PluginError

FOLDER = Path(__file__).parent


def transfer(**payload):
    return {"type": "token_transfers", "payload": payload}


def test_a_large_transfer_is_marked(start_test_plugin):
    output = start_test_plugin(FOLDER).process(transfer(amount=1500, asset="native"))
    assert output.payload == {"amount": 1500, "asset": "native", "large": True}
    assert output.metadata["marked_by"] == "my-plugin"


def test_the_configuration_says_what_is_large(start_test_plugin):
    plugin = start_test_plugin(FOLDER, config={"min_amount": 5})
    assert plugin.process(transfer(amount=5)).payload["large"]
    assert plugin.process(transfer(amount=4.9)) is None
    assert plugin.dropped == "small"


def test_a_transfer_without_an_amount_is_an_error(start_test_plugin):
    with pytest.raises(PluginError, match="expected `amount` to be a number, got `None`"):
        start_test_plugin(FOLDER).process(transfer(asset="native"))
