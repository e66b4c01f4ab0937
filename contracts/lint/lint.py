"""All rules over one catalogue folder.

Categories nest: `MINIMAL` asks for what a catalogue needs to work, `BASIC` for what somebody answers for,
`STANDARD` for what a stranger needs to read it. A rule by which a catalogue cannot be read is always asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, get_args

from contracts.documents import rules as document_rules
from contracts.documents.loaded import Loaded, LoadedContract
from contracts.documents.loading import load
from contracts.finding import Category, Finding, Rule
from contracts.lint import config, waivers
from contracts.lint.rules import (
    bounds,
    bumps,
    contracts,
    conversions,
    examples,
    keywords,
    lifecycle,
    privacy,
    properties,
    samples,
    schemas,
    services,
    subscriptions,
)
from contracts.lint.schema_parts import views
from contracts.processes import ask_all

CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)
ALWAYS: Final = frozenset(rule.code for rule in (*document_rules.RULES, *config.RULES, *waivers.RULES))
"""The codes of rules by which a catalogue, or its settings, cannot be read: no exception is made for them."""

_OF_VIEWS: Final = (
    (properties.RULES, properties.check_properties),
    (bounds.RULES, bounds.check_bounds),
    (keywords.RULES, keywords.check_keywords),
    (samples.RULES, samples.check_samples),
)
RULES: Final[tuple[Rule, ...]] = (
    *document_rules.RULES,
    *config.RULES,
    *contracts.RULES,
    *privacy.RULES,
    *lifecycle.RULES,
    *conversions.RULES,
    *bumps.RULES,
    *schemas.RULES,
    *(rule for rules, _ in _OF_VIEWS for rule in rules),
    *examples.RULES,
    *services.RULES,
    *subscriptions.RULES,
    *waivers.RULES,
)


def lint(
    root: Path, today: date | None = None, *, use: Category | None = None, excepted: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Every finding about the catalogue at `root`, sorted by place; none when it is clean.

    Args:
        root: The catalogue's folder.
        today: The day on which its subscriptions must hold and no sunset has passed; by default this one.
        use: The category of rules to ask; by default what `catalog.yaml` says.
        excepted: The codes of rules not to ask, beside those that `catalog.yaml` names.
    """
    day = today or datetime.now(UTC).date()
    settings, slips = config.read_config(root, {"lint": {rule.code for rule in RULES} - ALWAYS})
    asked = _asked(use or settings.use) - frozenset(excepted) - settings.lint.excepted | ALWAYS
    loaded = load(root)
    found = {*slips, *loaded.findings, *_uses(loaded, asked, day)}
    found.update(
        ask_all(lambda entry: _contract(entry, loaded, asked, day), tuple(loaded.contracts.values()))
    )
    told = [finding for finding in found if finding.code in asked and not _is_ignored(finding, settings.lint)]
    left = {rule.code for rule in RULES} - asked
    return tuple(sorted(waivers.apply_waivers(told, loaded, day, left=left)))


def _is_ignored(finding: Finding, exceptions: config.Exceptions) -> bool:
    return finding.code not in ALWAYS and exceptions.silences(finding.code, finding.place.file)


def _asked(use: Category) -> frozenset[str]:
    categories = CATEGORIES[: CATEGORIES.index(use) + 1]
    return frozenset(rule.code for rule in RULES if rule.category in categories)


def _any(rules: Collection[Rule], asked: Collection[str]) -> bool:
    return any(rule.code in asked for rule in rules)


def _contract(
    entry: LoadedContract, loaded: Loaded, asked: Collection[str], today: date
) -> Iterator[Finding]:
    told = list(schemas.check_schemas(entry, loaded.root))
    yield from told
    if any(finding.code == schemas.BOUNDED.code for finding in told):
        return  # nothing is asked of a schema that cannot be answered
    yield from contracts.check_contract(entry)
    if _any(examples.RULES, asked):
        yield from examples.check_examples(entry, loaded.root)
    if _any(lifecycle.RULES, asked):
        yield from lifecycle.check_lifecycle(entry, today)
    if _any(conversions.RULES, asked):
        yield from conversions.check_conversions(entry, loaded.root)
    if _any(bumps.RULES, asked):
        yield from bumps.check_bumps(entry)
    seen = tuple(views(entry))
    if _any(privacy.RULES, asked):
        yield from privacy.check_privacy(entry, seen)
    for rules, check in _OF_VIEWS:
        if _any(rules, asked):
            for view in seen:
                yield from check(view)


def _uses(loaded: Loaded, asked: Collection[str], today: date) -> Iterator[Finding]:
    for service in loaded.services.values():
        yield from services.check_service(service, loaded)
    for subscription in loaded.subscriptions.values():
        yield from subscriptions.check_subscription(subscription, loaded, today)
    if _any(lifecycle.RULES, asked):
        yield from lifecycle.check_references(loaded)
