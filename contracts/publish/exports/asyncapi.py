"""A catalogue as one AsyncAPI 3.0 document: topics, senders, receivers and messages. Pure.

A channel is a topic, a message is a version. An agency sends the events it owns and receives those of its
subscriptions. Schemas are converted to draft-07, as AsyncAPI's own tools do not support later dialects; they
are AsyncAPI's own schema objects under `components`, each with a title of its own, and payloads only refer to
them: from that, Modelina makes a class for each message. It reads no later version of AsyncAPI. What becomes
a class within a message has a title as well, which says where it is, and stays when other contracts change,
unless they take the same title.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

from contracts.catalog import Catalog
from contracts.contract import Contract, ContractVersion
from contracts.publish.exports.draft7 import InexpressibleError, as_draft_07
from contracts.publish.exports.titles import Titles, inside, spelled
from contracts.schema.dialect import Schema

_ATTRIBUTES: Final = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {"type": "string", "minLength": 1, "description": "Unique within the source; a UUIDv7."},
    "ce_source": {"type": "string", "description": "URN of the agency and its system."},
    "ce_type": {"type": "string", "description": "The event and its major version."},
    "ce_time": {"type": "string", "format": "date-time", "description": "When it happened."},
    "ce_dataschema": {"type": "string", "description": "URN of the exact version."},
    "ce_correlationid": {"type": "string", "description": "Id of the transaction."},
    "ce_causationid": {"type": "string", "description": "Id of the event that caused this one."},
    "ce_recordedtime": {"type": "string", "format": "date-time", "description": "When it was published."},
    "ce_partitionkey": {"type": "string", "description": "The record's key; identifies nobody."},
    "ce_dataclassification": {"type": "string", "description": "How the data must be protected."},
    "ce_service": {"type": "string", "description": "The service that the transaction belongs to."},
    "traceparent": {"type": "string", "description": "W3C Trace Context."},
    "content-type": {"type": "string", "const": "application/json"},
}
_REQUIRED: Final = ("ce_specversion", "ce_id", "ce_source", "ce_type")
_DAY_MS: Final = 86_400_000


def asyncapi(catalog: Catalog, title: str = "Events of the catalogue") -> dict[str, Any]:
    """The catalogue as one AsyncAPI document."""
    versions = [version for name in sorted(catalog.contracts) for version in catalog.contracts[name].versions]
    schemas: dict[str, Any] = {}
    titles = Titles()
    named = {version: titles.unique(own) for version, own in _own_titles(versions).items()}
    messages = {
        _message_name(version): _message(version, partial(_schemas, version, named[version], titles), schemas)
        for version in versions
    }
    topics: dict[str, list[ContractVersion]] = {}
    for version in versions:
        topics.setdefault(version.type, []).append(version)
    agencies = [
        {"name": agency.name, "description": agency.title} for _, agency in sorted(catalog.agencies.items())
    ]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": "1.0.0", "description": _WHAT, "tags": agencies},
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic, minors) for topic, minors in topics.items()},
        "operations": {**_sending(topics), **_receiving(catalog, topics)},
        "components": {
            "messages": messages,
            "messageTraits": {"cloudEvents": _trait()},
            "schemas": schemas,
        },
    }


_WHAT: Final = (
    "Each record is an event of CloudEvents 1.0, Kafka binding, binary mode: attributes are headers, the "
    "value is the data as JSON. All minor versions of a major version share a topic."
)


def _trait() -> dict[str, Any]:
    headers = {"type": "object", "properties": _ATTRIBUTES, "required": list(_REQUIRED)}
    return {"headers": headers, "contentType": "application/json"}


def _channel(topic: str, versions: list[ContractVersion]) -> dict[str, Any]:
    contract = versions[-1].contract
    settings = {"retention.ms": int(contract.retention_days * _DAY_MS)}
    return {
        "address": topic,
        "title": contract.title,
        "description": contract.description,
        "messages": {
            version.number: {"$ref": f"#/components/messages/{_message_name(version)}"}
            for version in versions
        },
        "tags": [{"name": contract.agency}, {"name": contract.classification}],
        "bindings": {
            "kafka": {
                "topic": topic,
                "partitions": contract.partitions,
                "topicConfiguration": settings,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _sending(topics: Mapping[str, list[ContractVersion]]) -> dict[str, Any]:
    return {
        f"{versions[-1].contract.agency}.send.{topic}": {
            "action": "send",
            "summary": f"{versions[-1].contract.owner or versions[-1].contract.agency} publishes it.",
            **_at(topic, versions),
            "tags": [{"name": versions[-1].contract.agency}],
        }
        for topic, versions in topics.items()
    }


def _receiving(catalog: Catalog, topics: Mapping[str, list[ContractVersion]]) -> dict[str, Any]:
    found = {}
    for _, subscription in sorted(catalog.subscriptions.items()):
        if subscription.topic not in topics:
            continue
        group = f"{subscription.consumer}.{subscription.name}"
        found[f"{group}.receive.{subscription.topic}"] = {
            "action": "receive",
            "summary": subscription.purpose,
            "description": subscription.legal_basis or "No legal basis is given.",
            **_at(subscription.topic, topics[subscription.topic]),
            "tags": [{"name": subscription.consumer}],
            "bindings": {"kafka": {"groupId": {"type": "string", "const": group}, "bindingVersion": "0.5.0"}},
        }
    return found


def _at(topic: str, versions: list[ContractVersion]) -> dict[str, Any]:
    channel = f"#/channels/{topic}"
    messages = [{"$ref": f"{channel}/messages/{version.number}"} for version in versions]
    return {"channel": {"$ref": channel}, "messages": messages}


def _message_name(version: ContractVersion) -> str:
    return f"{version.contract.subject}-{version.number}"


def _own_titles(versions: Sequence[ContractVersion]) -> dict[ContractVersion, str]:
    """The title of each message: that of its event, or the event's name where another has that title."""
    contracts = {version.contract.subject: version.contract for version in versions}
    told = Counter(spelled(contract.title) for contract in contracts.values())
    found = {}
    for version in versions:
        contract = version.contract
        words = re.sub(r"[-.]", " ", contract.subject)
        title = contract.title if told[spelled(contract.title)] == 1 else words[:1].upper() + words[1:]
        found[version] = title if len(contract.versions) == 1 else f"{title} {version.number}"
    return found


def _message(
    version: ContractVersion, write: Callable[[], dict[str, Any]], schemas: dict[str, Any]
) -> dict[str, Any]:
    contract = version.contract
    own = {"ce_type": {"const": version.type}, "ce_dataschema": {"const": version.dataschema}}
    message = {
        "name": version.type,
        "title": f"{contract.title} {version.number}",
        "summary": contract.title,
        "headers": {"type": "object", "properties": own},
        "traits": [{"$ref": "#/components/messageTraits/cloudEvents"}],
        "tags": [{"name": contract.classification}],
        **_protection(contract),
    }
    try:
        written = write()
    except InexpressibleError as error:
        return {**message, "description": f"The schema is not included: it has {error}."}
    schemas.update(written)
    return {**message, "payload": {"$ref": f"#/components/schemas/{_message_name(version)}"}}


def _protection(contract: Contract) -> dict[str, Any]:
    found: dict[str, Any] = {"x-classification": contract.classification, "x-owner": contract.owner}
    if contract.personal_fields:
        found["x-personal-fields"] = dict(contract.personal_fields)
        found["x-legal-basis"] = contract.legal_basis
    return found


def _schemas(version: ContractVersion, title: str, titles: Titles) -> dict[str, Any]:
    name = _message_name(version)
    own = version.schema.get("$id")
    places = {uri: f"{name}-reference-{index}" for index, uri in enumerate(sorted(version.references), 1)}
    if isinstance(own, str):
        places[own.removesuffix("#")] = name
    documents: dict[str, Schema] = {name: version.schema}
    documents |= {places[uri]: document for uri, document in version.references.items()}
    told = {"x-dataschema": version.dataschema}
    found = {
        place: {**as_draft_07(document, partial(_target, place, places)), **told}
        for place, document in documents.items()
    }
    for place, schema in found.items():
        whose = title if place == name else titles.unique(f"{title} {place.removeprefix(name)}")
        found[place] = {**inside(schema, whose, titles), "title": whose}
    return found


def _target(here: str, places: Mapping[str, str], reference: str) -> str:
    uri, _, pointer = reference.partition("#")
    place = places.get(uri) if uri else here
    if place is None or (pointer and not pointer.startswith("/")):
        raise InexpressibleError("a `$ref` to an anchor or by a relative address")
    steps = [
        "definitions" if step == "$defs" and index == 1 else step
        for index, step in enumerate(unquote(pointer).split("/"))
    ]
    return f"#/components/schemas/{place}" + "/".join(steps)
