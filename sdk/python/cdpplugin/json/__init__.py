"""JSON in and out without a changed digit, with the quickest library that is there.

msgspec does it everywhere but in a WebAssembly component: there no extension in C exists,
and the standard library does it. Both give the same values and refuse the same texts; which
one it is, is settled once, at the import.
"""

from cdpplugin.json.plain import PayloadInvalid

try:
    from cdpplugin.json.fast import decode_json, decode_many, encode_json
except ModuleNotFoundError as error:
    # A folder of packages made for another machine holds msgspec without its extension.
    if (error.name or "").partition(".")[0] != "msgspec":
        raise
    from cdpplugin.json.standard import decode_json, decode_many, encode_json

__all__ = ["PayloadInvalid", "decode_json", "decode_many", "encode_json"]
