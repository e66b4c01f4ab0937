"""Applies all rules to one catalogue folder.

Each category includes the ones before it: `MINIMAL` is what a catalogue needs to work, `BASIC` adds
responsibility and privacy, `STANDARD` adds readability for others, and order in exceptions and waivers. Rules
about reading the catalogue always apply.

Law: only `MINIMAL` and `BASIC` hold up `apply`, and a rule that a revocation can break is in neither: whoever
withdraws access waits for nobody's tidiness.
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
from contracts.processes import flat_map

CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)
ALWAYS: Final = frozenset(rule.code for rule in (*document_rules.RULES, *config.RULES, *waivers.RULES))
"""Codes of rules about reading the catalogue and its settings, which allow no exceptions."""

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


HOLDING_UP: Final = frozenset(rule.code for rule in RULES if rule.category != "STANDARD") - {
    subscriptions.EXPIRED.code
}
"""Codes of rules whose findings stop `apply`. An expired subscription does not: its access is removed."""


def lint(
    root: Path, today: date | None = None, *, use: Category | None = None, excepted: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Findings about the catalogue at `root`, sorted by place; empty when it is clean.

    Args:
        root: The catalogue's folder.
        today: The day on which subscriptions, sunsets and waivers are judged; by default the current one.
        use: The category of rules to apply; by default that in `catalog.yaml`.
        excepted: Codes of rules not to apply, in addition to those in `catalog.yaml`.
    """
    return lint_loaded(load(root), today, use=use, excepted=excepted)


def lint_loaded(
    loaded: Loaded,
    today: date | None = None,
    *,
    use: Category | None = None,
    excepted: Collection[str] = (),
) -> tuple[Finding, ...]:
    """Findings about a catalogue that was read already; see `lint`."""
    day = today or datetime.now(UTC).date()
    settings, faults = config.read_config(loaded.root, {"lint": {rule.code for rule in RULES} - ALWAYS})
    applied = _codes_of(use or settings.use) - frozenset(excepted) - settings.lint.excepted | ALWAYS
    found = {*faults, *loaded.findings, *_uses(loaded, applied, day, settings.categories)}
    found.update(
        flat_map(lambda entry: _contract(entry, loaded, applied, day), tuple(loaded.contracts.values()))
    )
    reported = [
        finding for finding in found if finding.code in applied and not _is_ignored(finding, settings.lint)
    ]
    left = {rule.code for rule in RULES} - applied
    return tuple(sorted(waivers.apply_waivers(reported, loaded, day, left=left).kept))


def _is_ignored(finding: Finding, exceptions: config.Exceptions) -> bool:
    return finding.code not in ALWAYS and exceptions.silences(finding.code, finding.place.file)


def _codes_of(use: Category) -> frozenset[str]:
    categories = CATEGORIES[: CATEGORIES.index(use) + 1]
    return frozenset(rule.code for rule in RULES if rule.category in categories)


def _any(rules: Collection[Rule], applied: Collection[str]) -> bool:
    return any(rule.code in applied for rule in rules)


def _contract(
    entry: LoadedContract, loaded: Loaded, applied: Collection[str], today: date
) -> Iterator[Finding]:
    found = list(schemas.check_schemas(entry, loaded.root))
    yield from found
    if any(finding.code == schemas.BOUNDED.code for finding in found):
        return  # further checks could take too long
    yield from contracts.check_contract(entry)
    if _any(examples.RULES, applied):
        yield from examples.check_examples(entry, loaded.root)
    if _any(lifecycle.RULES, applied):
        yield from lifecycle.check_lifecycle(entry, today)
    if _any(conversions.RULES, applied):
        yield from conversions.check_conversions(entry, loaded.root)
    if _any(bumps.RULES, applied):
        yield from bumps.check_bumps(entry, loaded)
    seen = tuple(views(entry))
    if _any(privacy.RULES, applied):
        yield from privacy.check_privacy(entry, seen)
    for rules, check in _OF_VIEWS:
        if _any(rules, applied):
            for view in seen:
                yield from check(view)


def _uses(
    loaded: Loaded, applied: Collection[str], today: date, categories: Collection[str]
) -> Iterator[Finding]:
    for service in loaded.services.values():
        yield from services.check_service(service, loaded, categories)
    for subscription in loaded.subscriptions.values():
        yield from subscriptions.check_subscription(subscription, loaded, today)
    if _any(lifecycle.RULES, applied):
        yield from lifecycle.check_references(loaded)
