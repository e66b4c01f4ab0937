"""Codes of findings about configuration files, and the suggestion of a known name for an unknown one."""

from collections.abc import Collection
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
VERSION_ENDS = "C011"
VALUE_REFUSED = "C019"
NOT_USABLE = "C020"


def suggestion(written: str, known: Collection[str]) -> str:
    """The nearest known name as a question, or the list of all known names."""
    near = get_close_matches(written, list(known), 1)
    return f"did you mean `{near[0]}`?" if near else f"write one of {', '.join(sorted(known))}"
