"""Guesses of geocells on made places whose answers are known by hand; errors in real units."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from shared.evaluation.geocell import (
    CELLS,
    LEAST,
    MIXTURE,
    NEAREST,
    NEIGHBOURS,
    PROTOTYPES,
    RELEASED,
    WAYS,
    PlaceAnswers,
    Refinement,
    learn_refinement,
    place_truth,
    predictions_of,
    right_country,
)
from shared.evaluation.geocell_facts import (
    fact_errors,
    fact_text,
    facts_frame,
    facts_of_places,
    place_errors,
)
from shared.evaluation.geocell_tables import bound_tables
from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.predictions import check_predictions
from shared.geo import haversine_km
from shared.partitions import COLUMNS, Partition
from shared.training.geocell_targets import fit_facts

BOOTSTRAP = PlaceBootstrap(0, 200)


def two_cells() -> Partition:
    """Two cells of ten degrees, side by side on the equator."""
    boxes = [shapely.box(0, 0, 10, 10), shapely.box(10, 0, 20, 10)]
    rows = {
        "code": ["A.0001", "A.0002"],
        "name": ["west", "east"],
        "lat": [5.0, 5.0],
        "lon": [5.0, 15.0],
        "geometry": boxes,
    }
    return Partition(
        "cells", gpd.GeoDataFrame(rows, columns=COLUMNS, geometry="geometry", crs=4326)
    )


def answers(points: list[tuple[float, float]], logits: list[list[float]]) -> PlaceAnswers:
    """Places whose embeddings are their coordinates, so that near in one is near in the other."""
    array = np.asarray(points, dtype=float)
    known = pd.DataFrame({"code": "AA", "lat": array[:, 0], "lon": array[:, 1]})
    names = [f"p{n:02d}" for n in range(len(array))]
    truth = place_truth(names, np.arange(len(array)), known, two_cells())
    return PlaceAnswers(array.astype(np.float32), np.asarray(logits, dtype=np.float32), {}, truth)


TRAIN = [(2 + a, 2 + b) for a in (0, 0.1) for b in (0, 0.1)]
TRAIN += [(8 + a, 8 + b) for a in (0, 0.1) for b in (0, 0.1)]
TRAIN += [(2 + a, 12 + b) for a in (0, 0.1) for b in (0, 0.1)]
WEST, EAST = [2.0, 0.0], [0.0, 2.0]


def refinement() -> Refinement:
    train = answers(TRAIN, [WEST] * 8 + [EAST] * 4)
    validation = answers([(2.04, 2.03), (8.02, 8.07), (2.03, 12.04)], [WEST, WEST, EAST])
    return learn_refinement(train, validation, two_cells())


def test_the_truth_of_a_place_is_its_cell_and_point() -> None:
    made = answers([(1, 1), (1, 11)], [WEST, EAST])
    assert made.truth["code"].tolist() == ["A.0001", "A.0002"]
    assert made.truth["country"].tolist() == ["AA", "AA"]
    assert made.points.tolist() == [[1, 1], [1, 11]]
    assert made.probabilities()[0] == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))])
    assert made.probabilities(2.0)[0, 0] == pytest.approx(1 / (1 + np.exp(-1)))


def test_parts_of_different_places_are_refused() -> None:
    made = answers([(1, 1)], [WEST])
    with pytest.raises(ValueError, match=r"\[1, 2, 1\]"):
        PlaceAnswers(np.zeros((2, 3), dtype=np.float32), made.logits, {}, made.truth)


def test_every_way_answers_and_those_by_embedding_come_near() -> None:
    learnt = refinement()
    test = answers([(8.04, 8.04), (2.06, 12.06)], [WEST, EAST])
    guesses = learnt.guesses(test)
    assert tuple(guesses) == WAYS
    away = {way: haversine_km(test.points, points) for way, points in guesses.items()}
    # Centres at (5, 5) and (5, 15): 480 and 465 km off on a sphere of 6,371 km.
    assert away[CELLS] == pytest.approx(haversine_km(test.points, [[5, 5], [5, 15]]))
    assert away[CELLS].min() > 400
    for way in (PROTOTYPES, RELEASED, NEAREST, NEIGHBOURS, MIXTURE):
        assert away[way].max() < 25, way
    assert away[PROTOTYPES].max() < away[RELEASED].min()
    assert guesses[LEAST].shape == (2, 2)


def test_what_is_chosen_is_the_best_of_what_was_tried_on_the_validation_places() -> None:
    learnt = refinement()
    tried = learnt.tried[learnt.tried["way"] == PROTOTYPES]
    best = tried.iloc[int(tried["figure"].to_numpy().argmax())]
    chosen = learnt.settings[PROTOTYPES]
    assert (chosen.top_k, chosen.temperature, chosen.max_move_km) == (
        best["top_k"],
        best["temperature"],
        best["max_move_km"],
    )
    assert tried["top_k"].max() == 1  # there are two cells: K below that
    # A move of 250 km reaches none of the prototypes, which lie 470 km from the centres.
    assert chosen.max_move_km == 1000
    assert best["figure"] > 4900
    assert learnt.settings[RELEASED].temperature == chosen.temperature
    assert learnt.settings[MIXTURE].neighbour_share > 0


def test_only_ways_with_prototypes_can_be_looked_into() -> None:
    test = answers([(8.04, 8.04)], [WEST])
    assert refinement().refined(test, PROTOTYPES).prototypes.tolist() != [-1]
    with pytest.raises(ValueError, match="nearest neighbour"):
        refinement().refined(test, NEAREST)


def test_predictions_keep_the_cells_and_take_the_refined_points() -> None:
    made = answers([(1, 1), (1, 11)], [WEST, EAST])
    plain = predictions_of(made, two_cells())
    assert plain[["pred_lat", "pred_lon"]].to_numpy().tolist() == [[5, 5], [5, 15]]
    moved = predictions_of(made, two_cells(), [[1, 2], [3, 4]])
    assert moved[["pred_lat", "pred_lon"]].to_numpy().tolist() == [[1, 2], [3, 4]]
    assert moved["pred_code"].tolist() == ["A.0001", "A.0002"]
    check_predictions(moved)


def test_the_country_is_that_of_the_nearest_place_or_of_the_polygon() -> None:
    # Prague, Paris, Paris.
    points = [[50.08, 14.42], [48.86, 2.35], [48.86, 2.35]]
    assert right_country(points, ["CZ", "FR", "DE"]).tolist() == [True, True, False]
    cells = two_cells()
    assert right_country([[5, 5], [5, 15]], cells.codes, cells).tolist() == [True, True]


def test_no_model_beats_the_right_cell_or_the_nearest_training_place() -> None:
    table = predictions_of(answers([(1, 1), (1, 11)], [EAST, WEST]), two_cells())
    train = pd.DataFrame({"lat": [1.0, 1.0, np.nan], "lon": [2.0, 12.0, np.nan]})
    found = bound_tables(table, two_cells(), train)
    points = {name: t[["pred_lat", "pred_lon"]].to_numpy().tolist() for name, t in found.items()}
    assert points == {
        "the right cell's point": [[5, 5], [5, 15]],
        "the nearest training place": [[1, 2], [1, 12]],
    }


def surroundings() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "elevation_m": [100.0, 100.0, 300.0, np.nan],
            "climate": ["Cfb", "Cfb", "", "Dfb"],
            "month": [7.0, 7.0, 1.0, 2.0],
            "climate_name": "not a fact",
        },
        index=["a_0", "a_1", "b_0", "c_0"],
    )


def test_facts_of_places_are_those_of_their_first_photo() -> None:
    known = facts_of_places(surroundings(), ["b_0", "a_0", "a_1", "c_0"], ["b", "a", "a", "c"])
    assert known.index.tolist() == ["a", "b", "c"]
    assert list(known) == ["elevation_m", "climate", "month"]
    assert known["climate"].fillna("-").tolist() == ["Cfb", "-", "Dfb"]


def test_errors_are_absolute_in_the_unit_and_right_or_not_for_classes() -> None:
    known = facts_of_places(surroundings(), list(surroundings().index), ["a", "a", "b", "c"])
    told = {
        "elevation_m": np.array([130.0, 290.0, 5.0]),
        "climate": np.array(["Cfb", "Cfb", "Cfb"], dtype=object),
        "month": np.array(["7", "2", "2"]),
        "precipitation_mm_day": np.array([1.0, 1.0, 1.0]),
    }
    errors = place_errors(told, known)
    assert list(errors) == ["elevation_m", "climate", "month"]
    np.testing.assert_equal(errors["elevation_m"], [30, 10, np.nan])
    np.testing.assert_equal(errors["climate"], [1, np.nan, 0])
    np.testing.assert_equal(errors["month"], [1, 0, 1])


def test_the_model_is_held_against_the_constant_place_by_place() -> None:
    truth = np.arange(0.0, 100.0)
    known = pd.DataFrame({"elevation_m": truth, "month": [1.0, 2.0] * 50})
    train = pd.DataFrame({"elevation_m": [0.0, 100.0, 20.0], "month": [2.0, 2.0, 1.0]})
    told = {"elevation_m": truth + 1, "month": np.array(["2"] * 100)}
    facts = fit_facts(train, ["elevation_m", "month"])
    height, month = fact_errors(facts, told, known, train, BOOTSTRAP)
    assert (height.n, height.model.value) == (100, pytest.approx(1))
    # |k - 20| over k = 0..99: (20 * 21 / 2 + 79 * 80 / 2) / 100.
    assert height.constant.value == pytest.approx((210 + 3160) / 100)
    assert height.helps
    assert (month.model.value, month.constant.value, month.difference.value) == (0.5, 0.5, 0)
    assert not month.helps
    table = facts_frame([height, month])
    assert table.loc["elevation, mean error", "model"] == "1 m (1 to 1)"
    assert str(table.loc["month, right", "constant guess"]).startswith("50.0 % (")
    assert fact_text("temperature_c", 1.364) == "1.36 °C"
