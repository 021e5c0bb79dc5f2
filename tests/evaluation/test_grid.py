"""The grid's evaluation: the ancestor's distances, views that are drawn, pooled answers."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely

from shared.evaluation import grid as code
from shared.evaluation.distances import table_distances
from shared.evaluation.grid import (
    KILOMETRES,
    MILES,
    GridModel,
    as_ancestor,
    grid_difference,
    grid_figures,
    grid_models,
    pool_answers,
    predict_places,
    views_of,
)
from shared.evaluation.grid_figures import guess_figure, guess_map, guess_of
from shared.evaluation.grid_tables import difference_text, figures_frame
from shared.evaluation.intervals import Interval, PlaceBootstrap
from shared.evaluation.predictions import make_predictions
from shared.geo import haversine_km
from shared.grid import grid_partition
from shared.paths import ROOT_VARIABLE
from shared.training.views import Views
from shared.web_map import GREEN, YELLOW, write_page

CELLS = grid_partition(shapely.box(0, 0, 6, 2), 2.0)  # centres near (1, 1), (1, 3), (1, 5)
BOOTSTRAP = PlaceBootstrap(0, 200)


def truth(n: int = 6) -> pd.DataFrame:
    """Two views of each place; places in the three cells in turn, at their western edges."""
    rows = [(f"place_{k // 2}", "IT", 0.5, 2 * (k // 2 % 3) + 0.25) for k in range(n)]
    ids = pd.Index([f"place_{k // 2}_{k % 2}" for k in range(n)], name="id")
    return pd.DataFrame(rows, columns=["place", "code", "lat", "lon"], index=ids)


def table_of(guesses: list[int]) -> pd.DataFrame:
    """One row a place, with a sure guess each."""
    known = truth(2 * len(guesses)).iloc[::2]
    known = known.assign(code=CELLS.label(known[["lat", "lon"]].to_numpy()), country="IT")
    known.index = pd.Index(known["place"], name="id")
    shares = np.full((len(guesses), 3), 0.1)
    shares[np.arange(len(guesses)), guesses] = 0.8
    return make_predictions(known, shares, CELLS)


@dataclass
class Answers:
    """A checkpoint's stand-in whose logits are its features."""

    partition = CELLS
    model = None


def model(views: str, monkeypatch: pytest.MonkeyPatch) -> GridModel:
    def logits(_: object, features: np.ndarray, rows: np.ndarray) -> np.ndarray:
        shown = np.where((rows >= 0)[..., None], features[rows], 0)
        return np.asarray(shown.sum(axis=1) if rows.ndim == 2 else shown)

    monkeypatch.setattr(code, "feature_logits", logits)
    return GridModel(f"{views}, x", "x", views, Answers())  # type: ignore[arg-type]


def test_the_ancestor_measures_between_the_centres_of_cells_in_miles() -> None:
    table = table_of([0, 2, 2])  # right, one cell too far east, right
    found = table_distances(as_ancestor(table, CELLS), MILES)
    # Cells of 2 degrees on the equator: their centres, 2 degrees apart at latitude 1.
    miles = 2 * np.radians(1) * 3958.8 * np.cos(np.radians(1))
    assert found / 1.609344 == pytest.approx([0, miles, 0], rel=1e-4)
    figures = grid_figures(table, CELLS, BOOTSTRAP, "centre")
    assert figures["ancestor_miles"].value == pytest.approx(miles / 3, rel=1e-4)
    assert figures["ancestor_km"].value == pytest.approx(miles / 3 * 1.609344, rel=1e-4)
    assert figures["top_1"].value == pytest.approx(2 / 3)
    assert KILOMETRES.unit_km == 1


def test_our_distance_is_to_the_true_point() -> None:
    table = table_of([0, 1, 2])
    figures = grid_figures(table, CELLS, BOOTSTRAP, "centre")
    assert figures["ancestor_km"].value == 0
    away = haversine_km([[0.5, 0.25]], CELLS.centres[:1])
    assert figures["mean_km"].value == pytest.approx(away[0], rel=1e-3)


def test_differences_are_paired_over_places() -> None:
    better, worse = table_of([0, 1, 2, 0, 1, 2]), table_of([0, 1, 2, 1, 2, 0])
    found = grid_difference(better, worse, CELLS, BOOTSTRAP, "centre")
    assert found["top_1"].value == pytest.approx(0.5)
    assert found["ancestor_km"].value < 0
    assert grid_difference(better, better, CELLS, BOOTSTRAP, "centre")["mean_km"].upper == 0


def test_places_are_asked_about_with_their_views(monkeypatch: pytest.MonkeyPatch) -> None:
    known = truth()
    features = np.zeros((6, 3), dtype=np.float32)
    features[[0, 2, 4], 2] = 1.0  # first views: always the third cell
    features[[1, 3, 5], [0, 1, 2]] = 3.0  # second views: the right one, more surely
    views = Views(["place_0", "place_1", "place_2"], np.arange(6).reshape(3, 2))
    several = predict_places(model("lstm", monkeypatch), features, views, known)
    assert several["pred_code"].tolist() == several["true_code"].tolist() == CELLS.codes
    alone = predict_places(model("one", monkeypatch), features, views, known)
    assert alone["pred_code"].tolist() == ["grid_0002"] * 3
    pooled = pool_answers(model("one", monkeypatch), features, views, known)
    assert pooled["pred_code"].tolist() == CELLS.codes
    np.testing.assert_allclose(
        pooled[["pred_lat", "pred_lon"]].to_numpy(dtype=float), CELLS.centres
    )
    assert pooled["id"].tolist() == several["id"].tolist()


def test_drawn_views_of_more_hold_those_of_fewer_in_the_order_of_headings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = pd.DataFrame(
        {"place": ["a"] * 4 + ["b"] * 2, "lat": 1.0, "lon": 1.0},
        index=[f"{p}_{k}" for p, k in (*(("a", k) for k in range(4)), ("b", 0), ("b", 1))],
    )
    headings = [300, 30, 120, 210, 5, 2]
    records = pd.DataFrame({"heading": headings}, index=known.index)
    monkeypatch.setattr(code, "read_records", lambda _: records)
    drawn = [views_of([], known, 0, n) for n in (1, 2, 3, 4)]
    sets = [set(views.rows[0][views.rows[0] >= 0].tolist()) for views in drawn]
    assert [len(found) for found in sets] == [1, 2, 3, 4]
    assert all(small < large for small, large in pairwise(sets))
    assert drawn[3].rows.tolist() == [[1, 2, 3, 0], [5, 4, -1, -1]]
    without = known.assign(lat=[np.nan, 1, 1, 1, 1, 1])
    assert views_of([], without, 0, 4).counts.tolist() == [3, 2]


def test_the_picture_has_cells_points_and_a_line_and_asks_for_nothing(tmp_path: Path) -> None:
    table = table_of([0, 2, 2])
    guess = guess_of(table, 1, CELLS, 4)
    assert guess.shares.tolist() == pytest.approx([0.1, 0.1, 0.8])
    assert guess.middle.tolist() == pytest.approx([1, 5], abs=0.01)
    assert "4 views" in guess.text
    figure = guess_map(guess, "note")
    colours = [trace.marker.color for trace in figure.data if trace.name in _POINTS]
    assert colours == [YELLOW, GREEN]
    page = write_page(figure, tmp_path / "guess.html", "A guess").read_text("utf-8")
    assert "default-src 'none'" in page
    legend = guess_figure(guess, "note").axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["true", "guess"]


_POINTS = ("middle of the likeliest cell", "true place")


def test_figures_are_told_with_their_intervals() -> None:
    rows = {"one": {1: {"ancestor_miles": Interval(1234.4, 1000, 1500)}}}
    assert figures_frame(rows).iloc[0, 0] == "1,234 (1,000 to 1,500)"
    assert "clear" in difference_text("geo_score", Interval(5.0, 1.0, 9.0))
    assert difference_text("top_1", Interval(0.05, -0.01, 0.1)) == "+5.0 points (-1.0 to +10.0)"


def test_heads_that_were_not_trained_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"3-training/grid\.ipynb"):
        grid_models("tiny")
