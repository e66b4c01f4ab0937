"""Whoever waits for a download sees how far it is."""

from io import StringIO

from rich.console import Console

from bus.embedded.progress import shown_progress


def test_without_a_terminal_a_line_tells_the_megabytes() -> None:
    """The first and the last are always told, others every two seconds."""
    text = StringIO()
    with shown_progress("fetching", Console(file=text)) as report:
        for done in (1_000_000, 2_000_000, 45_000_000):
            report(done, 45_000_000)
    assert text.getvalue() == "fetching: 1 of 45 MB\nfetching: 45 of 45 MB\n"


def test_on_a_terminal_a_bar_is_drawn() -> None:
    """The bar counts in megabytes."""
    text = StringIO()
    with shown_progress("fetching", Console(file=text, force_terminal=True, width=100)) as report:
        report(45_000_000, 45_000_000)
    assert "45.0/45.0 MB" in text.getvalue()


def test_nothing_is_shown_when_nothing_is_fetched() -> None:
    """A start with a full cache is silent on a terminal too."""
    text = StringIO()
    with shown_progress("fetching", Console(file=text, force_terminal=True)):
        pass
    assert text.getvalue() == ""
