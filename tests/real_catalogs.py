"""Catalogues made of real governments' schemas, where a checkout has them beside it.

They lie in `real/` of a folder named by `GOVBUS_SHARED`, by default `shared` beside the repository. Files are
taken over byte for byte. What each example is worth is written down here after reading the data.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILING = "bc-registries.filing-submitted"
SIGNAL = "nhs-mns.signal-sent"
CLOUD_EVENT = "nhs-mns.cloud-event-sent"

# Templates to be filled in, corrections that name no correction, a filing before there is a business.
REFUSED_FILINGS = frozenset(
    {
        "continuation_in_filing_template",
        "correction_coa",
        "correction_combined_ar",
        "filing_header",
        "filing_template",
    }
)
# Signals of the older form, before CloudEvents 1.0: no `specversion`, a person in place of the subject.
REFUSED_CLOUD_EVENTS = frozenset({"nhsNumberChangeSignal", "pdsChangeOfGpSignal", "pdsDeathSignal"})


@dataclass(frozen=True)
class RealExample:
    """One real event and whether its contract accepts it.

    Attributes:
        name: The file's name without `.json`.
        content: The file's bytes.
    """

    subject: str
    name: str
    content: bytes
    accepted: bool

    @property
    def data(self) -> Any:
        """The parsed content."""
        return json.loads(self.content)


@dataclass(frozen=True)
class RealCatalog:
    """A catalogue folder and the examples that came with it."""

    root: Path
    examples: tuple[RealExample, ...]


def shared_folder(name: str) -> Path | None:
    """The folder `real/<name>`; None where this machine has none."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("GOVBUS_SHARED", beside)) / "real" / name
    return folder if folder.is_dir() else None


def bc_registries(folder: Path, root: Path) -> RealCatalog:
    """British Columbia's business registry: 66 draft-07 schemas that refer to one another by `$id`.

    Args:
        folder: `real/bc-registries`.
        root: Where to write the catalogue; several may share it.
    """
    schemas = sorted((folder / "schemas").glob("*.json"))
    target = _contract(
        root,
        FILING,
        schemas=[path for path in schemas if path.stem == "filing"],
        references=[path for path in schemas if path.stem != "filing"],
        classification="personal",
        personal_fields={"$.filing.header.certifiedBy": "name", "$.filing.header.email": "contact"},
        key={"path": "$.filing.business.identifier"},
    )
    examples = [
        RealExample(FILING, path.stem, path.read_bytes(), path.stem not in REFUSED_FILINGS)
        for path in sorted((folder / "examples").glob("*.json"))
        if "filing" in json.loads(path.read_text())
    ]
    return _with_examples(root, target, examples)


def nhs_mns(folder: Path, root: Path) -> RealCatalog:
    """England's notification service: FHIR signals with their schema, and the CloudEvents they come from.

    The CloudEvents have a patient's number in `subject` and `dataref`: both are classified, neither is a key.

    Args:
        folder: `real/nhs-mns`.
        root: Where to write the catalogue; several may share it.
    """
    personal = "$.entry[0].resource.parameter[4].part[2].valueReference.identifier.value"
    signals = _contract(
        root,
        SIGNAL,
        schemas=[folder / "fhirsignal.schema.json"],
        references=[],
        classification="personal",
        personal_fields={personal: "identifier"},
        key={"path": "$.id"},
    )
    cloud_events = _contract(
        root,
        CLOUD_EVENT,
        schemas=[_cloud_event_schema(root)],
        references=[],
        classification="personal",
        personal_fields={"$.subject": "identifier", "$.dataref": "identifier"},
        key={"path": "$.id"},
    )
    told = [
        RealExample(SIGNAL, path.stem, path.read_bytes(), accepted=True)
        for path in sorted(folder.glob("*-signal.json")) + sorted(folder.glob("*.signal.json"))
    ]
    sent = [
        RealExample(CLOUD_EVENT, path.stem, path.read_bytes(), path.stem not in REFUSED_CLOUD_EVENTS)
        for path in sorted(folder.glob("*Signal.json"))
    ]
    _with_examples(root, signals, told)
    _with_examples(root, cloud_events, sent)
    return RealCatalog(root, (*told, *sent))


def _contract(
    root: Path, subject: str, *, schemas: Sequence[Path], references: Sequence[Path], **fields: object
) -> Path:
    agency, event = subject.split(".")
    target = root / "agencies" / agency / event
    target.mkdir(parents=True)
    contact = f"desk@{agency}.example"
    _write(
        target.parent / "agency.yaml",
        {"name": agency, "title": agency, "level": "regional", "contact": contact},
    )
    row = {"number": "1.0", **next(_copied(schemas, target)), "references": list(_copied(references, target))}
    _write(
        target / "contract.yaml",
        {
            "subject": subject,
            "title": event,
            "description": "Taken over from the publisher's own repository.",
            "owner": "Registration desk",
            "contact": contact,
            "legal_basis": "The publisher's own",
            "retention": "P30D",
            "formats": "annotation",
            "content_model": "as-written",
            "versions": [row],
            **fields,
        },
    )
    return target


def _copied(paths: Iterable[Path], target: Path) -> Iterator[dict[str, str]]:
    for path in paths:
        shutil.copyfile(path, target / path.name)
        yield {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _with_examples(root: Path, target: Path, examples: Sequence[RealExample]) -> RealCatalog:
    for example in examples:
        folder = target / "examples" / "v1" / ("valid" if example.accepted else "invalid")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{example.name}.json").write_bytes(example.content)
    return RealCatalog(root, tuple(examples))


def _cloud_event_schema(root: Path) -> Path:
    text = {"type": "string", "minLength": 1}
    path = root / "cloud-event.schema.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {
                    "specversion": {"const": "1.0"},
                    **dict.fromkeys(("id", "source", "type", "time", "dataref", "subject"), text),
                },
                "required": ["specversion", "id", "source", "type"],
                "additionalProperties": False,
            }
        )
    )
    return path


def _write(path: Path, value: object) -> None:
    path.write_text(yaml.safe_dump(value, sort_keys=False))
