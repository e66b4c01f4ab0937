"""Errors of contracts.

ContractError
 ├── CatalogError            the folder cannot be read as a catalogue; contains all findings
 ├── ConversionError         data cannot be converted from one version to another
 ├── DocumentError           one file of it cannot be read; the loader collects its finding
 ├── SnapshotError           the catalogue to compare with cannot be read
 │    └── GitError           from git
 ├── HashError               the layout of a `contract.yaml` does not allow adding a hash
 ├── NoCatalogError          no catalogue is named, and there is no project around the working directory
 ├── PartitionKeyError       the data has no usable value where the key rule points
 ├── ProjectError            the project file cannot be read
 ├── RegistryKeyError        a file contains no usable key for registry signatures
 ├── SchemaUnusableError     a schema does not compile, or has an unknown reference
 ├── UnknownContractError    no contract has that subject
 └── UnknownVersionError     the contract has no such version

None is retriable: the result is the same until the catalogue or the data changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from contracts.names import meant, quotable

if TYPE_CHECKING:
    from contracts.finding import Finding, Place


class ContractError(Exception):
    """Base class of errors about contracts, catalogues and schemas.

    Attributes:
        retriable: Whether the same call may succeed later; always false here.
        reason: A word of a closed set, safe as a metric label.
    """

    retriable: ClassVar[bool] = False
    reason: ClassVar[str] = "contract"


class CatalogError(ContractError):
    """A folder cannot be read as a catalogue.

    Attributes:
        findings: All findings, each with its place and how to fix it.
    """

    reason: ClassVar[str] = "catalog-unreadable"

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        more = f" (and {len(findings) - 1} more: run `govbus contracts lint`)" if len(findings) > 1 else ""
        super().__init__(f"{self.findings[0]}{more}")


class ConversionError(ContractError):
    """Data cannot be converted from one version to another; the message quotes no data.

    Attributes:
        file: The document that failed, or the last one where its result breaks the target version.
        what: What went wrong, and in which expression of the document.
        place: Where in the document; None where its result as a whole is wrong.
    """

    reason: ClassVar[str] = "conversion-failed"

    def __init__(
        self, subject: str, source: str, target: str, file: str, what: str, *, place: Place | None = None
    ) -> None:
        self.file = file
        self.what = what
        self.place = place
        where = f" at {place.line}:{place.column}" if place else ""
        super().__init__(
            f"Expected data of `{subject}` {source} that converts to {target}, "
            f"got a fault in `{file}`{where}: {what}"
        )


class DocumentError(ContractError):
    """One file of a catalogue cannot be read.

    Attributes:
        finding: The rule it breaks, and where.
    """

    reason: ClassVar[str] = "document-unreadable"

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(str(finding))


class SnapshotError(ContractError):
    """The catalogue to compare with cannot be read."""

    reason: ClassVar[str] = "snapshot-unreadable"


class GitError(SnapshotError):
    """The catalogue to compare with cannot be read from git."""

    reason: ClassVar[str] = "git-unreadable"


class HashError(ContractError):
    """The layout of a `contract.yaml` does not allow adding a hash; the file is unchanged."""

    reason: ClassVar[str] = "hash-not-written"


class NoCatalogError(ContractError):
    """No catalogue is named, and no folder at or above the working directory is a project."""

    reason: ClassVar[str] = "catalog-missing"

    def __init__(self) -> None:
        super().__init__(
            "Expected `agencies/`, `govbus.toml` or `[tool.govbus]` of `pyproject.toml` in the working "
            "directory or above it, got none - go to the folder of your catalogue, or name it by `--catalog` "
            "or GOVBUS_CATALOG; `reference` is the one that comes with govbus, and `govbus new country` "
            "makes one of your own"
        )


class PartitionKeyError(ContractError):
    """The data has no usable value where the contract's key rule points."""

    reason: ClassVar[str] = "partition-key-missing"


class ProjectError(ContractError):
    """The project file, or a file of variables, cannot be read, or says something that it cannot."""

    reason: ClassVar[str] = "project-unreadable"


class RegistryKeyError(ContractError):
    """A file contains no usable key for registry signatures."""

    reason: ClassVar[str] = "registry-key-unusable"


class SchemaUnusableError(ContractError):
    """A schema does not compile, or refers to a schema that its contract does not contain."""

    reason: ClassVar[str] = "schema-unusable"


class UnknownContractError(ContractError):
    """No contract in the catalogue has that subject."""

    reason: ClassVar[str] = "unknown-contract"

    def __init__(self, subject: str, known: Iterable[str]) -> None:
        super().__init__(
            f"Expected the subject of a contract, got {quotable(subject)}{meant(subject, known)}"
            " - `govbus contracts list` lists all contracts"
        )


class UnknownVersionError(ContractError):
    """The contract has no such version."""

    reason: ClassVar[str] = "unknown-version"

    def __init__(self, subject: str, wanted: str, known: Sequence[str]) -> None:
        super().__init__(
            f"Expected a version of `{subject}`, got {quotable(wanted)} - it has {', '.join(known)}"
        )
