"""Of an address only what is plainly no secret is shown, in every log."""

import logging
from collections.abc import Iterator

import pytest

from contracts import shown_address, visible_logger

SHOWN = {
    "https://hooks.example/services/T000/B000/XXXXXXXX": "https://hooks.example/services/...",
    "https://h.example/api/token/hunter": "https://h.example/api/token/...",
    "https://h.example/bot123:hunter2/send": "https://h.example/...",
    "https://h.example/v1/events?token=hunter2": "https://h.example/v1/events...",
    "https://h.example/v1/events#hunter2": "https://h.example/v1/events...",
    "https://user:hunter2@h.example:8443/v1": "https://h.example:8443/v1",
    "https://user:hun/ter2@h.example/v1": "https://...",
    "https://user:hun@ter2@h.example/v1": "https://h.example/v1",
    "https://h.example?hunter2": "https://h.example...",
    "https://h.example/in/%41b3%64E5": "https://h.example/in/...",
    "http://[::1]:8080/": "http://[::1]:8080/",
    "http://127.0.0.1:8080/transactions/": "http://127.0.0.1:8080/transactions/",
    "sqlite:////var/lib/Register17.db": "sqlite:////var/lib/Register17.db",
    "h.example": "h.example",
}


@pytest.mark.parametrize("address", SHOWN)
def test_an_address_is_shown_without_what_may_be_a_secret(address: str) -> None:
    """Scheme, host and port stay, and the words of the path before the first that may be a key."""
    assert shown_address(address) == SHOWN[address]


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """A logger of the house."""
    found = visible_logger("govbus.test-addresses")
    yield found
    found.filters.clear()


def test_a_log_shows_no_more_of_an_address(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever writes it: in the message, an argument, or the error of a library that quotes a path."""
    secret = "https://hooks.example/services/T000/B000/hunter2"
    log.error("%s is away", secret)
    log.error("%(at)s is away", {"at": secret})
    log.error(f"{secret} is away")
    log.error(
        "HTTPSConnectionPool(host='h', port=1): Max retries exceeded with url: /services/T000/hunter2 (x)"
    )
    try:
        raise ValueError(secret)
    except ValueError:
        log.exception("failed")
    log.error("console: http://%s:%d/", "127.0.0.1", 8080)
    assert "hunter2" not in caplog.text
    assert caplog.text.count("https://hooks.example/services/...") == 4
    assert "url: /services/... (x)" in caplog.text
    assert "console: http://127.0.0.1:8080/" in caplog.text
