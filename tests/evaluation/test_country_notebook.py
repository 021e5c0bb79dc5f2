import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.evaluation.predictions import read_predictions
from tests.notebook_runs import run_notebook

NOTEBOOK = "4-evaluation/country"
TINY = {"draws": 50, "processes": 1}
FILES = ["MODEL_CARD.md", "figures", "metrics.json", "predictions.parquet", "report.html"]


def outputs_of(root: Path, dataset: str) -> Path:
    return root / "4-evaluation" / ".data" / dataset / "country"


def metrics_of(folder: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.slow
def test_notebook_writes_all_outputs_and_the_same_bytes_again(tiny_root: Path) -> None:
    text = run_notebook(NOTEBOOK, tiny_root, **TINY)
    folder = outputs_of(tiny_root, "tiny")
    assert set(FILES) <= {path.name for path in folder.iterdir()}
    assert "18 photos of 9 places in 3 countries" in text
    assert "24 training photos; 0 places are in both lists" in text
    assert "report.html" in text
    assert "top-1: " in text
    assert len(read_predictions(folder / "predictions.parquet")) == 18
    metrics = metrics_of(folder)
    assert metrics["n"] == {"photos": 18, "places": 9, "countries": 3}
    assert metrics["unknown_countries"] == []
    # Colours tell these countries apart; the three have four training places each.
    assert metrics["baselines"]["nearest by colour"]["photos"]["top_1"]["value"] == 1.0
    assert metrics["baselines"]["majority class"]["photos"]["top_1"]["value"] == 0.333333
    assert metrics["baselines"]["chance"]["photos"]["top_1"]["value"] == 0.333333
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.index("## On photos that it has never seen") < card.index("## Limits")
    assert "18 photos of 9 places" in card
    assert f"| top-1 | {100 * metrics['photos']['all']['top_1']['value']:.1f} % (" in card
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "By continent" in page
    assert "Town and country" in page
    kinds = {row["slice"] for row in metrics_of(folder)["slices"]}
    assert kinds == {"country", "continent", "latitude", "surroundings"}
    assert '<span class="badge">synthetic</span>' in page
    written = {path: path.read_bytes() for path in folder.glob("*.[jp]*")}
    assert {path.name for path in written} == {"metrics.json", "predictions.parquet"}
    run_notebook(NOTEBOOK, tiny_root, **TINY)
    assert {path: path.read_bytes() for path in written} == written


@pytest.mark.slow
def test_notebook_evaluates_a_model_of_another_data_set(tiny_root: Path) -> None:
    text = run_notebook(NOTEBOOK, tiny_root, **TINY, dataset="other", checkpoint="tiny")
    assert "1 countries of the test are no classes of the model" in text
    folder = outputs_of(tiny_root, "other")
    metrics = metrics_of(folder)
    kenya = {"code": "KE", "name": "Kenya", "photos": 4, "places": 2}
    assert metrics["unknown_countries"] == [kenya]
    assert metrics["model"]["trained_on"] == "tiny"
    assert metrics["baselines_from"]["dataset"] == "tiny"
    # 12 of the 16 photos are of countries that the model knows.
    right, known = (metrics["photos"][kind]["top_1"]["value"] for kind in ("all", "known"))
    assert right * 16 == pytest.approx(known * 12, abs=1e-4)
    assert metrics["baselines"]["chance"]["photos"]["top_1"]["value"] == 0.25
    # The photos may not be shown: no picture of them, and the report names ids.
    assert not (folder / "figures" / "mistakes.png").exists()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "not ours to show" in page
    assert "synthetic" not in page.lower()
