"""The files of one folder, as documents that a `$ref` may lead to.

Law: nothing is fetched, and no file outside the folder is read, also through a link. A reference leads to a
file by its path, or by the `$id` in it.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from contracts.documents.document import Document, read_json, read_yaml
from contracts.errors import ContractError, DocumentError

MAX_BYTES: Final = 16_777_216
"""Largest JSON document that a schema is taken from; the schema itself has the limit of a catalogue."""
MAX_YAML_BYTES: Final = 4_194_304
"""Largest YAML document, which takes longer to read."""
MAX_FILES: Final = 1_000
"""Most files that are read, or looked at for their `$id`."""
MAX_TOTAL_BYTES: Final = 67_108_864
"""Most that is read of all of them."""

_YAML: Final = (".yaml", ".yml")


class ImportFolder:
    """Reads the files of a folder, each once.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._read: dict[str, Any] = {}
        self._count = 0
        self._bytes = 0

    def uri(self, path: Path) -> str:
        """The URI of a file of the folder.

        Raises:
            ContractError: It is not in the folder.
        """
        real = path.parent.resolve() / path.name  # a link is refused when it is read, if it leads out
        if not real.is_relative_to(self._root):
            raise ContractError(f"Expected `{path}` to be in the folder - pass one that contains it")
        return real.as_uri()

    def shown(self, uri: str) -> str:
        """The name of the file of a URI; any other URI as it is."""
        where = uri if self._is_here(uri) else self._ids.get(uri, [uri])[0]
        return self._name(where) if self._is_here(where) else uri

    def content(self, uri: str) -> Any:
        """What is in the file of a URI.

        Raises:
            ContractError: It cannot be read, or too much was read already.
        """
        if uri not in self._read:
            self._read[uri] = self._document(self._name(uri)).value
        return self._read[uri]

    def find(self, uri: str) -> tuple[str, Mapping[str, Any]] | None:
        """The URI and the content of the file that a reference means; None when there is none in the folder.

        Raises:
            ContractError: It cannot be read, or several files say that they are meant.
        """
        where = uri if self._is_here(uri) else self._named(uri) if urlsplit(uri).scheme != "file" else None
        if where is None:
            return None
        found = self.content(where)
        return (where, found) if isinstance(found, Mapping) else None

    def _is_here(self, uri: str) -> bool:
        if urlsplit(uri).scheme != "file" or urlsplit(uri).netloc:
            return False
        path = Path(unquote(urlsplit(uri).path))
        return path.is_relative_to(self._root) and ".." not in path.parts and path.is_file()

    def _name(self, uri: str) -> str:
        return Path(unquote(urlsplit(uri).path)).relative_to(self._root).as_posix()

    def _named(self, uri: str) -> str | None:
        """The file with this `$id`; or at its place beside a file whose `$id` is in the same folder."""
        if files := self._ids.get(uri):
            if any(self.content(file) != self.content(files[0]) for file in files):
                names = ", ".join(f"`{self._name(file)}`" for file in files)
                raise ContractError(f"Expected one file with the `$id` `{uri[:200]}`, got {names}")
            return files[0]
        return next((beside for beside in self._beside(uri) if self._is_here(beside)), None)

    def _beside(self, uri: str) -> Iterator[str]:
        """Where the file of a URI is, if files lie as their `$id`s say."""
        wanted = urlsplit(uri)
        for named, files in self._ids.items():
            known = urlsplit(named)
            if known[:2] == wanted[:2] and known.path.startswith("/") and wanted.path.startswith("/"):
                way = posixpath.relpath(wanted.path, posixpath.dirname(known.path))
                yield urljoin(files[0], way)

    @cached_property
    def _ids(self) -> Mapping[str, list[str]]:
        """By absolute `$id`, the files that have it."""
        found: dict[str, list[str]] = {}
        for name in self._names():
            where = (self._root / name).as_uri()
            try:
                value = self.content(where)
            except DocumentError:
                continue  # it is told of when a reference leads there
            named = (value.get("$id") or value.get("id")) if isinstance(value, Mapping) else None
            if isinstance(named, str):
                uri = urljoin(where, named).partition("#")[0]
                if uri != where:
                    found.setdefault(uri, []).append(where)
        return found

    def _names(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self._root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for file in sorted(files):
                if not file.startswith(".") and Path(file).suffix in (".json", *_YAML):
                    yield (Path(folder) / file).relative_to(self._root).as_posix()

    def _document(self, name: str) -> Document:
        self._count += 1
        if self._count > MAX_FILES:
            raise ContractError(
                f"Expected to read at most {MAX_FILES:,} files of the folder - pass a smaller one"
            )
        if Path(name).suffix in _YAML:
            document = read_yaml(self._root, name, limit=MAX_YAML_BYTES)
        else:
            document = read_json(self._root, name, limit=MAX_BYTES)
        self._bytes += len(document.content)
        if self._bytes > MAX_TOTAL_BYTES:
            what = f"Expected to read at most {MAX_TOTAL_BYTES:,} bytes of the folder"
            raise ContractError(f"{what} - pass a smaller one")
        return document
