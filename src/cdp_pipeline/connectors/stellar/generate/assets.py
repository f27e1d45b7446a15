"""Names the assets of the generated network, in every form in which a ledger writes them."""

from __future__ import annotations

from dataclasses import dataclass

from stellar_sdk import Asset as StrKeyAsset
from stellar_sdk import StrKey

from .accounts import Account
from .values import string


@dataclass(frozen=True, slots=True, eq=False)
class Asset:
    """An asset and its packed forms.

    Attributes:
        name: SEP-11 text: `native` or `CODE:ISSUER`.
        packed: `Asset`; the same bytes serve as `TrustLineAsset` and `ChangeTrustAsset`.
        code: `AssetCode` as AllowTrust writes it; empty for the native asset.
        contract_id: Of the asset's Stellar Asset Contract, 32 bytes.
        topic: The last topic of every event about the asset.
        issuer: None for the native asset.
    """

    name: str
    packed: bytes
    code: bytes
    contract_id: bytes
    topic: bytes
    issuer: Account | None

    @property
    def issuer_address(self) -> bytes:
        """The issuer's SCV_ADDRESS; empty for the native asset."""
        return self.issuer.address if self.issuer is not None else b""


def native_asset(passphrase: str) -> Asset:
    """The native asset, lumens."""
    return _asset(StrKeyAsset.native(), "native", passphrase, None)


def issued_asset(code: str, issuer: Account, passphrase: str) -> Asset:
    """The asset that an account issues under a code of 1 to 12 characters."""
    asset = StrKeyAsset(code, _strkey(issuer))
    return _asset(asset, f"{code}:{asset.issuer}", passphrase, issuer)


def _asset(asset: StrKeyAsset, name: str, passphrase: str, issuer: Account | None) -> Asset:
    contract = asset.contract_id(passphrase)
    packed = asset.to_xdr_object().to_xdr_bytes()
    code = b"" if issuer is None else packed[: -len(issuer.account_id)]
    return Asset(name, packed, code, _contract_hash(contract), string(name.encode()), issuer)


def _strkey(account: Account) -> str:
    return StrKey.encode_ed25519_public_key(account.key_pair.public)


def _contract_hash(contract: str) -> bytes:
    return StrKey.decode_contract(contract)
