"""The resume token of every source of ledgers: the sequence and hash of the last ledger.

Sources of ledgers share it, so that a checkpoint can move from one to another and the chain
of hashes is still checked across the resume.
"""

from __future__ import annotations

import struct

from cdpplugin import Resume

_TOKEN = struct.Struct(">q32s")


def token_of(sequence: int, ledger_hash: bytes) -> bytes:
    """Return the token that names a ledger by its sequence and hash (32 bytes)."""
    return _TOKEN.pack(sequence, ledger_hash)


def known_ledger(after: Resume | None) -> tuple[int, bytes] | None:
    """Return (sequence, hash) of the ledger that a token names, or None where it names none.

    It may be an earlier ledger than the one at the resume's position.
    """
    if after is None or len(after.token) != _TOKEN.size:
        return None
    sequence, ledger_hash = _TOKEN.unpack(after.token)
    return sequence, ledger_hash
