"""Compatibility checks of the registry.

A schema is checked like the next minor version of the contract: with its content model, formats and
compatibility mode. If compatibility cannot be decided, the result is "not compatible", with a message.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from contracts.compatibility.modes import Break, breaks
from contracts.compatibility.verdict import NO_WITNESS
from contracts.errors import SchemaUnusableError
from contracts.publish.http_registry import errors
from contracts.publish.http_registry.holdings import Holdings
from contracts.publish.http_registry.request import RegistryRequest, sent_schema

MAX_WITNESS: Final = 2_000
"""The maximum length of a witness in a message, in characters."""
MAX_COMPARED: Final = 20
"""Versions compared in one request, the newest; `govbus contracts breaking` compares all."""


def compare(holdings: Holdings, request: RegistryRequest) -> dict[str, Any]:
    """Whether the schema may become the next version of a subject.

    Raises:
        RegistryError: There is no such subject or version, or the schema cannot be used.
    """
    subject, *number = request.words
    entries = [holdings.entry(subject, number[0])] if number else holdings.subject(subject)
    last = holdings.subject(subject)[-1].version
    if last is None:
        raise errors.unusable_schema(
            "Expected the subject of a topic: a referenced schema has no compatibility mode"
        )
    schema, references = sent_schema(request, holdings)
    candidate = replace(last, minor=last.minor + 1, schema=schema, references=references)
    try:
        candidate.compile()
    except SchemaUnusableError as error:
        raise errors.unusable_schema(str(error)) from None
    numbers = {entry.version: entry.number for entry in entries[-MAX_COMPARED:] if entry.version}
    found = [
        line
        for broken in breaks(candidate, list(numbers), last.contract.compatibility)
        for line in _messages(broken, numbers[broken.old])
    ]
    return {"is_compatible": not found, **({"messages": found} if request.flag("verbose") else {})}


def _messages(broken: Break, number: int) -> Iterator[str]:
    """One break as messages in Confluent's format: JSON objects as text."""
    cause = broken.causes[0].kind.name if broken.causes else "SCHEMA_CHANGED"
    fault = {
        "errorType": "NOT_DECIDED" if broken.verdict.answer == "undecided" else cause,
        "description": broken.verdict.reason,
        "oldPath": broken.old_path,
        "newPath": broken.new_path,
    }
    yield _text({name: value for name, value in fault.items() if value is not None})
    if broken.verdict.witness is not NO_WITNESS:
        witness = _text({"witness": broken.verdict.witness})
        if len(witness) <= MAX_WITNESS:
            yield witness
    yield _text({"oldSchemaVersion": number})
    yield _text({"compatibility": broken.direction})


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
