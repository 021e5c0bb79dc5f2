from pathlib import Path

import pandas as pd
import pytest

from tests.browsers import needs_browser
from tests.notebook_runs import run_quiet_notebook


@pytest.fixture(autouse=True)
def _as_in_the_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without widgets tqdm says so at its import; `make lab` leaves that out too."""
    monkeypatch.setenv("PYTHONWARNINGS", "ignore:IProgress not found")


@pytest.mark.slow
def test_predict_answers_refuses_and_writes_its_files(tiny_root: Path) -> None:
    text = run_quiet_notebook("4-evaluation/predict", tiny_root)
    for line in (
        "grey: ",
        "16 bits: ",
        "cut short: truncated: ",
        "animated: animated: ",
        "empty: empty file: ",
        "no image: not an image: ",
        "tiny: too small: ",
        "huge: too large: ",
        "Do not use it to find people.",
    ):
        assert line in text
    folder = tiny_root / "4-evaluation" / ".data" / "tiny" / "predict"
    written = {path.name for path in folder.iterdir()}
    assert written == {"answers.json", "answers.csv", "answers.geojson", "map.html"}


@pytest.mark.slow
def test_play_shows_an_example_and_does_not_wait_and_needs_no_browser(tiny_root: Path) -> None:
    text = run_quiet_notebook("4-evaluation/play", tiny_root, executable="no-such-browser")
    assert "6 training photos to compare with" in text
    assert "Nothing is played: Expected a browser (no-such-browser)" in text
    assert "Set open_app to True to open the page, or serve to True" in text
    folder = tiny_root / "4-evaluation" / ".data" / "tiny" / "play"
    assert {path.name for path in folder.iterdir()} == {"example.html"}


@pytest.mark.slow
@pytest.mark.browser
@needs_browser
def test_play_plays_a_game_on_the_stand_in_and_reports_it(tiny_root: Path) -> None:
    text = run_quiet_notebook("4-evaluation/play", tiny_root, games=1)
    assert "1 games on: stand-in" in text
    assert "5 rounds; it ended: all games are played" in text
    assert "* Points a round, difference: " in text
    folder = tiny_root / "4-evaluation" / ".data" / "tiny" / "play"
    rounds = pd.read_csv(folder / "rounds.csv")
    assert list(rounds["round"]) == [1, 2, 3, 4, 5]
    assert {path.name for path in (folder / "figures").iterdir()} == {"map.png", "points.png"}


@pytest.mark.slow
def test_play_does_not_go_to_the_site_by_itself(tiny_root: Path) -> None:
    text = run_quiet_notebook("4-evaluation/play", tiny_root, play_on="geoguessr", games=1)
    assert "Nothing is played: accept_terms is False" in text
    assert "geoguessr.com/terms" in text
