"""Every type, with random values: this decoder and stellar-sdk agree on what the bytes say."""

from __future__ import annotations

import json
import os
import random
import re
import struct
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import stellar_sdk.xdr
from stellar_sdk import StrKey

from cdp_pipeline.connectors.stellar.xdr import scan, to_sep51, type_names

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("CDP_TEST_DATA", REPOSITORY / "../shared/data"))
DEFINITIONS = DATA / "xdr/py-stellar-base_xdr"
VALUES_PER_TYPE = 4

sys.path.insert(0, str(REPOSITORY / "scripts"))
from xdr_definitions import Definitions, Enum, Struct, Typedef, TypeRef, Union, read_definitions  # noqa: E402

pytestmark = pytest.mark.skipif(not DEFINITIONS.exists(), reason=f"no XDR files in {DEFINITIONS}")


class RandomValues:
    """Writes random values of any type, small and not too deep."""

    def __init__(self, definitions: Definitions, seed: int, ascii_only: bool = False) -> None:
        self._types = definitions.types
        self._ascii_only = ascii_only
        self._random = random.Random(seed)

    def of(self, name: str, depth: int = 0) -> bytes:
        """One value of the named type, as XDR."""
        if name in ("AssetCode4", "AssetCode12"):
            return self._asset_code(4 if name == "AssetCode4" else 12)
        match self._types.get(name):
            case None:
                return self._primitive(name)
            case Enum(members):
                return struct.pack(">i", self._random.choice(members)[1])
            case Struct(fields):
                return b"".join(self._reference(ref, depth + 1) for _, ref in fields)
            case Union(_, arms):
                return self._union(arms, depth)
            case Typedef(target):
                return self._reference(target, depth)
        raise TypeError(name)

    def _union(self, arms: tuple[tuple[int, TypeRef | None], ...], depth: int) -> bytes:
        void = [arm for arm in arms if arm[1] is None]
        value, target = self._random.choice(void if void and depth > 12 else arms)
        if target is None:
            return struct.pack(">i", value)
        # stellar-sdk cannot print a chosen arm that holds nothing, such as `vec` without a vector.
        flag = struct.pack(">I", 1) if target.shape == "optional" else b""
        body = self.of(target.base, depth + 1) if flag else self._reference(target, depth + 1)
        return struct.pack(">i", value) + flag + body

    def _reference(self, ref: TypeRef, depth: int) -> bytes:
        if ref.shape == "optional":
            present = depth < 12 and self._random.random() < 0.6
            return struct.pack(">I", present) + (self.of(ref.base, depth) if present else b"")
        if ref.base in ("opaque", "string"):
            size = ref.size if ref.shape == "fixed" else self._random.randint(0, min(ref.size, 70))
            data = self._random.randbytes(size)
            if ref.base == "string" and self._ascii_only:
                data = bytes(0x5D + byte % 32 for byte in data)
            prefix = b"" if ref.shape == "fixed" else struct.pack(">I", size)
            return prefix + data + bytes(-size % 4)
        if ref.shape == "fixed":
            return b"".join(self.of(ref.base, depth) for _ in range(ref.size))
        if ref.shape == "variable":
            count = self._random.randint(0, min(ref.size, max(0, 3 - depth // 3)))
            return struct.pack(">I", count) + b"".join(
                self.of(ref.base, depth) for _ in range(count)
            )
        return self.of(ref.base, depth)

    def _primitive(self, name: str) -> bytes:
        if name == "bool":
            return struct.pack(">I", self._random.getrandbits(1))
        bits = 64 if "hyper" in name else 32
        value = self._random.choice([0, 1, 2**bits - 1, 2 ** (bits - 1), None])
        if value is None:
            value = self._random.getrandbits(self._random.randint(1, bits))
        return int(value).to_bytes(bits // 8, "big")

    def _asset_code(self, size: int) -> bytes:
        text = "".join(self._random.choices("ABCXYZ0189", k=self._random.randint(0, size)))
        return text.encode().ljust(size, b"\0")


@cache
def definitions() -> Definitions:
    """The types as the .x files give them, read once."""
    return read_definitions(DEFINITIONS)


def sdk_class(name: str) -> Any:
    """The class of stellar-sdk for a type."""
    return getattr(stellar_sdk.xdr, name[0].upper() + name[1:])


def same(ours: Any, theirs: Any) -> bool:
    """Equal but for the known differences, in which stellar-sdk departs from SEP-51."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        pairs = zip(ours.items(), theirs.items(), strict=False)
        return len(ours) == len(theirs) and all(
            bare(mine) == bare(other) and same(value, their_value)
            for (mine, value), (other, their_value) in pairs
        )
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, str) and isinstance(theirs, dict):
        return ours == as_text(theirs)
    if isinstance(ours, str) and isinstance(theirs, str):
        if re.fullmatch("C[A-Z2-7]{55}", ours) and re.fullmatch("[0-9a-f]{64}", theirs):
            return StrKey.decode_contract(ours).hex() == theirs
        return same_text(ours, theirs) or ours == escaped(theirs)
    return bool(ours == theirs)


def as_text(parts: dict[str, str]) -> str:
    """The SEP-51 string for values that stellar-sdk prints as objects."""
    match parts:
        case {"id": number, "ed25519": key}:
            return StrKey.encode_med25519_public_key(
                bytes.fromhex(key) + int(number).to_bytes(8, "big")
            )
        case {"ed25519": key, "payload": payload}:
            data = bytes.fromhex(payload)
            padded = len(data).to_bytes(4, "big") + data + bytes(-len(data) % 4)
            return StrKey.encode_ed25519_signed_payload(bytes.fromhex(key) + padded)
        case _:  # an AssetCode, by its kind
            return escaped(next(iter(parts.values())))


def escaped(asset_code: str) -> str:
    """SEP-51 escapes for an asset code, which stellar-sdk prints raw."""
    short = {"\0": "\\0", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\"}
    return "".join(short.get(c, c if " " <= c <= "~" else f"\\x{ord(c):02x}") for c in asset_code)


def bare(name: str) -> str:
    """A key without what the naming rules disagree on: `tx_success` and `txsuccess`."""
    return name.replace("_", "").lower()


def same_text(ours: str, theirs: str) -> bool:
    """Equal, or the same enum member: `b8_bit` and `8_bit`, `wasm_insn_exec` and `wasminsnexec`."""
    return ours == theirs or bare(ours) in (bare(theirs), f"b{bare(theirs)}")


@pytest.mark.parametrize("name", type_names())
class TestEveryType:
    def test_agrees_with_stellar_sdk(self, name: str) -> None:
        """Two decoders that share nothing read the same values out of the same bytes."""
        values = RandomValues(definitions(), seed=len(name))
        for _ in range(VALUES_PER_TYPE):
            xdr = values.of(name)
            theirs = sdk_class(name).from_xdr_bytes(xdr).to_json_dict()

            assert same(json.loads(to_sep51(xdr, name)), theirs)

    def test_ends_where_it_ends(self, name: str) -> None:
        """Scanning accepts the same bytes, and the value spans all of them."""
        xdr = RandomValues(definitions(), seed=len(name)).of(name)

        assert (name, 0, len(xdr)) == scan(xdr, name, spans=[name])[0]


@pytest.mark.parametrize(
    "name", ["LedgerCloseMeta", "TransactionEnvelope", "TransactionMeta", "TransactionResult"]
)
def test_fits_the_official_json_schema(name: str) -> None:
    """Arms that no sample ledger holds have the names and shapes of the official JSON Schema."""
    schema = json.loads((DATA / f"xdr/json_schema/{name}.json").read_text())
    validator = jsonschema.Draft201909Validator(schema)
    values = RandomValues(definitions(), seed=1, ascii_only=True)
    for _ in range(20):
        validator.validate(json.loads(to_sep51(values.of(name), name)))
