"""`govbus doctor` finds what was broken on purpose, and names the command that mends it."""

import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bus.cli import run
from bus.doctor.diagnoses import Diagnosis
from bus.doctor.examination import examine_cluster
from bus.embedded.folder import free_ports
from bus.embedded.kafka import EmbeddedKafka
from bus.kafka.cluster import Cluster
from bus.kafka.transport import KafkaTransport
from bus.record import TopicPartition
from bus.standing import CommittedOffset
from bus.topics import group_of
from contracts import Catalog, TopicState
from tests.small_catalog import SmallCountry, case
from tests.worlds import KafkaWorld


@pytest.fixture
def alone(country: SmallCountry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallCountry:
    """The small country as the working directory, no cluster, and no variables from outside."""
    for name in [name for name in os.environ if name.startswith("GOVBUS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GOVBUS_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.setenv("GOVBUS_PUBLISH_TIMEOUT_SECONDS", "0.5")
    monkeypatch.chdir(country.folder)
    return country


@pytest.fixture
def kafka() -> Iterator[str]:
    """A broker of its own: it is judged whole, with the registry that another test may have left."""
    with EmbeddedKafka() as node:
        yield node.bootstrap_servers


def faults(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    """Run it; return what is wrong in each area, and the remedy."""
    assert run(["doctor", "--json"]) == 100
    rows = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {row["area"]: (row["what"], row["remedy"]) for row in rows if row["state"] == "fault"}


def test_no_broker(alone: SmallCountry, capsys: pytest.CaptureFixture[str]) -> None:
    """The one fault, of a machine where nothing runs; the command names the port to start one on."""
    found = faults(capsys)
    assert found.keys() == {"cluster"}
    port = os.environ["GOVBUS_BOOTSTRAP_SERVERS"].rpartition(":")[2]
    assert found["cluster"][1] == f"govbus up --port {port}"
    assert "no broker answers" in found["cluster"][0]


def test_an_unknown_variable(
    alone: SmallCountry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the name that may be meant; its value is not told."""
    monkeypatch.setenv("GOVBUS_SASL_PASSWRD", "secret-word")
    what, remedy = faults(capsys)["settings"]
    assert "did you mean `GOVBUS_SASL_PASSWORD`" in what
    assert remedy == "unset GOVBUS_SASL_PASSWRD"
    assert "secret-word" not in what


def test_a_value_that_cannot_be(
    alone: SmallCountry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The catalogue is looked at all the same."""
    monkeypatch.setenv("GOVBUS_MAX_POLL_RECORDS", "many")
    found = faults(capsys)
    assert found.keys() == {"settings"}
    assert found["settings"][1] == "govbus config"


def test_a_password_that_others_may_read(
    alone: SmallCountry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the file of variables; without a password in it anybody may."""
    file = alone.folder / "north.env"
    file.write_text("GOVBUS_SASL_USERNAME=north\n")
    file.chmod(0o644)
    monkeypatch.setenv("GOVBUS_ENV_FILE", str(file))
    assert "settings" not in faults(capsys)
    file.write_text("GOVBUS_SASL_PASSWORD=secret-word\n")
    what, remedy = faults(capsys)["settings"]
    assert remedy == f"chmod 600 {file}"
    assert "secret-word" not in what


def test_no_catalogue(
    alone: SmallCountry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a folder that is no project."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert "govbus new country" in faults(capsys)["catalogue"][1]


def test_an_unsound_catalogue(alone: SmallCountry, capsys: pytest.CaptureFixture[str]) -> None:
    """Lint has the findings."""
    (alone.folder / "agencies" / alone.north / "agency.yaml").write_text("name: [")
    assert faults(capsys)["catalogue"][1] == f"govbus contracts lint --catalog {alone.folder}"


@pytest.mark.parametrize(("days", "word"), [(-1, "ended"), (3, "ends")])
def test_a_certificate_that_ends(
    days: int,
    word: str,
    alone: SmallCountry,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before it does, too."""
    file, key, now = alone.folder / "north.pem", ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "north")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(made.public_bytes(Encoding.PEM))
    monkeypatch.setenv("GOVBUS_SSL_CERTFILE", str(file))
    what, remedy = faults(capsys)["certificate"]
    assert what.startswith(f"{file} {word} on ")
    assert remedy.startswith("export GOVBUS_SSL_CERTFILE=")


async def found_in(world: KafkaWorld, ahead_seconds: float = 0.0) -> list[Diagnosis]:
    """Look at the cluster as an administrator, with a clock that is ahead."""
    folder = world.country.folder
    looked = examine_cluster(
        world.settings(), Catalog.open(folder), folder,
        now=lambda: time.time() + ahead_seconds, late_seconds=0,
    )  # fmt: skip
    return [one async for one in looked]


async def test_what_is_wrong_in_a_cluster(kafka_world: KafkaWorld) -> None:
    """Nothing at first; then six faults at once: topics, receipts, a stopped subscriber, the clock."""
    country, world = kafka_world.country, kafka_world
    name = "close-cases"
    async with world.bus(country.south) as bus:
        await bus.publish(country.closed, case(1), version="1.0")
    assert [one.what for one in await found_in(world) if one.state == "fault"] == []

    lost = f"{country.south}.parked"
    async with Cluster.open(world.settings()) as cluster:
        await cluster.delete_topic(lost)
        await cluster.change_topic(
            TopicState(f"{country.closed}.v1", 3),
            {"max.message.bytes": "1000000"},
            partitions=False,
            replicas=False,
        )
    contract = country.folder / "agencies" / country.north / "case-opened" / "contract.yaml"
    contract.write_text(yaml.safe_dump({**yaml.safe_load(contract.read_text()), "partitions": 5}))
    await world.append(country.topic, b"{}")
    await _read_nothing(world, group_of(country.south, name))

    faulty = [(one.area, one.what, one.remedy) for one in await found_in(world, 90.0) if one.state == "fault"]
    expected: Mapping[str, tuple[str, str]] = {
        f"missing: `{lost}`": ("topics", "govbus topics apply"),
        "max.message.bytes: 1000000 -> ": ("topics", "govbus contracts apply"),
        f"`{country.opened}` (partitions: 3 -> 5)": ("topics", "govbus contracts plan"),
        f"published `{country.opened}` within 60 min, and written no receipt": (
            "receipts", f"govbus reconcile {country.opened} --agency {country.north}",
        ),
        f"group `{country.south}.{name}` has not read 1 record ": (
            "subscriptions", f"govbus run MODULE:BUS  # as {country.south}",
        ),
        "this machine's clock is off by +": ("clock", "timedatectl set-ntp true"),
    }  # fmt: skip
    told = {text: (area, remedy) for text in expected for area, what, remedy in faulty if text in what}
    assert told == expected
    assert len(faulty) == len(expected)


async def _read_nothing(world: KafkaWorld, group: str) -> None:
    """Commit the first offset of each partition for a group, as one that has stopped there."""
    transport = KafkaTransport(world.settings())
    await transport.start()
    try:
        ids = await transport.topic_ids([world.country.topic])
        start = CommittedOffset(0, ids[world.country.topic], 0)
        await transport.preset(group, {TopicPartition(world.country.topic, n): start for n in range(3)})
    finally:
        await transport.stop()
