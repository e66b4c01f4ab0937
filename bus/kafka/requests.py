"""Requests that aiokafka does not have yet, by Kafka's own message definitions."""

from collections.abc import Sequence
from typing import Any

from aiokafka.protocol.admin import (
    CreateAclsRequest_v1,
    DeleteAclsRequest_v1,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.commit import OffsetCommitResponse_v3
from aiokafka.protocol.group import HeartbeatResponse_v1
from aiokafka.protocol.types import Array, Boolean, Float64, Int8, Int16, Int32, Int64, Schema, String

_TEXT = String("utf-8")


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


def create_access(rows: Sequence[tuple[Any, ...]]) -> Any:
    """Return the request that adds entries to the access list."""
    return _Rows(CreateAclsRequest_v1, list(rows))


def delete_access(rows: Sequence[tuple[Any, ...]]) -> Any:
    """Return the request that removes exactly these entries from the access list."""
    return _Rows(DeleteAclsRequest_v1, list(rows))
