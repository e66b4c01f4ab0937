"""Who is silent."""

from observability.evidence.silence import Addressee, NotReceived, silences

TAX, HEALTH = Addressee("tax", "registry.born"), Addressee("health", "registry.born")


def test_what_has_waited_for_longer_than_the_limit_makes_silent() -> None:
    """Since the oldest that waits; what waits for less makes nobody silent."""
    waiting = [NotReceived(TAX, 50), NotReceived(TAX, 40), NotReceived(HEALTH, 100)]
    assert silences(waiting, {}, cutoff_us=100).since_us == {TAX: 40}


def test_who_reports_events_of_the_kind_is_behind_and_not_silent() -> None:
    """What it reported before the limit does not help it."""
    waiting = [NotReceived(TAX, 50), NotReceived(HEALTH, 50)]
    assert silences(waiting, {TAX: 100, HEALTH: 99}, cutoff_us=100).since_us == {HEALTH: 50}


def test_who_answers_other_events_is_silent_about_this_one() -> None:
    """One of its systems is down."""
    other = Addressee("tax", "registry.died")
    assert silences([NotReceived(TAX, 50)], {other: 200}, cutoff_us=100).since_us == {TAX: 50}
