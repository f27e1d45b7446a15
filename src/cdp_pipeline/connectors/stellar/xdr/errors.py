"""What is wrong with the bytes, where, and in which type.

code                    meaning
xdr.truncated           the value goes on after the last byte
xdr.trailing_bytes      bytes are left after the value
xdr.unknown_arm         an enum value or union discriminant that the type does not have
xdr.invalid             a bool or optional flag other than 0 and 1, or padding that is not zero
xdr.too_long            an array, opaque or string longer than its type allows
xdr.too_deep            more than 1500 structs, unions and arrays inside each other
xdr.output_too_large    the JSON would be longer than the caller allows
xdr.no_memory           input and output do not fit the kernel's 4 GiB
xdr.unknown_type        the caller asks for a type that does not exist
"""

from __future__ import annotations

from cdpplugin.errors import PluginError


class XdrError(PluginError):
    """Bytes that are not exactly one value of the XDR type asked for (RFC 4506).

    Attributes:
        offset: Where the offending item starts, in bytes from the start of the input.
        type_name: The innermost named type around it, e.g. ``OperationResult``.
        path: The way there, e.g. ``LedgerCloseMeta.v1.tx_processing[3].result``.
    """

    code = "xdr.invalid"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        offset: int = 0,
        type_name: str = "",
        path: str = "",
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.offset = offset
        self.type_name = type_name
        self.path = path
