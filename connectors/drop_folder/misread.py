"""Text that was read in another encoding than it is written in, told by what no language writes. Pure.

| found                                                            | probably                              |
|------------------------------------------------------------------|---------------------------------------|
| only signs whose bytes are UTF-8, such as `Ã` and `©` for `é`    | UTF-8 read as one byte a letter       |
| a C1 control character, U+0080 to U+009F                         | `cp1252` read as `iso-8859-1`         |
"""

import codecs
import re

_C1 = re.compile("[\x80-\x9f]")
# What follows the last letter of a word: `CAFÉ»` is French, and its bytes are UTF-8.
_QUOTES = "\u201d\u201c\u2019\u00bb\u203a"
_AFTER_A_WORD = re.compile(f"(?<=[\\w\xa0])[{_QUOTES}]+(?!\\w)|(?<!Ã)\xa0")


def misread(text: str, encoding: str) -> str | None:
    """What is wrong with a text as read in an encoding, None if it may be right.

    The bytes of UTF-8 are looked for as `cp1252` and `iso-8859-1` show them.
    """
    if text.isascii():
        return None
    if _is_utf_8(_AFTER_A_WORD.sub("", text)):
        if codecs.lookup(encoding).name == "utf-8":
            return "Expected text, got UTF-8 that a program before has read as one byte a letter, as in `Ã©`"
        return f"Expected text in `{encoding}`, got UTF-8; write `encoding: utf-8`"
    if _C1.search(text):
        return f"Expected text in `{encoding}`, got a C1 control character; it may be `cp1252`"
    return None


def _is_utf_8(text: str) -> bool:
    if text.isascii():
        return False
    try:
        b"".join(map(_byte_of, text)).decode()
    except ValueError:
        return False
    return True


def _byte_of(letter: str) -> bytes:
    try:
        return letter.encode("latin-1")
    except UnicodeEncodeError:
        return letter.encode("cp1252")
