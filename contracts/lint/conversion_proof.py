"""Whether conversions keep their word: examples of one version, made up and written, go in and must arrive.

Law: a proof depends on the catalogue and the count alone; a fault names place, keyword and document, and
quotes no value of any example.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final, Literal

from contracts.contract import Contract, ContractVersion
from contracts.errors import ContractError, ConversionError
from contracts.schema.generated_data import instances
from contracts.versions.conversion import Conversion

FULL_COUNT: Final = 10_000
"""How many made-up instances CI sends through each conversion."""

Kind = Literal["upcast", "downcast"]


@dataclass(frozen=True, slots=True)
class ConversionProof:
    """What came of one conversion.

    Attributes:
        kind: Whether it goes up or down.
        version: The version that declares it.
        tried: How many instances went in, made-up and written ones.
        failed: How many of them did not arrive.
        what: What went wrong with most of these, or why nothing could be tried; None where all arrived.
    """

    kind: Kind
    version: ContractVersion
    tried: int
    failed: int
    what: str | None


def prove(contract: Contract, count: int, examples: Iterable[Any] = ()) -> Iterator[ConversionProof]:
    """What comes of each conversion of a contract.

    Args:
        contract: The contract.
        count: How many instances to make up for each conversion.
        examples: Written data to send through too; each where it is valid.

    Raises:
        SchemaUnusableError: A schema does not compile.
    """
    written = tuple(examples)
    by_number = {version.number: version for version in contract.versions}
    for version in contract.versions:
        conversions: tuple[tuple[Kind, Conversion | None], ...] = (
            ("upcast", version.upcast),
            ("downcast", version.downcast),
        )
        for kind, conversion in conversions:
            if conversion is not None:
                source, target = by_number[conversion.source], by_number[conversion.target]
                yield _proof(kind, version, (conversion, source, target), count, written)


def _proof(
    kind: Kind,
    version: ContractVersion,
    way: tuple[Conversion, ContractVersion, ContractVersion],
    count: int,
    written: tuple[Any, ...],
) -> ConversionProof:
    source = way[1]
    made = islice(instances(*source.writer_documents, source.is_valid), count)
    faults: Counter[str] = Counter()
    tried = 0
    for data in chain((data for data in written if source.is_valid(data)), made):
        tried += 1
        what = _fault(data, *way)
        if what is not None:
            faults[what] += 1
    if not tried:
        return ConversionProof(kind, version, 0, 0, f"no data of version {source.number} could be made up")
    what = faults.most_common(1)[0][0] if faults else None
    return ConversionProof(kind, version, tried, faults.total(), what)


def _fault(data: Any, step: Conversion, source: ContractVersion, target: ContractVersion) -> str | None:
    contract = target.contract
    try:
        made = step.apply(data)
    except ConversionError as error:
        return error.what
    violations = target.violations(made)
    if violations:
        return f"what it makes breaks version {target.number}: {violations[0].message}"
    try:
        if contract.key_of(made) != contract.key_of(data):
            return f"it changes the partition key, `{contract.key.path}`"
        # Within a major version the newer data passes for older data too, and may be sent through again.
        if source.major == target.major and step.apply(made) != made:
            return "it is not idempotent: sent through twice, the data differs"
    except ContractError as error:
        return getattr(error, "what", str(error))
    return None
