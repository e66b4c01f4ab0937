"""The search index: one row for each agency, service, contract and field. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TypedDict

from contracts.catalog import Catalog
from contracts.publish.fields import fields_of


def page_of(kind: str, name: str) -> str:
    """The file of the page of an agency, contract or service, relative to the site's folder."""
    return f"{kind}/{name}.html"


class SearchRow(TypedDict):
    """One search result.

    `kind` is agency, contract, field or service; `page` is relative to the start page; `text` is searched in
    addition to name and title.
    """

    kind: str
    name: str
    title: str
    page: str
    text: str


def rows(catalog: Catalog) -> Iterator[SearchRow]:
    """All rows; rows of equal rank are shown in this order."""
    for agency in catalog.agencies.values():
        yield _row("agency", agency.name, agency.title, page_of("agency", agency.name), agency.description)
    for service in catalog.services.values():
        text = f"{service.description} {service.category}"
        yield _row("service", service.name, service.title, page_of("service", service.name), text)
    for contract in catalog.contracts.values():
        page = page_of("contract", contract.subject)
        basis = contract.legal_basis or ""
        text = f"{contract.description} {contract.owner} {basis} {contract.classification}"
        yield _row("contract", contract.subject, contract.title, page, text)
        for field in fields_of(contract.version()):
            text = f"{contract.subject} {field.personal or ''}"
            yield _row("field", field.path, field.description, f"{page}#fields", text)


def as_script(catalog: Catalog) -> str:
    """The rows as JSON that is safe inside a `<script>` element."""
    text = json.dumps(list(rows(catalog)), ensure_ascii=False, separators=(",", ":"))
    for letter, written in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u2028", "\\u2028")):
        text = text.replace(letter, written)
    return text.replace("\u2029", "\\u2029")


def _row(kind: str, name: str, title: str, page: str, text: str) -> SearchRow:
    return {"kind": kind, "name": name, "title": title, "page": page, "text": text}
