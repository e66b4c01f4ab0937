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
    "a catalogue is plain YAML: an anchor, alias or tag hides what is said, and can grow without end",
    "write the value out where it is used",
    "MINIMAL",
)
STRUCTURE: Final = Rule(
    "document-structure",
    "each document has the fields and kinds that `contracts/README.md` lists",
    "correct the field",
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
)
