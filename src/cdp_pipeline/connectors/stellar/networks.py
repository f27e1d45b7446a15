"""Tell one Stellar network from another: passphrase, network id and the names in use.

A network is its passphrase. Its id, sha256 of the passphrase, is what
signatures and the `network` part of a message id are derived from.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from hashlib import sha256

from cdpplugin import ConfigInvalid

PUBNET_PASSPHRASE = "Public Global Stellar Network ; September 2015"  # noqa: S105 - public
TESTNET_PASSPHRASE = "Test SDF Network ; September 2015"  # noqa: S105 - public
FUTURENET_PASSPHRASE = "Test SDF Future Network ; October 2022"  # noqa: S105 - public
STANDALONE_PASSPHRASE = "Standalone Network ; February 2017"  # noqa: S105 - public

_ALIASES = {
    "pubnet": "pubnet",
    "mainnet": "pubnet",
    "public": "pubnet",
    "testnet": "testnet",
    "futurenet": "futurenet",
    "standalone": "standalone",
    "local": "standalone",
}
_PASSPHRASES = {
    "pubnet": PUBNET_PASSPHRASE,
    "testnet": TESTNET_PASSPHRASE,
    "futurenet": FUTURENET_PASSPHRASE,
    "standalone": STANDALONE_PASSPHRASE,
}
_NAMES = {passphrase: name for name, passphrase in _PASSPHRASES.items()}
_PASSPHRASE_PREFIX = "passphrase:"  # noqa: S105 - public


class NetworkUnknown(ConfigInvalid):
    """A network name that is neither a known alias nor a passphrase."""

    code = "network.unknown"


@dataclass(frozen=True, slots=True)
class Network:
    """One Stellar network.

    Attributes:
        name: `pubnet`, `testnet`, `futurenet`, `standalone`; for any other
            passphrase `custom-` and the first 8 hex digits of the id.
        passphrase: The network passphrase, exactly as the nodes use it.
        network_id: sha256 of the passphrase, 32 bytes.
    """

    name: str
    passphrase: str
    network_id: bytes = field(repr=False)


def network_of_passphrase(passphrase: str) -> Network:
    """Return the network whose passphrase is *passphrase*, named where it is well known."""
    network_id = sha256(passphrase.encode()).digest()
    name = _NAMES.get(passphrase, f"custom-{network_id.hex()[:8]}")
    return Network(name, passphrase, network_id)


def resolve_network(text: str) -> Network:
    """Return the network that a user means by *text*.

    A known name (`pubnet`, `mainnet`, `testnet`, `futurenet`, `standalone`,
    `local`, in any case) or a passphrase. A single word that is no known name
    is taken for a spelling mistake; a passphrase of one word is written
    `passphrase:WORD`.

    Raises:
        NetworkUnknown: *text* is empty or one unknown word.
    """
    if text.startswith(_PASSPHRASE_PREFIX) and len(text) > len(_PASSPHRASE_PREFIX):
        return network_of_passphrase(text.removeprefix(_PASSPHRASE_PREFIX))
    name = _ALIASES.get(text.strip().lower())
    if name is not None:
        return network_of_passphrase(_PASSPHRASES[name])
    if " " in text.strip():
        return network_of_passphrase(text)
    raise _unknown(text)


def _unknown(text: str) -> NetworkUnknown:
    near = difflib.get_close_matches(text.strip().lower(), _ALIASES, n=1)
    if near:
        hint = f"write `{near[0]}`, or `{_PASSPHRASE_PREFIX}{text}` if it is a passphrase"
    else:
        hint = f"write one of {', '.join(_ALIASES)}, or a network passphrase"
    return NetworkUnknown(f"unknown network `{text}`", hint=hint)
