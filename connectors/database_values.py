"""What a database gives where Python or JSON has no value for it. Pure."""

from dataclasses import dataclass


class DatabaseText(str):
    """A value that Python cannot carry, as the database writes it: `infinity`, a day before Christ."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class UnreadValue:
    """A value on which the database or its driver fails.

    Attributes:
        kind: The class of the error.
        text: The value as the database writes it, where it can.
    """

    kind: str
    text: str | None = None
