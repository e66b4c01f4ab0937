"""What the registry refuses, with Confluent's numbers: `{"error_code": 40401, "message": ...}`."""

from __future__ import annotations

from typing import ClassVar

from contracts.errors import ContractError
from contracts.names import quotable


class RegistryError(ContractError):
    """A request is answered with an error.

    Attributes:
        code: Confluent's number.
        status: The HTTP status.
    """

    reason: ClassVar[str] = "registry-request"

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = code // 100 if code > 999 else code


def no_path() -> RegistryError:
    """Nothing is served under this path."""
    return RegistryError(404, "Expected a path of this registry, got another - see `contracts/README.md`")


def no_subject(subject: str) -> RegistryError:
    """The subject is not in the catalogue."""
    return RegistryError(
        40401, f"Subject not found: {quotable(subject)} - `GET /subjects` lists those that are"
    )


def no_version(subject: str, version: str) -> RegistryError:
    """The subject has no such version."""
    what = f"Version not found: {quotable(version)} of {quotable(subject)}"
    return RegistryError(40402, f"{what} - `GET /subjects/<subject>/versions` lists those that are")


def no_schema() -> RegistryError:
    """No schema has this content, number or GUID."""
    return RegistryError(40403, "Schema not found - a schema enters by a change of the catalogue")


def no_own_config(subject: str) -> RegistryError:
    """The subject is a referenced schema: it has no compatibility of its own."""
    return RegistryError(
        40408,
        f"Subject {quotable(subject)} has no compatibility of its own - ask with `defaultToGlobal=true`",
    )


def unusable_schema(why: str) -> RegistryError:
    """The schema sent cannot be read."""
    return RegistryError(42201, why)


def unusable_version() -> RegistryError:
    """The version asked for is not the name of one."""
    return RegistryError(42202, "Expected a version from 1, or `latest`, got something else")


def read_only() -> RegistryError:
    """The registry follows the catalogue and takes no changes."""
    return RegistryError(
        42205, "This registry is read-only - change the catalogue, have it reviewed, and serve it again"
    )


def wrong_method() -> RegistryError:
    """The path is there, but not for this method."""
    return RegistryError(405, "This path does not take this method")


def too_large(limit: int) -> RegistryError:
    """The body is larger than any schema may be."""
    return RegistryError(413, f"Expected a body of at most {limit:,} bytes, got more")


def too_slow(seconds: float) -> RegistryError:
    """The body did not come in time."""
    return RegistryError(408, f"Expected the body within {seconds:g} seconds")


def unreadable(why: str) -> RegistryError:
    """The request is not HTTP or JSON that can be read."""
    return RegistryError(400, why)
