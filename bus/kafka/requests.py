"""Requests that aiokafka does not have yet, by Kafka's own message definitions."""

from collections.abc import Sequence
from typing import Any

from aiokafka.protocol.admin import (
    CreateAclsRequest_v1,
    DeleteAclsRequest_v1,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int8, Int16, Int32, Schema, String

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


def create_access(rows: Sequence[tuple[Any, ...]]) -> Any:
    """Return the request that adds entries to the access list."""
    return _Rows(CreateAclsRequest_v1, list(rows))


def delete_access(rows: Sequence[tuple[Any, ...]]) -> Any:
    """Return the request that removes exactly these entries from the access list."""
    return _Rows(DeleteAclsRequest_v1, list(rows))
