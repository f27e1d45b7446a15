"""Packs the other ledger entries of the generated network: offers, data, pools, contracts.

Each has `key` (the packed `LedgerKey`), `pack` (the packed `LedgerEntry`) and `last_modified`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from stellar_sdk import xdr

from .accounts import Account
from .assets import Asset
from .packing import PRESENT, VERSION_0, VERSION_1, array, i32, i64, opaque, sha256, tag, u32

_OFFER = tag(xdr.LedgerEntryType.OFFER)
_DATA = tag(xdr.LedgerEntryType.DATA)
_CLAIMABLE_BALANCE = tag(xdr.LedgerEntryType.CLAIMABLE_BALANCE)
_LIQUIDITY_POOL = tag(xdr.LedgerEntryType.LIQUIDITY_POOL)
_CONTRACT_DATA = tag(xdr.LedgerEntryType.CONTRACT_DATA)
_TTL = tag(xdr.LedgerEntryType.TTL)
_CONTRACT = tag(xdr.SCAddressType.SC_ADDRESS_TYPE_CONTRACT)
_CONSTANT_PRODUCT = tag(xdr.LiquidityPoolType.LIQUIDITY_POOL_CONSTANT_PRODUCT)

PERSISTENT = tag(xdr.ContractDataDurability.PERSISTENT)
TEMPORARY = tag(xdr.ContractDataDurability.TEMPORARY)

POOL_FEE_BASIS_POINTS = 30


class Entry(Protocol):
    """A ledger entry that can change."""

    last_modified: int

    def key(self) -> bytes:
        """The packed `LedgerKey`."""

    def pack(self) -> bytes:
        """The packed `LedgerEntry`."""


@dataclass(slots=True, eq=False)
class Offer:
    """An offer in whole lots: a lot is `price_d` stroops sold for `price_n` stroops bought.

    Amounts that are whole lots never have to be rounded when offers meet.
    """

    offer_id: int
    seller: Account
    selling: Asset
    buying: Asset
    lots: int
    price_n: int
    price_d: int
    flags: int = 0
    last_modified: int = 1

    @property
    def amount(self) -> int:
        """Stroops still for sale."""
        return self.lots * self.price_d

    @property
    def cost(self) -> int:
        """Stroops that all of it costs."""
        return self.lots * self.price_n

    def key(self) -> bytes:
        return _OFFER + self.seller.account_id + i64(self.offer_id)

    def body(self) -> bytes:
        """The packed `OfferEntry`, as results carry it too."""
        return b"".join(
            (
                self.seller.account_id + i64(self.offer_id),
                self.selling.packed + self.buying.packed + i64(self.amount),
                i32(self.price_n) + i32(self.price_d) + u32(self.flags) + VERSION_0,
            )
        )

    def pack(self) -> bytes:
        return u32(self.last_modified) + _OFFER + self.body() + VERSION_0


@dataclass(slots=True, eq=False)
class Note:
    """A data entry of an account."""

    account: Account
    name: bytes
    value: bytes
    last_modified: int = 1

    def key(self) -> bytes:
        return _DATA + self.account.account_id + opaque(self.name)

    def pack(self) -> bytes:
        body = self.account.account_id + opaque(self.name) + opaque(self.value) + VERSION_0
        return u32(self.last_modified) + _DATA + body + VERSION_0


@dataclass(slots=True, eq=False)
class ClaimableBalance:
    """An amount set aside; whoever created it pays its reserve, as its sponsor."""

    balance_id: bytes
    sponsor: Account
    claimant: Account
    claimants: list[bytes]
    asset: Asset
    amount: int
    last_modified: int = 1

    def key(self) -> bytes:
        return _CLAIMABLE_BALANCE + self.balance_id

    def pack(self) -> bytes:
        return b"".join(
            (
                u32(self.last_modified) + _CLAIMABLE_BALANCE + self.balance_id,
                array(self.claimants) + self.asset.packed + i64(self.amount) + VERSION_0,
                VERSION_1 + PRESENT + self.sponsor.account_id + VERSION_0,
            )
        )


@dataclass(slots=True, eq=False)
class LiquidityPool:
    """A constant-product pool of two assets (CAP-38)."""

    asset_a: Asset
    asset_b: Asset
    reserve_a: int
    reserve_b: int
    shares: int
    holders: int
    last_modified: int = 1
    pool_id: bytes = b""

    def __post_init__(self) -> None:
        self.pool_id = sha256(_CONSTANT_PRODUCT + self.parameters())

    def parameters(self) -> bytes:
        """The packed `LiquidityPoolConstantProductParameters`."""
        return self.asset_a.packed + self.asset_b.packed + i32(POOL_FEE_BASIS_POINTS)

    def key(self) -> bytes:
        return _LIQUIDITY_POOL + self.pool_id

    def pack(self) -> bytes:
        return b"".join(
            (
                u32(self.last_modified) + _LIQUIDITY_POOL + self.pool_id,
                _CONSTANT_PRODUCT + self.parameters(),
                i64(self.reserve_a) + i64(self.reserve_b) + i64(self.shares) + i64(self.holders),
                VERSION_0,
            )
        )


@dataclass(slots=True, eq=False)
class ContractData:
    """A value that a contract stores under a key."""

    contract_id: bytes
    data_key: bytes
    durability: bytes
    value: bytes
    last_modified: int = 1

    def key(self) -> bytes:
        return _CONTRACT_DATA + _CONTRACT + self.contract_id + self.data_key + self.durability

    def pack(self) -> bytes:
        place = VERSION_0 + _CONTRACT + self.contract_id + self.data_key + self.durability
        return u32(self.last_modified) + _CONTRACT_DATA + place + self.value + VERSION_0


@dataclass(slots=True, eq=False)
class TimeToLive:
    """Until which ledger a contract entry lives."""

    data: ContractData
    live_until: int
    last_modified: int = 1

    def key(self) -> bytes:
        return _TTL + sha256(self.data.key())

    def pack(self) -> bytes:
        return u32(self.last_modified) + self.key() + u32(self.live_until) + VERSION_0
