"""What an editor needs to complete and check the YAML of a new document: a line, and its schema. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from contracts.json_schemas import DOCUMENTS, schema_text

FOLDER: Final = ".schemas"
"""Where the schemas are, below the folder of the catalogue."""
CONNECTOR: Final = "connector"


def for_editors(
    documents: Mapping[str, str], schemas: Callable[[], Mapping[str, Mapping[str, Any]]]
) -> dict[str, str]:
    """Return documents with the line that names their schema, and the schemas.

    The line is that of the YAML language server (redhat-developer/yaml-language-server, "inlined schema").

    Args:
        documents: Their texts, by path; what is no YAML stays as it is.
        schemas: Makes the schema of each kind.
    """
    kinds = {path: kind for path in documents if (kind := kind_of(path)) is not None}
    made = schemas() if kinds else {}
    found = dict(documents)
    for path, kind in kinds.items():
        up = "../" * (len(PurePosixPath(path).parts) - 1)
        found[path] = f"# yaml-language-server: $schema={up}{_file(kind)}\n{documents[path]}"
    return found | {_file(kind): schema_text(made[kind]) for kind in sorted({*kinds.values()})}


def _file(kind: str) -> str:
    return f"{FOLDER}/{kind}.schema.json"


def kind_of(path: str) -> str | None:
    """Return the kind of a document by its path; a YAML file elsewhere is a connector's."""
    place = PurePosixPath(path)
    if place.suffix != ".yaml":
        return None
    for kind, (pattern, _) in DOCUMENTS.items():
        if len(place.parts) == len(PurePosixPath(pattern).parts) and place.match(pattern):
            return kind
    return CONNECTOR
