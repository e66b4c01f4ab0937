"""Whether a connection to PostgreSQL takes every text, or says how to read the text that it gives.

Law of this file: nothing is asked of the server; it tells both encodings to each driver that connects. Where
the client's is SQL_ASCII a text is bytes that mean nothing.
"""

from typing import Any, NamedTuple

NO_MEANING = "SQL_ASCII"
ANY_TEXT = "UTF8"


class TextFault(NamedTuple):
    """Why texts cannot travel over a connection, and what to do."""

    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.why}. {self.remedy}"


def text_fault(driver: Any, *, reads_only: bool = False) -> TextFault | None:
    """Return why texts cannot travel over a connection; None if they can, or its driver does not say.

    Args:
        driver: the driver's own connection.
        reads_only: whether texts are only read, for which every encoding will do that is one.
    """
    told = getattr(getattr(driver, "info", None), "parameter_status", None)
    if told is None:
        return None
    return fault_of(told("server_encoding"), told("client_encoding"), reads_only=reads_only)


def fault_of(server: str | None, client: str | None, *, reads_only: bool = False) -> TextFault | None:
    """Return what is wrong with the encodings of a database and of a connection to it. Pure."""
    if server is None or client is None:
        return None
    got = f"got {client}, to a database of encoding {server}"
    if reads_only:
        if client != NO_MEANING:
            return None
        why = f"Expected a connection that names the encoding of its texts, {got}"
        return TextFault(why, "Add the one they are in to the URL, such as `?client_encoding=utf8`")
    if server not in (ANY_TEXT, NO_MEANING):
        remedy = "Use a database of encoding UTF8: `CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0`"
    elif client != ANY_TEXT:
        remedy = "Use a database of encoding UTF8, or add `?client_encoding=utf8` to the URL"
    else:
        return None
    return TextFault(f"Expected a connection of encoding UTF8, which takes every text, {got}", remedy)
