"""Finds the conversions between two versions of a contract.

Law: the result depends only on the catalogue. `upcast` documents lead to newer versions, `downcast` to older
ones. Between minor versions no conversion is needed when the compatibility mode lets newer versions read
older data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeAlias

from contracts.names import parts_of
from contracts.versions.conversion import Conversion

Number: TypeAlias = tuple[int, int]
"""Major and minor."""


def up(
    source: Number, target: Number, upcasts: Iterable[Conversion], minors: Collection[Number]
) -> tuple[Conversion, ...] | None:
    """The conversions from an older version to a newer one, or None when there is no way.

    Args:
        source: The version of the data.
        target: The wanted version.
        upcasts: All upcasts of the contract.
        minors: The versions that can read the previous minor version without conversion.
    """
    known = {(step.source, parts_of(step.target)): step for step in upcasts}
    steps: list[Conversion] = []
    here: Number | None = source
    while here is not None and here != target:
        written = f"{here[0]}.{here[1]}"
        leaps = [end for start, end in known if start == written and here < end <= target]
        if leaps:
            steps.append(known[written, max(leaps)])
        here = max(leaps, default=None) or _next_minor(here, minors)
    return None if here is None else tuple(steps)


def down(
    source: Number, major: int, downcasts: Iterable[Conversion], minors: Collection[Number]
) -> tuple[Number, tuple[Conversion, ...]] | None:
    """The reached version of an older major version, and the conversions; None when there is no way."""
    known = {parts_of(step.source): step for step in downcasts}
    steps: list[Conversion] = []
    here: Number | None = source
    while here is not None and here[0] > major:
        if here in known:
            steps.append(known[here])
            here = parts_of(known[here].target)
        else:
            here = _next_minor(here, minors)
    return None if here is None or here[0] < major else (here, tuple(steps))


def _next_minor(here: Number, minors: Collection[Number]) -> Number | None:
    return min((number for number in minors if number[0] == here[0] and number > here), default=None)
