"""The formats a contract may assert, as functions over text, for `contracts.schema.reference_validator`.

Five are asserted; every other format annotates, whatever a validator could do with it, because the two
validators know different ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from ipaddress import IPv4Address, IPv6Address
from typing import Final

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIME = re.compile(
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<off_hour>[0-9]{2}):(?P<off_minute>[0-9]{2}))",
    re.ASCII,
)
_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}", re.ASCII)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(
    rf"(?P<local>{_ATOM}(?:\.{_ATOM})*|\"(?:[^\"\\\x00-\x1f\x7f-\uffff]|\\[\x20-\x7e])*\")"
    rf"@(?:{_LABEL}(?:\.{_LABEL})*|\[(?P<literal>[^\]]+)\])"
)
_PERCENT = r"%[0-9A-Fa-f]{2}"
_USER = rf"(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|{_PERCENT})*@)?"
_HOST = rf"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|{_PERCENT})*)"
_PATH = rf"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|{_PERCENT})*"
_REST = rf"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|{_PERCENT})*"
_URI = re.compile(
    rf"[A-Za-z][A-Za-z0-9+.-]*:(?://{_USER}{_HOST}(?::[0-9]*)?(?=[/?#]|\Z)|(?!//)){_PATH}(?:\?{_REST})?(?:#{_REST})?",
    re.ASCII,
)


def is_date(text: str) -> bool:
    """Whether the text is an RFC 3339 full-date: `2026-02-28`."""
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_date_time(text: str) -> bool:
    """Whether the text is an RFC 3339 date-time: a date, a time, its zone. A leap second needs its place."""
    day, time = text[:10], _TIME.fullmatch(text[11:])
    if time is None or not is_date(day) or text[10] not in "Tt":
        return False
    hour, minute, second = int(time["hour"]), int(time["minute"]), int(time["second"])
    off_hour, off_minute = int(time["off_hour"] or 0), int(time["off_minute"] or 0)
    if hour > 23 or minute > 59 or second > 60 or off_hour > 23 or off_minute > 59:
        return False
    if second < 60:
        return True
    offset = (off_hour * 60 + off_minute) * (-1 if time["sign"] == "-" else 1)
    return (hour * 60 + minute - offset) % 1440 == 1439


def is_email(text: str) -> bool:
    """Whether the text is an e-mail address of RFC 5321, in ASCII."""
    match = _EMAIL.fullmatch(text)
    if match is None or len(match["local"]) > 64:
        return False
    literal = match["literal"]
    return literal is None or _is_address(literal.removeprefix("IPv6:"), six=literal.startswith("IPv6:"))


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID in its usual form of 36 characters."""
    return _UUID.fullmatch(text) is not None


def is_uri(text: str) -> bool:
    """Whether the text is a URI of RFC 3986, with its scheme."""
    match = _URI.fullmatch(text)
    return match is not None and (match["literal"] is None or _is_address(match["literal"], six=True))


def _is_address(text: str, *, six: bool) -> bool:
    try:
        (IPv6Address if six else IPv4Address)(text)
    except ValueError:
        return False
    return True


ASSERTED: Final[Mapping[str, Callable[[str], bool]]] = {
    "date": is_date,
    "date-time": is_date_time,
    "email": is_email,
    "uri": is_uri,
    "uuid": is_uuid,
}
LEFT_ALONE: Final = (
    "duration",
    "hostname",
    "idn-email",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri-reference",
    "uri-template",
)
