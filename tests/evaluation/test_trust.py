"""Intervals of medians, leakage, credible areas, abstention, temperature and slices."""

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy.special import log_softmax, softmax

from shared.evaluation.abstention import risk_coverage
from shared.evaluation.calibration import compare_tempered, tempered
from shared.evaluation.credible import (
    EARTH_KM2,
    cell_shares,
    class_areas,
    class_coverage,
    credible_classes,
    density_coverage,
    equal_cells,
)
from shared.evaluation.distance_intervals import (
    compare_distances,
    distance_intervals,
    weighted_median,
)
from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.leakage import audit, duplicate_photos, nearest_training_km
from shared.evaluation.predictions import make_point_predictions, ranked_probabilities
from shared.evaluation.report import Report, Section
from shared.evaluation.slice_sections import slice_sections, with_slices
from shared.evaluation.slices import (
    large_places,
    latitude_bands,
    slice_documents,
    slice_labels,
    slice_table,
)
from shared.geo import haversine_km, to_lat_lon, to_unit_vectors
from shared.partitions import Partition
from shared.vmf import VmfMixture
from tests.evaluation.conftest import region_partition

BOOTSTRAP = PlaceBootstrap(seed=1, draws=300)
DEGREE_KM = 6371.0088 * np.pi / 180


def points_table(offsets_deg: np.ndarray, places: list[str] | None = None) -> pd.DataFrame:
    """Truths on the equator, guesses so many degrees further north."""
    names = [f"photo_{n:04d}" for n in range(len(offsets_deg))]
    lon = np.linspace(-170, 170, len(offsets_deg))
    truth = pd.DataFrame(
        {"place": places or names, "lat": 0.0, "lon": lon, "country": "EC"}, index=names
    )
    return make_point_predictions(truth, np.stack([offsets_deg, lon], axis=1))


def test_weighted_medians_are_those_of_the_values_written_out() -> None:
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 4, (40, 25)).astype(float)
    values = rng.normal(size=25)
    written = [np.median(np.repeat(values, row.astype(int))) for row in weights]
    assert weighted_median(values, weights) == pytest.approx(written)
    assert np.isnan(weighted_median(values, np.zeros((1, 25)))[0])


def test_distance_intervals_hold_the_known_median_about_as_often_as_they_promise() -> None:
    rng = np.random.default_rng(5)
    truth = 10 * np.log(2) * DEGREE_KM  # the median of an exponential of mean 10 degrees
    held = 0
    for _ in range(60):
        table = points_table(rng.exponential(10, 80))
        found = distance_intervals(table, PlaceBootstrap(seed=2, draws=200))["median_km"]
        held += found.lower <= truth <= found.upper
    assert 50 <= held <= 60  # 57 expected of 60 at 95 %


def test_intervals_draw_places_not_photos() -> None:
    offsets = np.repeat(np.random.default_rng(6).exponential(10, 20), 10)
    places = [f"place_{n:02d}" for n in np.repeat(np.arange(20), 10)]
    alone = distance_intervals(points_table(offsets), BOOTSTRAP)["mean_km"]
    together = distance_intervals(points_table(offsets, places), BOOTSTRAP)["mean_km"]
    assert together.value == pytest.approx(alone.value)
    # Ten equal views a place: the standard error is larger by the root of 10.
    ratio = (together.upper - together.lower) / (alone.upper - alone.lower)
    assert ratio == pytest.approx(10**0.5, rel=0.35)


def test_paired_difference_of_a_shifted_model_is_sharp() -> None:
    offsets = np.random.default_rng(7).exponential(10, 60)
    first, second = points_table(offsets + 1), points_table(offsets)
    found = compare_distances(first, second, BOOTSTRAP)
    for name in ("mean_km", "median_km"):
        assert found[name].value == pytest.approx(DEGREE_KM, abs=1e-6)
        assert found[name].lower == pytest.approx(found[name].upper, abs=1e-6)
    with pytest.raises(ValueError, match="same photos"):
        compare_distances(first, second.iloc[1:], BOOTSTRAP)


def test_the_audit_sees_near_and_shared_places() -> None:
    table = points_table(np.full(10, 5.0))
    train = pd.DataFrame({"place": ["far"], "lat": [0.0], "lon": [175.0]})
    clean = audit(table, train, BOOTSTRAP)
    assert clean.is_honest
    assert clean.distances.min() == pytest.approx(5 * DEGREE_KM)
    assert clean.document()["near_share_of_places"] == 0.0
    near = pd.DataFrame({"place": ["photo_0000"], "lat": [0.005], "lon": [-170.0]})
    found = audit(table, near, BOOTSTRAP)
    assert found.shared_places == 1
    assert len(found.warnings) == 2
    assert "1 of 10 test places (10.0 %) lie within 1 km" in found.warnings[1]
    assert found.by_distance["photos"].sum() == 10


def test_places_without_coordinates_are_audited_by_name_alone() -> None:
    table = points_table(np.full(3, 5.0))
    train = pd.DataFrame({"place": ["a"], "lat": [np.nan], "lon": [np.nan]})
    assert len(nearest_training_km(table, train)) == 0
    assert audit(table, train, BOOTSTRAP).document()["near_share_of_places"] is None


def test_photos_that_were_saved_again_are_found_across_the_split() -> None:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (6, 9, 16, 3))
    photos = np.repeat(np.repeat(small, 4, axis=1), 4, axis=2).astype(np.uint8)
    again = np.clip(photos[2].astype(int) + 9, 0, 255).astype(np.uint8)[None]
    train = pd.DataFrame({"lat": [1.0, 2.0], "lon": [0.0, 0.0]}, index=["t0", "t1"])
    test = pd.DataFrame({"lat": np.arange(5.0), "lon": 0.0}, index=list("abcde"))
    found = duplicate_photos(test, photos[:5], train, np.concatenate([photos[5:], again]))
    assert found[["test_id", "training_id"]].to_numpy().tolist() == [["c", "t1"]]
    assert found["km"][0] == pytest.approx(0.0)


def test_credible_sets_are_the_fewest_classes_that_reach_the_level() -> None:
    shares = [[0.5, 0.3, 0.15, 0.05], [0.25, 0.25, 0.25, 0.25]]
    found = credible_classes(shares, 0.8)
    assert found.tolist() == [[True, True, False, False], [True, True, True, True]]
    assert credible_classes(shares, 0.5).tolist()[0] == [True, False, False, False]
    with pytest.raises(ValueError, match="level"):
        credible_classes(shares, 0.0)


def test_areas_of_classes_are_those_of_the_ellipsoid() -> None:
    shapes = [shapely.box(-180, 0, 180, 90), shapely.box(10, -1, 11, 1), None]
    table = pd.DataFrame({"code": list("abc"), "name": "", "lat": 0.0, "lon": 0.0})
    found = class_areas(Partition("made", gpd.GeoDataFrame(table, geometry=shapes, crs=4326)))
    assert found[0] == pytest.approx(510_065_622 / 2, rel=1e-5)  # WGS84: 510.0656 million km2
    # 1 by 2 degrees at the equator: 111.3195 km by 2 x 110.5743 km
    assert found[1] == pytest.approx(111.3195 * 2 * 110.5743, rel=1e-4)
    assert np.isnan(found[2])


def test_areas_of_regions_without_polygons_share_the_land_of_their_country() -> None:
    rows = [("FR-1", "North", 49.0, 2.0, "FR"), ("FR-2", "South", 43.5, 3.0, "FR")]
    rows.append(("??", "Nowhere", 0.0, -30.0, ""))
    table = pd.DataFrame(rows, columns=["code", "name", "lat", "lon", "country"])
    shapes = [shapely.Point(lon, lat) for _, _, lat, lon, _ in rows]
    found = class_areas(Partition("regions", gpd.GeoDataFrame(table, geometry=shapes, crs=4326)))
    # France with Guyana, as the coarse outline has it: 552,000 + 84,000 km2 (INSEE).
    assert found[:2].sum() == pytest.approx(636_000, rel=0.03)
    assert found[0] > 150_000
    assert np.isnan(found[2])


def test_honest_probabilities_hold_what_they_promise(
    table_of: Callable[..., pd.DataFrame],
) -> None:
    rng = np.random.default_rng(11)
    classes = ["CZ", "FR", "JP", "KE"]
    shares = rng.dirichlet(np.full(4, 0.7), 1500)
    codes = [classes[rng.choice(4, p=row)] for row in shares]
    table = table_of(codes, shares.tolist(), classes=classes)
    partition = Partition("made", _boxes(classes))
    for found in class_coverage(table, partition, BOOTSTRAP):
        assert found.holds.upper >= found.level  # whole classes hold rather more
        assert found.is_kept
    sure = table.assign(probabilities=list(tempered(table, 0.2)["probabilities"]))
    assert not class_coverage(sure, partition, BOOTSTRAP, [0.9])[0].is_kept


def _boxes(classes: list[str]) -> gpd.GeoDataFrame:
    rows = [(code, code, 0.0, 10.0 * n) for n, code in enumerate(classes)]
    table = pd.DataFrame(rows, columns=["code", "name", "lat", "lon"])
    boxes = [shapely.box(10 * n, -1, 10 * n + 1, 1) for n in range(len(classes))]
    return gpd.GeoDataFrame(table, geometry=boxes, crs=4326)


def test_cells_of_equal_area_are_spread_evenly() -> None:
    cells = equal_cells(5000)
    assert (cells[:, 0] > 30).mean() == pytest.approx(0.25, abs=1e-3)  # sin 30 = 1/2
    assert np.linalg.norm(to_unit_vectors(cells).mean(axis=0)) < 1e-3


def test_densities_that_draw_the_truth_hold_it_as_promised() -> None:
    rng = np.random.default_rng(4)
    n, kappa = 400, 60.0
    means = to_unit_vectors(np.stack([rng.uniform(-60, 60, n), rng.uniform(-180, 180, n)], 1))
    # A von Mises-Fisher draw: the cosine to the mean has a closed-form inverse (Ulrich, 1984).
    cosine = 1 + np.log(rng.uniform(size=n) * (1 - np.exp(-2 * kappa)) + np.exp(-2 * kappa)) / kappa
    side = np.cross(means, rng.normal(size=(n, 3)))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    drawn = cosine[:, None] * means + np.sqrt(1 - cosine**2)[:, None] * side
    lat = np.degrees(np.arcsin(drawn[:, 2]))
    lon = np.degrees(np.arctan2(drawn[:, 1], drawn[:, 0]))
    table = points_table(np.zeros(n)).assign(true_lat=lat, true_lon=lon)
    mixture = VmfMixture(np.ones((n, 1)), means[:, None], np.full((n, 1), kappa))
    coverage, _ = density_coverage(table, mixture, BOOTSTRAP, [0.5, 0.9], 4000)
    drawn_away = haversine_km(to_lat_lon(means), table[["true_lat", "true_lon"]].to_numpy())
    at_means = table.assign(pred_lat=to_lat_lon(means)[:, 0], pred_lon=to_lat_lon(means)[:, 1])
    _, unsure = density_coverage(at_means, mixture, BOOTSTRAP, [0.5], 4000)
    assert unsure.mean() == pytest.approx(drawn_away.mean(), rel=0.05)
    for found in coverage:
        assert found.holds.value == pytest.approx(found.level, abs=0.05)
        # The cap that holds the level: 1 - cos = -log(1 - level) / kappa of a hemisphere.
        share = -np.log(1 - found.level) / kappa / 2
        assert found.size_km2.value == pytest.approx(share * EARTH_KM2, rel=0.15)


def test_shares_of_cells_in_single_precision_are_those_of_double() -> None:
    rng = np.random.default_rng(9)
    cells = equal_cells(3000)
    means = to_unit_vectors(np.stack([rng.uniform(-80, 80, 40), rng.uniform(-180, 180, 40)], 1))
    weights = rng.dirichlet(np.ones(8), 5)
    mixture = VmfMixture(weights, means.reshape(5, 8, 3), np.exp(rng.uniform(0, 11, (5, 8))))
    double = mixture.on_cells(cells, np.full(3000, EARTH_KM2 / 3000))
    single = cell_shares(mixture, to_unit_vectors(cells).astype(np.float32))
    assert single == pytest.approx(double, rel=0.01, abs=1e-7)


def test_risk_and_its_area_on_four_answers() -> None:
    table = points_table(np.zeros(4))
    found = risk_coverage(table, [0.9, 0.8, 0.7, 0.6], [0, 1, 0, 1], BOOTSTRAP, [0.5, 1.0])
    assert found.risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert found.aurc.value == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert found.best == pytest.approx([0, 0, 1 / 3, 1 / 2])
    assert found.excess.value == pytest.approx(1 / 8)
    assert {share: i.value for share, i in found.answered.items()} == {0.5: 0.5, 1.0: 0.5}


def test_a_temperature_is_that_of_the_logits(table_of: Callable[..., pd.DataFrame]) -> None:
    logits = np.random.default_rng(2).normal(size=(50, 3)) * 2
    table = table_of(["CZ"] * 50, softmax(logits, axis=1).tolist())
    found = ranked_probabilities(tempered(table, 1.7))
    assert found == pytest.approx(-np.sort(-softmax(logits / 1.7, axis=1)), abs=1e-5)
    made = compare_tempered(table, 1.7, BOOTSTRAP)
    expected = -log_softmax(logits / 1.7, axis=1)[:, 0].mean()
    assert made.log_loss["after"].value == pytest.approx(expected, abs=1e-4)
    with pytest.raises(ValueError, match="temperature"):
        tempered(table, 0.0)


def test_slices_by_latitude_and_surroundings(tmp_path: Path) -> None:
    bands = list(latitude_bands([-90, -10, 0, 23.5, 50, 89, 90]))
    assert bands[0] == "45.0 to 90.0 S"
    assert bands[1:3] == ["0.0 to 23.4 S", "0.0 to 23.4 N"]
    assert bands[-1] == "66.6 to 90.0 N"
    places = gpd.GeoDataFrame(
        {"pop_max": [500_000, 1_000]},
        geometry=gpd.points_from_xy([-170.0, 170.0], [0.0, 0.0]),
        crs=4326,
    )
    places.to_file(tmp_path / "places.geojson")
    large = large_places(tmp_path / "places.geojson", 100_000)
    assert len(large.points) == 1
    table = points_table(np.asarray([0.0, 1.0, 2.0]))
    labels = slice_labels(table, large, 25.0)
    assert list(labels["surroundings"]) == ["urban", "rural", "rural"]
    rows = slice_table(table, labels, BOOTSTRAP).set_index("name")
    assert rows.loc["rural", "median_km"] == pytest.approx(1.5 * DEGREE_KM)
    assert rows.loc["Ecuador", "photos"] == 3
    with pytest.raises(FileNotFoundError, match="pop_max"):
        large_places(tmp_path / "none.geojson")
    with pytest.raises(ValueError, match="1,000,000"):
        large_places(tmp_path / "places.geojson", 1_000_000)


def test_without_a_table_of_people_settled_land_is_urban(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.evaluation.slices.option", lambda _: None)
    large = large_places()
    assert "no population" in large.what
    table = points_table(np.zeros(2)).assign(true_lat=[48.86, 47.0], true_lon=[2.35, -110.0])
    assert list(slice_labels(table, large, 10.0)["surroundings"]) == ["urban", "rural"]


def test_regions_partition_of_the_tests_is_sound() -> None:
    assert region_partition().countries == ["CZ", "FR", "FR", "JP"]


def test_slices_of_countries_are_told_without_their_own_table_and_without_distances() -> None:
    rows = pd.DataFrame(
        {
            "slice": ["country", "continent", "continent"],
            "name": ["Ecuador", "South America", "Asia"],
            "photos": [3, 3, 1],
            "places": [3, 3, 1],
        }
    )
    for name, value in (("top_1", 0.5), ("median_km", 200.0)):
        ends = {name: value, f"{name}_lower": value / 2, f"{name}_upper": value}
        rows = rows.assign(**ends)
    rows.loc[2, ["median_km", "median_km_lower", "median_km_upper"]] = np.nan
    pages = with_slices(Report("T", "", "lead", [], [Section("last")], [], []), rows, "near one")
    assert [section.title for section in pages.sections] == [
        "Where it does well",
        "By continent",
        "last",
    ]
    shown = pages.sections[1].table
    assert shown is not None
    assert shown.columns == ["", "photos", "places", "top-1"]
    whole = slice_sections(rows, "near one")[2].table
    assert whole is not None
    assert whole.rows[1][-1].text == ""
    documents = slice_documents(rows)
    assert "median_km" not in documents[2]
    assert documents[0]["top_1"] == {"value": 0.5, "lower": 0.25, "upper": 0.5}
