"""The catalogue as a website: whole, safe with any text, the same every time, and careful with folders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from click.testing import CliRunner

from contracts import Catalog, Milestone, Service
from contracts.cli import contracts
from contracts.compatibility.verdict import NO_WITNESS
from contracts.project import REFERENCE_FOLDER
from contracts.publish.fields import fields_of
from contracts.publish.site import SiteFolderError, build, read_source, write
from contracts.publish.site.diagram import BOX_HEIGHT, BOX_WIDTH, Drawing, draw, fold
from contracts.publish.site.pages import Step, history_of
from tests.unit.contracts.catalogs import (
    AGENCY,
    CONTRACT,
    FOLDER,
    SCHEMA,
    SERVICE,
    VALID,
    edit,
    schema,
)
from tests.unit.contracts.catalogs import (
    write as put,
)
from tests.unit.contracts.histories import edit_contract, publish

HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(1)> & \"'"
VOID = {"meta", "link", "input", "img", "br"}


class Page(HTMLParser):
    """What a page links to, names, and runs."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.scripts: list[str] = []
        self.inline: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.inline += [name for name in found if name.startswith("on") or name == "style"]
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        if tag in ("link", "script", "img", "iframe") and (to := found.get("href") or found.get("src")):
            self.loads.append(to)
        if tag == "script" and not found.get("src"):
            self.scripts.append(found.get("type", "text/javascript"))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open, f"`{tag}` is closed and was never open"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def site() -> dict[str, str]:
    """The reference catalogue as a site."""
    return build(read_source(REFERENCE_FOLDER))


def pages(site: Mapping[str, str]) -> Iterator[tuple[str, Page]]:
    """Every page of a site, read."""
    for name, text in site.items():
        if name.endswith(".html"):
            yield name, Page(text)


def test_every_agency_contract_and_service_has_its_page(site: dict[str, str]) -> None:
    """And beside them the start page, the coverage, and what they load."""
    catalog = Catalog.open()
    expected = {"index.html", "coverage.html", "static/favicon.svg", "static/site.css", "static/site.js"}
    expected |= {f"agency/{name}.html" for name in catalog.agencies}
    expected |= {f"contract/{name}.html" for name in catalog.contracts}
    expected |= {f"service/{name}.html" for name in catalog.services}
    assert set(site) == expected


def test_every_link_leads_somewhere(site: dict[str, str]) -> None:
    """Each file is there and each anchor exists in it; the rest are addresses to write to."""
    ids = {name: set(page.ids) for name, page in pages(site)}
    for name, page in pages(site):
        for link in (*page.links, *page.loads):
            if link.startswith("mailto:"):
                continue
            target, _, anchor = link.partition("#")
            path = resolved(name, target) if target else name
            assert path in site, f"{name} links to {link}"
            assert not anchor or anchor in ids[path], f"{name} links to {link}"


def test_search_rows_lead_to_pages(site: dict[str, str]) -> None:
    """The index in the start page is JSON, names every kind of thing, and each row's page is there."""
    text = (
        site["index.html"]
        .partition('<script type="application/json" id="index">')[2]
        .partition("</script>")[0]
    )
    rows = json.loads(text)
    assert {row["kind"] for row in rows} == {"agency", "contract", "field", "service"}
    assert {row["page"].partition("#")[0] for row in rows} <= set(site)
    catalog = Catalog.open()
    assert {row["name"] for row in rows if row["kind"] == "contract"} == set(catalog.contracts)


def test_pages_are_whole_and_need_no_inline_script_or_style(site: dict[str, str]) -> None:
    """Every element is closed, every id is there once, and a strict Content-Security-Policy would hold."""
    for name, page in pages(site):
        assert page.open == [], name
        assert len(page.ids) == len(set(page.ids)), name
        assert page.inline == [], name
        assert set(page.scripts) <= {"application/json"}, name
        assert all("//" not in each for each in page.loads), name


def test_the_same_catalogue_gives_the_same_bytes(site: dict[str, str]) -> None:
    """Nothing of a page depends on the day, the machine or the order of a set."""
    assert site == build(read_source(REFERENCE_FOLDER))


def test_hostile_text_stays_text(root: Path) -> None:
    """Titles, descriptions, owners, examples and field names are shown, never run."""
    put(
        root,
        AGENCY,
        {"name": "tax", "title": HOSTILE, "description": HOSTILE, "level": "national", "contact": HOSTILE},
    )
    said = {"title": HOSTILE, "description": HOSTILE, "owner": HOSTILE, "contact": "x@y.example"}
    edit(root, SERVICE, lambda value: value.update(title=HOSTILE, description=HOSTILE))

    def poison(value: dict[str, object]) -> None:
        properties = value["properties"]
        assert isinstance(properties, dict)
        properties[HOSTILE] = {
            "type": "string",
            "description": HOSTILE,
            "examples": [HOSTILE],
            "maxLength": 99,
        }

    edit(root, SCHEMA, poison)
    edit(root, CONTRACT, lambda value: value.update(said))
    edit(root, VALID, lambda value: value.update({HOSTILE: HOSTILE}))
    site = build(read_source(root))
    clean = {"index.html": 1, "coverage.html": 0}
    for name, page in pages(site):
        assert page.open == [], name
        assert page.inline == [], name
        assert len(page.scripts) == clean.get(name, 0), name
        assert page.loads
        assert all(each.startswith(("static/", "../static/")) for each in page.loads), name
    assert HOSTILE in " ".join(Page(site["contract/tax.refund-paid.html"]).text)


def test_each_field_tells_its_classification_and_limits() -> None:
    """Personal fields their category, listed values their policy, bounds in words."""
    fields = {
        each.path: each
        for each in fields_of(Catalog.open().contract("civil-registry.birth-registered").version())
    }
    name, sex = fields["$.child.name"], fields["$.child.sex"]
    assert (name.personal, name.required, name.limits) == ("name", True, ("1 to 200 characters",))
    assert (sex.personal, sex.values) == ("gender", ("female", "male", "unspecified"))
    assert fields["$.child"].leaf is False
    assert fields["$.parents[*].name"].examples


def test_history_shows_what_breaks(root: Path) -> None:
    """A version that refuses what the one before allowed carries the event that shows it."""
    stricter = schema()
    stricter["required"] = [*stricter["required"], "approved_by_two"]
    stricter["properties"] = {**stricter["properties"], "approved_by_two": {"type": "boolean"}}
    put(root, f"{FOLDER}/v2.0.json", stricter)
    rows = [{"number": "1.0", "file": "v1.0.json"}, {"number": "2.0", "file": "v2.0.json"}]
    edit(root, CONTRACT, lambda value: value.update(versions=rows))
    contract = Catalog.open(root).contract("tax.refund-paid")
    step, first = history_of(contract, {})
    assert Step(contract.versions[0]) == first
    assert contract.versions[0] is step.before
    assert step.verdict is not None
    assert step.verdict.answer == "incompatible"
    assert step.verdict.witness is not NO_WITNESS
    page = build(read_source(root))["contract/tax.refund-paid.html"]
    assert "breaks readers of 1.0" in page


@pytest.mark.parametrize("name", sorted(Catalog.open().services))
def test_drawings_never_overlap(name: str) -> None:
    """No box meets another, each lies in its agency's lane, and every milestone has its arrow."""
    catalog = Catalog.open()
    service = catalog.services[name]
    drawing = draw(service, {}, {})
    check(drawing)
    assert len(drawing.boxes) == len(service.milestones) + 1
    assert len(drawing.arrows) == len(service.milestones)


def test_odd_services_are_drawn_too() -> None:
    """A circle, a milestone that nothing leads to, ten answers at once, titles in Han without a space."""
    hops = [Milestone("a.b", "a.c"), Milestone("a.c", "a.b"), Milestone("a.d", "z.nowhere", 60.0)]
    hops += [Milestone(f"c.n{index}", "a.start", 60.0) for index in range(10)]
    service = Service("odd", "Odd", "Odd.", "apply-for-visa", "a", "a.start", tuple(hops), ("a.d",), 60.0, ())
    check(draw(service, {"a.b": "港口" * 80}, {"a": "港口" * 40}))


def test_folded_text_keeps_its_width() -> None:
    """Words stay whole where they can; what has no room ends in an ellipsis."""
    assert fold("Building permit requested", 23) == ("Building permit", "requested")
    assert fold("one two three four", 8) == ("one two", "three…")
    assert fold("港口烘焙合作社", 8) == ("港口烘焙", "合作社")
    assert fold("", 8) == ("",)


def check(drawing: Drawing) -> None:
    """No two boxes overlap and all lie within the drawing and their lane."""
    lanes = {lane.agency: lane for lane in drawing.lanes}
    for index, box in enumerate(drawing.boxes):
        lane = lanes[box.subject.partition(".")[0]]
        assert lane.y <= box.y
        assert box.y + BOX_HEIGHT <= lane.y + lane.height
        assert box.x + BOX_WIDTH <= drawing.width
        for other in drawing.boxes[index + 1 :]:
            apart = abs(box.x - other.x) >= BOX_WIDTH or abs(box.y - other.y) >= BOX_HEIGHT
            assert apart, (box.subject, other.subject)


def test_a_second_run_takes_away_what_is_gone(root: Path, tmp_path: Path) -> None:
    """The page of a contract that no longer exists does not stay behind."""
    folder = tmp_path / "site"
    write({"index.html": "1", "contract/old.html": "old"}, folder)
    write({"index.html": "2"}, folder)
    assert {path.name for path in folder.rglob("*.html")} == {"index.html"}
    assert (folder / "index.html").read_text() == "2"


@pytest.mark.parametrize("listed", [None, "{", '["../outside.txt"]', "[1]"])
def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, listed: str | None) -> None:
    """Nothing is written into, or taken from, a folder that is not a site of ours."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    (tmp_path / "outside.txt").write_text("keep")
    if listed is not None:
        (folder / "govbus-site.json").write_text(listed)
    with pytest.raises(SiteFolderError):
        write({"index.html": ""}, folder)
    assert not (folder / "index.html").exists()
    assert (tmp_path / "outside.txt").exists()


def test_the_command_writes_a_site(root: Path, tmp_path: Path) -> None:
    """Silent on stdout, exit code 0; 1 for a folder that is taken, 2 without a folder."""
    words = ["docs", "--catalog", str(root), "-o", str(tmp_path / "site")]
    result = CliRunner().invoke(contracts, words)
    assert (result.exit_code, result.stdout) == (0, "")
    assert (tmp_path / "site" / "contract" / "tax.refund-paid.html").is_file()
    assert CliRunner().invoke(contracts, [*words[:-1], str(root)]).exit_code == 1
    assert CliRunner().invoke(contracts, ["docs"]).exit_code == 2


def test_what_changed_is_told_with_its_proof(root: Path, tmp_path: Path) -> None:
    """Against an earlier state: what breaks and the event that shows it; without a break it says so."""
    before = tmp_path / "before"
    shutil.copytree(root, before)
    words = ["docs", "--catalog", str(root), "--against", str(before), "-o", str(tmp_path / "site")]
    assert CliRunner().invoke(contracts, words).exit_code == 0
    page = tmp_path / "site" / "changes.html"
    assert "no breaking changes" in page.read_text(encoding="utf-8")

    def stricter(value: dict[str, Any]) -> None:
        value["properties"]["approved_by_two"] = {"type": "boolean"}
        value["required"].append("approved_by_two")

    edit(root, SCHEMA, stricter)
    edit(root, VALID, lambda value: value.update(approved_by_two=True))
    assert CliRunner().invoke(contracts, words).exit_code == 0
    told = page.read_text(encoding="utf-8")
    assert "no breaking changes" not in told
    assert "tax/refund-paid" in told
    assert Page(told).open == []
    assert 'href="changes.html"' in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


def test_a_new_compatible_version_is_among_the_changes(root: Path, tmp_path: Path) -> None:
    """With who can read what, and each field that differs; on the start page it is counted."""
    before = shutil.copytree(root, tmp_path / "before")
    publish(root, "1.1", lambda schema: schema["properties"].update(note={"type": "string", "maxLength": 9}))
    words = ["docs", "--catalog", str(root), "--against", str(before), "-o", str(tmp_path / "site")]
    assert CliRunner().invoke(contracts, words).exit_code == 0
    told = (tmp_path / "site" / "changes.html").read_text(encoding="utf-8")
    text = " ".join(" ".join(Page(told).text).split())
    assert "no breaking changes" in text
    assert "tax.refund-paid 1.1" in text
    assert "readers of 1.1 can read what was sent under 1.0: yes" in text
    assert "readers of 1.0 can read what is sent under 1.1: yes" in text
    assert "note added: breaks nobody" in text
    assert "new versions: 1, no breaking changes" in (tmp_path / "site" / "index.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("mode", "told"),
    [("FORWARD_TRANSITIVE", "breaks readers that stay at 1.0"), ("BACKWARD", "compatible with 1.1")],
)
def test_history_shows_every_break_that_the_mode_forbids(root: Path, mode: str, told: str) -> None:
    """1.2 widens what 1.1 had narrowed: readers of 1.0 that stay are the ones hit."""
    edit_contract(root, lambda contract: contract.update(compatibility=mode))
    publish(root, "1.1", lambda schema: schema["properties"]["reference"].update(maxLength=70))
    publish(root, "1.2", lambda schema: schema["properties"]["reference"].update(maxLength=80))
    page = build(read_source(root))["contract/tax.refund-paid.html"]
    newest = page.partition('id="v1.2"')[2].partition('id="v1.1"')[0]
    assert told in newest


def test_backticks_of_a_verdict_become_code(root: Path) -> None:
    """What is refused is told in words in which names stand out, and nothing of it is markup of its own."""
    page = build(read_source(root))["contract/tax.refund-paid.html"]
    assert "<li>Expected" in page
    assert "`" not in "".join(Page(page).text)


def test_an_empty_catalogue_has_a_site(root: Path) -> None:
    """A folder with one agency and nothing else is shown as that."""
    source = read_source(root)
    bare = replace(source.catalog, contracts={}, services={}, subscriptions={})
    site = build(replace(source, catalog=bare))
    assert "no contracts yet" in site["index.html"]


def resolved(page: str, target: str) -> str:
    """The file a relative link on a page leads to."""
    steps: list[str] = []
    for step in (PurePosixPath(page).parent / target).parts:
        if step == "..":
            steps.pop()
        else:
            steps.append(step)
    return "/".join(steps)
