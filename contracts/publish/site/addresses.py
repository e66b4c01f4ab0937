"""The file of each page, relative to the site's folder. Pure."""

from __future__ import annotations


def agency_page(name: str) -> str:
    """The page of an agency."""
    return f"agency/{name}.html"


def contract_page(subject: str) -> str:
    """The page of a contract."""
    return f"contract/{subject}.html"


def service_page(name: str) -> str:
    """The page of a service."""
    return f"service/{name}.html"
