"""The game in a real browser."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from shared.evaluation import human_app
from shared.evaluation.human_game import GamePhoto
from shared.evaluation.human_sessions import read_sessions
from shared.local_app import opened
from shared.training.images import Preprocessing
from tests.browsers import PATIENCE_MS, needs_browser, open_page

pytestmark = [pytest.mark.browser, needs_browser, pytest.mark.slow]


@pytest.fixture
def setting(tmp_path: Path) -> human_app.Setting:
    photos = []
    for number, code in enumerate(("FR", "JP", "CZ")):
        path = tmp_path / f"secret_{code}.png"
        cv2.imwrite(str(path), np.full((36, 64, 3), 60 * number, np.uint8))
        photos.append(GamePhoto(path.stem, f"place {number}", path, code, 10.0, 20.0 * number))
    facts = {"dataset": "made", "list_digest": "d"}
    return human_app.Setting(photos, tmp_path / "sessions", Preprocessing(32, 18), facts)


def enter(page: Page, name: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Start, or go on").click()
    page.locator("#typed input").wait_for()


def answer(page: Page, *names: str) -> None:
    box = page.locator("#typed input")
    for name in names:
        box.fill(name)
        box.press("Enter")
    box.press("Escape")
    page.locator("#send").click()


def says(page: Page, where: str, text: str) -> None:
    expect(page.locator(where)).to_contain_text(text, timeout=PATIENCE_MS)


def test_a_player_answers_stops_and_goes_on_in_another_browser(
    setting: human_app.Setting,
) -> None:
    with opened(lambda: human_app.build(setting), css=human_app.CSS) as url:
        kept = Path(os.environ["GRADIO_TEMP_DIR"])
        assert kept.stat().st_mode & 0o077 == 0
        with open_page(url) as (page, outside):
            enter(page, "Ann")
            page.locator("#typed input").fill("Fra")  # suggestions while typing
            france = page.get_by_role("option", name="France", exact=True)
            expect(france).to_be_visible(timeout=PATIENCE_MS)
            page.locator("#typed input").fill("Holl")  # every name that counts is suggested
            page.get_by_role("option", name="Holland (Netherlands)").click()
            expect(page.locator("#typed .token")).to_contain_text("Holland (Netherlands)")
            page.locator("#typed .token-remove").first.click()
            answer(page, "Frence")
            says(page, "#said", "I know no country called “Frence”. Did you mean France")
            says(page, "#score", "Nothing answered yet")
            page.get_by_role("button", name="Remove Frence").click()
            answer(page, "USA", "france")
            says(page, "#said", "France: your number 2.")
            says(page, "#score", "1 of 3 answered: top-1 0 %, top-3 100 %, top-5 100 %")
            page.locator("#answer-map .geolayer").wait_for()
            page.get_by_role("button", name="Next photo").click()
            page.locator("#no-idea").click()
            says(page, "#said", "It is Japan.")
            page.get_by_role("button", name="Next photo").click()
            page.locator("#typed input").wait_for()
            page.locator("#stop").click()
            page.get_by_text("2 answers are kept").wait_for()
            assert "secret" not in page.content()  # a name could tell the answer
            assert outside == []
        with open_page(url) as (page, outside):
            page.get_by_label("Your name").fill("ann")
            page.get_by_role("button", name="Start, or go on").click()
            says(page, "#said", "You have seen all the photos")  # the third was shown already
            says(page, "#score", "2 of 3 answered")
            assert outside == []
    assert not kept.exists()
    table, n_left = read_sessions(setting.folder, "d")
    assert [list(codes) for codes in table["answers"]] == [["US", "FR"], []]
    assert list(table["id"]) == ["secret_FR", "secret_JP"]
    assert (table["seconds"] > 0).all()
    assert n_left == 1
