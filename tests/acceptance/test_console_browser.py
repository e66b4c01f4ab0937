"""The console as an operator meets it: a real browser, keyboard, phone, screen reader's view."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from observability import Store
from tests.browsers import AXE_TAGS, CHROMIUM
from tests.consoles import running
from tests.unit.observability.country import (
    BORN,
    NUMBER,
    RECORD,
    SERVICES,
    delivered,
    published,
    refused,
    whole_birth,
)

SECOND = 1_000_000
PATHS = ("/", "/services/birth-of-a-child", "/transactions/case-stuck", "/transactions/nobody")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed; the distribution has one")

each_path = pytest.mark.parametrize("path", PATHS)

OpenPage = Callable[..., Page]

# Every visible text with its contrast to what is painted behind it, where that is below what WCAG asks.
LOW_CONTRAST = """() => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const rgba = text => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest(".hidden")) continue;
    const style = getComputedStyle(element);
    const ink = rgba(element.closest("svg") ? style.fill : style.color);
    const [high, low] = [luminance(ink), luminance(behind(element))].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05);
    seen += 1;
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return { seen, found };
}"""

# What the keyboard must reach: every visible link, button, field and focusable region.
REACHABLE = """() => [...document.querySelectorAll("a[href], button, input, [tabindex='0']")]
  .filter(each => each.checkVisibility()).length"""

FOCUSED = """() => {
  const each = document.activeElement;
  if (!each || each === document.body) return null;
  const style = getComputedStyle(each);
  (window.visited ??= new Set()).add(each);
  return { outline: style.outlineStyle, width: parseFloat(style.outlineWidth) };
}"""


def now_us() -> int:
    """Return the time of day in microseconds: the browser looks at the present."""
    return time.time_ns() // 1000


def begun(transaction: str, age_seconds: float) -> list[Any]:
    """Return the receipts of a birth that the tax agency has not answered yet."""
    start = now_us() - int(age_seconds * SECOND)
    common = {"started_at_us": start}
    return [
        published(BORN, start, transaction, **common),
        delivered(BORN, "health", start, transaction, **common),
        published(RECORD, start + SECOND, transaction, **common),
    ]


def fill(store: Store) -> None:
    """Put completed, open, stuck and refused transactions and a dead letter into a store."""
    start = now_us() - 60 * SECOND
    for index in range(12):
        store.apply(whole_birth(f"case-done-{index}", start + index * SECOND, (index + 1) * 40_000))
    failing: dict[str, Any] = {"outcome": "dead-letter", "reason": "handler-failed", "attempt": 3}
    store.apply(
        [
            *begun("case-open", 3),
            *begun("case-stuck", 90),
            delivered(BORN, "tax", start, "case-stuck", started_at_us=start, **failing),
            refused(BORN, start, "case-refused"),
        ]
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A filled store of the test's own."""
    with Store(f"sqlite:///{tmp_path / 'monitor.db'}", SERVICES) as store:
        fill(store)
        yield store


@pytest.fixture
def address(store: Store) -> Iterator[str]:
    """Where a console over the store answers; its page asks for news five times a second."""
    with running(store, interval_seconds=0.2) as address:
        yield address


@pytest.fixture(scope="module")
def still_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a console over a filled store answers that nobody writes to."""
    folder = tmp_path_factory.mktemp("console")
    with Store(f"sqlite:///{folder / 'monitor.db'}", SERVICES) as store:
        fill(store)
        with running(store) as address:
            yield address


@contextmanager
def opening(browser: Browser, address: str) -> Iterator[OpenPage]:
    """Open pages in fresh profiles; a script error or a blocked resource is a fault."""
    contexts = []
    faults: list[str] = []

    def visit(path: str = "/", *, width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
        page.goto(address + path)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[OpenPage]:
    """Open a page that asks for news, over the test's own store."""
    with opening(browser, address) as visit:
        yield visit


@pytest.fixture
def open_still(browser: Browser, still_address: str) -> Iterator[OpenPage]:
    """Open a page over a store that nobody writes to."""
    with opening(browser, still_address) as visit:
        yield visit


def looks(page: Page) -> Iterator[str]:
    """Show the page light and dark, on a phone and on a desk."""
    for scheme in ("light", "dark"):
        for width in (320, 1280):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})
            yield f"{scheme} {width}"


def test_news_appears_without_a_reload(open_page: OpenPage, store: Store) -> None:
    """A transaction that begins elsewhere stands in the list a moment later, on the same page."""
    page = open_page()
    page.evaluate("window.untouched = true")
    expect(page.locator("#in-flight-live [data-key=case-new]")).to_have_count(0)
    store.apply(begun("case-new", 1))
    expect(page.locator("#in-flight-live [data-key=case-new]")).to_be_visible()
    assert page.evaluate("window.untouched") is True


def test_news_leaves_focus_and_scroll_where_they_are(open_page: OpenPage, store: Store) -> None:
    """Whoever is reading or on the way with the keyboard is not moved by what arrives."""
    page = open_page()
    page.locator("#agencies").scroll_into_view_if_needed()
    link = page.locator("#dead-letters-live a").first
    link.focus()
    page.evaluate("window.focused = document.activeElement")
    before = page.evaluate("window.scrollY")
    done = page.locator("#totals div", has_text="Completed").locator("dd")
    count = int(done.inner_text())
    store.apply(whole_birth("case-later", now_us() - 5 * SECOND, 100_000))
    expect(done).to_have_text(str(count + 1))
    assert page.evaluate("document.activeElement === window.focused")
    # The list above has grown by no more than a row; the browser's own anchoring keeps what is read in place.
    assert abs(page.evaluate("window.scrollY") - before) < 100


def test_focus_stays_near_when_its_row_has_gone(open_page: OpenPage, store: Store) -> None:
    """The reader whose row leaves the list is set on that list, not on top of the page."""
    page = open_page()
    page.locator("#in-flight-live [data-key=case-open] a").focus()
    start = now_us() - 2 * SECOND
    store.apply(
        [receipt for receipt in whole_birth("case-open", start, 1_000) if receipt.outcome == "published"]
    )
    expect(page.locator("#in-flight-live [data-key=case-open]")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == "in-flight-live"


def test_pause_stops_the_updates_and_is_remembered(open_page: OpenPage, store: Store) -> None:
    """What moves by itself can be stopped, on the next page too, and started again."""
    page = open_page()
    pause = page.get_by_role("button", name="Pause live updates")
    pause.press("Enter")
    expect(pause).to_have_attribute("aria-pressed", "true")
    page.goto(page.url + "transactions/case-open")
    expect(pause).to_have_attribute("aria-pressed", "true")
    page.go_back()
    store.apply(begun("case-new", 1))
    page.reload()
    store.apply(begun("case-newer", 1))
    page.wait_for_timeout(700)
    expect(page.locator("[data-key=case-newer]")).to_have_count(0)
    pause.press("Enter")
    expect(page.locator("#in-flight-live [data-key=case-newer]")).to_be_visible()


def test_only_what_needs_attention_is_announced(open_page: OpenPage, store: Store) -> None:
    """The status line changes when something gets stuck, and stays silent when all is well."""
    page = open_page()
    page.evaluate(
        """() => {
          window.spoken = [];
          const line = document.querySelector("[role=status]");
          new MutationObserver(() => window.spoken.push(line.textContent)).observe(line, { childList: true });
        }"""
    )
    store.apply(begun("case-new", 1))
    expect(page.locator("#in-flight-live [data-key=case-new]")).to_be_visible()
    page.wait_for_timeout(1_500)
    assert page.evaluate("window.spoken") == []
    store.apply(begun("case-stuck-too", 95))
    expect(page.get_by_role("status")).to_have_text("2 transactions stuck, 1 dead letter.")
    assert page.evaluate("window.spoken.length") == 1


def test_lost_console_is_told_and_found_again(browser: Browser, store: Store) -> None:
    """While the console does not answer the page says that it is old; it goes on by itself."""
    context = browser.new_context()
    page = context.new_page()
    with running(store, interval_seconds=0.2) as address:
        page.goto(address)
    expect(page.get_by_role("status")).to_contain_text("does not answer")
    with running(store, port=int(address.rpartition(":")[2]), interval_seconds=0.2):
        expect(page.get_by_role("status")).to_contain_text("stuck")
    context.close()


def test_page_is_whole_without_script(open_page: OpenPage) -> None:
    """Everything is there and leads on; a link reads it again."""
    page = open_page(java_script_enabled=False)
    expect(page.get_by_role("link", name="Refresh")).to_be_visible()
    expect(page.get_by_role("button", name="Pause live updates")).to_have_count(0)
    page.get_by_label("Transaction", exact=True).fill("case-stuck")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Birth of a child")
    expect(page.get_by_role("row", name=NUMBER)).to_contain_text("dead letter")


@pytest.mark.sampled(2)
@each_path
def test_keyboard_reaches_everything_and_shows_where_it_is(open_still: OpenPage, path: str) -> None:
    """Tab passes every link, button, field and region once, each with a visible outline."""
    page = open_still(path)
    reachable = page.evaluate(REACHABLE)
    for _ in range(reachable):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        assert focused is not None
        assert focused["outline"] != "none"
        assert focused["width"] >= 2
    assert page.evaluate("window.visited.size") == reachable


def test_skip_link_leads_past_the_navigation(open_still: OpenPage) -> None:
    """The first stop of the keyboard is a visible link to the content."""
    page = open_still()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.sampled(2)
@each_path
def test_page_fits_its_window(open_still: OpenPage, path: str) -> None:
    """From a phone to a desk the page never scrolls sideways."""
    page = open_still(path)
    for width in (320, 360, 600, 768, 960, 1024, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.sampled(2)
@each_path
def test_tables_become_cards_on_a_phone(open_still: OpenPage, path: str) -> None:
    """At 320 pixels no table scrolls sideways either, and it is still a table to a screen reader."""
    page = open_still(path, width=320)
    regions = page.evaluate(
        "[...document.querySelectorAll('.scroll')].map(each => each.scrollWidth - each.clientWidth)"
    )
    assert all(beyond <= 0 for beyond in regions)
    assert page.get_by_role("table").count() == len(regions)
    assert page.get_by_role("columnheader").count() >= 5 * len(regions)


@pytest.mark.sampled(2)
@each_path
def test_text_has_contrast(open_still: OpenPage, path: str) -> None:
    """Every text stands out from its ground by 4.5 to 1, in the light scheme and the dark one."""
    page = open_still(path)
    for look in looks(page):
        result = page.evaluate(LOW_CONTRAST)
        assert result["seen"] > 10
        assert (look, []) == (look, result["found"])


@pytest.mark.sampled(2)
@each_path
def test_nothing_moves_by_itself(open_still: OpenPage, path: str) -> None:
    """There is no animation to turn off."""
    page = open_still(path, reduced_motion="no-preference")
    page.wait_for_timeout(500)
    assert page.evaluate("document.getAnimations().length") == 0


@pytest.mark.sampled(2)
@each_path
def test_landmarks_have_names(open_still: OpenPage, path: str) -> None:
    """A screen reader finds banner, navigation, search, main and contentinfo, and every table by its name."""
    page = open_still(path)
    for role in ("banner", "main", "contentinfo", "search"):
        expect(page.get_by_role(role)).to_have_count(1)
    expect(page.get_by_role("navigation", name="Sections")).to_have_count(1)
    for region in page.locator(".scroll").all():
        assert region.get_attribute("aria-label")


@pytest.mark.sampled(2)
@each_path
def test_axe_finds_nothing(open_still: OpenPage, path: str) -> None:
    """axe-core's rules for WCAG 2.2 A and AA and its best practices find no violation."""
    axe, page = Axe(), open_still(path)
    options = {"runOnly": {"type": "tag", "values": AXE_TAGS}, "resultTypes": ["violations"]}
    for look in looks(page):
        violations = axe.run(page, options=options).response["violations"]
        found = [(each["id"], [node["target"] for node in each["nodes"]]) for each in violations]
        assert (look, []) == (look, found)
