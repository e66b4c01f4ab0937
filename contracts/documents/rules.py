"""Rules that each document, and the catalogue as a whole, must meet to be opened."""

from __future__ import annotations

from typing import Final

from contracts.finding import Rule

CATALOG: Final = Rule(
    "catalog-folder",
    "a catalogue is a folder that contains `agencies/` and optionally `services/`",
    "pass such a folder, or create `agencies/<agency>/agency.yaml` in this one",
    "MINIMAL",
)
MISSING: Final = Rule(
    "document-missing",
    "every file that a catalogue names must be in it, as a regular file that can be read",
    "add the file, or correct its name or permissions",
    "MINIMAL",
)
OUTSIDE: Final = Rule(
    "document-outside",
    "a catalogue is self-contained: a path or link out of it leads somewhere else on every machine",
    "copy the file into the catalogue and refer to the copy",
    "MINIMAL",
)
TOO_LARGE: Final = Rule(
    "document-too-large",
    "a document this large is a mistake, or an attempt to exhaust its readers",
    "split it, or move definitions into a schema listed under `references`",
    "MINIMAL",
)
TOO_DEEP: Final = Rule(
    "document-too-deep",
    "nesting this deep is a mistake, or an attempt to exhaust the parser",
    "flatten the document; in a schema, use `$defs`",
    "MINIMAL",
)
ENCODING: Final = Rule(
    "document-encoding",
    "hashes and parsers must see the same text everywhere: UTF-8 without byte order mark",
    "save the file as UTF-8 without byte order mark",
    "MINIMAL",
)
SYNTAX: Final = Rule(
    "document-syntax",
    "a document that does not parse cannot be used",
    "correct the syntax at this place",
    "MINIMAL",
)
DUPLICATE_KEY: Final = Rule(
    "document-duplicate-key",
    "parsers differ in which of two equal keys they use",
    "keep one of them",
    "MINIMAL",
)
PLAIN_YAML: Final = Rule(
    "document-plain-yaml",
    "anchors, aliases, tags and merge keys hide the real content and can expand without limit",
    "write the value itself, without `&`, `*`, `!` or `<<`",
    "MINIMAL",
)
STRUCTURE: Final = Rule(
    "document-structure",
    "each document has the fields and types that `contracts/README.md` lists",
    "correct the field",
    "MINIMAL",
)
NAME: Final = Rule(
    "name-agrees",
    "contracts, agencies and services are found by their path, so both names must be the same",
    "rename the folder or file, or correct the name in the document",
    "MINIMAL",
)
RESERVED: Final = Rule(
    "name-reserved",
    "the bus uses topics and folders of this name itself",
    "choose another name",
    "MINIMAL",
)
HASH: Final = Rule(
    "hash-agrees",
    "a published schema never changes: its readers rely on the exact bytes that were reviewed",
    "restore the file, or publish the change as a new version",
    "MINIMAL",
)
VERSION_TWICE: Final = Rule(
    "version-once",
    "a version number belongs to one schema forever",
    "give the newer schema the next number",
    "MINIMAL",
)
SCHEMA_OBJECT: Final = Rule(
    "schema-object",
    "a schema must be a JSON object, to declare its dialect and its properties",
    "write the schema as an object",
    "MINIMAL",
)
REFERENCE_ID: Final = Rule(
    "reference-id",
    "a referenced schema is found by its `$id`",
    "give the schema an absolute `$id` that no other reference of the version has",
    "MINIMAL",
)
DEADLINE: Final = Rule(
    "service-deadline",
    "without a deadline, a service can never be late",
    "add `deadline`, such as `P14D`",
    "MINIMAL",
)
SUBSCRIPTION_TWICE: Final = Rule(
    "subscription-once",
    "the name is the consumer group: two subscriptions of one name would split the events between them",
    "give one of them another `name`",
    "MINIMAL",
)
CONVERSION: Final = Rule(
    "conversion-readable",
    "a conversion runs on every event: what cannot be read, or could run without end, would convert none",
    "correct the expression; `contracts/versions/README.md` lists operators and functions, with examples",
    "MINIMAL",
)
CONVERSION_ENDS: Final = Rule(
    "conversion-ends",
    "`upcast` converts from an older version of the same contract, and `downcast` to one",
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
