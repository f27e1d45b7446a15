"""What the XDR kernel can walk: its kinds of types, and the types it knows by name."""

from __future__ import annotations

from typing import NamedTuple

from xdr_definitions import Definitions, Enum, Struct, Typedef, TypeRef, Union


class Kind(NamedTuple):
    """How large the smallest value is, in bytes; whether all have that size and any bytes do.

    A size of 0 means that it depends on the type's parts.
    """

    least_size: int = 0
    is_plain: bool = False


# In the order of `enum Kind` in `kernel.c`.
KINDS = {
    "struct": Kind(),
    "union": Kind(),
    "enum": Kind(4),
    "optional": Kind(4),
    "array_fixed": Kind(),
    "array_variable": Kind(4),
    "opaque_fixed": Kind(),
    "opaque_variable": Kind(4),
    "string": Kind(4),
    "u32": Kind(4, is_plain=True),
    "i32": Kind(4, is_plain=True),
    "u64": Kind(8, is_plain=True),
    "i64": Kind(8, is_plain=True),
    "bool": Kind(4),
    "public_key": Kind(36),
    "muxed_account": Kind(36),
    "muxed_ed25519": Kind(40, is_plain=True),
    "contract_id": Kind(32, is_plain=True),
    "pool_id": Kind(32, is_plain=True),
    "claimable_balance_id": Kind(36),
    "signer_key": Kind(36),
    "signed_payload": Kind(36),
    "sc_address": Kind(36),
    "asset_code": Kind(8),
    "asset_code4": Kind(4, is_plain=True),
    "asset_code12": Kind(12, is_plain=True),
    "i128": Kind(16, is_plain=True),
    "u128": Kind(16, is_plain=True),
    "i256": Kind(32, is_plain=True),
    "u256": Kind(32, is_plain=True),
}

# Types that SEP-51 renders as one string. The text is their shape as the kernel knows it: when a
# protocol changes one of them, the generator stops here instead of writing a wrong table.
SPECIAL = {
    "PublicKey": ("public_key", "0:uint256"),
    "MuxedAccount": ("muxed_account", "0:uint256 256:MuxedAccountMed25519"),
    "MuxedAccountMed25519": ("muxed_ed25519", "uint64 uint256"),
    "MuxedEd25519Account": ("muxed_ed25519", "uint64 uint256"),
    "ContractID": ("contract_id", "=Hash"),
    "PoolID": ("pool_id", "=Hash"),
    "ClaimableBalanceID": ("claimable_balance_id", "0:Hash"),
    "SignerKey": ("signer_key", "0:uint256 1:uint256 2:uint256 3:SignerKeyEd25519SignedPayload"),
    "SignerKeyEd25519SignedPayload": ("signed_payload", "uint256 opaque<64>"),
    "SCAddress": (
        "sc_address",
        "0:AccountID 1:ContractID 2:MuxedEd25519Account 3:ClaimableBalanceID 4:PoolID",
    ),
    "AssetCode": ("asset_code", "1:AssetCode4 2:AssetCode12"),
    "AssetCode4": ("asset_code4", "=opaque[4]"),
    "AssetCode12": ("asset_code12", "=opaque[12]"),
    "Int128Parts": ("i128", "int64 uint64"),
    "UInt128Parts": ("u128", "uint64 uint64"),
    "Int256Parts": ("i256", "int64 uint64 uint64 uint64"),
    "UInt256Parts": ("u256", "uint64 uint64 uint64 uint64"),
}


def shape_text(definitions: Definitions, name: str) -> str:
    """A type's shape in one line, to compare with what the kernel knows."""
    match definitions.types[name]:
        case Struct(fields):
            return " ".join(_ref_text(ref) for _, ref in fields)
        case Union(_, arms):
            return " ".join(f"{value}:{_ref_text(ref)}" for value, ref in arms)
        case Typedef(target):
            return "=" + _ref_text(target)
        case Enum(members):
            return " ".join(f"{value}" for _, value in members)


def _ref_text(ref: TypeRef | None) -> str:
    if ref is None:
        return "void"
    bracket = {"fixed": f"[{ref.size}]", "variable": f"<{ref.size}>", "optional": "*"}
    return ref.base + bracket.get(ref.shape, "")
