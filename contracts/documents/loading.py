"""Reads a catalogue folder: every document is read, checked for structure, and turned into a value.

A faulty document becomes a finding and is left out, so one bad contract does not hide another.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from contracts import names
from contracts.contract import (
    Agency,
    Contract,
    ContractVersion,
    KeyRule,
    Milestone,
    Service,
    SubscriptionGrant,
    System,
)
from contracts.documents import rules
from contracts.documents.document import Document, read_json, read_yaml
from contracts.documents.durations import parse_duration
from contracts.documents.folders import names_in
from contracts.documents.json_reader import exact_json, json_text_place
from contracts.documents.loaded import (
    Loaded,
    LoadedContract,
    LoadedService,
    LoadedSubscription,
    LoadedVersion,
)
from contracts.documents.shapes import (
    AgencyShape,
    ClusterShape,
    ContractShape,
    DowncastShape,
    MilestoneShape,
    ReferenceShape,
    ServiceShape,
    SubscriptionShape,
    UpcastShape,
    VersionShape,
    structure_faults,
)
from contracts.errors import DocumentError
from contracts.finding import Place, Rule
from contracts.names import parts_of
from contracts.paths import Step
from contracts.versions.conversion import Conversion, told
from contracts.versions.templates import Spot

Shape = TypeVar("Shape", bound=BaseModel)
_DAY: Final = 86_400.0
CLUSTER: Final = "cluster.yaml"
"""The optional document about the whole cluster, at the root."""
SUBSCRIPTIONS: Final = "subscriptions"
"""The folder of an agency's subscriptions, next to those of its events."""


def load(root: Path) -> Loaded:
    """Read the catalogue at `root`. Faults become findings, not exceptions."""
    loaded = Loaded(root)
    if not (root / "agencies").is_dir():
        _report(loaded, rules.CATALOG, Place("agencies"), "no such folder in the catalogue")
        return loaded
    for folder in _folders(loaded, "agencies"):
        loaded.agency_names.add(folder.name)
        _load_agency(loaded, folder)
        for event in _folders(loaded, f"agencies/{folder.name}"):
            if event.name == SUBSCRIPTIONS and not (event / "contract.yaml").exists():
                _load_subscriptions(loaded, folder.name)
                continue
            loaded.subjects.add(f"{folder.name}.{event.name}")
            _load_contract(loaded, f"agencies/{folder.name}/{event.name}")
    if (root / "services").is_dir():
        for name in _documents(loaded, "services"):
            _load_service(loaded, f"services/{name}")
    if (root / CLUSTER).exists() or (root / CLUSTER).is_symlink():
        _load_cluster(loaded)
    return loaded


def _folders(loaded: Loaded, folder: str) -> list[Path]:
    return [path for name in _names(loaded, folder) if (path := loaded.root / folder / name).is_dir()]


def _documents(loaded: Loaded, folder: str) -> list[str]:
    return [name for name in _names(loaded, folder) if name.endswith((".yaml", ".yml"))]


def _names(loaded: Loaded, folder: str) -> list[str]:
    try:
        return names_in(loaded.root, folder)
    except DocumentError as error:
        loaded.findings.append(error.finding)
        return []


def _load_cluster(loaded: Loaded) -> None:
    if (read := _read_shape(loaded, CLUSTER, ClusterShape)) is not None:
        loaded.cluster = read[1].policy()


def _load_agency(loaded: Loaded, folder: Path) -> None:
    if (read := _read_shape(loaded, f"agencies/{folder.name}/agency.yaml", AgencyShape)) is None:
        return
    document, shape = read
    _agree(loaded, document, ("name",), shape.name, folder.name)
    if names.is_reserved_agency(shape.name):
        _report(loaded, rules.RESERVED, document.place("name"), f"the agency is named `{shape.name}`")
    loaded.agencies[folder.name] = Agency(
        name=shape.name,
        title=shape.title,
        contact=shape.contact,
        level=shape.level,
        description=shape.description,
        systems=tuple(System(system.name, system.title) for system in shape.systems),
    )


def _load_contract(loaded: Loaded, folder: str) -> None:
    if (read := _read_shape(loaded, f"{folder}/contract.yaml", ContractShape)) is None:
        return
    document, shape = read
    path = PurePosixPath(folder)
    subject = f"{path.parent.name}.{path.name}"
    _agree(loaded, document, ("subject",), shape.subject, subject)
    if path.name in names.RESERVED_EVENTS:
        _report(loaded, rules.RESERVED, document.place("subject"), f"the event is named `{path.name}`")
    numbers = Counter(row.number for row in shape.versions)
    versions = []
    for index, row in enumerate(shape.versions):
        if numbers[row.number] > 1:
            place = document.place("versions", index, "number")
            _report(loaded, rules.VERSION_TWICE, place, f"version {row.number} is listed twice")
        version = _load_version(loaded, folder, document, shape, index)
        versions += [version] if version else []
    if versions:
        contract = _contract(shape, tuple(entry.version for entry in versions))
        loaded.contracts[subject] = LoadedContract(contract, shape, document, folder, tuple(versions))


def _contract(shape: ContractShape, versions: tuple[ContractVersion, ...]) -> Contract:
    return Contract(
        subject=shape.subject,
        title=shape.title,
        description=shape.description,
        owner=shape.owner,
        contact=shape.contact,
        classification=shape.classification,
        personal_fields=dict(shape.personal_fields),
        legal_basis=shape.legal_basis,
        retention_days=parse_duration(shape.retention) / _DAY,
        compatibility=shape.compatibility,
        key=KeyRule(shape.key.kind, shape.key.path),
        versions=versions,
        max_bytes=shape.max_bytes,
        partitions=shape.partitions,
        other_fields=shape.other_fields,
    )


def _load_version(
    loaded: Loaded, folder: str, document: Document, shape: ContractShape, index: int
) -> LoadedVersion | None:
    row = shape.versions[index]
    schema = _read_schema(loaded, folder, row, document.place("versions", index))
    references: dict[str, Mapping[str, Any]] = {}
    documents = []
    for number, reference in enumerate(row.references):
        place = document.place("versions", index, "references", number)
        if referenced := _read_schema(loaded, folder, reference, place):
            uri = _reference_uri(referenced)
            if uri is None or uri in references:
                _report(loaded, rules.REFERENCE_ID, referenced.place("$id"), "no unique `$id`")
            else:
                references[uri] = referenced.value
            documents.append(referenced)
    if schema is None:
        return None
    conversions = _load_conversions(loaded, folder, document, shape, index)
    version = ContractVersion(
        *parts_of(row.number),
        schema.value,
        schema.sha256,
        references,
        assert_formats=shape.formats == "assertion",
        content_model=shape.content_model,
        deprecated=row.deprecated,
        sunset=date.fromisoformat(row.sunset) if row.sunset else None,
        upcast=conversions.get("upcast"),
        downcast=conversions.get("downcast"),
    )
    return LoadedVersion(version, index, row, schema, tuple(documents))


def _load_conversions(
    loaded: Loaded, folder: str, document: Document, shape: ContractShape, index: int
) -> dict[str, Conversion]:
    row = shape.versions[index]
    read: dict[str, Conversion] = {}
    for kind, declared in (("upcast", row.upcast), ("downcast", row.downcast)):
        if declared is None:
            continue
        older = declared.source if isinstance(declared, UpcastShape) else declared.target
        if older not in {each.number for each in shape.versions} or parts_of(older) >= parts_of(row.number):
            place = document.place("versions", index, kind)
            what = f"{older} is not an older version than {row.number}"
            _report(loaded, rules.CONVERSION_ENDS, place, what)
            continue
        if (written := _read_json(loaded, f"{folder}/{declared.file}")) is None:
            continue
        ends = (row.number, older) if isinstance(declared, DowncastShape) else (older, row.number)
        read[kind] = _conversion(loaded, (shape.subject, *ends, declared.file), written)
    return read


def _conversion(loaded: Loaded, named: tuple[str, str, str, str], written: Document) -> Conversion:
    text = written.content.decode()

    def locate(spot: Spot) -> Place:
        return json_text_place(text, written.file, spot.steps, in_name=spot.in_name, at=spot.at)

    conversion = Conversion(*named, exact_json(text), locate)
    for fault in conversion.read.faults:
        _report(loaded, rules.CONVERSION, locate(fault.spot), told(fault))
    return conversion


def _reference_uri(document: Document) -> str | None:
    uri = document.value.get("$id")
    return uri.removesuffix("#") if isinstance(uri, str) and ":" in uri else None


def _read_schema(
    loaded: Loaded, folder: str, row: VersionShape | ReferenceShape, place: Place
) -> Document | None:
    file = f"{folder}/{row.file}" if not row.file.startswith(("/", "\\")) else row.file
    if (document := _read_json(loaded, file)) is None:
        return None
    if row.sha256 not in (None, document.sha256):
        _report(loaded, rules.HASH, place, f"the hash of `{row.file}` is not the one recorded here")
    if not isinstance(document.value, dict):
        _report(loaded, rules.SCHEMA_OBJECT, document.place(), "is not an object")
        return None
    return document


def _load_service(loaded: Loaded, file: str) -> None:
    if (read := _read_shape(loaded, file, ServiceShape)) is None:
        return
    document, shape = read
    _agree(loaded, document, ("name",), shape.name, PurePosixPath(file).stem)
    if shape.deadline is None:
        _report(loaded, rules.DEADLINE, document.place(), "the service has no `deadline`")
    service = Service(
        name=shape.name,
        title=shape.title,
        description=shape.description,
        category=shape.category,
        owner=shape.owner,
        start=shape.start,
        milestones=tuple(_milestone(milestone, shape.start) for milestone in shape.milestones),
        ends=tuple(shape.ends),
        deadline_seconds=parse_duration(shape.deadline) if shape.deadline else math.inf,
        channels=tuple(shape.channels),
    )
    loaded.services[shape.name] = LoadedService(service, document)


def _load_subscriptions(loaded: Loaded, consumer: str) -> None:
    folder = f"agencies/{consumer}/{SUBSCRIPTIONS}"
    for path in map(PurePosixPath, _documents(loaded, folder)):
        if (read := _read_shape(loaded, f"{folder}/{path.name}", SubscriptionShape)) is None:
            continue
        document, shape = read
        if path.stem != shape.subject and not path.stem.startswith(f"{shape.subject}."):
            _agree(loaded, document, ("subject",), shape.subject, path.stem)
        found = _subscription(consumer, shape)
        if (consumer, found.name) in loaded.subscriptions:
            place = document.place("name" if shape.name else "purpose")
            what = f"`{consumer}` has another subscription named `{found.name}`"
            _report(loaded, rules.SUBSCRIPTION_TWICE, place, what)
        loaded.subscriptions[consumer, found.name] = LoadedSubscription(found, document)


def _subscription(consumer: str, shape: SubscriptionShape) -> SubscriptionGrant:
    return SubscriptionGrant(
        consumer=consumer,
        subject=shape.subject,
        major=shape.version,
        name=shape.name or shape.purpose,
        purpose=shape.purpose,
        legal_basis=shape.legal_basis or "",
        fields=tuple(shape.fields),
        approved_by=shape.approved_by,
        approved_on=date.fromisoformat(shape.approved_on) if shape.approved_on else None,
        expires=date.fromisoformat(shape.expires) if shape.expires else None,
    )


def _milestone(shape: MilestoneShape, start: str) -> Milestone:
    deadline = parse_duration(shape.deadline) if shape.deadline else None
    return Milestone(shape.event, shape.after or start, deadline)


def _agree(loaded: Loaded, document: Document, steps: tuple[Step, ...], inside: str, outside: str) -> None:
    if inside != outside:
        what = f"the name is `{inside}`, but the path says `{outside}`"
        _report(loaded, rules.NAME, document.place(*steps), what)


def _report(loaded: Loaded, rule: Rule, place: Place, what: str) -> None:
    loaded.findings.append(rule.at(place, what))


def _read_json(loaded: Loaded, file: str) -> Document | None:
    try:
        return read_json(loaded.root, file)
    except DocumentError as error:
        loaded.findings.append(error.finding)
        return None


def _read_shape(loaded: Loaded, file: str, kind: type[Shape]) -> tuple[Document, Shape] | None:
    try:
        document = read_yaml(loaded.root, file)
        return document, kind.model_validate(document.value)
    except DocumentError as error:
        loaded.findings.append(error.finding)
    except ValidationError as error:
        loaded.findings.extend(structure_faults(document, error, rules.STRUCTURE))
    return None
