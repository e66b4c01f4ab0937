"""What the stack's `secure` profile needs before its Kafka starts, and after.

    python secure.py prepare   an authority, certificates, a password for each user, a signing key
    python secure.py users     those passwords to the running Kafka

Law of this file: what exists and lasts stays as it is, so both may run at every start. Each folder is a
volume of its own, and a program gets only those it needs: `authority` and `passwords` this one and `contracts
apply`, `brokers` Kafka, `monitor` the monitor, `public` everyone.
"""

import asyncio
import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bus import Outage, Settings, waited_out
from bus.embedded.tls import Authority
from bus.kafka.cluster import Cluster
from bus.process.logs import set_up_logs
from contracts import Catalog, visible_logger

HOME = Path("/var/lib/govbus")
FOLDERS = ("authority", "brokers", "passwords", "monitor", "public")
NODES = (1, 2, 3)
RENEWED_BEFORE = timedelta(days=60)
"""How long before its end a certificate is renewed at a start; it lasts a year."""
ADMIN = "govbus-admin"
"""Who applies contracts: a super user, known by a certificate."""
MONITOR = "govbus-monitor"
PRIVATE = 0o600
SHARED = 0o640
"""Brokers read their files as members of the group of this program."""

_log = visible_logger("govbus.secure")


def prepare(home: Path, users: list[str]) -> None:
    """Make what is missing.

    Args:
        home: where the folders are.
        users: everyone who gets a password.
    """
    secret, brokers, passwords, monitor, public = folders = [home / name for name in FOLDERS]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    authority = Authority.open(secret)
    for number in NODES:
        name = f"secure-kafka-{number}"
        if _is_needed(brokers / f"{name}.pem"):
            shutil.move(authority.for_node(name, name), brokers / f"{name}.pem")
    if _is_needed(secret / f"{ADMIN}.pem"):
        authority.for_client(ADMIN)
    for user in users:
        if not (passwords / user).exists():
            (passwords / user).write_text(secrets.token_urlsafe(32))
    _make_signing_key(secret / "registry.key.pem", public / "registry.pem")
    for folder in (brokers, public):
        shutil.copyfile(authority.file, folder / "ca.pem")
    shutil.copyfile(passwords / MONITOR, monitor / "password")
    for file in brokers.iterdir():
        file.chmod(SHARED)
    for file in (*passwords.iterdir(), *monitor.iterdir()):
        file.chmod(PRIVATE)


def _is_needed(certificate: Path) -> bool:
    """Return whether there is no certificate, or one that ends soon."""
    if not certificate.exists():
        return True
    ends = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    return ends - datetime.now(UTC) < RENEWED_BEFORE


def _make_signing_key(secret: Path, public: Path) -> None:
    if secret.exists():
        return
    key = Ed25519PrivateKey.generate()
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    secret.chmod(PRIVATE)
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


async def set_passwords(settings: Settings, passwords: Mapping[str, str]) -> None:
    """Set the passwords of users, once Kafka is there."""

    async def done() -> None:
        async with Cluster.open(settings) as cluster:
            await cluster.set_passwords(passwords)

    await waited_out(done, Outage(f"Kafka at {settings.bootstrap_servers}"))


if __name__ == "__main__":
    set_up_logs("govbus-secure", serving=True)
    os.umask(0o077)
    match sys.argv[1:]:
        case ["prepare"]:
            prepare(HOME, [MONITOR, *Catalog.open(Settings().catalog).agencies])
            _log.info("certificates and passwords are in %s", HOME)
        case ["users"]:
            found = {file.name: file.read_text() for file in (HOME / "passwords").iterdir()}
            asyncio.run(set_passwords(Settings(), found))
            _log.info("users with a password: %d", len(found))
        case _:
            sys.exit(__doc__)
