"""Which transaction a record that became no event belongs to."""

import pytest

from connectors.transaction_finder import only_alike, shape_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("D1-000004", "a9-999999"),
        ("5f0c9a52-7a1e-7d5e-8f66-0123456789ab", "uuid"),
        ("Case/2026/17", "aaaa/9999/99"),
        ("Ada Lovelace", None),
        ("12 Mill Lane", None),
        ("Lovelace", None),
        ("a-1", None),
        ("", None),
    ],
)
def test_a_transaction_is_opaque(text: str, expected: str | None) -> None:
    """What a person may have written is none: it has a space, or no digit."""
    assert shape_of(text) == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["7", "D1-000004", "Ada", " back yard"], "D1-000004"),
        (["D1-000004", " D1-000004 "], "D1-000004"),
        (["D1-000004", "D1-000005"], None),
        (["D1-00004"], None),
        ([], None),
    ],
)
def test_of_a_line_whose_columns_are_not_sure_the_only_text_alike_counts(
    cells: list[str], expected: str | None
) -> None:
    """Two that look like it may be another column; then nothing is claimed."""
    assert only_alike(cells, {"a9-999999"}) == expected
