"""A plugin that somebody else runs, and the certificates by which it is trusted."""

from __future__ import annotations

import datetime
import ipaddress
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cdp_pipeline.runtimes.grpc.port import HeldPort

SERVICE = """
import os, sys
import cdpplugin
from cdpplugin import Message, PluginMetadata, Base
from cdpplugin.serving import serve, serve_processor

config = {}

def answer(message):
    return Message(type="Answer", payload={"config": config, "pid": os.getpid()})

def configure(given):
    config.update(given)

credentials = None
if len(sys.argv) > 1:
    import grpc
    folder = sys.argv[1]
    read = lambda name: open(f"{folder}/{name}.pem", "rb").read()
    credentials = grpc.ssl_server_credentials(
        [(read("server-key"), read("server"))], read("authority"), "mutual" in sys.argv
    )
from cdpplugin.function import FunctionProcessor
plugin = FunctionProcessor(PluginMetadata("elsewhere", "1.0.0"), answer)
plugin.configure = configure
serve(plugin, credentials=credentials)
"""


class Service:
    """A plugin that somebody else runs, at a port of its own."""

    def __init__(self, folder: Path, *args: str, token: str = "", port: int = 0) -> None:
        self.held = HeldPort() if not port else None
        self.port = port or (self.held.number if self.held else 0)
        self.address = f"127.0.0.1:{self.port}"
        self._script = folder / "service.py"
        self._script.write_text(SERVICE)
        self._args = args
        self._environ = os.environ | {"PLUGIN_ADDRESS": self.address, "PLUGIN_TOKEN": token}
        self._environ.pop("PLUGIN_SOCKET", None)
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(self._script), *self._args]
        self.process = subprocess.Popen(command, env=self._environ, stderr=subprocess.DEVNULL)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.end()
        if self.held:
            self.held.close()


def certificates(folder: Path) -> None:
    """Write an authority, and certificates of a server and a client that it signed."""
    now = datetime.datetime.now(datetime.UTC)
    authority_key = ec.generate_private_key(ec.SECP256R1())

    def issue(name: str, key: Any, *, is_authority: bool = False) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        )
        if not is_authority:
            loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            names = x509.SubjectAlternativeName([x509.DNSName(name), loopback])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(authority_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    form, bare = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    for name in ("authority", "server", "client"):
        key = authority_key if name == "authority" else ec.generate_private_key(ec.SECP256R1())
        certificate = issue(name, key, is_authority=name == "authority")
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(pem))
        (folder / f"{name}-key.pem").write_bytes(key.private_bytes(pem, form, bare))
