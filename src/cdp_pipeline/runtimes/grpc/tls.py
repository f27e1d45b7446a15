"""Tell why a connection with TLS can never come about, of the words gRPC has for it."""

from __future__ import annotations

from cdp_pipeline.runtimes.grpc.faults import StartFailed

_UNTRUSTED = (
    "its certificate is not signed by a trusted authority",
    "give the PEM file of the authority that signed it in `tls.ca` (or `--tls-ca`)",
)
_CAUSES = {
    "certificate_verify_failed": _UNTRUSTED,
    "bad_signature": _UNTRUSTED,
    "hostname verification check failed": (
        "its certificate is for another name",
        "give a name that is in the certificate in `tls.server_name` (or `--tls-server-name`)",
    ),
    "wrong_version_number": (
        "it does not speak TLS",
        "check the address, or remove `tls` to reach it without encryption",
    ),
    "failed to create security handshaker": (
        "the files of `tls` hold no certificate or key that can be used",
        "check that each file of `tls` is PEM, and that `key` belongs to `certificate`",
    ),
}
"""What gRPC core and BoringSSL say, in lower case: what it means, and what to do."""


class TlsFailed(StartFailed):
    """Host and plugin cannot agree on an encrypted connection."""

    code = "plugin.tls_failed"


def tls_failure(name: str, details: str) -> TlsFailed | None:
    """Return the error for *details* of a failed connection to plugin *name*.

    None where the failure may pass by itself.
    """
    for words, (meaning, hint) in _CAUSES.items():
        if words in details.lower():
            return TlsFailed(f"no encrypted connection to plugin `{name}`: {meaning}", hint=hint)
    return None
