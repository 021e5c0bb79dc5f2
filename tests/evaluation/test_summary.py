import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from shared.evaluation.baselines import majority_predictions
from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.metrics import evaluate, split_by_knowledge
from shared.evaluation.pooling import pool_views
from shared.evaluation.summary import (
    Summary,
    metrics_document,
    summarise,
    unknown_countries,
    write_metrics,
)

TableOf = Callable[..., pd.DataFrame]
BOOTSTRAP = PlaceBootstrap(seed=0, draws=50)


@pytest.fixture
def summary(random_table: pd.DataFrame) -> Summary:
    codes = ["CZ", "CZ", "FR"]
    baselines = {"majority class": majority_predictions(random_table, codes)}
    return summarise(random_table, baselines, BOOTSTRAP)


def test_summary_has_photos_and_places(summary: Summary, random_table: pd.DataFrame) -> None:
    photos, places = summary.units["photos"], summary.units["places"]
    assert (len(photos.table), len(places.table)) == (200, 80)
    assert photos.figures == evaluate(random_table, BOOTSTRAP)
    assert places.figures == evaluate(pool_views(random_table), BOOTSTRAP)
    # Several views of a place tell more than one.
    assert places.figures["top_1"].value > photos.figures["top_1"].value


def test_unknown_countries_are_named_counted_and_reported_apart(
    summary: Summary, random_table: pd.DataFrame
) -> None:
    lacking = random_table[random_table["true_code"] == "US"]
    assert summary.unknown.to_dict("records") == [
        {
            "code": "US",
            "name": "United States",
            "photos": len(lacking),
            "places": lacking["place"].nunique(),
        }
    ]
    photos = summary.units["photos"]
    assert photos.known is not None
    right = (random_table["true_code"] == random_table["pred_code"]).sum()
    assert photos.figures["top_1"].value == pytest.approx(right / 200)
    assert photos.known["top_1"].value == pytest.approx(right / (200 - len(lacking)))


def test_without_unknown_countries_nothing_is_reported_apart(random_table: pd.DataFrame) -> None:
    known, _ = split_by_knowledge(random_table)
    summary = summarise(known, {}, BOOTSTRAP)
    assert summary.units["photos"].known is None
    assert len(summary.unknown) == 0


def test_unknown_countries_come_by_falling_number_of_photos(table_of: TableOf) -> None:
    table = table_of(["US", "KE", "KE"], [[0.5, 0.3, 0.2]] * 3, ["a", "b", "b"])
    found = unknown_countries(table)
    assert found.to_dict("list") == {
        "code": ["KE", "US"],
        "name": ["Kenya", "United States"],
        "photos": [2, 1],
        "places": [1, 1],
    }


def test_metrics_hold_every_figure_with_its_interval(summary: Summary, tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_metrics(metrics_document(summary, {"seed": 0}), path)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["seed"] == 0
    assert found["n"] == {"photos": 200, "places": 80, "countries": 5}
    for unit in ("photos", "places"):
        for kind in ("all", "known"):
            figures = found[unit][kind]
            assert list(figures) == ["top_1", "top_3", "top_5", "balanced_accuracy", "macro_f1"]
            for figure in figures.values():
                assert figure["lower"] <= figure["value"] <= figure["upper"]
        assert 0 < found[unit]["ece"]["lower"] < found[unit]["ece"]["upper"]
    majority = found["baselines"]["majority class"]
    difference = found["photos"]["all"]["top_1"]["value"] - majority["photos"]["top_1"]["value"]
    gain = majority["model_minus_this"]["top_1"]["value"]
    assert gain == pytest.approx(difference, abs=2e-6)
    lacking = next(row for row in found["countries"] if row["code"] == "US")
    assert not lacking["is_known"]
    assert lacking["precision"] == {"value": None, "lower": None, "upper": None}


def test_equal_evaluations_write_equal_bytes(random_table: pd.DataFrame, tmp_path: Path) -> None:
    for name in ("a", "b"):
        summary = summarise(random_table.copy(), {}, BOOTSTRAP)
        write_metrics(metrics_document(summary, {"seed": 0}), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
