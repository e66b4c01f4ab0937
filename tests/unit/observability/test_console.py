"""The console over HTTP, on a real store."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

import pytest

from contracts import visible
from contracts.web.guard import host_name
from observability import Store, StoreError
from observability.console.pages import overview
from observability.evidence.trust import Refusal
from tests.consoles import running
from tests.unit.observability.country import (
    ALLOWANCE,
    BIRTH,
    BORN,
    MINUTE,
    NUMBER,
    RECORD,
    SECOND,
    SERVICES,
    START,
    UNHURRIED,
    delivered,
    place_gone,
    published,
    refused,
    set_aside,
    whole_birth,
)

NOW = datetime.fromtimestamp((START + 10 * MINUTE) / 1e6, UTC)
MISSING = f"receipts written after {NOW:%Y-%m-%dT%H:%M:%SZ} are not in the database yet"


@dataclass(frozen=True)
class Answer:
    """What the console answered."""

    status: int
    headers: Mapping[str, str]
    text: str


Get = Callable[..., Answer]


def get(
    address: str, path: str, method: str = "GET", host: str | None = None, known: str | None = None
) -> Answer:
    """Ask the console at `address`; `host` stands in the Host header instead of the address.

    `known` is the tag of a page that is there already.
    """
    place = address.removeprefix("http://")
    with closing(HTTPConnection(place, timeout=10)) as connection:
        headers = {"host": host or place} | ({} if known is None else {"if-none-match": known})
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        answered = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, answered, response.read().decode())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store of the small country, read ten minutes after its start."""
    with Store(f"sqlite:///{tmp_path / 'monitor.db'}", SERVICES, clock=lambda: NOW) as store:
        yield store


@pytest.fixture
def ask(store: Store) -> Iterator[Get]:
    """Ask a console over the store."""
    with running(store, clock=lambda: NOW) as address:
        yield lambda path, **options: get(address, path, **options)


def fill(store: Store) -> None:
    """Put one completed, one stuck and one refused transaction into the store."""
    store.apply(whole_birth("case-done"))
    store.apply(
        [
            published(BORN, START, "case-stuck"),
            delivered(BORN, "health", START, "case-stuck"),
            published(RECORD, START + 1_000, "case-stuck"),
            delivered(
                BORN, "tax", START, "case-stuck", outcome="dead-letter", reason="handler-failed", attempt=3
            ),
            refused(BORN, START, "case-refused"),
        ]
    )


class Outline(HTMLParser):
    """Collects what the tests ask of a page's structure."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))

    def all(self, *names: str) -> list[dict[str, str | None]]:
        """Return the attributes of every tag with one of these names."""
        return [attributes for tag, attributes in self.tags if tag in names]


PAGES = ("/", "/services/birth-of-a-child", "/transactions/case-stuck", "/transactions/nobody", "/nowhere")

each_page = pytest.mark.parametrize("path", PAGES)


def test_empty_store_says_what_to_do(ask: Get) -> None:
    """The first page of a new installation names the commands that fill it."""
    answer = ask("/")
    assert answer.status == 200
    assert "govbus demo" in answer.text
    assert "govbus monitor" in answer.text


def test_services_are_listed_with_percentiles_deadline_and_coverage(store: Store, ask: Get) -> None:
    """An operator sees of each service how long it takes, how long it may take, and what was seen of it."""
    fill(store)
    text = ask("/").text
    row = text[text.index('data-key="birth-of-a-child"') :].partition("</tr>")[0]
    for said in ("Birth of a child", "3 s", "2 min", "100 %", "web, counter"):
        assert said in row


def test_services_in_use_stand_before_the_idle_ones(tmp_path: Path) -> None:
    """A national catalogue has many services; the operator sees first what moves."""
    idle = replace(BIRTH, name="a-idle", title="Idle service")
    services = {"a-idle": idle, **SERVICES}
    with Store(f"sqlite:///{tmp_path / 'many.db'}", services, clock=lambda: NOW) as store:
        store.apply(whole_birth("case-1", START, 40_000))
        assert [each.name for each in overview(store, NOW).services] == [BIRTH.name, "a-idle"]


def test_stuck_transaction_names_the_agency_it_waits_for(store: Store, ask: Get) -> None:
    """Who must act stands in the row itself."""
    fill(store)
    text = ask("/").text
    row = text[text.index('data-key="case-stuck"') :].partition("</tr>")[0]
    assert "stuck" in row
    assert "<strong>tax</strong>" in row
    assert NUMBER in row
    assert 'href="/transactions/case-stuck"' in row


def test_dead_letter_is_listed_with_reason_and_transaction(store: Store, ask: Get) -> None:
    """A delivery given up shows who gave it up, why, and which transaction it holds up."""
    fill(store)
    text = ask("/").text
    section = text[text.index('id="dead-letters-live"') :].partition("</table>")[0]
    for said in (f"{BORN}.v1", "tax", "handler-failed", "/transactions/case-stuck"):
        assert said in section


def test_record_that_never_became_an_event_is_listed_without_a_transaction(store: Store, ask: Get) -> None:
    """A broken row of a source shows whose it is and why; the caption counts by agency and reason."""
    store.apply([set_aside("municipality", START)])
    text = ask("/").text
    section = text[text.index('id="dead-letters-live"') :].partition("</table>")[0]
    for said in ("Open: municipality malformed-record 1.", "no event", "as a source", '"soft">none<'):
        assert said in section
    assert "No transaction has been seen yet." in text


def test_refused_follow_up_is_stuck_with_its_reason(store: Store, ask: Get) -> None:
    """The row of its transaction and its own page say what was refused and why."""
    store.apply([published(BORN, START, "case-9"), refused(NUMBER, START + 1, "case-9")])
    text = ask("/").text
    row = text[text.index('data-key="case-9"') :].partition("</tr>")[0]
    assert f"{NUMBER}, refused: contract-violation" in row
    page = ask("/transactions/case-9").text
    row = page[page.index(f'data-key="wait {NUMBER}"') :].partition("</tr>")[0]
    assert "refused" in row
    assert "contract-violation" in row


def test_record_set_aside_makes_its_transaction_stuck_and_says_where_it_is(store: Store, ask: Get) -> None:
    """The list, the page of the transaction and the dead letters name file and line."""
    lost = set_aside(
        "tax", START + 1, transaction="case-9", type=f"{NUMBER}.v1", service=BIRTH.name, origin="night.csv:17"
    )
    store.apply([published(BORN, START, "case-9"), lost])
    text = ask("/").text
    row = text[text.index('data-key="case-9"') :].partition("</tr>")[0]
    assert f"{NUMBER}, its record was set aside: malformed-record at night.csv:17" in row
    section = text[text.index('id="dead-letters-live"') :].partition("</table>")[0]
    for said in ("as a source, at night.csv:17", "/transactions/case-9"):
        assert said in section
    page = ask("/transactions/case-9").text
    row = page[page.index(f'data-key="wait {NUMBER}"') :].partition("</tr>")[0]
    for said in ("record set aside", "malformed-record", "at night.csv:17"):
        assert said in row


def test_silent_agency_stands_in_its_cases_and_among_the_agencies(tmp_path: Path) -> None:
    """Whom to call, and since when it hears nothing."""
    with Store(f"sqlite:///{tmp_path / 's.db'}", UNHURRIED, clock=lambda: NOW) as store:
        store.apply([*whole_birth("case-1"), published(BORN, START + SECOND, "case-2")])
        store.apply([delivered(BORN, "health", START + SECOND, "case-2")])
        with running(store, clock=lambda: NOW) as address:
            text = get(address, "/").text
            page = get(address, "/transactions/case-2").text
    row = text[text.index('data-key="case-2"') :].partition("</tr>")[0]
    assert "agency-silent: it receives nothing since 2026-09-21" in row
    agencies = text[text.index('id="agencies-live"') :]
    rows = {
        name: agencies[agencies.index(f'data-key="{name}"') :].partition("</tr>")[0]
        for name in ("tax", "health")
    }
    assert ("silent" in rows["tax"], "in touch" in rows["health"]) == (True, True)
    assert "receives nothing since" in page


def test_subscription_that_halted_shows_why_since_when_and_the_command(store: Store, ask: Get) -> None:
    """On top of every page, in a list of its own, and in the row of its agency."""
    fill(store)
    assert 'id="gone-places' not in ask("/").text
    store.apply([place_gone("tax", START, attempt=40_000)])
    assert "halted" not in ask("/").text
    odd = "an office; rm"
    store.apply([place_gone("tax", START, 7, outcome="halted", reason="offsets-expired", subscription=odd)])
    for path in PAGES[:3]:
        assert "1 partition halted" in ask(path).text
    text = ask("/").text
    gone = text[text.index('id="gone-places-live"') :].partition("</table>")[0]
    halted, went_on = gone.split("<tr")[2:]
    command = f"govbus subscriptions go-on &#39;{odd}&#39; --agency tax --from recorded --why"
    for said in ("offsets-expired", "partition 0, offset 7", command, "2026-09-21", "none known"):
        assert said in halted
    for said in ("records-lost", "40 000 offsets", "went on"):
        assert said in went_on
    agencies = text[text.index('id="agencies-live"') :]
    assert "1 partition halted" in agencies[agencies.index('data-key="tax"') :].partition("</tr>")[0]


def test_who_is_not_believed_is_shown_with_why_and_about_whom(store: Store, ask: Get) -> None:
    """Only if there is anybody; how often, and the latest."""
    fill(store)
    assert "not-believed" not in ask("/").text
    lies = [Refusal("tax", "other-agency", ("tax.receipts", 0, n), "health") for n in range(1_200)]
    store.apply([], refused=[*lies, Refusal("tax", "other-agency", ("tax.receipts", 1, 0), "<b>\u202e")])
    text = ask("/").text
    section = text[text.index('id="not-believed-live"') :].partition("</table>")[0]
    for said in ("tax", "other-agency", "1 201", f"{NOW:%Y-%m-%d %H:%M:%S}", "&lt;b&gt;\\u202e"):
        assert said in section


def test_monitor_that_is_behind_is_said_and_an_idle_country_is_not(store: Store, ask: Get) -> None:
    """What the monitor says of itself counts, not the age of the newest receipt."""
    fill(store)
    assert "No receipt for" in ask("/").text
    store.note_read_until(NOW)
    idle = ask("/").text
    assert ("No receipt for" in idle, "No monitor has read" in idle) == (False, False)


def test_monitor_that_stopped_is_said(store: Store, ask: Get) -> None:
    """Since when what was written is missing."""
    fill(store)
    store.note_read_until(NOW - timedelta(minutes=3))
    assert "No monitor has read everything since" in ask("/").text


@pytest.mark.parametrize("path", ["/", "/services/birth-of-a-child", "/transactions/case-new"])
def test_a_page_is_made_again_only_when_it_shows_something_else(tmp_path: Path, path: str) -> None:
    """An idle country costs nearly nothing; a receipt, a lie, and what comes with time alone are shown."""
    now = datetime.fromtimestamp(START / 1e6, UTC)
    with Store(f"sqlite:///{tmp_path / 'm.db'}", SERVICES, clock=lambda: now) as store:
        store.apply([published(BORN, START, "case-new")])
        store.note_read_until(now)
        with running(store, clock=lambda: now) as address:
            tags = [""]

            def is_made_again() -> bool:
                answer = get(address, path, known=tags[-1])
                tags.append(answer.headers["etag"])
                assert (answer.status, bool(answer.text)) in ((200, True), (304, False))
                return answer.status == 200

            def passes(seconds: float, *, read: bool = True) -> None:
                nonlocal now
                now += timedelta(seconds=seconds)
                if read:
                    store.note_read_until(now)

            changes: dict[str, Callable[[], object]] = {
                "a receipt": lambda: store.apply([delivered(BORN, "tax", START, "case-new")]),
                "a lie": lambda: store.apply(
                    [], refused=[Refusal("tax", "other-agency", ("t", 0, 1), "health")]
                ),
                "an overdue event": lambda: passes(31),
                "an overdue service": lambda: passes(90),
                "a monitor that stopped": lambda: passes(61, read=False),
            }
            assert is_made_again()
            for name, change in changes.items():
                assert not is_made_again(), name
                change()
                assert is_made_again(), name
            passes(1)  # it is there again
            assert is_made_again()
            passes(5)
            assert not is_made_again()


def test_agencies_show_their_clocks(store: Store, ask: Get) -> None:
    """Each agency's clock is told as ahead or behind."""
    fill(store)
    text = ask("/").text
    section = text[text.index('id="agencies-live"') :].partition("</table>")[0]
    assert "civil-registry" in section
    assert "2 ms behind" in section


def test_waterfall_has_a_row_for_each_hop_and_each_wait(store: Store, ask: Get) -> None:
    """The transaction's page draws what happened and what has not."""
    fill(store)
    text = ask("/transactions/case-stuck").text
    assert text.count('class="lane"') == 4
    assert f'data-key="wait {NUMBER}"' in text
    assert "dead letter" in text


def test_service_page_shows_where_the_time_goes(store: Store, ask: Get) -> None:
    """Each step has its percentiles beside its deadline."""
    fill(store)
    text = ask("/services/birth-of-a-child").text
    section = text[text.index('id="steps-live"') :].partition("</table>")[0]
    assert ALLOWANCE in section
    assert "1 min" in section


def test_find_leads_to_the_transaction(ask: Get) -> None:
    """The search form works without script, and an id stays a part of the address."""
    assert ask("/transactions?id=case-stuck").headers["location"] == "/transactions/case-stuck"
    assert ask("/transactions?id=").headers["location"] == "/"
    assert ask("/transactions?id=%2F%2Felsewhere").headers["location"].startswith("/transactions/")


@pytest.mark.parametrize("name", ["two\nlines", "a\rb", "tab\there", "\x1b[2J", "a/b?c#d%2F", "case\u202e1"])
def test_every_transaction_that_is_listed_can_be_opened(store: Store, ask: Get, name: str) -> None:
    """Agencies choose the ids: a line break or a control character in one leads to its page all the same."""
    store.apply([published(BORN, START, name)])
    (link,) = set(re.findall(r'href="(/transactions/[^"]+)"', ask("/").text))
    answer = ask(link)
    assert answer.status == 200
    assert visible(name) in unescape(answer.text)


@pytest.mark.parametrize("path", ["/transactions/nobody", "/services/nothing", "/nowhere", "/static/nothing"])
def test_what_is_missing_is_a_page_that_leads_on(ask: Get, path: str) -> None:
    """A wrong address answers 404 and offers the way back."""
    answer = ask(path)
    assert answer.status == 404
    assert 'href="/"' in answer.text


def test_text_from_receipts_cannot_become_markup(store: Store, ask: Get) -> None:
    """A foreign producer's transaction id is shown, not run."""
    odd = "<script>alert(1)</script>\"'&/.."
    store.apply([published(BORN, START, odd)])
    answer = ask("/")
    assert "<script>alert" not in answer.text
    address = re.search(r'href="(/transactions/%3Cscript[^"]+)"', answer.text)
    assert address is not None
    page = ask(address[1])
    assert page.status == 200
    assert "<script>alert" not in page.text


@each_page
def test_nothing_is_loaded_from_elsewhere(store: Store, ask: Get, path: str) -> None:
    """Every page carries the strict policy, and holds nothing the policy would stop."""
    fill(store)
    answer = ask(path)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    outline = Outline(answer.text)
    for tag in outline.all("script", "img", "link"):
        assert (tag.get("src") or tag.get("href") or "").startswith("/static/")
    for _, attributes in outline.tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


@each_page
def test_page_has_landmarks_headings_in_order_and_labels(store: Store, ask: Get, path: str) -> None:
    """One main, one h1, no heading level skipped, a skip link first, a label for every field."""
    fill(store)
    outline = Outline(ask(path).text)
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert len(outline.all("main")) == len(outline.all("header")) == len(outline.all("footer")) == 1
    assert outline.all("html")[0]["lang"] == "en"
    assert outline.all("a")[0]["href"] == "#main"
    labelled = {label["for"] for label in outline.all("label")}
    assert {field["id"] for field in outline.all("input", "select")} <= labelled
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


@each_page
def test_tables_have_captions_and_scoped_headers(store: Store, ask: Get, path: str) -> None:
    """A table read aloud says what it is, and each number which row and column it belongs to."""
    fill(store)
    outline = Outline(ask(path).text)
    assert len(outline.all("table")) == len(outline.all("caption"))
    assert {header["scope"] for header in outline.all("th")} <= {"row", "col"}


@each_page
def test_only_one_short_line_is_announced(store: Store, ask: Get, path: str) -> None:
    """A screen reader is told of the status line, not of every number that moves."""
    fill(store)
    spoken = [tag for tag, attributes in Outline(ask(path).text).tags if "aria-live" in attributes]
    status = [tag for tag, attributes in Outline(ask(path).text).tags if attributes.get("role") == "status"]
    assert not spoken
    assert len(status) <= 1


def test_every_time_is_machine_readable_utc(store: Store, ask: Get) -> None:
    """`<time>` carries UTC with a Z."""
    fill(store)
    times = Outline(ask("/").text).all("time")
    assert times
    assert all((time["datetime"] or "").endswith("Z") for time in times)


@pytest.mark.parametrize("host", ["console.example:80", "127.0.0.1.example", "evil", "", "[::2]:80"])
def test_foreign_host_is_refused(store: Store, host: str) -> None:
    """A page elsewhere that resolves its own name to this machine reaches nothing."""
    with running(store) as address:
        assert get(address, "/", host=host or " ").status == 421


@pytest.mark.parametrize("host", ["localhost:1234", "127.0.0.1", "LOCALHOST", "[::1]:8900", "govbus.example"])
def test_own_and_named_hosts_are_answered(store: Store, host: str) -> None:
    """The loopback names always work, others when the console was told of them."""
    with running(store, hosts=["govbus.example"]) as address:
        assert get(address, "/livez", host=host).status == 200


@pytest.mark.parametrize(
    ("value", "name"),
    [("a:1", "a"), ("A", "a"), ("[::1]:8900", "::1"), ("[::1]", "::1"), ("", ""), ("a:b:c", "")],
)
def test_host_name_is_read_without_port(value: str, name: str) -> None:
    """Port and brackets are no part of a name."""
    assert name == host_name(value)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_console_only_reads(ask: Get, method: str) -> None:
    """Nothing can be changed through the console."""
    assert ask("/", method=method).status == 405


def test_a_console_that_is_told_its_address_answers_to_it(store: Store) -> None:
    """`--host 127.0.0.2`, or every address of the machine: what was connected to is its own name."""
    with running(store, host="127.0.0.2") as address:
        assert get(address, "/").status == 200
        assert get(address, "/", host="127.0.0.3").status == 421
    with running(store, host="0.0.0.0") as address:
        place = address.replace("0.0.0.0", "127.0.0.4")
        assert get(place, "/").status == 200
        assert get(place, "/", host="console.example").status == 421


def test_health_follows_the_monitor_behind_the_database(store: Store) -> None:
    """Ready while a monitor keeps the database complete: without traffic too, and not with an old one."""
    fill(store)
    checks = []
    for minutes in (None, 0, 0.5, 2):
        if minutes is not None:
            store.note_read_until(NOW)
        at = NOW + timedelta(minutes=minutes or 0)
        with running(store, clock=lambda at=at: at) as address:
            assert get(address, "/livez").status == 200
            assert get(address, "/readyz").status == get(address, "/healthz").status
            answer = get(address, "/healthz")
            checks.append((answer.status, json.loads(answer.text)["checks"]))
    assert checks == [
        (503, {"database": "ok", "receipts": "no monitor has read yet"}),
        (200, {"database": "ok", "receipts": "ok"}),
        (200, {"database": "ok", "receipts": "ok"}),
        (
            503,
            {"database": "ok", "receipts": MISSING},
        ),
    ]


def test_silence_of_the_monitor_is_told(store: Store, ask: Get) -> None:
    """When the newest receipt is old, the page says so instead of looking calm."""
    fill(store)
    assert "govbus monitor" in ask("/").text


class Broken(Store):
    """A store whose database is gone."""

    def __init__(self) -> None:
        """Open nothing."""

    def summary(self) -> NoReturn:
        """Fail as a lost database does."""
        raise StoreError.missing("somewhere")

    services = read_until = now = summary


def test_lost_database_is_told_in_words() -> None:
    """The page and the probe answer 503; the page says what to check."""
    with running(Broken()) as address:
        page = get(address, "/")
        assert page.status == 503
        assert "GOVBUS_DATABASE" in page.text
        assert get(address, "/healthz").status == 503


def test_taken_port_is_an_error_before_anything_is_served(store: Store) -> None:
    """Two consoles cannot share a port; the second says so."""
    with running(store) as address, pytest.raises(OSError, match="--port"):  # noqa: SIM117 - one at a time
        with running(store, port=int(address.rpartition(":")[2])):
            pass


def test_nothing_in_an_id_hides_or_reorders_the_page(store: Store, ask: Get) -> None:
    """Marks of bidirectional text, and characters of no width, are shown as escapes, in lists and pages."""
    hostile = "case-\u202e\u2066\u200b\x1b<b>\u3164"
    store.apply([published(BORN, START, hostile)])
    shown = "case-\\u202e\\u2066\\u200b\\x1b&lt;b&gt;\\u3164"
    for path in ("/", "/services/birth-of-a-child", f"/transactions/{quote(hostile)}"):
        text = ask(path).text
        assert shown in text, path
        assert all(letter.isprintable() or letter == "\n" for letter in text), path
