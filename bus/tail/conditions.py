"""Which events are shown: `PATH=VALUE` of the data, `NAME=VALUE` of the envelope. Pure.

Law of this file: what is not shown is not compared either, or who looks could guess a hidden value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bus.errors import UsageError
from bus.event import Event
from contracts import ContractVersion, Mask, meant, parse_path, quotable

ATTRIBUTES = ("cause", "id", "key", "service", "source", "transaction", "version")
"""What of the envelope may be compared."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What an event must hold to be shown.

    Attributes:
        name: a path that begins with `$`, or one of `ATTRIBUTES`.
        value: the text to find there; of a number, `true`, `false` and null as JSON writes it.
    """

    name: str
    value: str

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Read `PATH=VALUE` or `NAME=VALUE`.

        Raises:
            UsageError: it has another form, or names nothing of the envelope.
        """
        name, equals, value = text.partition("=")
        if not text.startswith("$"):
            if not equals or name not in ATTRIBUTES:
                raise UsageError(
                    f"Expected `$.path=VALUE`, or one of {', '.join(ATTRIBUTES)} instead of the path, got "
                    f"{quotable(name)}{meant(name, ATTRIBUTES)} - at `--where`"
                )
            return cls(name, value)
        while equals:  # a name in quotes may hold one too
            try:
                parse_path(name)
            except ValueError:
                more, equals, value = value.partition("=")
                name = f"{name}={more}"
            else:
                return cls(name, value)
        raise UsageError(
            "Expected `$.path=VALUE`, such as `$.reference=BRT-2026`, got another - at `--where`"
        )

    def require_shown(
        self, versions: Sequence[ContractVersion], masks: Mapping[ContractVersion, Mask]
    ) -> None:
        """Refuse a path that no version has, or whose values are hidden.

        Raises:
            UsageError: it is one of these.
        """
        if not self.name.startswith("$"):
            return
        known = [version for version in versions if masks[version].knows(self.name)]
        if not known:
            raise UsageError(
                f"Expected a field that the contract declares, got none - at `--where {self.name}`"
            )
        if any(masks[version].hides(self.name) for version in known):
            raise UsageError(
                "Expected a field that is shown, got one that is personal, or not granted - at `--where "
                f"{self.name}`. With `--data` personal fields are compared, too"
            )

    def holds(self, event: Event[Any], key: str | None) -> bool:
        """Return whether an event holds it.

        Args:
            event: the event.
            key: its key, if that is shown.
        """
        if self.name.startswith("$"):
            return any(self._is(value) for value in _values(event.data, parse_path(self.name)))
        found = {
            "cause": event.causation, "id": event.id, "key": key, "service": event.service,
            "source": event.source, "transaction": event.transaction or event.id,
            "version": event.written_version,
        }  # fmt: skip
        return found[self.name] == self.value

    def _is(self, value: Any) -> bool:
        if isinstance(value, str):
            return value == self.value
        try:
            wanted = orjson.loads(self.value)
        except ValueError:
            return False
        return bool(wanted == value) and isinstance(wanted, bool) == isinstance(value, bool)


def _values(data: Any, steps: Sequence[str | int]) -> Iterator[Any]:
    if not steps:
        yield data
    elif isinstance(data, list) and steps[0] == "*":
        for item in data:
            yield from _values(item, steps[1:])
    elif isinstance(data, list) and isinstance(steps[0], int):
        if steps[0] < len(data):
            yield from _values(data[steps[0]], steps[1:])
    elif isinstance(data, Mapping) and steps[0] in data:
        yield from _values(data[steps[0]], steps[1:])
