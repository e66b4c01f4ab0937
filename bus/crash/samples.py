"""Events for a crash run: a contract's own examples, each with a key of its own, or the lines of a file."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bus.errors import UsageError
from contracts import Contract, ContractVersion, catalog_folder

KEYS = 24


class Sample(NamedTuple):
    """Data to publish, and its key, which need not follow the contract's rule."""

    data: Any
    key: str


class Samples:
    """Endless events of one major version.

    Args:
        version: its latest minor version.
        given: data and key of each event, repeated; the contract's rule makes the key where it is None.
        examples: the contract's own examples, used where nothing is given.
    """

    def __init__(
        self,
        version: ContractVersion,
        *,
        given: Sequence[tuple[Any, str | None]] = (),
        examples: Sequence[Any] = (),
    ) -> None:
        self.version = version
        self._given = given
        self._examples = examples

    def sample(self, number: int) -> Sample:
        """Return an event; all with the same remainder by `KEYS` share a key, unless they are given."""
        if self._given:
            data, key = self._given[number % len(self._given)]
            return Sample(data, key or self.version.contract.key_of(data))
        example = self._examples[number % len(self._examples)]
        return Sample(varied(self.version, example, number), f"key-{number % KEYS}")


def varied(version: ContractVersion, example: Any, number: int) -> Any:
    """Return an example with another value in the field of its key, so that it is another case.

    If the contract accepts no other value, the example stays as it is.
    """
    *way, last = version.contract.key.path.removeprefix("$.").split(".")
    data = place = deepcopy(example)
    for step in way:
        place = place.get(step) if isinstance(place, dict) else None
    if not isinstance(place, dict) or last not in place:
        return example
    for value in _others(place[last], number):
        place[last] = value
        if version.is_valid(data):
            return data
    return example


def _others(value: Any, number: int) -> list[Any]:
    """Return similar values, the likeliest first: most references accept digits at their end."""
    if isinstance(value, int):
        return [number + 1]
    text = str(value)
    ends = [f"{number + 1:0{width}}" for width in (6, 5, 4, 3)]
    return [*(text[: -len(end)] + end for end in ends), f"{text}-{number + 1}"]


def read_events(file: Path) -> dict[str, list[tuple[Any, str | None]]]:
    """Return the events of a file of JSON lines, by subject.

    A line is `{"subject": "health.record-opened", "data": {...}}`; `key` is needed only where the contract's
    rule must not make it.

    Raises:
        UsageError: a line has another form.
    """
    found: dict[str, list[tuple[Any, str | None]]] = {}
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            said = orjson.loads(line)
            found.setdefault(said["subject"], []).append((said["data"], said.get("key")))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(
                f'Expected `{{"subject": ..., "data": ...}}`, got something else - at {file}:{number}'
            ) from None
    return found


def samples_for(
    contract: Contract, major: int, catalog: Path | None, given: Mapping[str, list[tuple[Any, str | None]]]
) -> Samples:
    """Return events of one major version of a contract.

    Args:
        contract: the contract of the events.
        major: the version.
        catalog: the folder of the contracts; the project's if absent.
        given: events by subject; the contract's examples are used for a subject that has none.

    Raises:
        UsageError: the contract has no examples either.
    """
    version = contract.version(major)
    if contract.subject in given:
        return Samples(version, given=given[contract.subject])
    root = catalog_folder(catalog)
    folder = root / "agencies" / contract.agency / contract.event / "examples" / f"v{major}" / "valid"
    examples = [orjson.loads(file.read_bytes()) for file in sorted(folder.glob("*.json"))]
    if not examples:
        raise UsageError(
            f"Expected events of `{version.type}` to publish, got none - add an example to {folder}, or give "
            "`--events FILE` with lines of its subject and data"
        )
    return Samples(version, examples=examples)
