"""Tests conversions: generated and written examples of one version must convert to valid data of another.

Law: the result depends only on the catalogue and the count; messages name path, keyword and document, and
quote no value of an example.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final, Literal

from contracts.contract import Contract, ContractVersion
from contracts.errors import ContractError, ConversionError
from contracts.finding import Place
from contracts.schema.generated_data import instances
from contracts.versions.conversion import Conversion

FULL_COUNT: Final = 10_000
"""Generated events that `govbus contracts prove` sends through each conversion by default."""

Kind = Literal["upcast", "downcast"]


@dataclass(frozen=True, slots=True)
class ConversionProof:
    """The test result of one conversion.

    Attributes:
        kind: `upcast` or `downcast`.
        version: The version that declares it.
        tried: How many events were converted, generated and written ones.
        failed: How many of them failed.
        what: The most frequent fault, or why nothing could be tried; None when all succeeded.
        place: Where in the conversion's document that fault is; None where its result as a whole is wrong.
    """

    kind: Kind
    version: ContractVersion
    tried: int
    failed: int
    what: str | None
    place: Place | None = None


def prove(contract: Contract, count: int, examples: Iterable[Any] = ()) -> Iterator[ConversionProof]:
    """Test each conversion of a contract.

    Args:
        contract: The contract.
        count: How many events to generate for each conversion.
        examples: Written data to convert as well, if valid for the source version.

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
    faults: Counter[tuple[str, Place | None]] = Counter()
    tried = 0
    for data in chain((data for data in written if source.is_valid(data)), made):
        tried += 1
        fault = _fault(data, *way)
        if fault is not None:
            faults[fault] += 1
    if not tried:
        return ConversionProof(kind, version, 0, 0, f"no data of version {source.number} could be generated")
    what, place = faults.most_common(1)[0][0] if faults else (None, None)
    return ConversionProof(kind, version, tried, faults.total(), what, place)


def _fault(
    data: Any, step: Conversion, source: ContractVersion, target: ContractVersion
) -> tuple[str, Place | None] | None:
    contract = target.contract
    try:
        made = step.apply(data)
        violations = target.violations(made)
        if violations:
            return f"the result is not valid for version {target.number}: {violations[0].message}", None
        if contract.key_of(made) != contract.key_of(data):
            return f"the partition key `{contract.key.path}` changes", None
        # Within a major version, newer data is valid as older data too, and may be converted again.
        if source.major == target.major and step.apply(made) != made:
            return "it is not idempotent: converting the result again changes it", None
    except ConversionError as error:
        return error.what, error.place
    except ContractError as error:
        return str(error), None
    return None
