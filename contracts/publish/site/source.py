"""Reads the content of the website: catalogue, examples and plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from contracts.catalog import Catalog
from contracts.compatibility.changes import Change, changes
from contracts.compatibility.modes import Pair
from contracts.contract import ContractVersion
from contracts.documents.document import read_json
from contracts.documents.folders import names_in
from contracts.errors import CatalogError, DocumentError
from contracts.finding import Finding
from contracts.lint.breaking import Before, breaking, waived_breaks, waived_changes
from contracts.lint.config import read_config
from contracts.lint.coverage import Coverage, measure
from contracts.lint.rules.schemas import BOUNDED
from contracts.lint.soundness import as_catalog, load_sound
from contracts.lint.waivers import Waived
from contracts.schema.cost import is_bounded_for


@dataclass(frozen=True, slots=True)
class Example:
    """One example event, and its violations; none when it is valid."""

    name: str
    text: str
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """Changes since an earlier catalogue.

    Attributes:
        added: New subjects.
        removed: Removed subjects.
        breaks: Findings about breaking changes.
        waived: Breaking changes that have a waiver; those that not all have approved are in `breaks` too.
        versions: New versions of contracts that were there before, and published versions that changed.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    breaks: tuple[Finding, ...]
    waived: tuple[Waived, ...]
    versions: tuple[Change, ...]

    @property
    def summary(self) -> str:
        """How much breaks, in words."""
        waived = sum(not each.missing for each in self.waived)
        breaks = sum(each.severity == "error" for each in self.breaks)
        if not breaks:
            return f"{_counted(waived)}, waived" if waived else "no breaking changes"
        return _counted(breaks) + (f", {waived} more waived" if waived else "")

    @property
    def waivers(self) -> Mapping[Finding, Waived]:
        """The waiver of each finding that has one."""
        return {each.finding: each for each in self.waived}


@dataclass(frozen=True, slots=True)
class SiteSource:
    """The content of the website.

    Attributes:
        examples: By type, `<subject>.v<major>`; valid ones first.
        waived: The breaks between versions that have a waiver, in force or past.
        changed: Changes since an earlier catalogue; None without one.
    """

    catalog: Catalog
    coverage: Coverage
    examples: Mapping[str, tuple[Example, ...]]
    waived: Mapping[Pair, Waived]
    changed: Changed | None = None


def _counted(count: int) -> str:
    return f"{count} breaking change{'' if count == 1 else 's'}"


def read_source(root: Path) -> SiteSource:
    """Read the catalogue at `root`.

    Raises:
        CatalogError: It is not sound.
        DocumentError: An example cannot be read.
    """
    loaded = load_sound(root)
    catalog = as_catalog(loaded)
    config, faults = read_config(root, {})
    if faults:
        raise CatalogError(sorted(faults))
    latest = {version.type: version for each in catalog.contracts.values() for version in each.versions}
    examples = {name: tuple(_examples(root, version)) for name, version in latest.items()}
    waived = waived_breaks(loaded, date.min)  # the pages do not depend on the day
    return SiteSource(catalog, measure(catalog, config.plan, config.target), examples, waived)


def compared(source: SiteSource, root: Path, before: Before, today: date) -> SiteSource:
    """The content with the changes since an earlier catalogue.

    Args:
        source: The content.
        root: The catalogue's folder.
        before: The earlier catalogue.
        today: The day on which sunsets and waivers are judged.
    """
    now, then = set(source.catalog.contracts), set(before.catalog.contracts)
    loaded = load_sound(root)
    judged = breaking(loaded, before, today)
    waived = {pair: each.words for pair, each in waived_changes(loaded, before, today).items()}
    found = changes(before.catalog, source.catalog, waived)
    versions = tuple(each for each in found if each.subject in now & then and each.new)
    added, removed = tuple(sorted(now - then)), tuple(sorted(then - now))
    return replace(source, changed=Changed(added, removed, judged.kept, judged.waived, versions))


def _examples(root: Path, version: ContractVersion) -> list[Example]:
    contract = version.contract
    folder = f"agencies/{contract.agency}/{contract.event}/examples/v{version.major}"
    schema = version.root
    found = []
    for kind in ("valid", "invalid"):
        names = [name for name in names_in(root, f"{folder}/{kind}") if name.endswith(".json")]
        for name in names:
            document = read_json(root, f"{folder}/{kind}/{name}")
            if not is_bounded_for(schema, document.value):
                what = "checking this event takes too many steps"
                raise DocumentError(BOUNDED.at(document.place(), what))
            text = json.dumps(document.value, ensure_ascii=False, indent=2)
            faults = tuple(violation.message for violation in version.violations(document.value))
            found.append(Example(name.removesuffix(".json").replace("-", " "), text, faults))
    return found
