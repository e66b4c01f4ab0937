"""The event types of a catalogue as xRegistry message groups, one for each agency. Pure."""

from __future__ import annotations

from typing import Any, Final

from contracts.catalog import Catalog
from contracts.contract import Contract, ContractVersion
from contracts.schema.dialect import DRAFT_07, dialect_of

_FORMATS: Final = {True: "JsonSchema/draft-07", False: "JsonSchema/2020-12"}


def cloudevents(catalog: Catalog) -> dict[str, Any]:
    """All published types by agency, each with its source and the URN of its latest schema."""
    groups: dict[str, Any] = {}
    for name in sorted(catalog.agencies):
        agency = catalog.agencies[name]
        owned = [catalog.contracts[subject] for subject in sorted(catalog.contracts)]
        messages = {
            message["messageid"]: message
            for contract in owned
            if contract.agency == name
            for message in _messages(contract)
        }
        groups[name] = {
            "messagegroupid": name,
            "name": agency.title,
            "envelope": "CloudEvents/1.0",
            "contact": agency.contact,
            "messages": messages,
        }
    return {"messagegroups": groups}


def _messages(contract: Contract) -> list[dict[str, Any]]:
    majors = sorted({version.major for version in contract.versions})
    return [_message(contract, contract.version(major)) for major in majors]


def _message(contract: Contract, version: ContractVersion) -> dict[str, Any]:
    metadata = {
        "specversion": {"type": "string", "value": "1.0", "required": True},
        "type": {"type": "string", "value": version.type, "required": True},
        "source": {
            "type": "uritemplate",
            "value": f"urn:govbus:{contract.agency}:{{system}}",
            "required": True,
        },
        "dataschema": {"type": "uri", "value": version.dataschema},
        "dataclassification": {"type": "string", "value": contract.classification},
    }
    return {
        "messageid": version.type,
        "name": contract.title,
        "description": contract.description,
        "envelope": "CloudEvents/1.0",
        "envelopemetadata": metadata,
        "protocol": "KAFKA",
        "protocoloptions": {"topic": version.type},
        "datacontenttype": "application/json",
        "dataschemaformat": _FORMATS[dialect_of(version.schema) == DRAFT_07],
        "dataschemauri": version.dataschema,
        "owner": contract.owner,
        "versions": [minor.number for minor in contract.versions if minor.major == version.major],
        "deprecated": version.deprecated,
    }
