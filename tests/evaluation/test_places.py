"""Models of regions and points: true classes, rules that must be beaten, approaches, figures."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from shared.evaluation.approaches import approach_rows, approaches_of, countries_of
from shared.evaluation.areas import LEVELS
from shared.evaluation.distances import table_distances
from shared.evaluation.figures import save_figure
from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.models import Predicted, region_codes
from shared.evaluation.place_figures import cumulative_figure, error_map, slices_figure
from shared.evaluation.place_summary import (
    area_intervals,
    constant_predictions,
    neighbour_points,
    oracle_predictions,
)
from shared.evaluation.predictions import make_point_predictions, make_predictions
from shared.evaluation.slices import LargePlaces, slice_labels, slice_table
from shared.geo import haversine_km
from tests.evaluation.conftest import region_partition

BOOTSTRAP = PlaceBootstrap(seed=0, draws=60)
POINTS = {"CZ-1": (50.1, 14.4), "FR-1": (48.5, 2.2), "FR-2": (44.5, 2.2), "JP-1": (35.7, 139.7)}
COUNTRY = {"CZ-1": "CZ", "FR-1": "FR", "FR-2": "FR", "JP-1": "JP"}


def truth_at(codes: list[str]) -> pd.DataFrame:
    names = [f"photo_{n:02d}" for n in range(len(codes))]
    rows = [
        (name, code, *POINTS[code], COUNTRY[code]) for name, code in zip(names, codes, strict=True)
    ]
    columns = ["place", "code", "lat", "lon", "country"]
    return pd.DataFrame(rows, columns=columns, index=names)


def model_of(task: str, **config: Any) -> Any:
    """What these functions ask of a checkpoint, without a network."""
    partition = region_partition() if task == "region" else None
    return SimpleNamespace(partition=partition, config={"task": task, **config}, temperature=2.0)


def test_true_classes_of_regions_follow_where_regions_were_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    regions = pd.DataFrame({"region_code": ["FR-9", "JP-1", "US-1"]}, index=["a", "b", "c"])
    monkeypatch.setattr("shared.evaluation.models.load_regions", lambda _: (None, regions))
    truth = pd.DataFrame({"lat": [46.0, 35.7, 40.0, np.nan], "lon": [2.0, 139.7, -100.0, np.nan]})
    truth.index = pd.Index(["a", "b", "c", "d"])
    moved = {"FR-9": "FR-1", "FR-1": "FR-1", "JP-1": "JP-1"}
    found = region_codes(truth, model_of("region", facts={"moved": moved}), "made")
    # A region that went to no class keeps its code, which the model lacks.
    assert found.to_dict() == {"a": "FR-1", "b": "JP-1", "c": "US-1"}


def test_true_classes_come_from_the_models_areas_without_a_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(_: str) -> None:
        msg = "Expected regions"
        raise FileNotFoundError(msg)

    monkeypatch.setattr("shared.evaluation.models.load_regions", absent)
    truth = truth_at(["FR-2", "JP-1"])
    found = region_codes(truth, model_of("region", facts={"moved": {}}), "made")
    assert list(found) == ["FR-2", "JP-1"]


def test_all_approaches_stand_on_the_same_photos_with_paired_differences() -> None:
    truth = truth_at(["CZ-1", "FR-1", "FR-2", "JP-1"] * 5)
    shares = np.full((20, 4), 0.1)
    shares[np.arange(20), np.arange(20) % 4] = 0.7  # always right
    regions = make_predictions(truth, shares, region_partition())
    wrong = truth[["lat", "lon"]].to_numpy() + np.asarray([0.0, 10.0])
    points = make_point_predictions(truth.iloc[:16], wrong[:16])
    predicted = [
        Predicted("region", model_of("region", temperature=2.0), regions, None, 0),
        Predicted("coordinates", model_of("coordinates"), points, None, 4),
    ]
    found = approaches_of(predicted, BOOTSTRAP)
    rows = approach_rows(found)
    assert rows["region, as countries"]["top_1"].value == 1.0
    centre = rows["region, as points: centre of the likeliest class"]
    assert centre["within_1"].value == 1.0
    assert set(found[0].gain) == {"as it is", "calibrated"}
    # 0.7 of the probability keeps the point; with a temperature of 2 it is 0.47.
    assert found[0].gain["as it is"]["median_km"].value == pytest.approx(0.0, abs=0.01)
    assert found[0].gain["calibrated"]["mean_km"].value > 1
    away = haversine_km(truth[["lat", "lon"]].to_numpy()[:16], wrong[:16])
    assert found[1].versus["mean_km"].value == pytest.approx(-away.mean(), abs=0.01)
    assert rows["coordinates, as points: point"]["mean_km"].value == pytest.approx(away.mean())
    assert list(countries_of(predicted[1])["pred_code"][:3]) != []
    with pytest.raises(ValueError, match="all models"):
        approaches_of(
            [predicted[0], Predicted("x", model_of("x"), points.iloc[:0], None, 0)], BOOTSTRAP
        )


def test_rules_that_must_be_beaten() -> None:
    truth = truth_at(["CZ-1", "FR-1", "FR-2", "JP-1"])
    table = make_point_predictions(truth, truth[["lat", "lon"]].to_numpy())
    train = truth_at(["FR-1", "FR-1", "FR-1", "JP-1"]).assign(lat=lambda t: t["lat"] - 0.5)
    constant = constant_predictions(table, train, seed=0)
    # Three of four training photos are at one point: that is the median.
    assert haversine_km(constant[["pred_lat", "pred_lon"]].to_numpy(), [48.0, 2.2]).max() < 0.01
    colours = np.eye(4)
    nearest = neighbour_points(table, colours, train, colours[[3, 2, 1, 0]])
    assert list(nearest["pred_lon"]) == [139.7, 2.2, 2.2, 2.2]
    oracle = oracle_predictions(table, train)
    assert table_distances(oracle)[3] == pytest.approx(0.5 * 111.195, abs=0.01)
    assert set(constant["pred_code"]) == {""}


def test_areas_of_perfect_guesses_are_right() -> None:
    truth = truth_at(["CZ-1", "FR-1", "JP-1"])
    table = make_point_predictions(truth, truth[["lat", "lon"]].to_numpy())
    found = area_intervals(table, BOOTSTRAP)
    for level in LEVELS:
        assert np.isnan(found[level].value) or found[level].value == 1.0


def test_figures_of_distances_are_drawn(tmp_path: Path) -> None:
    truth = truth_at(["CZ-1", "FR-1", "FR-2", "JP-1"])
    table = make_point_predictions(truth, truth[["lat", "lon"]].to_numpy() + 1)
    away = table_distances(table)
    labels = slice_labels(table, LargePlaces(np.asarray([[50.1, 14.4]]), "made"), 25.0)
    figures = {
        "cumulative": cumulative_figure({"model": away, "rule": away + 10}, "made"),
        "map": error_map(table, away, "made"),
        "slices": slices_figure(slice_table(table, labels, BOOTSTRAP), "made"),
    }
    for name, figure in figures.items():
        path = save_figure(figure, tmp_path / f"{name}.png")
        grey = np.asarray(Image.open(path).convert("L"))
        assert (grey < 200).mean() > 0.005
        assert path.stat().st_size < 100_000
