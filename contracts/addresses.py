"""What of an address may be shown: scheme, host, port, and of the path what is plainly no secret. Pure.

Law of this file: a user, a password and parameters are never shown. Of a path the words are, up to the first
part that may be a key, or that follows a part such as `token`: many services give out addresses that are
secrets. An address without a host names a file, and stays as it is.
"""

import re
from typing import Final
from urllib.parse import unquote

_WORD: Final = r"(?:v?[0-9]{1,4}|[A-Z]{2,5}|[A-Z]?[a-z]{1,20}(?:[A-Z][a-z]{2,20}){0,4}[0-9]{0,2})"
_WORDS: Final = re.compile(rf"[@~]?{_WORD}(?:[-_.]{_WORD}){{0,6}}")
_BEFORE_A_SECRET: Final = re.compile(
    r"(?:api[-_]?)?keys?|tokens?|secrets?|passwords?|sig|signature", re.IGNORECASE
)
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>`|]+")
_ASKED_FOR: Final = re.compile(r"(?<=\burl: )/[^\s\"'<>`|]+")
"""A path as `urllib3` and `requests` tell it."""
_HIDDEN: Final = "..."


def shown_address(address: str) -> str:
    """The address with nothing in it that may be a secret.

    Example:
        >>> shown_address("https://hooks.example/services/T000/B000/XXXXXXXX?token=1")
        'https://hooks.example/services/...'
    """
    scheme, separator, rest = address.partition("://")
    if not separator or rest.startswith("/"):
        return address
    authority, path = _parted(rest)
    host = authority.rpartition("@")[2]
    if not _HOST.fullmatch(host) or "@" in path:  # of a password with a `/` in it
        return f"{scheme}://{_HIDDEN}"
    return f"{scheme}://{host}{_shown_path(path)}"


def hidden_parts(address: str) -> list[str]:
    """The parts of an address's path, and of its parameters without a name, that may be secrets."""
    _, path = _parted(address.partition("://")[2])
    way, _, rest = path.partition("?")
    found, before = [], ""
    for part in way.partition("#")[0].split("/"):
        if part and not _is_plain(part, before):
            found.append(part)
        before = part
    return found + [part for part in re.split("[&;#]", rest) if part and "=" not in part]


def with_shown_addresses(text: str) -> str:
    """The text with its addresses as `shown_address` shows them."""
    if "://" in text:
        text = _ADDRESS.sub(lambda found: shown_address(found[0]), text)
    if "url: /" in text:
        text = _ASKED_FOR.sub(lambda found: _shown_path(found[0]), text)
    return text


def _parted(rest: str) -> tuple[str, str]:
    at = re.search("[/?#]", rest)
    return (rest, "") if at is None else (rest[: at.start()], rest[at.start() :])


def _shown_path(path: str) -> str:
    way = re.split("[?#]", path, maxsplit=1)[0]
    shown, before = "", ""
    for part in way.split("/")[1:]:
        if part and not _is_plain(part, before):
            return f"{shown}/{_HIDDEN}"
        shown, before = f"{shown}/{part}", part
    return shown if len(way) == len(path) else f"{shown}{_HIDDEN}"


def _is_plain(part: str, before: str) -> bool:
    return not _BEFORE_A_SECRET.fullmatch(before) and _WORDS.fullmatch(unquote(part)) is not None
