"""The notebooks of regions and coordinates on a tiny project, and what they write."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.evaluation.predictions import read_predictions
from tests.evaluation.conftest import make_place_checkpoint
from tests.notebook_runs import run_notebook


def metrics_of(root: Path, task: str) -> Any:
    path = root / "4-evaluation" / ".data" / "tiny" / task / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("task", ["region", "coordinates"])
def test_notebook_judges_all_models_under_one_protocol(tiny_root: Path, task: str) -> None:
    for made in ("region", "coordinates"):
        make_place_checkpoint("tiny", made)
    text = run_notebook(f"4-evaluation/{task}", tiny_root, draws=40, processes=1)
    assert "18 test photos, 24 training photos" in text
    card = tiny_root / "4-evaluation" / ".data" / "tiny" / task / "MODEL_CARD.md"
    assert "**Not an honest test**" in card.read_text(encoding="utf-8")
    assert "not honest" not in text
    assert "Honest test: no" in text  # made places of a country lie at one point
    metrics = metrics_of(tiny_root, task)
    assert metrics["n"] == {"photos": 18, "places": 9}
    # Each country's places are at one point, in the test as in the training.
    assert metrics["baselines"]["nearest training place"]["photos"]["within_1"]["value"] == 1.0
    # Colours tell these countries apart.
    assert metrics["baselines"]["nearest by colour"]["photos"]["within_1"]["value"] == 1.0
    assert metrics["trust"]["leakage"]["near_share_of_places"] == 1.0
    names = [row["model"] for row in metrics["approaches"]]
    assert sorted(names) == ["coordinates", "country", "region"]
    assert names[0] == task
    countries = {row["model"]: row["as_countries"] for row in metrics["approaches"]}
    assert all(0 <= found["top_1"]["value"] <= 1 for found in countries.values())
    assert {c["level"] for c in metrics["trust"]["credible_areas"]} == {0.5, 0.8, 0.9, 0.95}
    is_region = task == "region"
    assert (metrics["trust"]["calibration"] is not None) == is_region
    assert bool(metrics["classes"]) == is_region
    folder = tiny_root / "4-evaluation" / ".data" / "tiny" / task
    table = read_predictions(folder / "predictions.parquet")
    assert set(table["true_country"]) == {"CZ", "FR", "JP"}
    assert set(table["true_code"]) == ({"CZ-1", "FR-2", "JP-1"} if is_region else {""})
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "This test is not honest" in page
    assert "All approaches, one protocol" in page
