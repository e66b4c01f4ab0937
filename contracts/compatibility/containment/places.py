"""JSON pointers to the keywords that a witness falls over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Step = str | int


def pointer(steps: Iterable[Step]) -> str:
    """The steps as a URI fragment: `#/properties/age/minimum`."""
    return "#" + "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def is_there(schema: Any, steps: list[Step]) -> bool:
    """Whether the steps lead somewhere in the schema."""
    return len(_walked(schema, steps)) == len(steps)


def counterpart(old: Any, steps: list[Step], way: list[Step]) -> str:
    """What the old schema says about the place: at the same steps, or for the same part of the data."""
    same = _walked(old, steps)
    return pointer(same or _along(old, way))


def _walked(schema: Any, steps: list[Step]) -> list[Step]:
    here, walked = schema, []
    for step in steps:
        if isinstance(here, Mapping) and step in here:
            here = here[step]
        elif isinstance(here, list) and str(step).isdigit() and int(step) < len(here):
            here = here[int(step)]
        else:
            break
        walked.append(step)
    return walked


def _along(schema: Any, way: list[Step]) -> list[Step]:
    here, steps = schema, list[Step]()
    for step in way:
        ways: list[list[Step]] = [["properties", step], ["additionalProperties"]]
        if isinstance(step, int):
            ways = [["prefixItems", step], ["items", step], ["items"]]
        found = next((one for one in ways if len(_walked(here, one)) == len(one)), None)
        if found is None:
            break
        for part in found:
            here = here[int(part) if isinstance(here, list) else part]
        steps.extend(found)
    return steps
