"""Distances, scores and areas by named conventions, against values from outside."""

import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared.evaluation.areas import (
    area_figures,
    area_hits,
    areas_of,
    country_hits,
    labels_of,
    polygon_codes,
)
from shared.evaluation.conventions import CONVENTIONS, Convention, convention_of
from shared.evaluation.distances import (
    RADII_KM,
    distance_figures,
    distance_km,
    is_within,
    scores_of,
)
from shared.evaluation.osv5m_game import game_figures, read_game
from shared.partitions import countries_partition, world_outlines

EQUATOR, POLE = [[0.0, 0.0]], [[90.0, 0.0]]
PARIS, NEW_YORK = [[48.8566, 2.3522]], [[40.7128, -74.0060]]


def test_quarter_meridian_by_each_surface() -> None:
    # WGS84's meridian quadrant is 10,001,965.729 m (NIMA TR8350.2, table 3.4).
    assert distance_km(EQUATOR, POLE, "geoclip") == pytest.approx(10_001.965729, abs=1e-6)
    for name, radius in {"default": 6371.0088, "osv5m": 6371.0, "pigeon": 6378.137}.items():
        assert distance_km(EQUATOR, POLE, name) == pytest.approx(radius * math.pi / 2, rel=1e-12)
    miles = distance_km(EQUATOR, POLE, "geoguessrai") / 1.609344
    assert miles == pytest.approx(3958.8 * math.pi / 2, rel=1e-12)


def test_equatorial_radius_is_longer_by_0_112_per_cent() -> None:
    ours, theirs = (distance_km(PARIS, NEW_YORK, name) for name in ("default", "pigeon"))
    assert theirs / ours - 1 == pytest.approx(0.00112, abs=5e-6)


def test_distances_of_the_libraries_own_examples() -> None:
    # geopy's documentation: 538.390445368 miles by geodesic, 536.997990696 on radius 6371.009 km.
    newport, cleveland = [[41.49008, -71.312796]], [[41.499498, -81.695391]]
    mile = 1.609344
    assert distance_km(newport, cleveland, "g3")[0] / mile == pytest.approx(538.390445368, abs=1e-6)
    own = Convention("geopy's great circle", radius_km=6371.009)
    assert distance_km(newport, cleveland, own)[0] / mile == pytest.approx(536.997990696, abs=1e-6)
    # The haversine package's README: Lyon to Paris on 6371.0088 km.
    lyon, paris = [[45.7597, 4.8422]], [[48.8567, 2.3508]]
    assert distance_km(lyon, paris)[0] == pytest.approx(392.2172595594006, abs=1e-9)


@pytest.mark.parametrize(
    ("km", "points"),
    [(1, 4996.6515), (25, 4916.9565), (200, 4373.0142), (750, 3025.2468), (2500, 936.7119)],
)
def test_geo_score_has_its_published_values(km: float, points: float) -> None:
    assert scores_of([km])[0] == pytest.approx(points, abs=5e-5)
    assert scores_of([km], "pigeon")[0] == round(points)


def test_geobench_decays_over_1491_73_km_and_gives_25_m_full_marks() -> None:
    assert convention_of("geobench").decay_km == pytest.approx(1491.73, abs=0.005)
    assert list(scores_of([0.025, np.nan, 2000.0], "geobench")) == [5000, 0, 1308]
    gap = scores_of([1492.0]) - 5000 * np.exp(-1492.0 / convention_of("geobench").decay_km)
    assert gap[0] == pytest.approx(1.2, abs=0.05)


def test_edges_count_by_some_conventions_alone() -> None:
    on_edge = np.asarray(RADII_KM)
    for name, counts in {"osv5m": False, "g3": False, "geoclip": True}.items():
        assert all(is_within(on_edge, r, name)[i] == counts for i, r in enumerate(RADII_KM))
    assert is_within(on_edge, 25.0, "osv5m-classification").sum() == 2


def test_figures_of_five_distances() -> None:
    found = distance_figures([0.5, 10.0, 100.0, 500.0, 2000.0])
    assert found["median_km"] == 100.0
    assert found["mean_km"] == pytest.approx(522.1)
    assert [found[f"within_{r:g}"] for r in RADII_KM] == [0.2, 0.4, 0.6, 0.8, 1.0]


def test_missing_guesses_are_refused_dropped_or_given_nothing() -> None:
    truth = np.zeros((2, 2))
    guesses = np.asarray([[0.0, 0.0], [np.nan, np.nan]])
    with pytest.raises(ValueError, match="1 have none"):
        distance_km(truth, guesses)
    for name, score in {"plonk": 5000.0, "geobench": 2500.0}.items():
        found = distance_figures(distance_km(truth, guesses, name), name)
        assert found["geo_score"] == score
        assert found["within_1"] == score / 5000
        assert found["mean_km"] == 0.0


def test_unknown_convention_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="lost-and-found"):
        convention_of("im2gps")
    with pytest.raises(ValueError, match="surface"):
        Convention("made", surface="cube")


def test_every_convention_of_the_facts_is_there() -> None:
    named = {"osv5m", "pigeon", "geoclip", "plonk", "g3", "lost-and-found", "geoguessrai"}
    assert named <= set(CONVENTIONS)


LABELS = pd.DataFrame(
    [
        # Chatham Islands: the gazetteer has no admin2 there (facts of OSV-5M's own comment).
        {"country": "NZ", "region": "Chatham Islands", "sub-region": "", "city": "Waitangi"},
        {"country": "NA", "region": "Khomas", "sub-region": "", "city": "Windhoek"},
        {"country": "IT", "region": "Sardinia", "sub-region": "", "city": ""},
    ]
)
NEAR = [[-43.95, -176.56], [-22.56, 17.08], [39.22, 9.11]]


def test_the_gazetteer_names_the_areas_of_points() -> None:
    found = areas_of(NEAR)
    assert list(found["country"]) == ["NZ", "NA", "IT"]
    assert list(found["region"])[:2] == ["Chatham Islands", "Khomas"]
    assert found["city"][0] == "Waitangi"
    assert found["area"][0] == ""
    assert (found["place_km"] < 10).all()


def test_missing_labels_are_skipped_by_us_and_wrong_by_osv5m() -> None:
    truth = labels_of(LABELS)
    ours = area_hits(truth, areas_of(NEAR))
    assert area_figures(ours)["country"] == 1.0
    assert np.isnan(ours["area"]).all()
    assert math.isnan(area_figures(ours)["area"])
    assert list(ours["city"][:2]) == [1.0, 1.0]
    assert np.isnan(ours["city"][2])
    theirs = area_hits(truth, areas_of(NEAR, "osv5m"), "osv5m")
    # Namibia's code is lost; a city without a sub-region never matches; missing is wrong.
    assert list(theirs["country"]) == [1.0, 0.0, 1.0]
    assert list(theirs["area"]) == [0.0, 0.0, 0.0]
    assert list(theirs["city"]) == [0.0, 0.0, 0.0]


def test_the_game_counts_empty_as_equal_to_empty() -> None:
    truth = labels_of(LABELS)
    guesses = areas_of(NEAR, "osv5m-game")
    hits = area_hits(truth, guesses, "osv5m-game")
    assert list(hits["area"][:2]) == [1.0, 1.0]
    assert list(hits["city"]) == [1.0, 1.0, 0.0]


def test_country_by_polygon_and_by_nearest_place_differ_at_sea() -> None:
    outlines = world_outlines()
    countries = countries_partition(["FR", "ES"], outlines)
    at_sea, inland = [45.0, -8.0], [46.5, 2.5]
    assert list(polygon_codes([at_sea, inland], countries)) == ["", "FR"]
    codes = ["ES", "FR"]
    assert list(country_hits(codes, [at_sea, inland], "pigeon", countries)) == [0.0, 1.0]
    assert list(country_hits(codes, [at_sea, inland])) == [1.0, 1.0]
    with pytest.raises(ValueError, match="polygons"):
        country_hits(codes, [at_sea, inland], "pigeon", None)


def write_game(path: Path) -> None:
    """Three points in the layout of OSV-5M's game, with distances that a hand can check."""
    degree = 6371 * math.pi / 180
    rows = [
        # truth, best, base: 0 and 1 degrees of a meridian; 1 and 90; 10 and 180
        (0.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        (0.0, 10.0, 1.0, 10.0, 90.0, 10.0),
        (0.0, 20.0, 10.0, 20.0, 0.0, -160.0),
    ]
    names = ["true_lat", "true_lon", "pred_lat", "pred_lon", "pred_lat_base", "pred_lon_base"]
    table = pd.DataFrame(rows, columns=names)
    table.insert(0, "id", ["297765091851450", "2", "3"])
    for level in ("city", "area", "region", "country"):
        table[level] = ""
    table.to_csv(path, index=False)
    assert degree == pytest.approx(111.1949, abs=1e-4)


def test_game_figures_of_a_made_table(tmp_path: Path) -> None:
    write_game(tmp_path / "select.csv")
    table = read_game(tmp_path / "select.csv")
    assert table["id"].iloc[0] == "297765091851450"
    found = game_figures(table)
    assert found["best"].within == (1, 1, 2, 2, 3)
    assert found["base"].within == (0, 0, 1, 1, 1)
    assert found["best"].distances["median_km"] == pytest.approx(111.1949, abs=1e-4)
    assert found["base"].distances["mean_km"] == pytest.approx(271 * 111.19493 / 3, abs=1e-2)


def test_game_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "select.csv").write_text("id,true_lat\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="pred_lat_base"):
        read_game(tmp_path / "select.csv")
    with pytest.raises(FileNotFoundError, match="gastruc/osv5m"):
        read_game(tmp_path / "nothing.csv")


def test_the_published_fifty_points(real_game: Path) -> None:
    found = game_figures(read_game(real_game))
    best, base = found["best"], found["base"]
    assert best.distances["mean_km"] == pytest.approx(1456.370, abs=5e-4)
    assert best.distances["median_km"] == pytest.approx(361.584, abs=5e-4)
    assert best.distances["geo_score"] == pytest.approx(3290.734, abs=5e-4)
    assert best.within == (1, 6, 18, 33, 43)
    assert base.distances["mean_km"] == pytest.approx(4195.736, abs=5e-4)
    assert base.distances["median_km"] == pytest.approx(1554.518, abs=5e-4)
    # The table's own scores, summed, say 1778.502; docs say 1778.503.
    assert base.distances["geo_score"] == pytest.approx(1778.5025, abs=1e-3)
    assert base.within == (0, 0, 1, 13, 31)
    assert best.hits["area"] == 28
    assert best.empty_hits["area"] == 23


@pytest.fixture
def real_game() -> Path:
    """OSV-5M's own table, where somebody has put it."""
    path = Path(os.environ.get("LOST_AND_FOUND_OSV5M_GAME", ""))
    if not path.is_file():
        pytest.skip("LOST_AND_FOUND_OSV5M_GAME does not name OSV-5M's game/select.csv")
    return path
