"""The quality of partitions: squares at the equator, whose kilometres can be told by hand."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from matplotlib.figure import Figure

from shared.boundaries import world_outlines
from shared.geo import haversine_km
from shared.partitions import Partition, countries_partition
from shared.processing.partition_quality import (
    effective_number,
    partition_quality,
    quality_table,
)
from shared.processing.partition_quality_figures import (
    draw_areas,
    draw_evenness,
    draw_oracle_errors,
)
from shared.processing.partition_quality_shape import class_areas_km2, compactness
from shared.regions import regions_partition

KM_A_DEGREE = 111.195  # along the equator: 2 pi 6371.0088 / 360


def _squares() -> Partition:
    table = gpd.GeoDataFrame(
        {"code": ["a", "b", "c"], "name": ["A", "B", "C"], "lat": 0.5, "lon": [0.5, 1.5, 2.5]},
        geometry=[shapely.box(west, 0, west + 1, 1) for west in range(3)],
        crs=4326,
    )
    return Partition("squares", table)


def _points(*points: tuple[float, float]) -> pd.DataFrame:
    return pd.DataFrame(points, columns=["lat", "lon"])


def test_the_oracle_error_is_the_distance_to_the_point_of_the_class() -> None:
    train = _points((0, 0.2), (0, 0.4), (0, 1.5))
    found = partition_quality(_squares(), train, _points((0, 0.9), (0, 1.5)))
    # The middle of a's photos is 0.3; 0.9 lies in a, though b's middle (1.5) is as near.
    np.testing.assert_allclose(found.photos["oracle_km"], [0.6 * KM_A_DEGREE, 0], atol=0.01)
    np.testing.assert_allclose(found.photos["nearest_km"], [0.6 * KM_A_DEGREE, 0], atol=0.01)


def test_centres_may_be_the_partitions_own() -> None:
    train, test = _points((0, 0.2), (0, 1.5)), _points((0.5, 0.9))
    own = partition_quality(_squares(), train, test, centres="own")
    assert own.photos["oracle_km"].tolist() == pytest.approx([0.4 * KM_A_DEGREE], abs=0.01)
    inner = partition_quality(_squares(), train, test, centres="inner")
    assert inner.photos["oracle_km"].tolist() == pytest.approx([0.4 * KM_A_DEGREE], abs=0.01)


def test_a_photo_whose_class_is_not_known_goes_to_the_nearest_that_is() -> None:
    train = _points((0.5, 0.5), (0.5, 1.5), (0.5, 1.5))
    found = partition_quality(_squares(), train, _points((0.5, 2.5), (0.5, 0.5)), min_photos=2)
    assert found.photos["has_class"].tolist() == [False, False]
    np.testing.assert_allclose(found.photos["oracle_km"], KM_A_DEGREE, rtol=1e-3)
    assert found.classes["is_known"].tolist() == [False, True, False]
    assert found.summary()["in a known class, %"] == 0


def test_classes_that_are_known_already_are_not_labelled_again() -> None:
    train, test = _points((0, 0.5), (0, 1.5)), _points((0, 0.5), (0, 1.5))
    found = partition_quality(_squares(), train, test, train_codes=["b", "a"], test_codes=["b", ""])
    assert found.photos["code"].tolist() == ["b", ""]
    assert found.photos["has_class"].tolist() == [True, False]
    assert found.photos["oracle_km"].tolist() == pytest.approx([0, 0], abs=0.01)


def test_the_summary_counts_by_hand() -> None:
    train = _points((0, 0.5), (0, 0.5), (0, 0.5), (0, 1.5))
    test = _points((0, 0.5), (0, 0.6), (0, 1.5), (0, 2.5))
    summary = partition_quality(_squares(), train, test).summary()
    assert (summary["classes"], summary["known classes"]) == (3, 2)
    assert summary["largest, %"] == 75
    assert summary["in a known class, %"] == 75
    # 0, 11.1, 0 and 111.2 km.
    assert summary["oracle median, km"] == pytest.approx(0.05 * KM_A_DEGREE, abs=0.01)
    assert summary["oracle mean, km"] == pytest.approx(1.1 * KM_A_DEGREE / 4, abs=0.01)
    shares = [summary[f"within {radius} km, %"] for radius in (1, 25, 200)]
    assert shares == [50, 75, 100]
    # A square degree at the equator: 6371.0088^2 * (pi / 180) * sin(1 degree).
    assert summary["median area, km2"] == pytest.approx(12363.7, rel=1e-4)


def test_the_oracle_is_not_fooled_by_the_antimeridian() -> None:
    fiji = countries_partition(["FJ"], points=pd.DataFrame({"code": [], "lat": [], "lon": []}))
    train = _points((-17, 179.5), (-17, -179.5))
    found = partition_quality(fiji, train, _points((-17, -179.9)), train_codes=["FJ", "FJ"])
    expected = float(haversine_km((-17, 180), (-17, -179.9)))
    assert found.photos["oracle_km"].tolist() == pytest.approx([expected], abs=0.1)


def test_finer_classes_err_less() -> None:
    random = np.random.default_rng(0)
    points = pd.DataFrame(random.uniform(0, (1, 3), (400, 2)), columns=["lat", "lon"])
    whole = _squares().table.dissolve().assign(code="all", name="All")
    coarse = Partition("one", whole[_squares().table.columns])
    qualities = [
        partition_quality(p, points[:200], points[200:], name=name)
        for p, name in ((coarse, "coarse"), (_squares(), "fine"))
    ]
    table = quality_table(qualities)
    assert list(table.columns) == ["coarse", "fine"]
    medians = table.loc["oracle median, km"]
    assert medians["fine"] < medians["coarse"] / 1.5


def test_even_classes_count_fully_and_one_large_class_counts_once() -> None:
    assert effective_number([5, 5, 5, 5]) == pytest.approx(4)
    assert effective_number([1000, 0, 0]) == pytest.approx(1)
    # Shares 1/2, 1/4, 1/4: 2^(1/2 + 2 * 2/4).
    assert effective_number([2, 1, 1]) == pytest.approx(2**1.5)


def test_areas_of_classes_without_polygons_are_of_the_land_nearest_to_their_places() -> None:
    # Nearest to a pole is its hemisphere: 39.3 % and 19.1 % of the two are land, of 255.03 million
    # km2 each (Wikipedia, "Northern Hemisphere"); the coarse outlines lack islands.
    table = gpd.GeoDataFrame(
        {"code": ["n", "s"], "name": ["N", "S"], "lat": [90.0, -90.0], "lon": 0.0},
        geometry=[shapely.Point(0, 90), shapely.Point(0, -90)],
        crs=4326,
    )
    found = class_areas_km2(Partition("hemispheres", table))
    np.testing.assert_allclose(found / 255.03e6, [0.393, 0.191], atol=0.008)


def test_land_of_other_places_of_the_gazetteer_is_not_counted() -> None:
    bavaria = regions_partition().subset(["DE.002"])
    (area,) = class_areas_km2(bavaria)
    assert area == pytest.approx(70_542, rel=0.03)  # Bayerisches Landesamt für Statistik
    found = partition_quality(bavaria, *[_points((48.1, 11.6))] * 2, with_areas=False)
    assert found.classes["area_km2"].isna().all()


def test_classes_with_a_centre_alone_are_measured_by_the_land_that_is_nearest() -> None:
    # The middle of Madagascar, one across the channel, and some that take the other continents.
    others = [(-17, 38), (-29, 24), (5, 42), (5, 20), (20, 48), (15, 78), (-25, 134), (-50, 70)]
    lat, lon = zip((-19, 46.7), *others, strict=True)
    names = [f"class {number}" for number in range(9)]
    columns = {"code": names, "name": names, "lat": lat, "lon": lon}
    partition = Partition("centres", gpd.GeoDataFrame(columns, geometry=[None] * 9, crs=4326))
    assert class_areas_km2(partition)[0] == pytest.approx(587_041, rel=0.03)  # Wikipedia
    outlines = world_outlines()
    own = {"code": ["MG"], "name": ["MG"], "lat": -19.0, "lon": 46.7}
    outline = outlines.loc[outlines["code"] == "MG", "geometry"].to_numpy()
    (expected,) = compactness(Partition("MG", gpd.GeoDataFrame(own, geometry=outline, crs=4326)))
    assert compactness(partition)[0] == pytest.approx(expected, abs=0.02)


def test_twenty_partitions_have_lines_of_their_own() -> None:
    train = _points((0, 0.5), (0, 1.5))
    found = partition_quality(_squares(), train, train)
    for draw in (draw_oracle_errors, draw_evenness, draw_areas):
        axes = Figure().subplots()
        draw(axes, [replace(found, name=str(number)) for number in range(20)])
        lines = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_")]
        looks = {(line.get_color(), line.get_linestyle()) for line in lines}
        assert (len(lines), len(looks)) == (20, 20)


def test_faults_are_named() -> None:
    train = _points((0, 0.5))
    with pytest.raises(ValueError, match="centres to be one of"):
        partition_quality(_squares(), train, train, centres="middle")
    with pytest.raises(ValueError, match="lat and lon of every test photo"):
        partition_quality(_squares(), train, pd.DataFrame({"lat": [np.nan], "lon": [0.0]}))
    with pytest.raises(ValueError, match="with 2 training photos: none has"):
        partition_quality(_squares(), train, train, min_photos=2)
