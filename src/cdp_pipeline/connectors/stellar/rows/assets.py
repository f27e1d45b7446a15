"""Reads SEP-51 assets: type, code, issuer, `asset_id`, contract address, and pool ids."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from . import strkey
from .fingerprint import fingerprint64
from .text import string_bytes

NATIVE_ASSET_ID = -5706705804583548011
_ENVELOPE_TYPE_CONTRACT_ID = 8
_PREIMAGE_FROM_ASSET = 1


class Asset(NamedTuple):
    """An asset as rows show it; code and issuer are empty for the native one."""

    type: str
    code: str
    issuer: str

    @property
    def canonical(self) -> str:
        """`native` or `CODE:ISSUER` (SEP-11)."""
        return f"{self.code}:{self.issuer}" if self.issuer else self.type


NATIVE = Asset("native", "", "")


def read_asset(asset: str | Mapping[str, Any]) -> Asset:
    """Read the SEP-51 form of an Asset, ChangeTrustAsset or TrustLineAsset (no pool shares)."""
    if isinstance(asset, str):
        return NATIVE
    for kind, body in asset.items():
        return Asset(kind, asset_code(body["asset_code"]), body["issuer"])
    raise ValueError("asset has no arm")


def asset_code(escaped: str) -> str:
    """Return an asset code without its padding."""
    if "\\" not in escaped:
        return escaped
    return string_bytes(escaped).strip(b"\0").decode("utf-8", errors="replace")


def code_asset(escaped: str, issuer: str) -> Asset:
    """Return the asset of an AssetCode; SEP-51 pads a twelve-byte code to at least five."""
    kind = "credit_alphanum4" if len(string_bytes(escaped)) <= 4 else "credit_alphanum12"
    return Asset(kind, asset_code(escaped), issuer)


def parse_canonical(text: str) -> Asset | None:
    """Read `native` or `CODE:ISSUER`; None when it is neither."""
    if text == "native":
        return NATIVE
    code, colon, issuer = text.partition(":")
    if not colon or not 1 <= len(code) <= 12 or len(issuer) != 56 or issuer[0] != "G":
        return None
    return Asset("credit_alphanum4" if len(code) <= 4 else "credit_alphanum12", code, issuer)


@lru_cache(maxsize=65536)
def asset_id(asset: Asset) -> int:
    """Return the int64 id Hubble gives an asset."""
    if not asset.issuer:
        return NATIVE_ASSET_ID
    return fingerprint64(f"{asset.code}{asset.issuer}{asset.type}".encode())


@lru_cache(maxsize=8192)
def asset_xdr(asset: Asset) -> bytes:
    """Return the XDR of an Asset."""
    if not asset.issuer:
        return bytes(4)
    kind, width = (1, 4) if asset.type == "credit_alphanum4" else (2, 12)
    code = asset.code.encode("utf-8").ljust(width, b"\0")
    return struct.pack(f">i{width}si32s", kind, code, 0, strkey.decode(asset.issuer))


@lru_cache(maxsize=8192)
def asset_contract(asset: Asset, network_id: bytes) -> str | None:
    """Return the C address of an asset's contract (CAP-46-06), None for a bad issuer."""
    try:
        body = asset_xdr(asset)
    except (ValueError, struct.error):
        return None
    preimage = struct.pack(">i32si", _ENVELOPE_TYPE_CONTRACT_ID, network_id, _PREIMAGE_FROM_ASSET)
    return strkey.encode(strkey.CONTRACT, hashlib.sha256(preimage + body).digest())


def pool_id(constant_product: Mapping[str, Any]) -> bytes:
    """Return the 32-byte id of a constant product pool from its SEP-51 parameters (CAP-38)."""
    first, second = read_asset(constant_product["asset_a"]), read_asset(constant_product["asset_b"])
    fee = struct.pack(">i", constant_product["fee"])
    return hashlib.sha256(bytes(4) + asset_xdr(first) + asset_xdr(second) + fee).digest()
