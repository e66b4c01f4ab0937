"""Rules that a document meets before anything is read from it; one that breaks them is not read."""

from __future__ import annotations

from typing import Final

from contracts.finding import Rule

CATALOG: Final = Rule(
    "catalog-folder",
    "a catalogue is a folder with `agencies/` and, beside it, `services/`",
    "name such a folder, or make `agencies/<agency>/agency.yaml` in it",
    "MINIMAL",
)
MISSING: Final = Rule(
    "document-missing",
    "what a catalogue names must be in it, as a regular file that can be read",
    "add the file, correct its name, or correct its permissions",
    "MINIMAL",
)
OUTSIDE: Final = Rule(
    "document-outside",
    "a catalogue is complete in itself: a path or link out of it means something else on every machine",
    "copy the file into the catalogue and name it there",
    "MINIMAL",
)
TOO_LARGE: Final = Rule(
    "document-too-large",
    "a document this large is a mistake, or an attempt to exhaust who reads it",
    "split it, or move definitions into a schema listed under `references`",
    "MINIMAL",
)
TOO_DEEP: Final = Rule(
    "document-too-deep",
    "nesting this deep is a mistake, or an attempt to exhaust who reads it",
    "flatten the document, with `$defs` for a schema",
    "MINIMAL",
)
ENCODING: Final = Rule(
    "document-encoding",
    "a hash and a parser must see the same text everywhere: UTF-8 without byte order mark",
    "save the file as UTF-8 without byte order mark",
    "MINIMAL",
)
SYNTAX: Final = Rule(
    "document-syntax",
    "a document that does not parse says nothing",
    "correct it at this place",
    "MINIMAL",
)
DUPLICATE_KEY: Final = Rule(
    "document-duplicate-key",
    "which of two equal keys counts differs from parser to parser",
    "keep one of them",
    "MINIMAL",
)
PLAIN_YAML: Final = Rule(
    "document-plain-yaml",
    "plain YAML says what it means where it stands: an anchor, alias, tag or merge key does not",
    "write the value itself, without `&`, `*`, `!` or `<<`",
    "MINIMAL",
)
STRUCTURE: Final = Rule(
    "document-structure",
    "each document has the fields and kinds that `contracts/README.md` lists",
    "correct the field",
    "MINIMAL",
)
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
    CATALOG,
    MISSING,
    OUTSIDE,
    TOO_LARGE,
    TOO_DEEP,
    ENCODING,
    SYNTAX,
    DUPLICATE_KEY,
    PLAIN_YAML,
    STRUCTURE,
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
