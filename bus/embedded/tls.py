"""Certificates of an embedded Kafka: an authority of its own, the node's, and one for each client."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bus.embedded.config import HOST
from bus.embedded.errors import NodeError
from bus.embedded.folder import write_private

AUTHORITY_NAME = "govbus embedded Kafka"
AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 365


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A client's key and certificate, and the authority it trusts; all are PEM files."""

    certfile: Path
    keyfile: Path
    cafile: Path


class Authority:
    """A certificate authority in a folder; its key lets its reader act as any client.

    Args:
        folder: The folder of its files and those it issues.
        key: Its key.
        certificate: Its own certificate.
    """

    def __init__(self, folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._folder = folder
        self._key = key
        self._certificate = certificate

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Return the authority of a folder; a new one if there is none.

        Raises:
            NodeError: The folder's authority cannot be read.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key_file, file = folder / "ca.key.pem", folder / "ca.pem"
        if not (key_file.exists() and file.exists()):
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = _authority(key)
            write_private(key_file, _key_text(key))
            write_private(file, certificate.public_bytes(Encoding.PEM).decode())
            return cls(folder, key, certificate)
        try:
            loaded = load_pem_private_key(key_file.read_bytes(), None)
            certificate = x509.load_pem_x509_certificate(file.read_bytes())
        except (ValueError, TypeError) as error:
            msg = f"cannot read {key_file} and {file} ({type(error).__name__}) - remove both for new ones"
            raise NodeError(msg) from error
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise NodeError(
                f"cannot use {key_file} - not a key of this authority - remove it and {file} for new ones"
            )
        return cls(folder, loaded, certificate)

    @property
    def file(self) -> Path:
        """PEM file of the authority's own certificate."""
        return self._folder / "ca.pem"

    def for_node(self, name: str = "node", *hosts: str) -> Path:
        """Write a new key and certificate of a node on this machine, and return their one PEM file.

        Args:
            name: its common name, which is its user name at the other nodes.
            hosts: further names under which it is reached.
        """
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        key, certificate = self._issue(name, usages, hosts)
        path = self._folder / f"{name}.pem"
        write_private(path, key + certificate)
        return path

    def for_client(self, name: str) -> ClientCertificate:
        """Write a new key and certificate of a client, whose common name is `name`."""
        key, certificate = self._issue(name, [ExtendedKeyUsageOID.CLIENT_AUTH])
        issued = ClientCertificate(self._folder / f"{name}.pem", self._folder / f"{name}.key.pem", self.file)
        write_private(issued.certfile, certificate)
        write_private(issued.keyfile, key)
        return issued

    def _issue(
        self, name: str, usages: Sequence[x509.ObjectIdentifier], hosts: Sequence[str] = ()
    ) -> tuple[str, str]:
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.IPAddress(ipaddress.ip_address(HOST)), *map(x509.DNSName, ("localhost", *hosts))]
        certificate = (
            _draft(name, CERTIFICATE_DAYS)
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        return _key_text(key), certificate.public_bytes(Encoding.PEM).decode()


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip
    return (
        _draft(AUTHORITY_NAME, AUTHORITY_DAYS)
        .issuer_name(_named(AUTHORITY_NAME))
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _draft(name: str, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
