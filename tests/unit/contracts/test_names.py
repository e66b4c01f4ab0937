"""Names are what Kafka, URNs and file systems all carry."""

from __future__ import annotations

import pytest

from contracts.names import is_name, is_subject, quotable


@pytest.mark.parametrize("text", ["civil-registry", "a", "a1-b2", "x" * 64])
def test_a_name_is_lower_case_words(text: str) -> None:
    """Words of letters and digits, joined by one hyphen."""
    assert is_name(text)
    assert is_subject(f"{text}.{text}")


@pytest.mark.parametrize("text", ["", "A", "1a", "-a", "a-", "a--b", "a_b", "a.b", "é", "a\n", "x" * 65])
def test_anything_else_is_no_name(text: str) -> None:
    """Kafka, URNs and file systems must all carry it unchanged."""
    assert not is_name(text)
    assert not is_subject(f"{text}.{text}")


def test_only_what_looks_like_a_name_is_quoted() -> None:
    """A text from outside may be anything."""
    assert quotable("tax.refund-paid.v1") == "`tax.refund-paid.v1`"
    assert quotable("Jane Doe") == "something that is not a name"
