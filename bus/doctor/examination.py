"""Looking at one thing after the other.

Law of this file: where one is away, or closed to this user, the others are looked at all the same.
"""

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from platform import python_version

from cryptography import x509
from pydantic import ValidationError

from bus.clock_watch import learn_time
from bus.cluster.rollout import Rollout
from bus.doctor.diagnoses import (
    SHOWN,
    Diagnosis,
    of_certificate,
    of_clock,
    of_groups,
    of_plan,
    of_receipts,
    of_secrets_file,
    of_variables,
)
from bus.errors import AccessDeniedError, BusError, BusUnavailableError, TopicMissingError
from bus.kafka.cluster import Cluster
from bus.kafka.groups import Groups
from bus.kafka.one_off_reads import open_offsets
from bus.kafka.transport import KafkaTransport
from bus.record import TopicPartition
from bus.settings import Settings
from bus.topics import CLOCK_TOPIC, receipts_topic
from contracts import Catalog, CatalogError, ContractError, catalog_folder, env_file, env_file_variables

ANSWER_SECONDS = 10.0
"""How long the cluster may take to answer: who asks a doctor knows already that something is wrong."""
LATE_SECONDS = 60.0
LATELY_MINUTES = 60
UNSEEN = "this user may not look at it; an administrator may"


def examine_settings() -> tuple[list[Diagnosis], Settings | None]:
    """Look at variables, files and certificate; return the settings too, unless they cannot be read."""
    found: list[Diagnosis] = []
    try:
        found += of_variables({*env_file_variables(), *os.environ})
        found += _of_file()
        settings = Settings()
        found += _of_certificate(settings)
    except (BusError, ContractError, ValidationError, OSError) as error:
        what = str(error) if isinstance(error, BusError | ContractError) else type(error).__name__
        return [*found, Diagnosis("settings", "fault", what, "govbus config")], None
    if not found:
        found.append(Diagnosis("settings", "ok", "read"))
    return found, settings


def _of_file() -> Iterator[Diagnosis]:
    if (file := env_file()) is not None and os.name != "nt":
        has_secret = any("PASSWORD" in name for name in env_file_variables())
        yield from of_secrets_file(str(file), file.stat().st_mode & 0o777, has_secret=has_secret)


def _of_certificate(settings: Settings) -> Iterator[Diagnosis]:
    if (path := settings.ssl_certfile) is None:
        return
    try:
        ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        what = f"{path} cannot be read ({type(error).__name__})"
        remedy = "export GOVBUS_SSL_CERTFILE=NEW.pem GOVBUS_SSL_KEYFILE=NEW.key.pem"
        yield Diagnosis("certificate", "fault", what, remedy)
    else:
        yield of_certificate(str(path), ends, datetime.now(UTC))


def examine_catalog(named: str | None) -> tuple[list[Diagnosis], Catalog | None, Path]:
    """Look at the catalogue; return it and its folder too, unless it cannot be read."""
    folder = Path()
    try:
        folder = catalog_folder(named)
        catalog = Catalog.open(folder)
    except CatalogError as error:
        what = f"{len(error.findings)} findings in {folder}"
        return (
            [Diagnosis("catalogue", "fault", what, f"govbus contracts lint --catalog {folder}")],
            None,
            folder,
        )
    except ContractError as error:
        remedy = "export GOVBUS_CATALOG=FOLDER, or govbus new country"
        return [Diagnosis("catalogue", "fault", str(error).partition(" - ")[0], remedy)], None, folder
    what = f"{folder}: {len(catalog.agencies)} agencies, {len(catalog.contracts)} events"
    return [Diagnosis("catalogue", "ok", what)], catalog, folder


async def examine_cluster(
    settings: Settings,
    catalog: Catalog | None,
    folder: Path,
    *,
    now: Callable[[], float] = time.time,
    late_seconds: float = LATE_SECONDS,
) -> AsyncIterator[Diagnosis]:
    """Look at the cluster, and compare it with the catalogue.

    Args:
        settings: the cluster.
        catalog: the contracts; without them the cluster alone is looked at.
        folder: where they are.
        now: the time of this machine's clock, in seconds since the epoch.
        late_seconds: how old a record must be for who has not read it to be behind.
    """
    patient = settings.publish_timeout_seconds
    settings = settings.model_copy(update={"publish_timeout_seconds": min(ANSWER_SECONDS, patient)})
    try:
        async with Cluster.open(settings) as cluster:
            count = len(await cluster.brokers())
    except BusError as error:
        yield _unreachable(settings, error)
        return
    brokers = f"{count} broker{'' if count == 1 else 's'}"
    yield Diagnosis("cluster", "ok", f"{settings.bootstrap_servers}: {brokers}")
    clients = ", ".join(f"{name} {version(name)}" for name in ("aiokafka", "faststream"))
    yield Diagnosis("versions", "ok", f"govbus {version('govbus')}, Python {python_version()}, {clients}")
    if catalog is None:
        return
    user = settings.sasl_username or ""
    for area, look in (
        ("access", _compared(settings, catalog, folder)),
        ("clock", _clock(settings, user if user in catalog.agencies else "", now)),
        ("receipts", _flowing(settings, catalog, late_seconds)),
    ):
        try:
            async for diagnosis in look:
                yield diagnosis
        except TopicMissingError as error:
            yield Diagnosis(area, "skipped", f"`{error.topic}` is missing")
        except AccessDeniedError:
            yield Diagnosis(area, "skipped", UNSEEN)
        except BusError as error:
            yield Diagnosis(area, "fault", str(error).partition("\n")[0], "govbus doctor")


def _unreachable(settings: Settings, error: BusError) -> Diagnosis:
    what = str(error).partition("\n")[0]
    if isinstance(error, AccessDeniedError):
        remedy = "export GOVBUS_ENV_FILE=FILE  # with the user and password of your agency"
        return Diagnosis("cluster", "fault", what, remedy)
    if not isinstance(error, BusUnavailableError):
        return Diagnosis("cluster", "fault", what, "govbus config")
    host, _, port = settings.bootstrap_servers.split(",")[0].rpartition(":")
    local = f"govbus up --port {port}" if host in ("127.0.0.1", "localhost") else ""
    return Diagnosis("cluster", "fault", what, local or "export GOVBUS_BOOTSTRAP_SERVERS=HOST:PORT")


async def _compared(settings: Settings, catalog: Catalog, folder: Path) -> AsyncIterator[Diagnosis]:
    async with Cluster.open(settings) as cluster:
        is_guarded = await cluster.access() is not None
    plan = await Rollout(folder, settings=settings, catalog=catalog, grow=True).plan(datetime.now(UTC).date())
    for diagnosis in of_plan(plan, is_guarded=is_guarded):
        yield diagnosis


async def _clock(settings: Settings, agency: str, now: Callable[[], float]) -> AsyncIterator[Diagnosis]:
    transport = KafkaTransport(settings)
    await transport.start()
    try:
        topic = receipts_topic(agency) if agency else CLOCK_TOPIC
        await transport.require_topics([topic])
        await learn_time(transport, topic)
        yield of_clock(now() - transport.clock.now_us() / 1e6)
    finally:
        await transport.stop()


async def _flowing(settings: Settings, catalog: Catalog, late_seconds: float) -> AsyncIterator[Diagnosis]:
    async with AsyncExitStack() as stack:
        offsets = await stack.enter_async_context(open_offsets(settings))
        events = {
            version.type: contract.subject
            for contract in catalog.contracts.values()
            for version in contract.versions
        }
        receipts = {receipts_topic(agency): agency for agency in catalog.agencies}
        known = await offsets.partitions([*events, *receipts])
        if hidden := sorted(agency for topic, agency in receipts.items() if topic not in known):
            what = f"of {', '.join(hidden[:SHOWN])}{' and others' * (len(hidden) > SHOWN)}: {UNSEEN}"
            yield Diagnosis("receipts", "skipped", what)
        events = {
            topic: subject
            for topic, subject in events.items()
            if topic in known and receipts_topic(subject.partition(".")[0]) in known
        }
        places = [TopicPartition(topic, number) for topic, count in known.items() for number in range(count)]
        ends = await offsets.ends(places)
        now_ms = int(time.time() * 1000)
        since = await offsets.offsets_at(dict.fromkeys(places, now_ms - LATELY_MINUTES * 60_000))
        written = _counts(ends, since, receipts)
        for diagnosis in of_receipts(_counts(ends, since, events), written, LATELY_MINUTES):
            yield diagnosis
        late = await offsets.offsets_at(dict.fromkeys(places, now_ms - int(late_seconds * 1000)))
        groups = await stack.enter_async_context(Groups.open(settings))
        positions = await groups.positions([*events, *receipts])
        behind = {
            group: sum(max(0, late.get(place, 0) - offset) for place, offset in committed.items())
            for group, committed in positions.items()
            if committed
        }
        for diagnosis in of_groups(behind, catalog):
            yield diagnosis


def _counts(
    ends: Mapping[TopicPartition, int], since: Mapping[TopicPartition, int], names: Mapping[str, str]
) -> dict[str, int]:
    """Return how many offsets each name has taken since then."""
    counts = dict.fromkeys(names.values(), 0)
    for place, end in ends.items():
        if place.topic in names:
            counts[names[place.topic]] += end - since[place]
    return counts
