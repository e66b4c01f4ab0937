"""The commands, as an operator types them."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from contracts import Catalog
from observability import Store, StoreError
from observability.cli import default_database, transactions
from observability.database.schema import with_password
from observability.evidence.trust import Refusal
from observability.terminal import ASCII, UNICODE, distinguishing, waterfall
from observability.transaction_view import microseconds, moment
from tests.unit.observability.country import (
    BORN,
    MINUTE,
    NUMBER,
    RECORD,
    SECOND,
    SERVICES,
    START,
    delivered,
    place_gone,
    published,
    refused,
    set_aside,
    whole_birth,
)

DAY = 24 * 60 * MINUTE


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A database with one completed birth, one given up yesterday, one refused."""
    url = f"sqlite:///{tmp_path / 'm.db'}"
    yesterday = microseconds(datetime.now(UTC) - timedelta(days=1))
    with Store(url, Catalog.open().services) as store:
        store.apply(
            [
                *whole_birth("case-1", yesterday),
                published(BORN, yesterday, "case-2"),
                delivered(BORN, "tax", yesterday, "case-2", outcome="dead-letter", reason="target-rejected"),
                refused(BORN, yesterday, "case-3"),
            ]
        )
    return url


def govbus(*arguments: str) -> Result:
    """Run `govbus transactions ...` eighty columns wide."""
    return CliRunner(env={"COLUMNS": "80"}).invoke(transactions, arguments)


def test_list_shows_state_time_and_what_is_waited_for(database: str) -> None:
    """One line a transaction, then who is waited for."""
    result = govbus("list", "--database", database)
    with Store(database, Catalog.open().services) as store:
        yesterday = f"{store.transactions()[0].started:%m-%d %H:%M:%S}"
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert lines == [
        "TRANSACTION  STARTED (UTC)   STATE      TOOK  SERVICE",
        f"case-2       {yesterday}  stuck       1 d  birth-of-a-child",
        f"case-1       {yesterday}  completed   3 s  birth-of-a-child",
        "",
        "case-2",
        "  waits for health.record-opened for 1 d, agency-silent: receives nothing for 1 d",
        "  waits for tax.taxpayer-number-assigned for 1 d, dead letter: target-rejected",
    ]


def test_list_ends_with_what_has_halted_and_the_command(database: str) -> None:
    """Beside the silent agencies, for a shell; `gone-places` has what went on too."""
    said = govbus("gone-places", "--catalog", "reference", "--database", database).stderr
    assert said == "no subscription has lost its place\n"
    with Store(database, Catalog.open().services) as store:
        store.apply([place_gone("tax", START, 7, outcome="halted", reason="offsets-expired", partition=3)])
        store.apply([place_gone("health", START, attempt=40)])
    topic, since = f"{BORN}.v1", "2026-09-21 14:13:20 UTC"
    halted = [
        f"tax: {topic}  halted",
        f"  {topic}/3/7: offsets-expired, 0 offsets gone unread since {since}",
        f"  govbus subscriptions go-on {topic} --agency tax --from recorded --why 'offsets expired'",
    ]
    went_on = [
        f"health: {topic}  went on",
        f"  {topic}/0/9: records-lost, 40 offsets gone unread since {since}",
    ]
    listed = [line.rstrip() for line in govbus("list", "--database", database).stdout.splitlines()]
    assert listed[-4:] == ["", *halted]
    assert govbus("gone-places", "--database", database).stdout.splitlines() == [*halted, *went_on]
    found = json.loads(govbus("gone-places", "--json", "--database", database).stdout)
    assert [(each["agency"], each["halted"]) for each in found] == [("tax", True), ("health", False)]


def test_who_is_not_believed_is_listed_with_the_latest(database: str) -> None:
    """Who said it, why, how often, when, and about whom; one record may hold more than one."""
    now = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
    with Store(database, Catalog.open().services, clock=lambda: now) as store:
        store.apply([], refused=[Refusal("tax", "other-agency", ("tax.receipts", 0, 7), "police")])
        same = [Refusal("tax", "other-agency", ("tax.receipts", 0, 8), who) for who in ("police", "health")]
        store.apply([], refused=same)
        store.apply([], refused=same)
    lines = govbus("not-believed", "--database", database).stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["AGENCY", "FAULT", "RECEIPTS", "LATEST", "(UTC)", "ABOUT"],
        ["tax", "other-agency", "3", "2026-09-21", "14:13:20", "health"],
    ]


def test_no_id_hides_the_state_beside_it(tmp_path: Path) -> None:
    """However long, and whatever is in it; `--json` has it whole."""
    url, hostile = f"sqlite:///{tmp_path / 'm.db'}", "case\n\x1b[31mcompleted\u202e" + "x" * 3_000
    with Store(url, Catalog.open().services) as store:
        store.apply([published(BORN, START, hostile)])
    _, first, *_ = govbus("list", "--database", url).stdout.splitlines()
    assert first.startswith("case\\n\\x1b[31mcom  09-21 14:13:20  stuck")
    assert first.split()[3] == "stuck"
    assert json.loads(govbus("list", "--json", "--database", url).stdout)[0]["id"] == hostile


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ["case-2", "case-1"]),
        (("--state", "stuck"), ["case-2"]),
        (("--state", "completed"), ["case-1"]),
        (("--state", "refused"), ["case-3"]),
        (("--state", "late"), []),
        (("--service", "moving-house"), []),
        (("--limit", "1"), ["case-2"]),
    ],
)
def test_list_as_json(database: str, arguments: tuple[str, ...], expected: list[str]) -> None:
    """A program gets every field, times in UTC, and an empty list for nothing."""
    result = govbus("list", "--json", "--database", database, *arguments)
    found = json.loads(result.stdout)
    assert [transaction["id"] for transaction in found] == expected
    assert all(transaction["started"].endswith("Z") for transaction in found)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("list", "--state", "stuck"), 0),
        (("list", "--fail-on", "stuck"), 100),
        (("list", "--fail-on", "stuck", "--service", "moving-house"), 0),
        (("list", "--fail-on", "late"), 0),
        (("show", "case-1"), 0),
        (("show", "nobody"), 1),
        (("list", "--state", "lost"), 2),
        (("list", "--limit", "0"), 2),
        (("show",), 2),
    ],
)
def test_exit_codes(database: str, arguments: tuple[str, ...], code: int) -> None:
    """0 clean, 100 findings where asked for, 1 failed, 2 wrong usage."""
    assert govbus(*arguments, *(("--database", database) if code != 2 else ())).exit_code == code


def test_show_draws_a_waterfall_that_fits_80_columns(database: str) -> None:
    """Each event with each of its deliveries, in the order of publication."""
    result = govbus("show", "case-1", "--database", database)
    lines = result.stdout.splitlines()
    assert lines[0] == "Birth of a child  completed"
    assert lines[2].endswith("UTC, took 3 s of 14 d, in time")
    assert [line.split()[0] for line in lines if line and not line.startswith(" ")][3:] == [
        "civil-registry.birth-registered.v1",
        "health.record-opened.v1",
        "tax.taxpayer-number-assigned.v1",
        "social-security.child-allowance-granted.v1",
    ]
    assert max(len(line) for line in lines) <= 80


def test_show_as_json(database: str) -> None:
    """The waterfall's numbers, for a program."""
    view = json.loads(govbus("show", "case-1", "--json", "--database", database).stdout)
    assert (view["state"], view["duration_ms"], len(view["hops"])) == ("completed", 3_000.0, 5)


def test_wait_says_which_record_was_set_aside_and_where_it_is() -> None:
    """Whoever must correct it reads file and line."""
    lost = set_aside("tax", START + SECOND, transaction="case-1", type=f"{NUMBER}.v1", origin="night.csv:17")
    text = draw([published(BORN, START), lost], 20)
    assert " ".join(text.split()).endswith(
        "waits for tax.taxpayer-number-assigned for 20 s, record set aside: malformed-record at night.csv:17"
    )


def test_waterfall_says_what_went_wrong() -> None:
    """Attempts and reason stand below their bar, waits below all."""
    retried = delivered(BORN, "tax", START, outcome="retry", reason="target-unavailable", handle_us=SECOND)
    dead = delivered(
        BORN, "tax", START, outcome="dead-letter", reason="target-rejected", attempt=3, queue_us=9 * SECOND
    )
    text = draw([published(BORN, START), retried, dead], 20)
    assert text.splitlines()[4:] == [
        "                     0                9.02 s      . queue + # handle outcome",
        "civil-registry.birth-registered.v1  +0 ms",
        "  > tax              #######################           4 ms + 9.02 s dead-letter",
        "    3 attempts, target-rejected",
        "    govbus deadletters list --agency tax --state open",
        "",
        "waits for health.record-opened for 20 s",
        "waits for tax.taxpayer-number-assigned for 20 s, dead letter: target-rejected",
    ]


def test_waterfall_says_what_became_of_a_dead_letter() -> None:
    """Redriven and acknowledged, or discarded; and the subscription, where it has a name of its own."""
    dead = delivered(BORN, "tax", START, outcome="dead-letter", reason="target-rejected", attempt=3)
    for outcome, attempt, said in (
        ("ack", 4, "open-file, 4 attempts, dead letter redriven"),
        ("discarded", 3, "open-file, 3 attempts, target-rejected, dead letter discarded"),
    ):
        after = delivered(BORN, "tax", START, outcome=outcome, attempt=attempt, queue_us=DAY)
        named = [replace(one, subscription="open-file") for one in (dead, after)]
        assert f"    {said}" in draw([published(BORN, START), *named], 20).splitlines()


def test_an_id_may_be_cut(tmp_path: Path) -> None:
    """As in git: to what is one transaction's; of several, those are listed."""
    url = f"sqlite:///{tmp_path / 'm.db'}"
    with Store(url, Catalog.open().services) as store:
        store.apply(
            [published(BORN, START, id_) for id_ in ("01a2-b1", "01a2-b2", "01a2-b22", "01A2-b3", "a%b_c")]
        )
    shown = govbus("show", "01a2-b1"[:7], "--database", url)
    assert "transaction 01a2-b1" in shown.stdout
    assert "transaction 01a2-b2\n" in govbus("show", "01a2-b2", "--database", url).stdout
    assert "transaction 01a2-b22" in govbus("show", "01a2-b22", "--database", url).stdout
    assert "transaction 01A2-b3" in govbus("show", "01A2", "--database", url).stdout
    assert "transaction a%b_c" in govbus("show", "a%b_", "--database", url).stdout
    several = govbus("show", "01a2", "--database", url)
    assert several.exit_code == 1
    assert [line.split()[0] for line in several.stderr.splitlines()[2:5]] == [
        "01a2-b1",
        "01a2-b2",
        "01a2-b22",
    ]
    for wrong in ("01a", "a%%%", "01a2-b4", ""):
        assert govbus("show", wrong, "--database", url).exit_code == 1


def test_a_wide_list_has_whole_ids_and_years(database: str) -> None:
    """As wide as a pipe is taken to be; a narrow one cuts to what tells the ids apart."""
    wide = CliRunner(env={"COLUMNS": "120"}).invoke(transactions, ["list", "--database", database]).stdout
    assert re.search(r"case-2 +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d  stuck", wide)
    ids = [f"01a231e2-0eff-759c-8d74-{mark}" for mark in ("9e2c01e05b29", "9e2d176040b3", "8c4429b5fe0e")]
    assert distinguishing(ids) == len("01a231e2-0eff-759c-8d74-9e2c") + 2
    assert distinguishing(ids[:1]) == 13


def test_waterfall_bars_stand_where_their_time_is() -> None:
    """A bar begins at its event, queue before handling, nothing outside the axis."""
    slow = delivered(BORN, "health", START, queue_us=5 * SECOND, handle_us=5 * SECOND)
    late = published(RECORD, START + 10 * SECOND)
    lines = draw([published(BORN, START), slow, late], 12).splitlines()
    assert lines[6][21:44] == "...........############"
    assert lines[8].rstrip().index("*") == 43


@pytest.mark.parametrize("receipts", [[refused(BORN, START)], [published("x.y", START, service=None)]])
def test_waterfall_of_a_moment_is_drawn_too(receipts: list[object]) -> None:
    """An axis without length divides by nothing."""
    assert "*" in draw(receipts, 0)


def draw(receipts: list[object], after_seconds: int) -> str:
    """Return the waterfall of one transaction, 80 columns wide."""
    with Store("sqlite://", SERVICES, clock=lambda: moment(START + after_seconds * SECOND)) as store:
        store.apply(receipts)  # type: ignore[arg-type] # receipts of both kinds
        view = store.transaction("case-1")
    assert view is not None
    console = Console(width=80, highlight=False)
    with console.capture() as capture:
        console.print(waterfall(view, 80, ASCII))
    return capture.get()


def test_both_sets_of_marks_are_one_column_wide() -> None:
    """Bars keep their length in every terminal."""
    for marks in (ASCII, UNICODE):
        assert {len(mark) for mark in (marks.queue, marks.handle, marks.arrow, marks.event)} == {1}


def test_reading_before_anything_was_recorded_says_what_to_do(tmp_path: Path) -> None:
    """No empty database is left behind by a look."""
    file = tmp_path / "none.db"
    result = govbus("list", "--database", f"sqlite:///{file}")
    assert isinstance(result.exception, StoreError)
    assert "start `govbus monitor`" in str(result.exception)
    assert not file.exists()


def test_database_comes_from_the_environment(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """GOVBUS_DATABASE is enough."""
    monkeypatch.setenv("GOVBUS_DATABASE", database)
    assert "case-1" in govbus("list").stdout


def test_default_database_is_in_the_users_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The XDG folder where one is set, else its standard place."""
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert default_database() == "sqlite:////somewhere/govbus/monitor.db"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_database().endswith("/.local/state/govbus/monitor.db")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql+psycopg://govbus@db/monitor", "postgresql+psycopg://govbus:p%40ss@db/monitor"),
        ("postgresql+psycopg://govbus:own@db/monitor", "postgresql+psycopg://govbus:own@db/monitor"),
        ("sqlite:////var/lib/monitor.db", "sqlite:////var/lib/monitor.db"),
    ],
)
def test_a_password_of_its_own_is_put_into_the_address(url: str, expected: str) -> None:
    """`GOVBUS_DATABASE_PASSWORD`, or its file, where the address of a server has none."""
    assert with_password(url, "p@ss") == expected


def test_the_database_may_stand_in_a_file(database: str, tmp_path: Path) -> None:
    """`GOVBUS_DATABASE_FILE` names it, as with every variable."""
    (tmp_path / "url").write_text(f"{database}\n")
    runner = CliRunner(env={"COLUMNS": "80", "GOVBUS_DATABASE_FILE": str(tmp_path / "url")})
    assert "case-1" in runner.invoke(transactions, ["list"]).stdout
