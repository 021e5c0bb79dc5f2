from pathlib import Path

import pytest

from tests.notebook_runs import run_quiet_notebook


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
def test_play_shows_an_example_and_does_not_wait(tiny_root: Path) -> None:
    text = run_quiet_notebook("4-evaluation/play", tiny_root)
    assert "6 training photos to compare with" in text
    assert "Set open_app to True to open the page." in text
    assert (tiny_root / "4-evaluation" / ".data" / "tiny" / "play" / "example.html").is_file()
