"""Rules that hold between the documents of a catalogue; one that breaks them cannot be opened."""

from __future__ import annotations

from typing import Final

from contracts.finding import Rule

NAME: Final = Rule(
    "name-agrees",
    "a contract is found by its folder: the name inside and the name outside must be one",
    "rename the folder or file, or correct the name inside",
    "MINIMAL",
)
RESERVED: Final = Rule(
    "name-reserved",
    "the bus keeps topics and folders of this name for itself",
    "choose another name",
    "MINIMAL",
)
HASH: Final = Rule(
    "hash-agrees",
    "a published schema never changes: who reads it relies on the very bytes that were reviewed",
    "restore the file, or publish the change as a new version",
    "MINIMAL",
)
VERSION_TWICE: Final = Rule(
    "version-once",
    "a version number names one schema for ever",
    "give the newer one the next number",
    "MINIMAL",
)
SCHEMA_OBJECT: Final = Rule(
    "schema-object",
    "a schema is a JSON object, so that it can name its dialect and describe its properties",
    "write the schema as an object",
    "MINIMAL",
)
REFERENCE_ID: Final = Rule(
    "reference-id",
    "other schemas reach a referenced one by its `$id`",
    "give the schema an absolute `$id` that no other reference of the version has",
    "MINIMAL",
)
DEADLINE: Final = Rule(
    "service-deadline",
    "without a deadline nobody can say that a service is late",
    "add `deadline`, such as `P14D`",
    "MINIMAL",
)
SUBSCRIPTION_TWICE: Final = Rule(
    "subscription-once",
    "a subscription's name is its consumer group: two of one name would share their events out",
    "give one of them a `name` of its own",
    "MINIMAL",
)
CONVERSION: Final = Rule(
    "conversion-bounded",
    "a conversion runs on every event it concerns, so it reads data, no clock, and ends in bounded time",
    "say it with the operators and expressions that `contracts/README.md` lists",
    "MINIMAL",
)
CONVERSION_ENDS: Final = Rule(
    "conversion-ends",
    "an `upcast` comes from, and a `downcast` leads to, an older version of the same contract",
    "name an older version that the contract lists",
    "MINIMAL",
)
RULES: Final = (
    SUBSCRIPTION_TWICE,
    NAME,
    RESERVED,
    HASH,
    VERSION_TWICE,
    SCHEMA_OBJECT,
    REFERENCE_ID,
    DEADLINE,
    CONVERSION,
    CONVERSION_ENDS,
)
