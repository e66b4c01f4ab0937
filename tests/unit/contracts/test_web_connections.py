"""Which connection makes room for a new one."""

from dataclasses import dataclass

import pytest

from contracts.web.connections import ConnectionLimits, Stage, peer_of, to_close

LIMITS = ConnectionLimits(connections=6, of_a_client=3)


@dataclass(eq=False)
class Client:
    """A connection as the rule sees it."""

    peer: str
    since: float = 0.0
    stage: Stage = "request"


def test_within_the_limits_nothing_is_closed() -> None:
    """Neither of one client nor of all."""
    kept = [Client("a"), Client("a"), Client("a"), Client("b"), Client("b"), Client("c")]
    assert to_close(kept, kept[-1], LIMITS) is None


def test_a_client_makes_room_for_itself() -> None:
    """Its own longest waiting connection goes; nobody else's, and none that is being answered."""
    new = Client("a", 9)
    kept = [Client("b", 0), Client("a", 1, "answer"), Client("a", 3), Client("a", 2, "idle"), new]
    assert to_close(kept, new, LIMITS) is kept[3]


def test_the_client_with_the_most_makes_room_for_others() -> None:
    """Where all together are too many."""
    new = Client("e", 9)
    kept = [
        Client("a", 1),
        Client("b", 0),
        Client("b", 5),
        Client("b", 4),
        Client("c", 0),
        Client("d", 0),
        new,
    ]
    assert to_close(kept, new, LIMITS) is kept[1]


def test_a_client_whose_requests_are_all_being_answered_gets_no_other() -> None:
    """The new connection is the one that is closed."""
    new = Client("a", 9, "idle")
    kept = [Client("a", number, "answer") for number in range(3)]
    assert to_close([*kept, new], new, LIMITS) is new


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002"),
        ("2001:db8:1:2:ffff::1", "2001:0db8:0001:0002"),
        ("fe80::1%eth0", "fe80:0000:0000:0000"),
        ("", ""),
    ],
)
def test_one_holder_of_addresses_is_one_client(address: str, peer: str) -> None:
    """Whoever has an IPv6 address has a whole /64 of them."""
    assert peer_of(address) == peer
