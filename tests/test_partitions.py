"""Partitions: classes, their centres, their file."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely

from shared.countries import UnknownCountryError
from shared.geo import haversine_km
from shared.partitions import COLUMNS, Partition, countries_partition


def _polygons() -> gpd.GeoDataFrame:
    shapes = [shapely.box(0, 40, 10, 50), shapely.box(12, 48, 19, 51)]
    return gpd.GeoDataFrame({"code": ["FR", "CZ"]}, geometry=shapes, crs=4326)


def test_centres_are_the_middle_of_the_training_points() -> None:
    points = pd.DataFrame(
        {"code": ["FJ", "FJ", "CZ", "CZ"], "lat": [0, 0, 50, np.nan], "lon": [179, -179, 14, 14]}
    )
    partition = countries_partition(["CZ", "FJ"], points=points)
    assert partition.codes == ["CZ", "FJ"]
    assert partition.names == ["Czechia", "Fiji"]
    np.testing.assert_allclose(partition.centres[0], (50, 14))
    assert abs(partition.centres[1][1]) == pytest.approx(180)


def test_centres_without_points_are_of_the_gazetteer() -> None:
    partition = countries_partition(["CZ"])
    # The geographical centre of Czechia, by its land survey office: Číhošť, 49.74 N 15.34 E.
    assert float(haversine_km(partition.centres[0], (49.74, 15.34))) < 60


def test_a_country_without_places_takes_a_point_of_its_polygon() -> None:
    island = gpd.GeoDataFrame({"code": ["BV"]}, geometry=[shapely.box(3, -55, 4, -54)], crs=4326)
    np.testing.assert_allclose(countries_partition(["BV"], island).centres[0], (-54.5, 3.5))
    with pytest.raises(ValueError, match="polygon of BV"):
        countries_partition(["BV"])


def test_an_unknown_country_is_refused() -> None:
    points = pd.DataFrame({"code": ["ZZ"], "lat": [0.0], "lon": [0.0]})
    with pytest.raises(UnknownCountryError, match="ZZ"):
        countries_partition(["ZZ"], points=points)


def test_a_saved_partition_comes_back_the_same(tmp_path: Path) -> None:
    before = countries_partition(["NA", "FR", "CZ"], _polygons())
    path = tmp_path / "deep" / "partition.parquet"
    before.save(path)
    after = Partition.load(path)
    assert (after.name, len(after)) == ("countries", 3)
    pd.testing.assert_frame_equal(
        pd.DataFrame(after.table).drop(columns="geometry"),
        pd.DataFrame(before.table).drop(columns="geometry"),
        check_dtype=False,
    )
    assert after.table.geometry.isna().tolist() == [True, False, False]
    assert after.table.geometry[1].equals(before.table.geometry[1])
    assert [p.name for p in path.parent.iterdir()] == ["partition.parquet"]  # nothing half-written


def test_the_file_is_geoparquet(tmp_path: Path) -> None:
    countries_partition(["FR"], _polygons()).save(tmp_path / "p.parquet")
    assert b"geo" in pq.read_schema(tmp_path / "p.parquet").metadata


def test_the_same_partition_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        countries_partition(["FR", "NA"], _polygons()).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_partition_says_who_writes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="3-training"):
        Partition.load(tmp_path / "none.parquet")


def test_another_file_is_no_partition(tmp_path: Path) -> None:
    _polygons().to_parquet(tmp_path / "other.parquet")
    with pytest.raises(ValueError, match="'partition'"):
        Partition.load(tmp_path / "other.parquet")


def test_points_are_labelled_by_polygon_then_by_nearest() -> None:
    partition = countries_partition(["FR", "NA", "CZ"], _polygons())
    points = [(45, 5), (50, 14), (45, -3), (50, 11.2), (-22, 17)]
    #          in FR    in CZ    W of FR   the gap: 0.8° from CZ   near NA's centre, no polygon
    assert partition.label(points).tolist() == ["FR", "CZ", "FR", "CZ", "NA"]


def test_labels_without_polygons_are_of_the_nearest_centre() -> None:
    partition = countries_partition(["JP", "BR"])
    assert partition.label([(35.7, 139.7), (-23.5, -46.6)]).tolist() == ["JP", "BR"]


def test_labels_are_codes_as_objects() -> None:
    labels = countries_partition(["NA"]).label(np.empty((0, 2)))
    assert labels.dtype == object


def test_a_subset_keeps_the_order_asked_for() -> None:
    partition = countries_partition(["CZ", "FR", "NA"])
    assert partition.subset(["NA", "CZ"]).codes == ["NA", "CZ"]
    assert partition.index_of(["FR", "XK"]).tolist() == [1, -1]
    with pytest.raises(ValueError, match=r"\['XK'\]"):
        partition.subset(["CZ", "XK"])


def test_a_code_comes_once() -> None:
    table = countries_partition(["CZ"]).table
    with pytest.raises(ValueError, match=r"more often: \['CZ'\]"):
        Partition("twice", gpd.GeoDataFrame(pd.concat([table, table], ignore_index=True)))


def test_all_columns_are_needed() -> None:
    table = countries_partition(["CZ"]).table
    with pytest.raises(ValueError, match=r"\['name'\] are missing"):
        Partition("nameless", table[[c for c in COLUMNS if c != "name"]])


def _with_extras() -> Partition:
    table = gpd.GeoDataFrame(
        {
            "code": ["CH-ZH", "CH-BE", "FR.1"],
            "name": ["Zurich", "Bern", "Ain"],
            "lat": [47.4, 46.9, 46.1],
            "lon": [8.6, 7.5, 5.3],
            "country": ["CH", "CH", "FR"],
            "inner_lat": [47.5, 46.8, 46.2],
            "inner_lon": [8.5, 7.6, 5.4],
        },
        geometry=[shapely.box(8, 47, 9, 48), shapely.box(7, 46, 8, 47), None],
        crs=4326,
    )
    return Partition("regions", table)


def test_countries_and_inner_points_come_back_from_a_file(tmp_path: Path) -> None:
    _with_extras().save(tmp_path / "regions.parquet")
    after = Partition.load(tmp_path / "regions.parquet").subset(["FR.1", "CH-ZH"])
    assert after.countries == ["FR", "CH"]
    assert after.inner.tolist() == [[46.2, 5.4], [47.5, 8.5]]


def test_a_file_without_the_optional_columns_is_still_read(tmp_path: Path) -> None:
    old = countries_partition(["FR", "CZ", "NA"], _polygons())
    old.save(tmp_path / "old.parquet")
    assert "country" not in pq.read_schema(tmp_path / "old.parquet").names
    after = Partition.load(tmp_path / "old.parquet")
    assert after.countries == ["FR", "CZ", "NA"]
    assert after.label(after.inner[:2]).tolist() == ["FR", "CZ"]  # a point inside each polygon
    np.testing.assert_allclose(after.inner[2], after.centres[2])  # no polygon: its centre


def test_classes_that_are_no_countries_have_none() -> None:
    partition = _with_extras()
    plain = Partition("cells", partition.table[COLUMNS])
    assert plain.countries == ["", "", ""]


def test_half_an_inner_point_is_refused() -> None:
    with pytest.raises(ValueError, match="both inner_lat and inner_lon"):
        Partition("half", _with_extras().table.drop(columns="inner_lon"))


def test_the_distance_to_a_class_is_zero_inside_and_along_the_sphere_outside() -> None:
    codes, distance_km = _with_extras().label_with_distance([(47.5, 8.5), (47.5, 10), (46.1, 5.3)])
    assert codes.tolist() == ["CH-ZH", "CH-ZH", "FR.1"]
    assert distance_km[0] == 0
    # One degree of longitude at 47.5 N: 111.195 km times cos 47.5 degrees.
    assert distance_km[1] == pytest.approx(75.12, abs=0.05)
    assert distance_km[2] == pytest.approx(0, abs=1e-3)


def test_places_stand_in_for_a_polygon() -> None:
    table = gpd.GeoDataFrame(
        {"code": ["a", "b"], "name": ["A", "B"], "lat": [0.0, 0.0], "lon": [5.0, 7.0]},
        geometry=[shapely.MultiPoint([(0, 0), (10, 0)]), shapely.MultiPoint([(7, 0)])],
        crs=4326,
    )
    codes, distance_km = Partition("places", table).label_with_distance([(0, 3), (0, 9), (0, 6)])
    assert codes.tolist() == ["a", "a", "b"]  # by the nearest place, not by the nearest centre
    np.testing.assert_allclose(distance_km, np.array([3, 1, 1]) * 111.195, rtol=1e-4)


def test_nearest_classes_come_with_their_distances() -> None:
    rows, distance_km = _with_extras().nearest([(46.5, 7.5), (0, 179)], 3)
    assert rows.tolist()[0] == [1, 0, 2]
    assert distance_km[0, 0] == 0
    # From 46.5 N 7.5 E to the corner 47 N 8 E, and to Ain's centre, by the haversine formula.
    np.testing.assert_allclose(distance_km[0, 1:], [67.4, 174.1], atol=1.2)
    assert np.isfinite(distance_km).all()
    with pytest.raises(ValueError, match="k from 1 to the number of areas, 3, but got 4"):
        _with_extras().nearest([(0, 0)], 4)


def test_an_inner_point_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="inner points in degrees"):
        Partition("nowhere", _with_extras().table.assign(inner_lat=np.nan))
