"""Which agencies are silent: what is published for them waits, and they report nothing. Pure.

Law of this file: an agency is judged event by event, for one of its systems may be down and another not.

    not received  an event is published, and no receipt says that the agency received it
    silent        the oldest event that it has not received is older than the limit, and so is the last
                  receipt by which it received an event of that kind

An agency that receives slowly reports each event that it has handled: it has a lag, and is not silent. "Now"
is the time up to which the monitor has read everything: a monitor that is behind calls nobody silent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

SILENT_AFTER_SECONDS = 65.0
"""The limit: longer than the 60 s that a handler may take by default, and short of two minutes with all that
comes behind it, from the export of the metric to the alert."""


class Addressee(NamedTuple):
    """An agency, and the subject of an event that it should receive."""

    agency: str
    subject: str


class NotReceived(NamedTuple):
    """The oldest event that an agency has not received; broker time in microseconds since the epoch."""

    addressee: Addressee
    since_us: int


@dataclass(frozen=True, slots=True)
class Silences:
    """Who is silent about which event; broker time in microseconds since the epoch.

    `since_us` is the oldest event not received. What was published after `cutoff_us` may still be received
    in time, by a silent agency too.
    """

    since_us: Mapping[Addressee, int]
    cutoff_us: int

    def meet(self, addressee: Addressee, since_us: int) -> bool:
        """Return whether an event that waits since then waits for a silent agency."""
        return since_us < self.cutoff_us and addressee in self.since_us


NOBODY = Silences({}, 0)


def silences(
    not_received: Iterable[NotReceived], reported_us: Mapping[Addressee, int], cutoff_us: int
) -> Silences:
    """Return who is silent.

    Args:
        not_received: the oldest event each agency has not received, of cases and of subscriptions.
        reported_us: when each last reported an event of the kind.
        cutoff_us: now minus the limit, in microseconds since the epoch.
    """
    found: dict[Addressee, int] = {}
    for addressee, since_us in not_received:
        if since_us < cutoff_us and reported_us.get(addressee, since_us) < cutoff_us:
            found[addressee] = min(since_us, found.get(addressee, since_us))
    return Silences(found, cutoff_us)
