"""Writes new documents into a folder; nothing is overwritten, and nothing lands outside of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from contracts.errors import ContractError
from contracts.json_schemas import all_schemas
from contracts.scaffold.editors import FOLDER, for_editors
from contracts.terminal import say


def write_new(root: Path, documents: Mapping[str, str]) -> None:
    """Write new documents, and say the name of each on stdout; YAML names the schema for editors.

    Args:
        root: The folder; it is made if it is missing.
        documents: Their texts, by path below it.

    Raises:
        ContractError: One of them is there already, or a link leads out of the folder: nothing was written.
    """
    schemas_there = {f"{FOLDER}/{file.name}" for file in (root / FOLDER).glob("*.json")}
    documents = {
        file: text for file, text in for_editors(documents, all_schemas).items() if file not in schemas_there
    }
    there = [file for file in documents if (root / file).exists() or (root / file).is_symlink()]
    if there:
        raise ContractError(f"Expected no file at `{there[0]}` - nothing was written; remove the file first")
    whole = root.resolve()
    for file in documents:
        if not (root / file).parent.resolve().is_relative_to(whole):
            raise ContractError(f"Expected `{file}` inside the folder, but a link leads out of it")
    for file, text in documents.items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
        say(file)
