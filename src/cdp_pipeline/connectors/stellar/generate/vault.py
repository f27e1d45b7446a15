"""Keeps what the one custom contract of the generated network stores.

The vault takes deposits of an asset, remembers who deposited how much, and stores short-lived
records that are evicted when their time is over.
"""

from __future__ import annotations

from collections import deque

from stellar_sdk import xdr

from .entries import PERSISTENT, ContractData, TimeToLive
from .packing import sha256, tag
from .values import (
    FALSE_VALUE,
    INSTANCE_KEY,
    TRUE_VALUE,
    contract_address,
    i128,
    record,
    symbol,
    vector,
)


class Vault:
    """State of the contract.

    Attributes:
        contract_id: 32 bytes.
        address: Its packed SCV_ADDRESS.
        deposits: By packed address of the depositor; stroops are in `deposited`.
        records: Temporary entries, those that end first in front.
        living: Every entry that lives, with its time to live.
    """

    def __init__(self, network_id: bytes, deployer: bytes, asset_contract: bytes) -> None:
        self.contract_id = _contract_id(network_id, deployer)
        self.address = contract_address(self.contract_id)
        self.code_hash = sha256(b"code of the vault")
        balance_key = vector([symbol("Balance"), self.address])
        self.balance = ContractData(asset_contract, balance_key, PERSISTENT, _asset_balance(0))
        self.amount = 0
        self.deposits: dict[bytes, ContractData] = {}
        self.deposited: dict[bytes, int] = {}
        self.records: deque[TimeToLive] = deque()
        self.records_so_far = 0
        self.living: list[TimeToLive] = []

    def instance_key(self) -> bytes:
        """The packed `LedgerKey` of the contract instance."""
        return instance_of(self.contract_id)

    def code_key(self) -> bytes:
        """The packed `LedgerKey` of the contract code."""
        return tag(xdr.LedgerEntryType.CONTRACT_CODE) + self.code_hash

    def deposit_of(self, depositor: bytes) -> ContractData:
        """The entry of a depositor, new and not yet stored where there is none."""
        stored = self.deposits.get(depositor)
        if stored is not None:
            return stored
        key = vector([symbol("Deposit"), depositor])
        return ContractData(self.contract_id, key, PERSISTENT, i128(0))

    def shift(self, depositor: bytes, entry: ContractData, amount: int) -> None:
        """Add an amount (negative: take it out) to the vault and to a deposit."""
        self.amount += amount
        self.balance.value = _asset_balance(self.amount)
        self.deposited[depositor] = self.deposited.get(depositor, 0) + amount
        self.deposits[depositor] = entry
        entry.value = i128(self.deposited[depositor])

    def evict(self, ledger: int) -> list[bytes]:
        """Forget the records whose time is over: the packed keys of data and time to live."""
        keys: list[bytes] = []
        while self.records and self.records[0].live_until < ledger:
            over = self.records.popleft()
            keys += (over.data.key(), over.key())
        return keys

    def size_bytes(self) -> int:
        """Bytes of all that is stored, for the ledger's count of live Soroban state."""
        entries = len(self.deposits) + len(self.records) + 1
        return 20_000 + 260 * entries


def instance_of(contract_id: bytes) -> bytes:
    """The packed `LedgerKey` of any contract's instance."""
    return ContractData(contract_id, INSTANCE_KEY, PERSISTENT, b"").key()


def _asset_balance(amount: int) -> bytes:
    """How a Stellar Asset Contract stores the balance of a contract."""
    return record({"amount": i128(amount), "authorized": TRUE_VALUE, "clawback": FALSE_VALUE})


def _contract_id(network_id: bytes, deployer: bytes) -> bytes:
    """Sha256 of the `HashIDPreimage` of a contract deployed from an account."""
    account = tag(xdr.SCAddressType.SC_ADDRESS_TYPE_ACCOUNT)
    account += tag(xdr.PublicKeyType.PUBLIC_KEY_TYPE_ED25519) + deployer
    preimage = tag(xdr.ContractIDPreimageType.CONTRACT_ID_PREIMAGE_FROM_ADDRESS)
    kind = tag(xdr.EnvelopeType.ENVELOPE_TYPE_CONTRACT_ID)
    return sha256(kind + network_id + preimage + account + sha256(b"salt of the vault"))
