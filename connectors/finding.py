"""One thing wrong with a configuration file, and the closed set of codes for it."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from difflib import get_close_matches

NOT_YAML = "C000"
UNKNOWN_FIELD = "C001"
MISSING_FIELD = "C002"
WRONG_TYPE = "C003"
NAMED_TWICE = "C004"
UNSET_VARIABLE = "C005"
SECRET_IN_CLEAR = "C006"  # noqa: S105 - a code, not a secret
UNKNOWN_CONNECTOR = "C007"
BAD_MAPPING = "C008"
UNKNOWN_CONTRACT = "C009"
NOT_IN_CONTRACT = "C010"
VALUE_REFUSED = "C019"
NOT_USABLE = "C020"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong at one place; holds no value from the file.

    Attributes:
        file: As it was named on the command line.
        line: From 1.
        column: From 1.
        code: One of the codes of this module.
    """

    file: str
    line: int
    column: int
    code: str
    what: str
    why: str
    how: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.code} {self.what} - {self.why} - {self.how}"

    def as_json(self) -> dict[str, str | int]:
        """The finding as one flat JSON object."""
        return asdict(self)


def meant(written: str, known: Collection[str]) -> str:
    """A hint at the nearest known name, or the list of them."""
    near = get_close_matches(written, list(known), 1)
    return f"did you mean `{near[0]}`?" if near else f"write one of {', '.join(sorted(known))}"
