"""The five formats that a contract may assert."""

from __future__ import annotations

import pytest

from contracts.schema.formats import ASSERTED


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        (
            "date",
            ["2024-02-29", "0001-01-01"],
            ["2026-02-29", "26-02-01", "2026-2-1", "20260201", "\u0662026-02-01"],
        ),
        (
            "date-time",
            ["2026-02-28T10:00:00Z", "2026-02-28t10:00:00.123456789+05:45", "1998-12-31T23:59:60Z"],
            [
                "2026-02-28",
                "2026-02-28T10:00:00",
                "2026-02-28 10:00:00Z",
                "2026-02-28T24:00:00Z",
                "1998-12-31T22:59:60Z",
            ],
        ),
        (
            "email",
            ["a@b.example", '"a b"@b.example', "a@[127.0.0.1]"],
            ["a", "a@", "@b", "a b@c", "a@b..c", "a@[1.2]"],
        ),
        (
            "uri",
            ["urn:a:b", "https://xn--9ca.example:8443/a?b#c", "mailto:a@b", "http://[::1]:80/"],
            ["/a", "a b:c", "http://[::g]/"],
        ),
        ("uuid", ["2eb8aa08-aa98-11ea-b4aa-73b441d16380"], ["2eb8aa08aa9811eab4aa73b441d16380", "x" * 36]),
    ],
)
def test_a_format_knows_its_own(name: str, right: list[str], wrong: list[str]) -> None:
    """What is right passes, what only looks right does not."""
    assert [text for text in right if not ASSERTED[name](text)] == []
    assert [text for text in wrong if ASSERTED[name](text)] == []
