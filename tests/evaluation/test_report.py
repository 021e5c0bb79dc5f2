import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure
from playwright.sync_api import Browser, Request, sync_playwright

from shared.evaluation.baselines import majority_predictions
from shared.evaluation.country_report import comparison_rows, country_report, headline
from shared.evaluation.figures import save_figure
from shared.evaluation.intervals import Interval, PlaceBootstrap
from shared.evaluation.metrics import confident_mistakes
from shared.evaluation.report import (
    Card,
    Cell,
    Picture,
    Report,
    Section,
    Table,
    data_uri,
    write_report,
)
from shared.evaluation.summary import Summary, summarise

CHROMIUM = os.environ.get("LOST_AND_FOUND_CHROMIUM") or shutil.which("chromium") or ""
FACTS: dict[str, Any] = {
    "dataset": {"name": "tiny", "title": "Tiny", "is_synthetic": True},
    "model": {
        "trained_on": "tiny",
        "backbone": "mobilenet_v3_small",
        "classes": ["CZ", "FR", "JP", "KE"],
        "preprocessing": {"width": 64, "height": 36, "fit": "crop"},
        "seed": 0,
        "weights_digest": "1" * 32,
    },
    "test_list": {"name": "5-split-test", "digest": "0" * 32},
    "baselines_from": {"dataset": "tiny", "list": "5-split-train", "digest": "2" * 32},
    "places_in_test_and_training": 0,
    "intervals": {"seed": 0, "draws": 50, "level": 0.95, "over": "places"},
    "pooling": "log",
}


@pytest.fixture
def summary(random_table: pd.DataFrame) -> Summary:
    baselines = {"majority class": majority_predictions(random_table, ["CZ", "CZ", "FR"])}
    return summarise(random_table, baselines, PlaceBootstrap(0, draws=50))


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Picture]:
    path = save_figure(Figure(figsize=(2, 1)), tmp_path / "figure.png")
    names = ("comparison", "map", "confusion", "reliability", "mistakes")
    return {name: Picture(path, f"The {name}, with n.") for name in names}


@pytest.fixture
def page(
    summary: Summary, random_table: pd.DataFrame, pictures: dict[str, Picture], tmp_path: Path
) -> Path:
    mistakes = confident_mistakes(random_table, 5)
    report = country_report(summary, "Tiny", True, pictures, mistakes, FACTS, few_places=10)
    return write_report(report, tmp_path / "report.html")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip(
            "no Chromium: `apt-get install chromium`, or name one in LOST_AND_FOUND_CHROMIUM"
        )
    with sync_playwright() as playwright:
        # A container's root has no sandbox; the page is ours.
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


class References(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}
        self.found += [value or "" for name, value in attrs if name in names]


def test_page_refers_to_nothing_outside_itself(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    references = References()
    references.feed(text)
    assert len(references.found) == 6  # five figures and the empty icon
    assert all(found.startswith("data:") for found in references.found)
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttpRequest", text)
    assert "default-src 'none'" in text


def test_page_says_that_a_synthetic_data_set_is(
    page: Path, summary: Summary, pictures: dict[str, Picture], tmp_path: Path
) -> None:
    text = page.read_text(encoding="utf-8")
    assert '<span class="badge">synthetic</span>' in text
    assert "painted (synthetic) photos" in text
    assert "The photos are synthetic" in text
    facts = {**FACTS, "dataset": {**FACTS["dataset"], "is_synthetic": False}}
    mistakes = confident_mistakes(summary.units["photos"].table, 5)
    real = country_report(summary, "Views", False, pictures, mistakes, facts, few_places=10)
    assert "synthetic" not in write_report(real, tmp_path / "real.html").read_text().lower()


def test_page_holds_figures_intervals_data_machine_and_limits(page: Path, summary: Summary) -> None:
    text = page.read_text(encoding="utf-8")
    photos = summary.units["photos"]
    assert photos.figures["top_1"].percent() in text
    assert photos.known is not None
    assert photos.known["top_1"].percent() in text
    assert "United States (not a class)" in text
    for fact in ("0" * 32, "1" * 32, "seed 0", "Python", "torch ", "Machine", "50 draws"):
        assert fact in text, fact
    assert "What these figures do not say" in text


def test_page_owns_up_to_places_that_were_trained_on(
    summary: Summary, random_table: pd.DataFrame, pictures: dict[str, Picture], page: Path
) -> None:
    assert "that it has never seen" in page.read_text(encoding="utf-8")
    facts = {**FACTS, "places_in_test_and_training": 3}
    report = country_report(summary, "Tiny", True, pictures, random_table.iloc[:0], facts, 10)
    text = write_report(report, page).read_text(encoding="utf-8")
    assert "that it has never seen" not in text
    assert "3 places of the test are in the training list too" in text


def test_photos_that_may_not_be_shown_are_named(
    summary: Summary, random_table: pd.DataFrame, pictures: dict[str, Picture], tmp_path: Path
) -> None:
    mistakes = confident_mistakes(random_table, 5)
    del pictures["mistakes"]
    report = country_report(summary, "Tiny", True, pictures, mistakes, FACTS, few_places=10)
    text = write_report(report, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "not ours to show" in text
    assert all(name in text for name in mistakes["id"])


def test_a_perfect_model_has_no_mistakes_to_show(
    summary: Summary, random_table: pd.DataFrame, pictures: dict[str, Picture], tmp_path: Path
) -> None:
    report = country_report(
        summary, "Tiny", True, pictures, random_table.iloc[:0], FACTS, few_places=10
    )
    text = write_report(report, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "every guess is right" in text


def test_comparison_begins_with_the_model_and_ends_with_chance(summary: Summary) -> None:
    names = list(comparison_rows(summary))
    assert names == [
        "model, a photo",
        "model, all views of a place",
        "majority class",
        "chance",
    ]


def test_headline_tells_the_known_countries_apart(summary: Summary) -> None:
    found = headline(summary)
    assert found["top-1"] == summary.units["photos"].figures["top_1"].percent()
    assert "top-1 of the countries it knows" in found


def test_text_is_escaped(tmp_path: Path) -> None:
    report = Report("<b>", "", "a & b", [Card("<i>", "1")], [Section("<script>")], ["<u>"])
    text = write_report(report, tmp_path / "report.html").read_text(encoding="utf-8")
    for tag in ("<b>", "<i>", "<u>"):
        assert tag not in text
    assert "&lt;script&gt;" in text
    assert "a &amp; b" in text


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="Expected 2 cells in each row, got 1"):
        Table(["a", "b"], [[Cell("1")]])


def test_a_missing_figure_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="write the figures before"):
        data_uri(tmp_path / "none.png")


@pytest.mark.browser
def test_page_opens_without_network_and_asks_for_nothing(
    page: Path, browser: Browser, summary: Summary
) -> None:
    context = browser.new_context(offline=True)
    requests: list[Request] = []
    problems: list[str] = []
    tab = context.new_page()
    tab.route(re.compile(r"^(?!file:|data:)"), lambda route: route.abort())
    tab.on("request", lambda request: requests.append(request))
    tab.on("console", lambda message: problems.append(message.text))
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.goto(page.as_uri())
    asked = [request.url for request in requests if not request.url.startswith("data:")]
    assert asked == [page.as_uri()]
    assert problems == []
    assert tab.locator("h1").inner_text().startswith("Which country? Tiny")
    top_1 = summary.units["photos"].figures["top_1"]
    assert tab.locator(".card .value").first.inner_text() == f"{100 * top_1.value:.1f} %"
    assert top_1.percent() in tab.locator(".lead").inner_text()
    widths = tab.eval_on_selector_all("figure img", "images => images.map(i => i.naturalWidth)")
    assert len(widths) == 5
    assert min(widths) > 0
    context.close()


@pytest.mark.browser
def test_a_click_on_a_column_sorts_it_and_another_turns_it_round(
    browser: Browser, tmp_path: Path
) -> None:
    rows = [
        [Cell(name), Cell(f"{n} %", order=n, share=Interval(n / 100, n / 100, n / 100))]
        for name, n in (("b", 9), ("a", 100), ("c", 20))
    ]
    table = Table(["name", "share"], rows, is_sortable=True)
    report = Report("t", "", "", [], [Section("s", table=table)], [])
    tab = browser.new_page()
    tab.goto(write_report(report, tmp_path / "report.html").as_uri())

    def names() -> list[str]:
        return tab.locator("tbody td:first-child").all_inner_texts()

    assert names() == ["b", "a", "c"]
    share = tab.get_by_role("button", name="share")
    share.click()
    assert names() == ["b", "c", "a"]  # as numbers, not as text
    assert share.locator("..").get_attribute("aria-sort") == "ascending"
    share.click()
    assert names() == ["a", "c", "b"]
    tab.get_by_role("button", name="name").click()
    assert names() == ["a", "b", "c"]
    tab.close()
