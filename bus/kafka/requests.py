"""Requests that aiokafka does not have yet, by Kafka's own message definitions."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import pbkdf2_hmac
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.protocol.admin import (
    CreateAclsRequest_v1,
    DeleteAclsRequest_v1,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.commit import OffsetCommitResponse_v3
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatResponse_v1
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactBytes,
    CompactString,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)

from bus.kafka.metadata import is_hidden

_TEXT = String("utf-8")
_SHORT = CompactString("utf-8")
_TAGS = ("tags", TaggedFields)


class _Rows(Request[RequestStruct]):  # type: ignore[misc]
    """A request whose body is built here, in a version that every supported broker knows."""

    API_KEY = -1

    def __init__(self, struct: type[Any], *body: Any) -> None:
        self._struct = struct
        self._body = body
        self.API_KEY = struct.API_KEY
        self._CLASSES = (struct,)

    def build(self, request_struct_class: type[Any]) -> Any:
        return request_struct_class(*self._body)


class _IncrementalAlterConfigsResponse(Response):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "responses",
            Array(
                ("error_code", Int16),
                ("error_message", _TEXT),
                ("resource_type", Int8),
                ("resource_name", _TEXT),
            ),
        ),
    )


class _IncrementalAlterConfigs(RequestStruct):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _IncrementalAlterConfigsResponse
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", _TEXT),
                ("configs", Array(("name", _TEXT), ("config_operation", Int8), ("value", _TEXT))),
            ),
        ),
        ("validate_only", Boolean),
    )


_ENTITY = Array(("entity_type", _TEXT), ("entity_name", _TEXT))


class _AlterClientQuotasResponse(Response):  # type: ignore[misc]
    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("entries", Array(("error_code", Int16), ("error_message", _TEXT), ("entity", _ENTITY))),
    )


class _AlterClientQuotas(RequestStruct):  # type: ignore[misc]
    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = _AlterClientQuotasResponse
    SCHEMA = Schema(
        (
            "entries",
            Array(
                ("entity", _ENTITY), ("ops", Array(("key", _TEXT), ("value", Float64), ("remove", Boolean)))
            ),
        ),
        ("validate_only", Boolean),
    )


class _HeartbeatResponse(Response):  # type: ignore[misc]
    API_KEY = 12
    API_VERSION = 3
    SCHEMA = HeartbeatResponse_v1.SCHEMA


class _Heartbeat(RequestStruct):  # type: ignore[misc]
    API_KEY = 12
    API_VERSION = 3
    RESPONSE_TYPE = _HeartbeatResponse
    SCHEMA = Schema(
        ("group", _TEXT), ("generation_id", Int32), ("member_id", _TEXT), ("group_instance_id", _TEXT)
    )


class _OffsetCommitResponse(Response):  # type: ignore[misc]
    API_KEY = 8
    API_VERSION = 7
    SCHEMA = OffsetCommitResponse_v3.SCHEMA


class _OffsetCommit(RequestStruct):  # type: ignore[misc]
    API_KEY = 8
    API_VERSION = 7
    RESPONSE_TYPE = _OffsetCommitResponse
    SCHEMA = Schema(
        ("group", _TEXT),
        ("generation_id", Int32),
        ("member_id", _TEXT),
        ("group_instance_id", _TEXT),
        (
            "topics",
            Array(
                ("topic", _TEXT),
                (
                    "partitions",
                    Array(
                        ("partition", Int32), ("offset", Int64), ("leader_epoch", Int32), ("metadata", _TEXT)
                    ),
                ),
            ),
        ),
    )


class _Id:
    """A UUID of Kafka: 16 bytes."""

    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))

    @classmethod
    def repr(cls, value: UUID) -> str:
        return str(value)


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(("node_id", Int32), ("host", _SHORT), ("port", Int32), ("rack", _SHORT), _TAGS),
        ),
        ("cluster_id", _SHORT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", _SHORT),
                ("topic_id", _Id),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition_index", Int32),
                        ("leader_id", Int32),
                        ("leader_epoch", Int32),
                        ("replica_nodes", CompactArray(Int32)),
                        ("isr_nodes", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        _TAGS,
                    ),
                ),
                ("topic_authorized_operations", Int32),
                _TAGS,
            ),
        ),
        ("cluster_authorized_operations", Int32),
        _TAGS,
    )


class _Metadata(RequestStruct):  # type: ignore[misc]
    """Metadata in the first version that has topic ids (KIP-516)."""

    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Id), ("name", _SHORT), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _TAGS,
    )


def ask_for_ids(topics: Iterable[str]) -> Any:
    """Return the request for the ids of topics."""
    return _Rows(_Metadata, [(UUID(int=0), topic, {}) for topic in topics], False, False, False, {})


async def topic_ids(client: Any, topics: Iterable[str], *, among_known: bool = False) -> Mapping[str, str]:
    """Return the id of each of these topics that exists.

    Args:
        client: aiokafka's network client.
        topics: their names.
        among_known: leave out those of which this user may not know.

    Raises:
        TopicAuthorizationFailedError: this user may not know of one.
        KafkaError: no broker answers.
    """
    response = await client.send(client.get_random_node(), ask_for_ids(topics))
    hidden = [name for code, name, *_ in response.topics if is_hidden(code)]
    if hidden and not among_known:
        raise TopicAuthorizationFailedError(*hidden)
    return {name: str(topic_id) for code, name, topic_id, *_ in response.topics if not code and topic_id.int}


class _FetchResponse(Response):  # type: ignore[misc]
    API_KEY = 1
    API_VERSION = 13
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("session_id", Int32),
        (
            "topics",
            CompactArray(
                ("topic_id", _Id),
                (
                    "partitions",
                    CompactArray(
                        ("partition_index", Int32),
                        ("error_code", Int16),
                        ("high_watermark", Int64),
                        ("last_stable_offset", Int64),
                        ("log_start_offset", Int64),
                        (
                            "aborted_transactions",
                            CompactArray(("producer_id", Int64), ("first_offset", Int64), _TAGS),
                        ),
                        ("preferred_read_replica", Int32),
                        ("records", CompactBytes),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _Fetch(RequestStruct):  # type: ignore[misc]
    """Fetch in the first version that names topics by their ids (KIP-516)."""

    FLEXIBLE_VERSION = True
    API_KEY = 1
    API_VERSION = 13
    RESPONSE_TYPE = _FetchResponse
    SCHEMA = Schema(
        ("replica_id", Int32),
        ("max_wait_ms", Int32),
        ("min_bytes", Int32),
        ("max_bytes", Int32),
        ("isolation_level", Int8),
        ("session_id", Int32),
        ("session_epoch", Int32),
        (
            "topics",
            CompactArray(
                ("topic_id", _Id),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("current_leader_epoch", Int32),
                        ("fetch_offset", Int64),
                        ("last_fetched_epoch", Int32),
                        ("log_start_offset", Int64),
                        ("partition_max_bytes", Int32),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        (
            "forgotten_topics_data",
            CompactArray(("topic_id", _Id), ("partitions", CompactArray(Int32)), _TAGS),
        ),
        ("rack_id", _SHORT),
        _TAGS,
    )


def fetch_by_id(request: FetchRequest, topics: Iterable[tuple[str, Sequence[tuple[int, int, int]]]]) -> Any:
    """Return a request of aiokafka's consumer with ids in place of names.

    Args:
        request: how much to read, and how long to wait.
        topics: the partitions of each topic id: number, offset, and the bytes to read at the most.
    """
    rows: list[tuple[Any, ...]] = [
        (UUID(id_), [(number, -1, offset, -1, -1, most, {}) for number, offset, most in places], {})
        for id_, places in topics
    ]
    return _Rows(
        _Fetch, -1, request._max_wait_ms, request._min_bytes, request._max_bytes,  # noqa: SLF001
        request._isolation_level, 0, -1, rows, [], request._rack_id, {},  # noqa: SLF001
    )  # fmt: skip


_COMPACT = CompactString("utf-8")


class _DescribeTransactionsResponse(Response):  # type: ignore[misc]
    API_KEY = 65
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "states",
            CompactArray(
                ("error_code", Int16),
                ("transactional_id", _COMPACT),
                ("state", _COMPACT),
                ("timeout_ms", Int32),
                ("start_time_ms", Int64),
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                (
                    "topics",
                    CompactArray(
                        ("topic", _COMPACT), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _DescribeTransactions(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 65
    API_VERSION = 0
    RESPONSE_TYPE = _DescribeTransactionsResponse
    SCHEMA = Schema(("transactional_ids", CompactArray(_COMPACT)), ("tags", TaggedFields))


TOPIC = 2
SET, DELETE = 0, 1


def alter_topic_config(topic: str, config: dict[str, str | None]) -> Any:
    """Return the request that sets some of a topic's settings; None restores the broker's default."""
    rows = [(key, DELETE if value is None else SET, value) for key, value in config.items()]
    return _Rows(_IncrementalAlterConfigs, [(TOPIC, topic, rows)], False)


def alter_quotas(user: str, quotas: dict[str, float | None]) -> Any:
    """Return the request that sets some of a user's quotas; None removes one."""
    rows = [(key, value or 0.0, value is None) for key, value in quotas.items()]
    return _Rows(_AlterClientQuotas, [([("user", user)], rows)], False)


def heartbeat(group: str, generation: int, member: str, instance: str) -> Any:
    """Return the request that keeps a member in its group, under its name."""
    return _Rows(_Heartbeat, group, generation, member, instance)


def commit_offsets(
    group: str,
    generation: int,
    member: str,
    instance: str,
    topics: Sequence[tuple[str, Sequence[tuple[int, int, str]]]],
) -> Any:
    """Return the request that commits offsets of a member under its name.

    Args:
        group: the consumer group.
        generation: the generation of the group that the member is in.
        member: its id.
        instance: its name.
        topics: each topic's partitions, with the next offset and the metadata of each.
    """
    rows = [
        (topic, [(number, offset, -1, metadata) for number, offset, metadata in partitions])
        for topic, partitions in topics
    ]
    return _Rows(_OffsetCommit, group, generation, member, instance, rows)


def describe_transactions(identity: str) -> Any:
    """Return the request that asks who holds a transactional id."""
    return _Rows(_DescribeTransactions, [identity], {})


def create_access(rows: Sequence[tuple[Any, ...]]) -> Any:
    """Return the request that adds entries to the access list."""
    return _Rows(CreateAclsRequest_v1, list(rows))


def delete_access(rows: Sequence[tuple[Any, ...]]) -> Any:
    """Return the request that removes exactly these entries from the access list."""
    return _Rows(DeleteAclsRequest_v1, list(rows))


class _AlterUserScramCredentialsResponse(Response):  # type: ignore[misc]
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AlterUserScramCredentials(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 51
    API_VERSION = 0
    RESPONSE_TYPE = _AlterUserScramCredentialsResponse
    SCHEMA = Schema(
        (
            "deletions",
            CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)),
        ),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


SCRAM_SHA_512 = 2
SCRAM_ITERATIONS = 8_192


def set_passwords(passwords: Mapping[str, str], salts: Iterable[bytes]) -> Any:
    """Return the request that sets the SCRAM-SHA-512 passwords of users; only their salted hashes leave here.

    Args:
        passwords: by user.
        salts: random bytes for each.
    """
    rows: list[tuple[Any, ...]] = []
    for (user, password), salt in zip(passwords.items(), salts, strict=False):
        salted = pbkdf2_hmac("sha512", password.encode(), salt, SCRAM_ITERATIONS)
        rows.append((user, SCRAM_SHA_512, SCRAM_ITERATIONS, salt, salted, {}))
    return _Rows(_AlterUserScramCredentials, [], rows, {})
