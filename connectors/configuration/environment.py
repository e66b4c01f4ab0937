"""Environment variables in a configuration file, so that no secret is written in it. Pure.

`${ENV:NAME}` in a text stands for the variable NAME, or for the file that NAME_FILE names. A secret written
out under `source:` or `sink:` is a finding. What counts as one:

- an option whose name says so, such as `password` or `api_key`, unless it names a file;
- every HTTP header but those that are known to carry none;
- in an address or a connection string, a password, a parameter whose name says so or that looks like a key;
- in an HTTP address, a part of the path that may be a key, or that follows one such as `token`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from connectors.translation.codes import SECRET_IN_CLEAR, UNSET_VARIABLE
from contracts import Document, Finding, hidden_parts

Steps = tuple[str | int, ...]

VARIABLE = re.compile(r"\$\{ENV:([A-Za-z_][A-Za-z0-9_]*)\}")
"""What stands in a text for a variable."""
_PASSWORD_IN_URL = re.compile(r"://[^/?#@:\s]*:(?!\$\{ENV:|[0-9]+/)[^@\s]+@")
_SECRET_NAME = re.compile(
    r"pass(w|code|phrase|$)|pwd|secret|token|auth(?!or(?!i[sz]))|cookie|session|credential|signature|bearer|jwt"
    r"|hmac|ticket|assertion|(api|access|private|account|subscription|license|sas|app)[-_ ]?key",
    re.IGNORECASE,
)
# A parameter of an address, or a part of a connection string.
_PAIR = re.compile(r"(?:^|[?&;#\s])([\w.-]+)\s*=\s*([^&;#\s]+)")
_SECRET_PARAMETER = re.compile(r"(^|[-_.])(key|sig|sid|code|pin|otp|pw|sas|hash|nonce)$", re.IGNORECASE)
_OVER_HTTP = re.compile(r"(https?|wss?)://", re.IGNORECASE)
_NAMES_A_FILE = re.compile(r"[-_](file|path|folder|dir)$", re.IGNORECASE)
_KEY_LIKE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9+/=_.~-]{20,}")
# A file, the folder of a Unix socket, a host: long names with digits in them that are no keys.
_PATH_OR_HOST = re.compile(r"[/~.].*|([a-z0-9_-]+\.)+[a-z]{2,}")

_HARMLESS_HEADERS = frozenset(
    {
        *("accept", "accept-charset", "accept-encoding", "accept-language", "cache-control"),
        *("content-encoding", "content-language", "expect", "if-match", "if-none-match", "pragma", "prefer"),
        *("te", "user-agent", "x-requested-with"),
    }
)


def filled_in(value: Any, environment: Mapping[str, str]) -> Any:
    """A document's value with the variables in its texts; one that is not set stands for nothing."""
    if isinstance(value, dict):
        return {name: filled_in(item, environment) for name, item in value.items()}
    if isinstance(value, list):
        return [filled_in(item, environment) for item in value]
    if isinstance(value, str):
        return VARIABLE.sub(lambda match: environment.get(match[1], ""), value)
    return value


def check_environment(document: Document, environment: Mapping[str, str]) -> Iterator[Finding]:
    """What a document has in it that should come from the environment, or takes from it and is not there."""
    for steps, text in _texts(document.value, ()):
        place = document.place(*steps)
        if steps[:1] in {("source",), ("sink",)} and is_secret(steps, text):
            yield Finding(
                place,
                SECRET_IN_CLEAR,
                "a secret is written out, or may be",
                "files are copied and kept",
                "write ${ENV:NAME} and set the variable NAME",
            )
        for name in VARIABLE.findall(text):
            if name not in environment:
                what = f"environment variable `{name}` is not set"
                why, how = "the file takes a value from it", f"set {name} before you start"
                yield Finding(place, UNSET_VARIABLE, what, why, how)


def unset_texts(document: Document, environment: Mapping[str, str]) -> frozenset[Steps]:
    """Where a document's texts are that take from the environment what is not there."""
    return frozenset(
        steps
        for steps, text in _texts(document.value, ())
        if any(name not in environment for name in VARIABLE.findall(text))
    )


def is_secret(steps: Steps, text: str) -> bool:
    """Whether a value is a secret, or may be one, that does not come from the environment.

    Args:
        steps: Where the value is; the last is the name of the option or the header.
        text: The value as it is written.
    """
    names = [str(step) for step in steps]
    if "headers" in names[:-1]:
        # Anyone may name a header; what is not known to be harmless is not written out.
        return names[-1].lower() not in _HARMLESS_HEADERS and not VARIABLE.search(text)
    named = any(_says_secret(name) for name in names[1:])
    if named and not VARIABLE.search(text):
        return True
    if _PASSWORD_IN_URL.search(text):
        return True
    if _OVER_HTTP.match(text) and any(not VARIABLE.search(part) for part in hidden_parts(text)):
        return True
    is_address = "://" in text or text.startswith("/")
    return any(
        _says_secret(name) or (is_address and (_SECRET_PARAMETER.search(name) or _looks_like_a_key(value)))
        for name, value in _PAIR.findall(unquote(text))
        if not VARIABLE.search(value)
    )


def _looks_like_a_key(value: str) -> bool:
    return _KEY_LIKE.fullmatch(value) is not None and _PATH_OR_HOST.fullmatch(value) is None


def _says_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None and _NAMES_A_FILE.search(name) is None


def _texts(value: Any, steps: Steps) -> Iterator[tuple[Steps, str]]:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield steps, str(value)
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, child in children:
        yield from _texts(child, (*steps, step))
