"""The catalogue as registry subjects with versions 1, 2, 3, ..., each with an id and a GUID.

Each major version has its own topic, so it is a subject, `<topic>-value`; its minor versions, in order, are
the versions of the subject. A schema referenced by `$ref` is a subject too, named by its `$id`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from contracts.catalog import Catalog
from contracts.contract import ContractVersion
from contracts.errors import ContractError
from contracts.publish.http_registry import errors
from contracts.schema.dialect import Schema
from contracts.schema.ids import schema_guid, schema_id

SUFFIX = "-value"


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """A reference of one schema to another.

    Attributes:
        name: The `$id` of the referenced schema.
        subject: Its subject, which is the same.
        version: The version of the subject.
    """

    name: str
    subject: str
    version: int


@dataclass(frozen=True)
class Entry:
    """One version of one subject.

    Attributes:
        version: The version of the contract; None for a schema that is only referenced.
    """

    subject: str
    number: int
    schema: Schema
    references: tuple[ReferenceRow, ...]
    id: int
    guid: UUID
    version: ContractVersion | None

    @cached_property
    def text(self) -> str:
        """The schema as JSON text."""
        return json.dumps(self.schema)


class Holdings:
    """The subjects of one catalogue.

    Raises:
        ContractError: Two different schemas have the same id.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.subjects: dict[str, list[Entry]] = {}
        versions = [
            version
            for subject in sorted(catalog.contracts)
            for version in catalog.contracts[subject].versions
        ]
        for version in versions:
            rows = [self._referenced(uri, version.references[uri]) for uri in sorted(version.references)]
            self._add(f"{version.type}{SUFFIX}", version.schema, version.references, tuple(rows), version)
        self._by_id: dict[int, list[Entry]] = defaultdict(list)
        for entry in self.entries():
            self._by_id[entry.id].append(entry)
        self._by_guid = {str(entry.guid): entry for entry in self.entries()}
        self._check_ids()

    def entries(self) -> Iterator[Entry]:
        """All versions of all subjects, by name and number."""
        for subject in sorted(self.subjects):
            yield from self.subjects[subject]

    def subject(self, name: str) -> list[Entry]:
        """The versions of a subject, which is `<topic>-value` or just the topic.

        Raises:
            RegistryError: There is none.
        """
        found = self.subjects.get(name) or self.subjects.get(f"{name}{SUFFIX}")
        if found is None:
            raise errors.no_subject(name)
        return found

    def entry(self, subject: str, number: str) -> Entry:
        """One version of a subject by number from 1, or the latest by `latest` or `-1`.

        Raises:
            RegistryError: There is none, or the number is invalid.
        """
        entries = self.subject(subject)
        if number in ("latest", "-1"):
            return entries[-1]
        if not (number.isascii() and number.isdecimal() and len(number) < 10 and int(number)):
            raise errors.unusable_version()
        if int(number) > len(entries):
            raise errors.no_version(subject, number)
        return entries[int(number) - 1]

    def with_id(self, number: str) -> list[Entry]:
        """All versions whose schema has this id.

        Raises:
            RegistryError: There are none.
        """
        known = number.isascii() and number.isdecimal() and len(number) < 11 and self._by_id.get(int(number))
        if not known:
            raise errors.no_schema()
        return known

    def with_guid(self, text: str) -> Entry:
        """A version whose schema has this GUID.

        Raises:
            RegistryError: There is none.
        """
        found = self._by_guid.get(text.lower())
        if found is None:
            raise errors.no_schema()
        return found

    def with_content(self, subject: str, schema: Schema, references: Mapping[str, Schema]) -> Entry:
        """The version of a subject with exactly this schema and these references.

        Raises:
            RegistryError: There is none.
        """
        guid = schema_guid(schema, references)
        for entry in self.subject(subject):
            if entry.guid == guid:
                return entry
        raise errors.no_schema()

    def _referenced(self, uri: str, schema: Schema) -> ReferenceRow:
        for entry in self.subjects.get(uri, ()):
            if entry.guid == schema_guid(schema, {}):
                return ReferenceRow(uri, uri, entry.number)
        return ReferenceRow(uri, uri, self._add(uri, schema, {}, (), None).number)

    def _add(
        self,
        subject: str,
        schema: Schema,
        references: Mapping[str, Schema],
        rows: tuple[ReferenceRow, ...],
        version: ContractVersion | None,
    ) -> Entry:
        entries = self.subjects.setdefault(subject, [])
        number, guid = schema_id(schema, references), schema_guid(schema, references)
        entries.append(Entry(subject, len(entries) + 1, schema, rows, number, guid, version))
        return entries[-1]

    def _check_ids(self) -> None:
        for entries in self._by_id.values():
            if len({entry.guid for entry in entries}) > 1:
                named = " and ".join(f"`{entry.subject}` {entry.number}" for entry in entries[:2])
                raise ContractError(
                    f"Expected different schemas to have different ids, but {named} have the same"
                    " - change a `description` in the newer one"
                )


def written(entry: Entry) -> dict[str, Any]:
    """A schema in the registry's format, without its subject."""
    rows = [{"name": row.name, "subject": row.subject, "version": row.version} for row in entry.references]
    found: dict[str, Any] = {
        "id": entry.id,
        "guid": str(entry.guid),
        "schemaType": "JSON",
        "schema": entry.text,
    }
    return {**found, "references": rows} if rows else found
