"""A small country on a Kafka that asks everyone who he is, and denies what the repo does not grant."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka import admin as librdkafka
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bus import Bus, EmbeddedKafka, Settings
from bus.cluster.rollout import Author, Rollout
from contracts import Catalog, Plan
from tests.small_catalog import SmallCountry

LIBRDKAFKA: Any = librdkafka
"""Its own types leave out what it exports."""
PASSWORD = "of-a-test"
TODAY = date(2026, 11, 24)
AUTHOR = Author("a test", "0" * 40)


class GuardedCountry(SmallCountry):
    """The small country; `south` is granted to read what `north` opens."""

    def __init__(self, folder: Path, node: EmbeddedKafka) -> None:
        super().__init__(folder)
        self.folder = folder
        self.node = node
        self.withdraw()
        self.grant_file = self.grant_south()
        if node.admin_password is not None:
            give_passwords(node, self.north, self.south, "govbus-monitor")

    def grant_south(self, subject: str = "") -> Path:
        """Write the document by which `south` may read an event, the opened cases if none is named."""
        subject = subject or self.opened
        document = {
            "subject": subject, "version": 1, "purpose": "close-cases", "fields": ["$"],
            "approved_by": "An office", "approved_on": "2026-01-01", "expires": "2999-12-31",
            **({} if subject == self.opened else {"name": subject.replace(".", "-")}),
        }  # fmt: skip
        file = self.folder / "agencies" / self.south / "subscriptions" / f"{subject}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(document))
        return file

    def add_version(self, number: str, field: str) -> None:
        """Write a further minor version of the opened case, with one more optional field."""
        place = self.folder / "agencies" / self.north / "case-opened"
        contract = yaml.safe_load((place / "contract.yaml").read_text())
        schema = json.loads((place / contract["versions"][-1]["file"]).read_text())
        schema["properties"][field] = {"type": "string"}
        file = place / f"v{number}.json"
        file.write_text(json.dumps(schema))
        digest = sha256(file.read_bytes()).hexdigest()
        contract["versions"].append({"number": number, "file": file.name, "sha256": digest})
        (place / "contract.yaml").write_text(yaml.safe_dump(contract))

    def partitions(self) -> int:
        """Return over how many partitions opened cases are spread."""
        return Catalog.open(self.folder).contract(self.opened).partitions

    def set_partitions(self, count: int) -> None:
        """Write over how many partitions opened cases are to be spread."""
        place = self.folder / "agencies" / self.north / "case-opened" / "contract.yaml"
        place.write_text(yaml.safe_dump({**yaml.safe_load(place.read_text()), "partitions": count}))

    def add_agency(self, name: str, events: int) -> None:
        """Write an agency with some events like the opened case."""
        origin = self.folder / "agencies" / self.north
        agency = yaml.safe_load((origin / "agency.yaml").read_text())
        for number in range(events):
            place = self.folder / "agencies" / name / f"event-{number}"
            shutil.copytree(origin / "case-opened", place)
            contract = yaml.safe_load((place / "contract.yaml").read_text())
            (place / "contract.yaml").write_text(
                yaml.safe_dump({**contract, "subject": f"{name}.event-{number}"})
            )
        (self.folder / "agencies" / name / "agency.yaml").write_text(yaml.safe_dump({**agency, "name": name}))

    def settings(self, user: str | None = None, **more: Any) -> Settings:
        """Return the settings of a user; of the administrator where none is named."""
        name = user or str(self.node.admin_username)
        access = self.node.environment()
        found: dict[str, Any] = {"security_protocol": access["GOVBUS_SECURITY_PROTOCOL"]}
        if "GOVBUS_SASL_USERNAME" in access:
            password = PASSWORD if user else self.node.admin_password
            found |= {"sasl_username": name, "sasl_password": password}
        if "GOVBUS_SSL_CAFILE" in access:
            shown = self.node.certificate(name)
            found |= {
                "ssl_cafile": shown.cafile,
                "ssl_certfile": shown.certfile,
                "ssl_keyfile": shown.keyfile,
            }
        return Settings(
            bootstrap_servers=self.node.bootstrap_servers, publish_timeout_seconds=20.0, **found, **more
        )

    def rollout(self, **more: Any) -> Rollout:
        """Return a rollout of the folder as it is now."""
        return Rollout(self.folder, settings=self.settings(**more))

    def rollout_at(self, committed: int, **more: Any) -> Rollout:
        """Return a rollout of the folder as of a commit, which was made at that second since the epoch."""
        return Rollout(self.folder, settings=self.settings(**more), committed=committed)

    def grower(self, seconds: float, **more: Any) -> Rollout:
        """Return a rollout that may grow partitions, each within `seconds`."""
        return Rollout(self.folder, settings=self.settings(**more), grow=True, grow_seconds=seconds)

    async def apply(self, **more: Any) -> Plan:
        """Apply the folder as it is now."""
        return await self.rollout(**more).apply(TODAY, AUTHOR)

    async def apply_anyway(self, **more: Any) -> Plan:
        """Apply the folder whatever it takes from others, such as the country of the test before."""
        settings = self.settings(**more)
        return await Rollout(self.folder, settings=settings, allow_destroy=["all"]).apply(TODAY, AUTHOR)

    def bus(self, agency: str, **more: Any) -> Bus:
        """Return a bus of an agency under its own name and password."""
        return Bus(agency, settings=self.settings(agency, **more), catalog=Catalog.open(self.folder))


def administrator(node: EmbeddedKafka) -> Any:
    """Return librdkafka's administration client, which shares no code with ours."""
    return LIBRDKAFKA.AdminClient(client(node, node.admin_username, node.admin_password))


def client(node: EmbeddedKafka, user: str | None, password: str | None = PASSWORD) -> dict[str, Any]:
    """Return the settings of a librdkafka client."""
    access, name = node.environment(), str(user)
    found = {
        "bootstrap.servers": node.bootstrap_servers,
        "security.protocol": access["GOVBUS_SECURITY_PROTOCOL"],
    }
    if "GOVBUS_SASL_USERNAME" in access:
        found |= {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": name, "sasl.password": str(password)}
    if "GOVBUS_SSL_CAFILE" in access:
        shown = node.certificate(name)
        found |= {
            "ssl.ca.location": str(shown.cafile),
            "ssl.certificate.location": str(shown.certfile),
            "ssl.key.location": str(shown.keyfile),
        }
    return found


def give_passwords(node: EmbeddedKafka, *users: str) -> None:
    """Let users log in; the broker that is asked first may hear of a password later than the controller."""
    secret = LIBRDKAFKA.ScramCredentialInfo(LIBRDKAFKA.ScramMechanism.SCRAM_SHA_512, 4096)
    changes = [LIBRDKAFKA.UserScramCredentialUpsertion(user, secret, PASSWORD.encode()) for user in users]
    admin = administrator(node)
    for done in admin.alter_user_scram_credentials(changes).values():
        done.result(timeout=30)
    for user in users:  # librdkafka tries again until it is let in
        LIBRDKAFKA.AdminClient(client(node, user)).list_topics(timeout=60)


def give(node: EmbeddedKafka, principal: str, topic: str) -> None:
    """Let a principal read a topic, as an administrator does by hand."""
    kafka = LIBRDKAFKA
    access = kafka.AclBinding(
        kafka.ResourceType.TOPIC, topic, kafka.ResourcePatternType.LITERAL, principal, "*",
        kafka.AclOperation.READ, kafka.AclPermissionType.ALLOW,
    )  # fmt: skip
    admin = administrator(node)
    for done in admin.create_acls([access]).values():
        done.result(timeout=30)


@contextmanager
def denied_to_write(node: EmbeddedKafka, user: str, topic: str) -> Iterator[None]:
    """Deny a user to write to a topic during the block, as an administrator does by hand."""
    with _entry(node, "DENY", f"User:{user}", "WRITE", ("TOPIC", topic)):
        yield


@contextmanager
def allowed(node: EmbeddedKafka, user: str, operation: str, kind: str, name: str) -> Iterator[None]:
    """Allow a user something during the block, as an administrator does by hand."""
    with _entry(node, "ALLOW", f"User:{user}", operation, (kind, name)):
        yield


@contextmanager
def _entry(
    node: EmbeddedKafka, permission: str, principal: str, operation: str, resource: tuple[str, str]
) -> Iterator[None]:
    kafka, admin = LIBRDKAFKA, administrator(node)
    entry = (
        kafka.ResourceType[resource[0]], resource[1], kafka.ResourcePatternType.LITERAL, principal, "*",
        kafka.AclOperation[operation], kafka.AclPermissionType[permission],
    )  # fmt: skip
    for done in admin.create_acls([kafka.AclBinding(*entry)]).values():
        done.result(timeout=30)
    yield
    for done in admin.delete_acls([kafka.AclBindingFilter(*entry)]).values():
        done.result(timeout=30)


def has_open_records(node: EmbeddedKafka, topic: str) -> bool:
    """Whether a transaction hides records of a topic's first partition from its readers."""
    place, admin, ends = TopicPartition(topic, 0), administrator(node), []
    for level in IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED:
        wanted = {place: LIBRDKAFKA.OffsetSpec.latest()}
        (found,) = admin.list_offsets(wanted, isolation_level=level).values()
        ends.append(found.result(timeout=30).offset)
    return bool(ends[0] != ends[1])


def make_keys(folder: Path) -> dict[str, Path]:
    """Write a pair of keys and return the settings that name them."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / "registry.pem", folder / "registry.pub.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return {"registry_key": private, "registry_public_key": public}


async def until(condition: Any, seconds: float = 60.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a condition, not an event
            await asyncio.sleep(0.1)
