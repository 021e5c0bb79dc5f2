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
    points = [(45, 5), (50, 14), (45, -3), (50, 11), (-22, 17)]
    #          in FR    in CZ     W of FR   at the gap: 1° from CZ   near NA's centre, no polygon
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
