"""Regions read as countries, classes as points, points as classes."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from shared.evaluation.approaches import country_distances, points_as_countries
from shared.evaluation.pooling import pool_views
from shared.evaluation.predictions import (
    make_point_predictions,
    make_predictions,
    read_predictions,
    write_predictions,
)
from shared.evaluation.readout import (
    as_countries,
    as_points,
    expected_distance_points,
    points_as_classes,
    points_of_many,
)
from shared.geo import haversine_km, to_unit_vectors
from shared.partitions import Partition
from shared.vmf import VmfMixture
from tests.evaluation.conftest import region_partition


def truth_of(codes: list[str], countries: list[str]) -> pd.DataFrame:
    names = [f"photo_{n}" for n in range(len(codes))]
    return pd.DataFrame(
        {"place": names, "code": codes, "lat": 46.0, "lon": 2.0, "country": countries}, index=names
    )


def made_regions() -> pd.DataFrame:
    # Neither region of France is the likeliest, but France is the likeliest country.
    rows = [[0.4, 0.3, 0.3, 0.0], [0.1, 0.2, 0.1, 0.6]]
    return make_predictions(
        truth_of(["FR-1", "JP-1"], ["FR", "JP"]), np.asarray(rows), region_partition()
    )


def test_countries_are_sums_of_regions() -> None:
    found = as_countries(made_regions(), region_partition())
    assert list(found["pred_code"]) == ["FR", "JP"]
    assert list(found["true_code"]) == ["FR", "JP"]
    assert found["probabilities"][0] == pytest.approx([0.6, 0.4, 0.0])
    assert list(found["codes"][1]) == ["JP", "FR", "CZ"]


def test_regions_without_true_country_are_refused() -> None:
    table = made_regions().drop(columns=["true_country"])
    with pytest.raises(ValueError, match="true_country"):
        as_countries(table, region_partition())


def test_a_sure_class_is_read_as_its_centre() -> None:
    centres = [[50.0, 10.0], [-30.0, 140.0], [10.0, -70.0]]
    found = expected_distance_points(np.eye(3), centres)
    assert haversine_km(found, centres).max() < 0.01


def test_more_than_half_of_the_probability_keeps_the_point() -> None:
    # The median of weighted points is the point that holds half of the weight.
    centres = [[0.0, 0.0], [0.0, 40.0], [30.0, 20.0]]
    found = expected_distance_points([[0.52, 0.28, 0.2]], centres)
    assert haversine_km(found, centres[:1])[0] < 0.01


def test_three_equal_corners_have_their_middle_as_median() -> None:
    # By symmetry: three points 120 degrees apart around the pole have the pole as their median.
    centres = [[80.0, -60.0], [80.0, 60.0], [80.0, 180.0]]
    found = expected_distance_points([[1, 1, 1]], centres)
    assert haversine_km(found, [[90.0, 0.0]])[0] < 0.01


def test_the_antimeridian_is_no_border() -> None:
    centres = [[0.0, 175.0], [0.0, -175.0], [8.0, 180.0]]
    found = expected_distance_points([[1, 1, 1]], centres)[0]
    assert abs(abs(found[1]) - 180) < 0.01
    assert 0 < found[0] < 8


def test_the_expected_distance_is_as_small_as_a_search_finds() -> None:
    rng = np.random.default_rng(3)
    centres = np.stack([rng.uniform(30, 60, 12), rng.uniform(-10, 40, 12)], axis=1)
    shares = rng.dirichlet(np.full(12, 0.3), 25)
    found = expected_distance_points(shares, centres)
    for row, point in zip(shares, found, strict=True):

        def cost(where: np.ndarray, row: np.ndarray = row) -> float:
            return float((row * haversine_km(where[None], centres)).sum())

        starts = [centres[row.argmax()], row @ centres]
        searched = min(minimize(cost, s, method="Nelder-Mead").fun for s in starts)
        assert cost(point) <= searched + 0.1  # km, of 1,000 and more
        assert cost(point) <= min(cost(centre) for centre in centres) + 1e-3


def test_no_distribution_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        expected_distance_points([[0.5, -0.5]], [[0, 0], [1, 1]])
    with pytest.raises(ValueError, match=r"\(N, K\)"):
        expected_distance_points([[0.5, 0.5]], [[0, 0]])


def test_regions_read_as_points_by_centre_and_by_least_distance() -> None:
    centre = as_points(made_regions(), region_partition(), "centre")
    assert list(centre[["pred_lat", "pred_lon"]].to_numpy()[0]) == [50.1, 14.4]
    least = as_points(made_regions(), region_partition())
    # 0.4 in Bohemia, 0.6 in two halves of France: the point lies in France.
    where = least[["pred_lat", "pred_lon"]].to_numpy()[:1]
    assert region_partition().label(where)[0] in ("FR-1", "FR-2")
    with pytest.raises(ValueError, match="how"):
        as_points(made_regions(), region_partition(), "mode")


def made_points(points: list[list[float]]) -> pd.DataFrame:
    countries = ["FR"] * len(points)
    return make_point_predictions(truth_of([""] * len(points), countries), points)


def test_points_are_read_as_the_class_that_holds_them() -> None:
    table = made_points([[48.5, 2.0], [36.0, 139.0]])
    found = points_as_classes(table, region_partition(), ["FR-1", "FR-1"])
    assert list(found["pred_code"]) == ["FR-1", "JP-1"]
    assert list(found["codes"][0]) == ["FR-1", "FR-2", "CZ-1", "JP-1"]
    spread = points_as_classes(table, region_partition(), ["", ""], [[1, 2, 1, 0], [0, 0, 0, 2]])
    assert spread["probabilities"][0] == pytest.approx([0.5, 0.25, 0.25, 0.0])


def test_points_are_read_as_the_country_of_the_nearest_place() -> None:
    table = made_points([[48.9, 2.4], [-22.6, 17.1]])
    found = points_as_countries(table)
    assert list(found["pred_code"]) == ["FR", "NA"]  # Namibia is not a missing value
    assert list(found["true_code"]) == ["FR", "FR"]
    codes, away = country_distances([[47.59, 7.59]])  # Basel: Switzerland, Germany, France
    assert {codes[i] for i in np.argsort(away[0])[:3]} == {"CH", "DE", "FR"}


def test_point_tables_are_written_and_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("made") / "predictions.parquet"
    table = made_points([[48.5, 2.0], [36.0, 139.0]])
    write_predictions(table, path)
    found = read_predictions(path)
    assert list(found["true_country"]) == ["FR", "FR"]
    assert [len(row) for row in found["codes"]] == [0, 0]
    with pytest.raises(ValueError, match="guessed point"):
        write_predictions(table.assign(pred_lat=np.nan), path)
    with pytest.raises(ValueError, match="pred_code"):
        write_predictions(table.assign(pred_code="FR"), path)


def test_foreign_tables_without_the_country_still_read(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("made") / "predictions.parquet"
    write_predictions(made_regions().drop(columns=["true_country"]), path)
    assert "true_country" not in read_predictions(path).columns


def test_views_of_points_are_pooled_on_the_sphere() -> None:
    table = made_points([[0.0, 179.0], [0.0, -179.0]]).assign(place="one")
    pooled = pool_views(table)
    assert len(pooled) == 1
    assert abs(pooled["pred_lon"][0]) == pytest.approx(180)
    assert pooled["true_country"][0] == "FR"


def test_regions_of_no_country_are_left_out() -> None:
    table = region_partition().table.assign(country=["CZ", "FR", "FR", ""])
    partition = Partition("regions", gpd.GeoDataFrame(table))
    found = as_countries(made_regions(), partition)
    assert list(found["codes"][0]) == ["FR", "CZ"]
    assert found["probabilities"][1] == pytest.approx([0.75, 0.25])


def test_one_view_that_is_far_off_does_not_pull_a_place_along() -> None:
    points = [[48.0, 2.0], [48.1, 2.0], [48.0, 2.1], [-30.0, 140.0], [10.0, 10.0], [10.0, 10.2]]
    table = made_points(points).assign(place=list("aaaabb"))
    pooled = pool_views(table)
    found = pooled[["pred_lat", "pred_lon"]].to_numpy(float)
    assert list(pooled["place"]) == ["a", "b"]
    assert haversine_km(found[0], (48.0, 2.0)) < 15
    assert haversine_km(found[1], (10.0, 10.1)) < 12  # anywhere between the two


def test_densities_of_views_meet_where_they_agree() -> None:
    """Paris or Tokyo, and Paris or Lima, is Paris; Nairobi alone stays Nairobi."""
    paris, tokyo, lima, nairobi = (48.9, 2.3), (35.7, 139.7), (-12.0, -77.0), (-1.3, 36.8)
    means = to_unit_vectors([[paris, tokyo], [nairobi, nairobi], [lima, paris]])
    weights = np.asarray([[0.4, 0.6], [0.5, 0.5], [0.6, 0.4]])
    mixture = VmfMixture(weights, means, np.full((3, 2), 2000.0))
    table = made_points(mixture.points().tolist()).assign(place=["two", "one", "two"])
    for pooling in ("log", "mean"):
        pooled = pool_views(table, pooling, mixture)
        found = pooled[["pred_lat", "pred_lon"]].to_numpy(float)
        assert list(pooled["place"]) == ["one", "two"]
        assert haversine_km(found[0], nairobi) < 167  # the width of a cell
        assert haversine_km(found[1], paris) < 167


def test_points_of_many_classes_are_those_of_few() -> None:
    centres = np.stack([np.linspace(-80, 80, 1600), np.zeros(1600)], axis=1)
    shares = np.full((2, 1600), 1e-9)
    shares[0, 100], shares[1, [200, 201, 202]] = 1.0, 1.0
    found = points_of_many(shares, centres)
    assert found[0] == pytest.approx(centres[100], abs=1e-4)
    assert found[1] == pytest.approx(centres[201], abs=1e-3)
    random = np.random.default_rng(3)
    spread = random.dirichlet(np.full(1600, 0.05), 5)
    scattered = np.stack([random.uniform(-70, 70, 1600), random.uniform(-180, 180, 1600)], axis=1)
    exact = expected_distance_points(spread, scattered)
    found = points_of_many(spread, scattered)
    costs = [
        (spread * haversine_km(points[:, None], scattered[None])).sum(axis=1)
        for points in (found, exact)
    ]
    assert costs[0] == pytest.approx(costs[1], rel=2e-3)
