"""Keeps the accounts of the generated network: keys that sign, balances, trust lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stellar_sdk import Keypair, xdr

from .packing import (
    ABSENT,
    EMPTY,
    VERSION_0,
    VERSION_1,
    array,
    i64,
    opaque,
    sha256,
    tag,
    u32,
    u64,
)
from .values import account_address

if TYPE_CHECKING:
    from .entries import Note

LARGEST_LIMIT = 0x7FFFFFFFFFFFFFFF
AUTHORIZED = xdr.TrustLineFlags.AUTHORIZED_FLAG.value
CLAWBACK_ENABLED = xdr.TrustLineFlags.TRUSTLINE_CLAWBACK_ENABLED_FLAG.value

BASE_RESERVE = 5_000_000
"""Stroops that an account keeps for itself twice and for each of its sub-entries once."""

_ACCOUNT = tag(xdr.LedgerEntryType.ACCOUNT)
_TRUST_LINE = tag(xdr.LedgerEntryType.TRUSTLINE)
_ED25519 = tag(xdr.PublicKeyType.PUBLIC_KEY_TYPE_ED25519)
_VERSION_2, _VERSION_3 = u32(2), u32(3)


class SigningKey:
    """An Ed25519 key pair; its signatures are real."""

    __slots__ = ("_keypair", "_signature_head", "public")

    def __init__(self, secret: bytes) -> None:
        self._keypair = Keypair.from_raw_ed25519_seed(secret)
        self.public = self._keypair.raw_public_key()
        self._signature_head = self.public[-4:] + u32(64)

    @classmethod
    def derive(cls, seed: int, name: str) -> SigningKey:
        """The key of that name in the lake of that seed."""
        return cls(sha256(f"generated lake {seed}: {name}".encode()))

    @property
    def account_id(self) -> bytes:
        """`AccountID`, also `NodeID` and, since both start alike, a plain `MuxedAccount`."""
        return _ED25519 + self.public

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature."""
        return self._keypair.sign(message)

    def decorated_signature(self, transaction_hash: bytes) -> bytes:
        """`DecoratedSignature`: the last four bytes of the key as a hint, then the signature."""
        return self._signature_head + self._keypair.sign(transaction_hash)


@dataclass(slots=True, eq=False)
class TrustLine:
    """What an account holds of an issued asset, or its shares of a pool.

    Attributes:
        account_id: The packed `AccountID` of the holder.
        line: The packed `TrustLineAsset`.
        balance, limit, buying, selling: Stroops; the last two are the liabilities of offers.
        pool_uses: How many pool-share trust lines of the holder need this one.
    """

    account_id: bytes
    line: bytes
    balance: int = 0
    limit: int = LARGEST_LIMIT
    flags: int = AUTHORIZED
    buying: int = 0
    selling: int = 0
    pool_uses: int = 0
    last_modified: int = 1

    @property
    def is_authorized(self) -> bool:
        """Whether the holder may send and receive."""
        return bool(self.flags & AUTHORIZED)

    @property
    def spendable(self) -> int:
        """Stroops that no offer has a claim on."""
        return self.balance - self.selling

    def key(self) -> bytes:
        """The packed `LedgerKey`."""
        return _TRUST_LINE + self.account_id + self.line

    def pack(self) -> bytes:
        """The packed `LedgerEntry`."""
        return b"".join(
            (
                u32(self.last_modified) + _TRUST_LINE + self.account_id + self.line,
                i64(self.balance) + i64(self.limit) + u32(self.flags),
                VERSION_1 + i64(self.buying) + i64(self.selling),
                _VERSION_2 + u32(self.pool_uses) + VERSION_0,
                VERSION_0,
            )
        )


@dataclass(slots=True, eq=False)
class Account:
    """An account and the trust lines and data entries that belong to it.

    Attributes:
        lines: Trust lines by packed `TrustLineAsset`.
        notes: Data entries by name.
        signers: Packed `Signer`s, sorted by key as the ledger keeps them.
        sponsoring: How many reserves of others this account pays.
    """

    key_pair: SigningKey
    balance: int
    sequence: int
    sub_entries: int = 0
    flags: int = 0
    home_domain: bytes = b""
    thresholds: bytes = b"\1\0\0\0"
    signers: list[bytes] = field(default_factory=list)
    buying: int = 0
    selling: int = 0
    sponsoring: int = 0
    sequence_ledger: int = 0
    sequence_time: int = 0
    last_modified: int = 1
    lines: dict[bytes, TrustLine] = field(default_factory=dict)
    notes: dict[bytes, Note] = field(default_factory=dict)
    account_id: bytes = b""
    address: bytes = b""

    def __post_init__(self) -> None:
        self.account_id = self.key_pair.account_id
        self.address = account_address(self.key_pair.public)

    @property
    def spendable(self) -> int:
        """Stroops above the reserve that no offer has a claim on."""
        reserve = BASE_RESERVE * (2 + self.sub_entries + self.sponsoring)
        return self.balance - reserve - self.selling

    def key(self) -> bytes:
        """The packed `LedgerKey`."""
        return _ACCOUNT + self.account_id

    def pack(self) -> bytes:
        """The packed `LedgerEntry`, with all extensions up to `AccountEntryExtensionV3`."""
        return b"".join(
            (
                u32(self.last_modified) + _ACCOUNT + self.account_id,
                i64(self.balance) + i64(self.sequence) + u32(self.sub_entries),
                ABSENT + u32(self.flags) + opaque(self.home_domain) + self.thresholds,
                array(self.signers) if self.signers else EMPTY,
                VERSION_1 + i64(self.buying) + i64(self.selling),
                _VERSION_2 + u32(0) + u32(self.sponsoring),
                array([ABSENT] * len(self.signers)) if self.signers else EMPTY,
                _VERSION_3 + VERSION_0 + u32(self.sequence_ledger) + u64(self.sequence_time),
                VERSION_0,
            )
        )
