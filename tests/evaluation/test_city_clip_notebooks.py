"""Training and evaluation of the city CLIP, one after the other, on a tiny project."""

import json
from pathlib import Path

import pytest

from shared.evaluation.predictions import read_predictions
from shared.paths import ROOT_VARIABLE
from shared.training.city_clip_fit import CityClip
from tests.notebook_runs import run_notebook
from tests.training.city_photos import TINY_CITIES, make_city_dataset


@pytest.mark.slow
def test_the_notebooks_train_and_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    make_city_dataset(tmp_path)
    first = run_notebook("3-training/city_clip", tmp_path, **TINY_CITIES)
    assert "5 cities are seen in training, 1 are held out" in first
    assert "The text encoder is a stand-in" in first
    folder = tmp_path / "3-training" / ".data" / "tiny"
    assert len(CityClip.load(folder / "city_clip" / "best").checkpoint.classes) == 5
    assert (folder / "city_clip_by_photo" / "best" / "model.safetensors").is_file()
    wanted = {
        "dataset": "tiny",
        "cities_file": "cities.csv",
        "protocols": ["grid", "top-6"],
        "circles": [],
        "draws": 40,
        "processes": 1,
    }
    second = run_notebook("4-evaluation/city_clip", tmp_path, **wanted)
    assert "top-6: 6 cities, 24 of 24 photos" in second
    written = tmp_path / "4-evaluation" / ".data" / "tiny" / "city_clip"
    metrics = json.loads((written / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["stand_in"] is True
    assert metrics["generalised"]["rules"]["chance"]["seen"] == pytest.approx(1 / 6, abs=1e-6)
    assert set(metrics["splits"]) - {"rules"} == {
        f"{name}, {what}"
        for name in ("by place", "by photo")
        for what in ("its own held-out photos", "new places (the test list)")
    }
    table = read_predictions(written / "predictions-top-6.parquet")
    assert len(table) == 24
    assert set(table["true_country"]) == {"CZ", "FR", "JP"}
