"""Which network a name or a passphrase means."""

from __future__ import annotations

import pytest

from cdp_pipeline.connectors.stellar.networks import NetworkUnknown, resolve_network

IDS = {
    "pubnet": "7ac33997544e3175d266bd022439b22cdb16508c01163f26e5cb2a3e1045a979",
    "testnet": "cee0302d59844d32bdca915c8203dd44b33fbb7edc19051ea37abedf28ecd472",
    "futurenet": "a3a1c6a78286713e29be0e9785670fa838d13917cd8eaeb4a3579ff1debc7fd5",
}


class TestResolve:
    @pytest.mark.parametrize("name", IDS)
    def test_knows_the_public_networks(self, name: str) -> None:
        """A network's id is the sha256 of its passphrase, as the network publishes it."""
        assert (name, IDS[name]) == (
            resolve_network(name).name,
            resolve_network(name).network_id.hex(),
        )

    def test_mainnet_is_pubnet(self) -> None:
        """`mainnet` and `pubnet` are one network, in any case."""
        assert resolve_network("pubnet") == resolve_network("MainNet")

    def test_a_known_passphrase_has_its_name(self) -> None:
        """A passphrase that belongs to a known network gets that network's name."""
        assert "standalone" == resolve_network("Standalone Network ; February 2017").name

    def test_any_passphrase_is_a_network(self) -> None:
        """An unknown passphrase is a network of its own, named by its id."""
        network = resolve_network("My Private Network ; 2026")

        assert f"custom-{network.network_id.hex()[:8]}" == network.name

    def test_a_misspelt_name_is_refused(self) -> None:
        """One unknown word is a mistake, and the nearest name is offered."""
        with pytest.raises(NetworkUnknown, match="`mainet`") as caught:
            resolve_network("mainet")

        assert "`mainnet`" in caught.value.hint

    def test_a_passphrase_of_one_word(self) -> None:
        """`passphrase:` lets one word be a passphrase."""
        assert "word" == resolve_network("passphrase:word").passphrase
