"""Errors of the registry, with Confluent's codes: `{"error_code": 40401, "message": ...}`."""

from __future__ import annotations

from typing import ClassVar

from contracts.errors import ContractError
from contracts.names import quotable


class RegistryError(ContractError):
    """A request fails.

    Attributes:
        code: Confluent's error code.
        status: The HTTP status.
    """

    reason: ClassVar[str] = "registry-request"

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = code // 100 if code > 999 else code


def no_path() -> RegistryError:
    """The path is unknown."""
    return RegistryError(404, "Unknown path - `contracts/README.md` lists the supported ones")


def no_subject(subject: str) -> RegistryError:
    """The subject is not in the catalogue."""
    return RegistryError(
        40401, f"Subject not found: {quotable(subject)} - `GET /subjects` lists all subjects"
    )


def no_version(subject: str, version: str) -> RegistryError:
    """The subject has no such version."""
    what = f"Version not found: {quotable(version)} of {quotable(subject)}"
    return RegistryError(40402, f"{what} - `GET /subjects/<subject>/versions` lists all versions")


def no_schema() -> RegistryError:
    """No schema has this content, id or GUID."""
    return RegistryError(40403, "Schema not found - add schemas by changing the catalogue")


def no_own_config(subject: str) -> RegistryError:
    """The subject is a referenced schema, which has no compatibility mode."""
    return RegistryError(
        40408,
        f"Subject {quotable(subject)} has no compatibility of its own - use `defaultToGlobal=true`",
    )


def unusable_schema(why: str) -> RegistryError:
    """The schema in the request cannot be used."""
    return RegistryError(42201, why)


def unusable_version() -> RegistryError:
    """The version in the request is neither a number nor `latest`."""
    return RegistryError(42202, "Expected a version number from 1, or `latest`")


def read_only() -> RegistryError:
    """The registry is read-only."""
    return RegistryError(42205, "This registry is read-only - change the catalogue, and restart the registry")


def wrong_method() -> RegistryError:
    """The path does not support this method."""
    return RegistryError(405, "This path does not support this method")


def too_large(limit: int) -> RegistryError:
    """The body is too large."""
    return RegistryError(413, f"Expected a body of at most {limit:,} bytes, got more")


def unreadable(why: str) -> RegistryError:
    """The request is malformed."""
    return RegistryError(400, why)
