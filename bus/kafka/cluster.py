"""A cluster for `plan` and `apply`: read and changed by an administrator."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from secrets import token_bytes
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaError,
    SecurityDisabled,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.admin import (
    AlterPartitionReassignmentsRequest,
    DescribeAclsRequest,
    DescribeClientQuotasRequest,
)

from bus.errors import BusUnavailableError
from bus.kafka.client import begin, connection, end
from bus.kafka.errors import translate
from bus.kafka.metadata import ask_for_topics, is_hidden
from bus.kafka.quorum import partitions_at
from bus.kafka.requests import alter_quotas, alter_topic_config, create_access, delete_access, set_passwords
from bus.settings import Settings
from contracts import OFFSETS_RETENTION, Access, ClusterState, Copies, TopicState

RESOURCES = {2: "topic", 3: "group", 4: "cluster", 5: "transactional-id", 6: "delegation-token", 7: "user"}
OPERATIONS = {
    2: "all", 3: "read", 4: "write", 5: "create", 6: "delete", 7: "alter", 8: "describe", 9: "cluster-action",
    10: "describe-configs", 11: "alter-configs", 12: "idempotent-write",
    13: "create-tokens", 14: "describe-tokens", 15: "two-phase-commit",
}  # fmt: skip
_RESOURCE_CODES = {name: code for code, name in RESOURCES.items()}
_OPERATION_CODES = {name: code for code, name in OPERATIONS.items()}
ANY, LITERAL, PREFIXED, ALLOW = 1, 3, 4, 3
SPECIFIED = 2
SET_ON_TOPIC = 1
ROWS_AT_ONCE = 100
DEFAULT_COPIES = ("default.replication.factor", "min.insync.replicas")
COPY_MS = 60_000
LOOK_SECONDS = 0.2
KNOWN_SECONDS = 30.0
"""How long a broker may take to learn of a new topic."""
MIN_INSYNC = "min.insync.replicas"


class Cluster:
    """An administrator's connection to a cluster."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin: Any = None

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Self]:
        """Connect, and disconnect at the end of the block.

        Raises:
            BusUnavailableError: no broker answers.
            AccessDeniedError: the cluster refuses the user.
        """
        cluster = cls(settings)
        cluster._admin = AIOKafkaAdminClient(**connection(settings))
        await begin(cluster._admin, settings, settings.bootstrap_servers)
        try:
            yield cluster
        except KafkaError as error:
            raise translate(error, settings.bootstrap_servers) from error
        finally:
            await end(cluster._admin)

    async def observe(self, wanted: Collection[str] = ()) -> ClusterState:
        """Return topics, access, quotas and how long offsets live; the registry is read elsewhere.

        Args:
            wanted: topics that the catalogue needs.

        Raises:
            AccessDeniedError: this user may not know of one of those, so that none would seem to be there.
        """
        kept = {
            broker: found[OFFSETS_RETENTION]
            for broker in await self.brokers()
            if OFFSETS_RETENTION in (found := await self._broker_numbers(broker, (OFFSETS_RETENTION,)))
        }
        state = await self.topics()
        await self._metadata(sorted(set(wanted) - state.topics.keys()))
        return replace(
            state,
            access=await self.access(),
            quotas=await self._quotas(),
            offsets_retention_minutes=kept,
        )

    async def topics(self, among: Collection[str] | None = None) -> ClusterState:
        """Return topics and the brokers' defaults for them.

        Args:
            among: of these topics only; of all if absent.
        """
        rows = {
            row["topic"]: row["partitions"]
            for row in (await self._metadata(None if among is None else sorted(among)))["topics"]
            if row["partitions"] and not row["is_internal"]  # without partitions: it is not there
        }
        names = sorted(rows)
        configs: dict[str, dict[str, str]] = {}
        defaults: dict[str, str] = {}
        for start in range(0, len(names), ROWS_AT_ONCE):
            some = names[start : start + ROWS_AT_ONCE]
            resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in some]
            for response in await self._admin.describe_configs(resources):
                for code, message, _, name, settings in response.resources:
                    if code and for_code(code) is not UnknownTopicOrPartitionError:
                        raise translate(for_code(code)(message), f"topic `{name}`")
                    configs[name] = {
                        key: value for key, value, _, source, *_ in settings if source == SET_ON_TOPIC
                    }
                    defaults |= {
                        key: value for key, value, _, source, *_ in settings if source != SET_ON_TOPIC
                    }
        brokers = await self.brokers()
        return ClusterState(
            topics={
                name: TopicState(
                    name, len(rows[name]), configs[name], min(len(row["replicas"]) for row in rows[name])
                )
                for name in names
            },
            brokers=len(brokers),
            default_copies=await self._default_copies(brokers[0]),
            defaults=defaults,
        )

    async def brokers(self) -> list[int]:
        """Return the numbers of the brokers that are there."""
        return sorted(row["node_id"] for row in (await self._metadata([]))["brokers"])

    async def _metadata(self, topics: list[str] | None) -> Mapping[str, Any]:
        """Return what a broker says of some topics, of all that the user may know of if None, and of brokers.

        Raises:
            AccessDeniedError: the user may not know of one that is named.
        """
        request = ask_for_topics(topics)
        response = await self._admin._send_request(request)  # noqa: SLF001 - its own asks for every topic
        found: Mapping[str, Any] = response.to_object()
        for row in found["topics"]:
            if is_hidden(row["error_code"]):
                raise translate(for_code(row["error_code"])(), f"topic `{row['topic']}`")
        return found

    async def _default_copies(self, broker: int) -> Copies:
        found = await self._broker_numbers(broker, DEFAULT_COPIES)
        return Copies(*(found.get(name, 1) for name in DEFAULT_COPIES))

    async def _broker_numbers(self, broker: int, names: Iterable[str]) -> dict[str, int]:
        """Return some settings of a broker, without those that it does not tell."""
        resource = ConfigResource(ConfigResourceType.BROKER, str(broker), dict.fromkeys(names, ""))
        found: dict[str, int] = {}
        for response in await self._admin.describe_configs([resource]):
            for code, message, _, _, settings in response.resources:
                _check(code, message)
                found |= {key: int(value) for key, value, *_ in settings}
        return found

    async def access(self) -> frozenset[Access] | None:
        """Return every grant in force; None if the cluster has no authorizer."""
        request = DescribeAclsRequest(ANY, None, ANY, None, None, ANY, ANY)
        response = await self._admin._send_to_controller(request)  # noqa: SLF001 - aiokafka has no public way
        if for_code(response.error_code) is SecurityDisabled:
            return None
        _check(response.error_code, response.error_message)
        return frozenset(
            Access(
                who, RESOURCES.get(kind, str(kind)), name, pattern == PREFIXED,
                OPERATIONS.get(operation, str(operation)), host,
            )
            for kind, name, pattern, rows in response.resources
            for who, host, operation, permission in rows
            if permission == ALLOW
        )  # fmt: skip

    async def _quotas(self) -> dict[str, dict[str, float]]:
        request = DescribeClientQuotasRequest([("user", SPECIFIED, None)], True)
        response = await self._admin._send_to_controller(request)  # noqa: SLF001
        _check(response.error_code, response.error_message)
        return {
            entity[0][1]: dict(values)
            for entity, values in response.entries or ()
            if len(entity) == 1 and entity[0][1] is not None
        }

    async def make_topics(self, topics: Iterable[TopicState]) -> None:
        """Create topics, and return when the brokers know them; existing ones stay as they are."""
        new = [
            NewTopic(topic.name, topic.partitions, topic.replicas, topic_configs=dict(topic.config))
            for topic in topics
        ]
        if not new:
            return
        for _, code, *message in (await self._admin.create_topics(new)).topic_errors:
            if for_code(code) is not TopicAlreadyExistsError:
                _check(code, *message)
        with suppress(TimeoutError):
            async with asyncio.timeout(KNOWN_SECONDS):
                while not await self._all_know([topic.name for topic in new]):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(LOOK_SECONDS / 10)

    async def _all_know(self, topics: Sequence[str]) -> bool:
        client = self._admin._client  # noqa: SLF001
        nodes = [broker.nodeId for broker in client.cluster.brokers()]
        answers = await asyncio.gather(*(partitions_at(client, node, topics) for node in nodes))
        return all(answer is None or all(answer.values()) for answer in answers)

    async def change_topic(
        self, topic: TopicState, config: dict[str, str | None], *, partitions: bool, replicas: bool
    ) -> None:
        """Change some settings of a topic, its copies, and add partitions.

        Raises:
            BusUnavailableError: the new copies are not complete yet.
        """
        if replicas:
            await self._place(topic)
        if MIN_INSYNC in config:
            await self._copied(topic, int(config[MIN_INSYNC] or 1))
        if config:
            await self._send(alter_topic_config(topic.name, config), "responses")
        if partitions:
            response = await self._admin.create_partitions({topic.name: NewPartitions(topic.partitions)})
            for _, code, message in response.topic_errors:
                _check(code, message)

    async def _place(self, topic: TopicState) -> None:
        (row,) = await self._admin.describe_topics([topic.name])
        held = {one["partition"]: one["replicas"] for one in row["partitions"]}
        placed = placement(held, await self.brokers(), topic.replicas)
        partitions: list[Any] = [(partition, brokers, {}) for partition, brokers in sorted(placed.items())]
        request = AlterPartitionReassignmentsRequest(COPY_MS, [(topic.name, partitions, {})], {})
        response = await self._admin._send_to_controller(request)  # noqa: SLF001
        _check(response.error_code, response.error_message)
        for _, rows, _ in response.responses:
            for _, code, message, _ in rows:
                _check(code, message)

    async def _copied(self, topic: TopicState, in_sync: int) -> None:
        """Wait until as many copies are complete; with fewer, the brokers would refuse every event."""
        try:
            async with asyncio.timeout(COPY_MS / 1000):
                while True:
                    (row,) = await self._admin.describe_topics([topic.name])
                    if all(len(one["isr"]) >= in_sync for one in row["partitions"]):
                        return
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise BusUnavailableError(
                f"Expected {in_sync} complete copies of topic `{topic.name}` within {COPY_MS // 1000} s, got "
                "fewer. The brokers go on copying: repeat `apply` when they have finished"
            ) from None

    async def delete_topic(self, name: str) -> None:
        """Delete a topic with all its events, if it exists."""
        for _, code, *_ in (await self._admin.delete_topics([name])).topic_error_codes:
            if for_code(code) is not UnknownTopicOrPartitionError:
                _check(code)

    async def grant(self, access: Iterable[Access]) -> None:
        """Add to the access list."""
        for rows in _in_parts([_row(one) for one in access]):
            await self._send(create_access(rows), "creation_responses")

    async def revoke(self, access: Iterable[Access]) -> None:
        """Remove from the access list what is in it."""
        for rows in _in_parts([_row(one) for one in access]):
            await self._send(delete_access(rows), "filter_responses")

    async def set_quotas(self, user: str, quotas: dict[str, float | None]) -> None:
        """Set or remove some of a user's quotas."""
        await self._send(alter_quotas(user, quotas), "entries")

    async def set_passwords(self, passwords: Mapping[str, str]) -> None:
        """Set the SCRAM-SHA-512 passwords of users; they may log in at once."""
        salts = (token_bytes(32) for _ in passwords)
        response = await self._admin._send_to_controller(set_passwords(passwords, salts))  # noqa: SLF001
        for _, code, message, _ in response.results:
            _check(code, message)

    async def _send(self, request: Any, rows: str) -> None:
        response = await self._admin._send_to_controller(request)  # noqa: SLF001
        for code, message, *_ in getattr(response, rows):
            _check(code, message)


def _row(access: Access) -> tuple[Any, ...]:
    return (
        _RESOURCE_CODES[access.resource], access.name, PREFIXED if access.prefixed else LITERAL,
        access.principal, access.host, _OPERATION_CODES[access.operation], ALLOW,
    )  # fmt: skip


def placement(
    held: Mapping[int, Sequence[int]], brokers: Sequence[int], replicas: int
) -> dict[int, list[int]]:
    """Return the brokers of each partition, so that each has as many copies. Pure.

    The first of a partition stays its preferred leader, and no copy moves; new ones go where the fewest are.

    Args:
        held: the brokers of each partition now.
        brokers: all of them; at least `replicas`.
        replicas: how many brokers each partition shall have.
    """
    load = Counter(dict.fromkeys(brokers, 0))
    load.update(broker for places in held.values() for broker in places)
    placed = {}
    for partition, places in held.items():
        kept = list(places[:replicas])
        free = [broker for broker in brokers if broker not in places]
        added = sorted(free, key=lambda broker: (load[broker], broker))[: replicas - len(kept)]
        load.update(added)
        placed[partition] = kept + added
    return placed


def _in_parts(rows: Sequence[tuple[Any, ...]]) -> list[Sequence[tuple[Any, ...]]]:
    return [rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE)]


def _check(code: int, message: str | None = None) -> None:
    if code:
        raise for_code(code)(message or "")
