"""Faults of the contracts room.

ContractError
 ├── CatalogError            the folder cannot be read as a catalogue; holds every finding
 ├── ConversionError         data of one version cannot be said in another
 ├── DocumentError           one file of it cannot be read; the loader gathers its finding
 ├── GitError                the catalogue to compare with cannot be read out of git
 ├── HashError               a `contract.yaml` cannot take a hash; nothing was written
 ├── PartitionKeyError       the data has no usable value where the key rule points
 ├── RegistryKeyError        a file holds no key for the registry's signatures
 ├── SchemaUnusableError     a schema does not compile, or refers to what is not there
 ├── UnknownContractError    no contract of that subject
 └── UnknownVersionError     the contract has no such version

None is retriable: the same question gets the same answer until the catalogue or the data changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from contracts.names import meant, quotable

if TYPE_CHECKING:
    from contracts.finding import Finding


class ContractError(Exception):
    """Something about a contract, a catalogue or a schema is not as asked.

    Attributes:
        retriable: Whether the same call may succeed later. Never for this room.
        reason: A word of a closed set, safe as a metric label.
    """

    retriable: ClassVar[bool] = False
    reason: ClassVar[str] = "contract"


class CatalogError(ContractError):
    """A folder cannot be read as a catalogue.

    Attributes:
        findings: Everything found wrong, each with its place and its remedy.
    """

    reason: ClassVar[str] = "catalog-unreadable"

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        more = f" (and {len(findings) - 1} more: run `govbus contracts lint`)" if len(findings) > 1 else ""
        super().__init__(f"{self.findings[0]}{more}")


class ConversionError(ContractError):
    """Data of one version cannot be said in another; quotes none of it.

    Attributes:
        file: The document that failed, or the last one where its result breaks the target version.
        what: What went wrong.
    """

    reason: ClassVar[str] = "conversion-failed"

    def __init__(self, subject: str, source: str, target: str, file: str, what: str) -> None:
        self.file = file
        self.what = what
        super().__init__(
            f"Expected data of `{subject}` {source} that version {target} can say, "
            f"got a fault by `{file}`: {what}"
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


class GitError(ContractError):
    """The catalogue to compare with cannot be read out of git."""

    reason: ClassVar[str] = "git-unreadable"


class HashError(ContractError):
    """A `contract.yaml` is not laid out so that a hash can be added; nothing was written."""

    reason: ClassVar[str] = "hash-not-written"


class PartitionKeyError(ContractError):
    """The data has no usable value where the contract's key rule points."""

    reason: ClassVar[str] = "partition-key-missing"


class RegistryKeyError(ContractError):
    """A file holds no key for the registry's signatures."""

    reason: ClassVar[str] = "registry-key-unusable"


class SchemaUnusableError(ContractError):
    """A schema does not compile, or refers to what its contract does not hold."""

    reason: ClassVar[str] = "schema-unusable"


class UnknownContractError(ContractError):
    """No contract of that subject is in the catalogue."""

    reason: ClassVar[str] = "unknown-contract"

    def __init__(self, subject: str, known: Iterable[str]) -> None:
        super().__init__(
            f"Expected the subject of a contract, got {quotable(subject)}{meant(subject, known)}"
            " - run `govbus contracts list` for those that exist"
        )


class UnknownVersionError(ContractError):
    """The contract exists but has no such version."""

    reason: ClassVar[str] = "unknown-version"

    def __init__(self, subject: str, wanted: str, known: Sequence[str]) -> None:
        super().__init__(
            f"Expected a version of `{subject}`, got {quotable(wanted)} - it has {', '.join(known)}"
        )
