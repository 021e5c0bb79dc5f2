"""The page where a photo is dropped, in a real browser."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, expect

from shared.local_app import opened
from shared.predict import Predictor, app
from shared.predict.neighbours import neighbours_of
from tests.browsers import PATIENCE_MS, needs_browser, open_page
from tests.predict.conftest import scene


def photo_with_position(folder: Path) -> Path:
    exif = Image.Exif()
    exif[0x010E] = "the secret garden"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 29.0)
    path = folder / "mine.jpg"
    Image.fromarray(scene("FR", 1)).save(path, exif=exif, quality=95)
    assert b"secret garden" in path.read_bytes()
    return path


@pytest.mark.browser
@needs_browser
@pytest.mark.slow
def test_a_dropped_photo_is_answered_and_nothing_of_it_is_kept(
    tiny_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mine = photo_with_position(tmp_path_factory.mktemp("mine"))
    predictor = Predictor.load("tiny")
    neighbours, why_none = neighbours_of(predictor)
    assert neighbours is not None, why_none
    expected = predictor.predict(mine)[0].countries[0].name
    before = {path for path in tiny_root.rglob("*") if path.is_file()}
    with opened(lambda: app.build(predictor, neighbours), css=app.CSS) as url:
        kept = Path(os.environ["GRADIO_TEMP_DIR"])
        assert kept.stat().st_mode & 0o077 == 0
        with open_page(url) as (page, outside):
            upload = page.locator("#photo input[type=file]")
            upload.set_input_files(str(mine))
            expect(page.locator("#answer")).to_contain_text(expected, timeout=PATIENCE_MS)
            page.locator("#map .geolayer").wait_for()
            page.locator("#mattered img").wait_for()
            expect(page.locator("#alike img").first).to_be_visible(timeout=PATIENCE_MS)
            expect(page.locator("#countries")).to_contain_text(expected)
            expect(page.locator("#answer")).not_to_contain_text("Point")
            page.locator("#pin input").check()
            expect(page.locator("#answer")).to_contain_text("Point", timeout=PATIENCE_MS)
            files = [path.read_bytes() for path in kept.rglob("*") if path.is_file()]
            assert files
            assert not any(b"secret garden" in data or b"Exif" in data for data in files)
            assert not list(kept.rglob("mine*"))
            page.get_by_role("button", name="Clear").or_(
                page.get_by_label("Remove Image")
            ).first.click()
            expect(page.locator("#answer")).to_contain_text("Drop a photo", timeout=PATIENCE_MS)
            cut = FilePayload(name="b.png", mimeType="image/png", buffer=mine.read_bytes()[:900])
            page.locator("#photo input[type=file]").set_input_files([cut])
            expect(page.locator("#answer")).to_contain_text("Truncated", timeout=PATIENCE_MS)
            assert outside == []
    assert not kept.exists()
    assert "GRADIO_TEMP_DIR" not in os.environ
    assert {path for path in tiny_root.rglob("*") if path.is_file()} == before


def test_photos_that_are_not_ours_are_not_shown(
    tiny_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny_root / "data-lists" / "tiny" / "dataset.toml"
    settings.write_text('title = "Tiny"\nsynthetic = false\n')
    neighbours, why_none = neighbours_of(Predictor.load("tiny"))
    assert neighbours is None
    assert "not ours to show" in why_none


def test_the_copy_for_the_page_is_upright_and_has_no_metadata() -> None:
    data = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(scene("FR", 1, 64, 36)).save(data, "PNG", exif=exif)
    assert app.clean_copy(data.getvalue()).shape == (64, 36, 3)
