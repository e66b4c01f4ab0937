"""The catalogue's website as an architect meets it: a real browser, from a folder, keyboard, phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from contracts.project import REFERENCE_FOLDER
from contracts.publish.site import build, read_source, write
from tests.browsers import AXE_TAGS, CHROMIUM

NAMES = (
    "index.html",
    "coverage.html",
    "agency/civil-registry.html",
    "contract/civil-registry.birth-registered.html",
    "service/birth-of-a-child.html",
)
LOOKS: tuple[tuple[Literal["light", "dark"], int], ...] = (("light", 320), ("dark", 1280))

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed; the distribution has one")

each_page = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the reference catalogue, in a folder."""
    folder = tmp_path_factory.mktemp("site")
    write(build(read_source(REFERENCE_FOLDER)), folder)
    return folder


@pytest.fixture
def page(browser: Browser, folder: Path) -> Iterator[Page]:
    """A page in a fresh profile; a script error, a warning or a request beyond the folder is a fault."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    home = folder.as_uri()
    page.on("request", lambda request: None if request.url.startswith(home) else faults.append(request.url))
    yield page
    context.close()
    assert faults == []


@pytest.mark.sampled(2)
@each_page
def test_axe_finds_nothing(page: Page, folder: Path, name: str) -> None:
    """axe-core finds no violation of WCAG 2.2 AA and best practice, light on a phone, dark on a desk."""
    axe = Axe()
    page.goto((folder / name).as_uri())
    options = {
        "runOnly": {"type": "tag", "values": AXE_TAGS},
        "resultTypes": ["violations"],
        "preload": False,  # else axe itself asks for the style sheet, which a folder refuses
    }
    for scheme, width in LOOKS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        violations = axe.run(page, options=options).response["violations"]
        found = [(each["id"], [node["target"] for node in each["nodes"]]) for each in violations]
        assert (scheme, width, []) == (scheme, width, found)


@pytest.mark.sampled(2)
@each_page
def test_page_fits_its_window(page: Page, folder: Path, name: str) -> None:
    """From a phone to a desk the page never scrolls sideways."""
    page.goto((folder / name).as_uri())
    for width in (320, 360, 600, 960, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_search_works_by_keyboard_alone(page: Page, folder: Path) -> None:
    """From any place `/` leads to the search, arrows to a result, Enter to its page, Escape back."""
    page.goto((folder / "index.html").as_uri())
    page.keyboard.press("/")
    field = page.get_by_role("searchbox")
    expect(field).to_be_focused()
    page.keyboard.type("birth registered")
    results = page.locator("#results a")
    expect(results.first).to_contain_text("civil-registry.birth-registered")
    expect(page.get_by_role("status")).to_contain_text("results")
    page.keyboard.press("ArrowDown")
    expect(results.first).to_be_focused()
    page.keyboard.press("Escape")
    expect(field).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Birth registered")


def test_search_finds_fields_and_forgives_accents(page: Page, folder: Path) -> None:
    """A field by its name; letters without their marks; and it says when there is nothing."""
    page.goto((folder / "index.html").as_uri())
    field = page.get_by_role("searchbox")
    results = page.locator("#results a")
    field.fill("multiple_birth")
    expect(results.first).to_contain_text("$.multiple_birth")
    expect(results.first).to_have_attribute("href", "contract/civil-registry.birth-registered.html#fields")
    field.fill("bïrth rëgistered")
    expect(results.first).to_contain_text("civil-registry.birth-registered")
    field.fill("no such thing")
    expect(page.get_by_role("status")).to_contain_text("Nothing found")
    expect(results).to_have_count(0)


def test_search_on_another_page_leads_to_the_results(page: Page, folder: Path) -> None:
    """The form in the head of each page goes to the start page with what was asked."""
    page.goto((folder / "service" / "birth-of-a-child.html").as_uri())
    page.get_by_role("searchbox").fill("child allowance")
    page.keyboard.press("Enter")
    expect(page.locator("#results a").first).to_contain_text("social-security.child-allowance-granted")
    expect(page.get_by_role("searchbox")).to_have_value("child allowance")


def test_skip_link_leads_past_the_navigation(page: Page, folder: Path) -> None:
    """The first stop of the keyboard is a visible link to the content."""
    page.goto((folder / "coverage.html").as_uri())
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.sampled(2)
@each_page
def test_page_has_language_title_and_landmarks(page: Page, folder: Path, name: str) -> None:
    """A screen reader knows the language and finds banner, search, main, contentinfo and tables by name."""
    page.goto((folder / name).as_uri())
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.title().endswith("· Catalogue")
    for role in ("banner", "main", "contentinfo", "search"):
        expect(page.get_by_role(role)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    for region in page.locator(".scroll").all():
        assert region.get_attribute("aria-label")


def test_everything_is_there_without_script(browser: Browser, folder: Path) -> None:
    """The start page lists every contract, and says that only the search is missing."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "index.html").as_uri())
    expect(page.get_by_text("Search needs JavaScript")).to_be_visible()
    page.locator("#contracts").get_by_role("link", name="Birth registered").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Birth registered")
    context.close()


def test_service_drawing_has_its_words_beside(page: Page, folder: Path) -> None:
    """The picture has a name, and the list below it tells every step with its deadline."""
    page.goto((folder / "service" / "birth-of-a-child.html").as_uri())
    expect(page.get_by_role("img")).to_have_count(1)
    steps = page.locator(".steps > li")
    expect(steps).to_have_count(4)
    expect(steps.nth(1)).to_contain_text("within 2 d")
