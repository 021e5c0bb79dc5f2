import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from shared.predict import Answers, Predictor
from shared.predict.formats import as_csv, as_geojson, as_json, write_answers
from tests.browsers import needs_browser, open_page
from tests.predict.conftest import encoded, scene


@pytest.fixture
def answers(tiny_root: Path) -> Answers:
    return Predictor.load("tiny").predict([scene("FR", 1), scene("JP", 2), b"no photo"], pin=True)


def test_json_holds_answers_refusals_and_cautions(answers: Answers) -> None:
    document = json.loads(as_json(answers))
    assert [answer["name"] for answer in document["answers"]] == ["photo 1", "photo 2"]
    assert document["refused"][0]["photo"] == "photo 3"
    assert document["refused"][0]["reason"].startswith("not an image: ")
    assert len(document["cautions"]) == 3
    first = document["answers"][0]
    assert sum(guess["probability"] for guess in first["countries"]) == pytest.approx(1, abs=1e-5)
    assert first["area"]["held"] >= 0.9
    assert set(first["point"]) == {"lat", "lon", "how", "expected_km"}


def test_csv_has_a_row_an_answer_and_a_row_a_refusal(answers: Answers) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(answers))))
    assert [row["name"] for row in rows] == ["photo 1", "photo 2", "photo 3"]
    assert rows[0]["country_1"] == answers[0].countries[0].name
    assert rows[2]["refused"].startswith("not an image")
    assert rows[0]["refused"] == rows[2]["country_1"] == ""


def test_geojson_shows_areas_and_only_points_that_were_asked_for(answers: Answers) -> None:
    document = json.loads(as_geojson(answers))
    kinds = [feature["properties"]["kind"] for feature in document["features"]]
    assert kinds.count("point") == 2
    for feature in document["features"]:
        if feature["properties"]["kind"] == "area":
            assert feature["geometry"]["type"] in ("Polygon", "MultiPolygon")
        else:  # RFC 7946: longitude first
            lon, lat = feature["geometry"]["coordinates"]
            assert (lat, lon) in [(a.pin.lat, a.pin.lon) for a in answers if a.pin]
    quiet = Predictor.load("tiny").predict(scene("FR", 1))
    assert '"Point"' not in as_geojson(quiet)


def test_another_ending_is_refused_and_nothing_half_written_stays(
    answers: Answers, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"one of .*'html'.* got 'a.txt'"):
        write_answers(answers, tmp_path / "a.txt")
    folder = tmp_path / "out"
    for name in ("a.json", "a.csv", "a.geojson"):
        write_answers(answers, folder / name)
    assert sorted(path.name for path in folder.iterdir()) == ["a.csv", "a.geojson", "a.json"]


@pytest.mark.browser
@needs_browser
@pytest.mark.slow
def test_the_map_opens_without_network_and_shows_the_photo_that_is_chosen(
    answers: Answers, tmp_path: Path
) -> None:
    path = write_answers(answers, tmp_path / "map.html")
    with open_page(path.as_uri()) as (page, outside):
        page.wait_for_selector(".geolayer .scatterlayer path")
        words = page.locator(".annotation-text").first.text_content() or ""
        assert words.startswith(answers[0].countries[0].name)
        page.locator(".updatemenu-header").click()
        page.locator(".updatemenu-dropdown-button").nth(1).click()
        page.wait_for_timeout(300)
        assert "photo 2" in (page.locator(".updatemenu-header").text_content() or "")
        assert outside == []


@pytest.mark.slow
def test_the_command_line_answers_writes_and_says_what_it_refused(tiny_root: Path) -> None:
    folder = tiny_root / "mine"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(encoded(scene("FR", 1)))
    (folder / "b.jpg").write_bytes(b"")
    command = [sys.executable, "-m", "shared.predict"]
    made = subprocess.run(
        [*command, "mine", "--checkpoint", "tiny", "--out", "a.csv", "--print", "json"],
        cwd=tiny_root,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert made.returncode == 1, made.stderr
    assert json.loads(made.stdout)["refused"][0]["photo"] == "b.jpg"
    assert json.loads(made.stdout)["answers"][0]["point"] is None
    assert (tiny_root / "a.csv").read_text().count("\n") == 3
    asked = subprocess.run(
        [*command, "--help"], capture_output=True, text=True, timeout=300, check=True
    )
    assert "examples:" in asked.stdout
    assert "--pin" in asked.stdout
