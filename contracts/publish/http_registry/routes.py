"""The routes of the registry as a table: method, path, function. Pure.

The path segments in braces are passed to the function in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from contracts.publish.http_registry import errors
from contracts.publish.http_registry.compatibility import compare
from contracts.publish.http_registry.holdings import Entry, Holdings, written
from contracts.publish.http_registry.request import RegistryRequest, sent_schema

GLOBAL_LEVEL: Final = "BACKWARD_TRANSITIVE"
"""The compatibility mode of a contract that declares none."""

_CONFIG: Final = {"compatibilityLevel": GLOBAL_LEVEL}
_MODE: Final = {"mode": "READONLY"}

Answer = Callable[[Holdings, RegistryRequest], Any]


def answer_for(method: str, words: list[str]) -> tuple[Answer, tuple[str, ...]]:
    """The function for a request, and its path segments.

    Raises:
        RegistryError: The path or method is unknown, or would change the registry.
    """
    methods = set()
    for row_method, pattern, answer in ROWS:
        if (own := _match(pattern.split("/"), words)) is not None:
            if row_method == method:
                return answer, own
            methods.add(row_method)
    if not methods:
        raise errors.no_path()
    raise errors.read_only() if method in ("PUT", "POST", "DELETE", "PATCH") else errors.wrong_method()


def _match(pattern: list[str], words: list[str]) -> tuple[str, ...] | None:
    if len(pattern) != len(words):
        return None
    pairs = list(zip(pattern, words, strict=True))
    if any(part != word for part, word in pairs if part != "{}"):
        return None
    return tuple(word for part, word in pairs if part == "{}")


def _subjects(holdings: Holdings, request: RegistryRequest) -> list[str]:
    prefix = request.query.get("subjectPrefix", "")
    return _page((name for name in sorted(holdings.subjects) if name.startswith(prefix)), request)


def _versions(holdings: Holdings, request: RegistryRequest) -> list[int]:
    return _page((entry.number for entry in holdings.subject(request.words[0])), request)


def _version(holdings: Holdings, request: RegistryRequest) -> dict[str, Any]:
    return _registered(holdings.entry(*request.words))


def _version_schema(holdings: Holdings, request: RegistryRequest) -> Any:
    return holdings.entry(*request.words).schema


def _referenced_by(holdings: Holdings, request: RegistryRequest) -> list[int]:
    wanted = holdings.entry(*request.words)
    return sorted(
        {
            entry.id
            for entry in holdings.entries()
            if any((row.subject, row.version) == (wanted.subject, wanted.number) for row in entry.references)
        }
    )


def _look_up(holdings: Holdings, request: RegistryRequest) -> dict[str, Any]:
    holdings.subject(request.words[0])
    return _registered(holdings.with_content(request.words[0], *sent_schema(request, holdings)))


def _register(holdings: Holdings, request: RegistryRequest) -> dict[str, Any]:
    """Accept a schema that is already registered, for serializers that register before they write."""
    try:
        return {"id": _look_up(holdings, request)["id"]}
    except errors.RegistryError as error:
        if error.code in (40401, 40403):
            raise errors.read_only() from None
        raise


def _schemas(holdings: Holdings, request: RegistryRequest) -> list[dict[str, Any]]:
    prefix = request.query.get("subjectPrefix", "")
    entries: Iterable[Entry] = holdings.entries()
    if request.flag("latestOnly"):
        entries = (holdings.subjects[name][-1] for name in sorted(holdings.subjects))
    return [
        _registered(entry) for entry in _page((e for e in entries if e.subject.startswith(prefix)), request)
    ]


def _by_id(holdings: Holdings, request: RegistryRequest) -> dict[str, Any]:
    return written(holdings.with_id(request.words[0])[0])


def _by_id_schema(holdings: Holdings, request: RegistryRequest) -> Any:
    return holdings.with_id(request.words[0])[0].schema


def _by_id_subjects(holdings: Holdings, request: RegistryRequest) -> list[str]:
    return _page(sorted({entry.subject for entry in holdings.with_id(request.words[0])}), request)


def _by_id_versions(holdings: Holdings, request: RegistryRequest) -> list[dict[str, Any]]:
    found = holdings.with_id(request.words[0])
    return [{"subject": entry.subject, "version": entry.number} for entry in _page(found, request)]


def _by_guid(holdings: Holdings, request: RegistryRequest) -> dict[str, Any]:
    return written(holdings.with_guid(request.words[0]))


def _subject_config(holdings: Holdings, request: RegistryRequest) -> dict[str, str]:
    version = holdings.subject(request.words[0])[-1].version
    if version is not None:
        return {"compatibilityLevel": version.contract.compatibility}
    if request.flag("defaultToGlobal"):
        return _CONFIG
    raise errors.no_own_config(request.words[0])


def _subject_mode(holdings: Holdings, request: RegistryRequest) -> dict[str, str]:
    holdings.subject(request.words[0])
    return _MODE


ROWS: Final[tuple[tuple[str, str, Answer], ...]] = (
    ("GET", "subjects", _subjects),
    ("POST", "subjects/{}", _look_up),
    ("GET", "subjects/{}/versions", _versions),
    ("POST", "subjects/{}/versions", _register),
    ("GET", "subjects/{}/versions/{}", _version),
    ("GET", "subjects/{}/versions/{}/schema", _version_schema),
    ("GET", "subjects/{}/versions/{}/referencedby", _referenced_by),
    ("GET", "schemas", _schemas),
    ("GET", "schemas/types", lambda *_: ["JSON"]),
    ("GET", "schemas/ids/{}", _by_id),
    ("GET", "schemas/ids/{}/schema", _by_id_schema),
    ("GET", "schemas/ids/{}/subjects", _by_id_subjects),
    ("GET", "schemas/ids/{}/versions", _by_id_versions),
    ("GET", "schemas/guids/{}", _by_guid),
    ("POST", "compatibility/subjects/{}/versions", compare),
    ("POST", "compatibility/subjects/{}/versions/{}", compare),
    ("GET", "config", lambda *_: _CONFIG),
    ("GET", "config/{}", _subject_config),
    ("GET", "mode", lambda *_: _MODE),
    ("GET", "mode/{}", _subject_mode),
    ("GET", "contexts", lambda *_: ["."]),
)


def _registered(entry: Entry) -> dict[str, Any]:
    return {"subject": entry.subject, "version": entry.number, **written(entry), **_metadata(entry)}


def _metadata(entry: Entry) -> dict[str, Any]:
    if entry.version is None:
        return {}
    properties = {
        "dataschema": entry.version.dataschema,
        "number": entry.version.number,
        "owner": entry.version.contract.owner,
    }
    return {"metadata": {"properties": properties}}


def _page(found: Iterable[Any], request: RegistryRequest) -> list[Any]:
    listed = list(found)
    offset, limit = request.number("offset", 0), request.number("limit", 0)
    return listed[offset : offset + limit] if limit else listed[offset:]
