"""Where to look: cells, cities by rank, points of a file; uniform on the sphere."""

from itertools import islice
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from shared.collection.street_view_places import (
    Area,
    cell_areas,
    city_areas,
    point_areas,
    read_cities,
)
from shared.geo import haversine_km
from shared.grid import grid_partition

ROOT = Path(__file__).parents[2]


def drawn(area: Area, n: int, seed: int = 0) -> np.ndarray:
    return np.asarray(list(islice(area.candidates(seed), n)))


def cities(n: int, **more: object) -> pd.DataFrame:
    """So many cities; the first is the smallest."""
    table = {"name": [f"City {k}" for k in range(n)], "lat": 50.0, "lon": 1.0}
    return pd.DataFrame({**table, "population": range(n), **more})


def test_candidates_are_uniform_on_the_sphere_within_a_cell() -> None:
    (area,) = cell_areas(grid_partition(shapely.box(0, 0, 90, 90), 90.0), 1)
    points = drawn(area, 8000)
    # Half of the hemisphere's area lies below 30 degrees: sin 30 = 1/2 (Archimedes).
    assert np.mean(points[:, 0] < 30) == pytest.approx(0.5, abs=0.02)
    assert np.mean(points[:, 1] < 45) == pytest.approx(0.5, abs=0.02)


def test_candidates_lie_within_an_odd_cell() -> None:
    triangle = shapely.Polygon([(0, 0), (2, 0), (0, 2)])
    (area,) = cell_areas(grid_partition(triangle, 2.0), 1)
    points = drawn(area, 500)
    assert (points.sum(axis=1) <= 2 + 1e-9).all()
    assert len(np.unique(points, axis=0)) == 500


def test_candidates_are_uniform_within_a_disc_also_across_the_antimeridian() -> None:
    for centre in ((51.5, -0.1), (-16.8, 179.99), (89.9, 0.0)):
        area = Area("city", "x", "X", 1, centre, radius_km=20.0)
        away_km = haversine_km(np.array(centre), drawn(area, 4000))
        assert away_km.max() <= 20.0
        # A quarter of a disc's area lies within half of its radius.
        assert np.mean(away_km < 10) == pytest.approx(0.25, abs=0.02)


def test_candidates_follow_from_code_and_seed_alone() -> None:
    few, many = (cell_areas(grid_partition(shapely.box(0, 0, 4, 2), 2.0), n) for n in (1, 100))
    assert (drawn(few[1], 70) == drawn(many[1], 100)[:70]).all()
    assert not (drawn(few[1], 5, seed=1) == drawn(few[1], 5)).any()


def test_cities_get_places_by_thirds_of_their_rank() -> None:
    areas = city_areas(cities(200), 150, [200, 100, 50], 10.0)
    assert [area.name for area in areas[:2]] == ["City 199", "City 198"]
    assert [area.wanted for area in areas] == [200] * 50 + [100] * 50 + [50] * 50


def test_the_top_cities_are_those_of_each_country() -> None:
    table = cities(6, country=["NA", "NA", "United Kingdom", "GB", "GB", "NA"])
    areas = city_areas(table, 2, [5], 10.0, ["UK", "Namibia"])
    assert [area.name for area in areas] == ["City 4", "City 3", "City 5", "City 1"]


def test_codes_of_cities_are_safe_and_come_once() -> None:
    names = ["São Paulo", "Sao Paulo", "上海", "St. John's"]
    areas = city_areas(cities(4, name=names), 4, [1], 5.0)
    assert [area.code for area in areas] == ["st-john-s", "city", "sao-paulo", "sao-paulo-2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,lat,lon\nA,1,2\n", "expected rows with the columns .*population"),
        ("name,lat,lon,population\n", "expected rows with the columns .*got 0 rows"),
        ("name,lat,lon,population\nA,1,2,3\nB,x,2,3\n", "row 2: expected a number as lat, got 'x'"),
        ("name,lat,lon,population\nA,1,2,\n", "row 1: expected a number as population, got ''"),
        ("name,lat,lon,population\nA,-120,2,3\n", "Are latitude and longitude swapped"),
    ],
)
def test_each_fault_of_a_table_of_cities_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cities.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_cities(path)


def test_a_table_of_cities_is_read_with_namibia(tmp_path: Path) -> None:
    path = tmp_path / "cities.csv"
    path.write_text("Name, Lat,Lon,Population,Country\nWindhoek ,-22.57,17.08,431000,NA\n")
    row = read_cities(path).iloc[0]
    assert (row["name"], row["lat"], row["population"], row["country"]) == (
        "Windhoek",
        -22.57,
        431000,
        "NA",
    )


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a table of cities at .*population"):
        read_cities(tmp_path / "none.csv")
    with pytest.raises(FileNotFoundError, match="Expected points at"):
        point_areas(tmp_path / "none.csv")


def test_settings_of_cities_are_held_to_their_ranges() -> None:
    with pytest.raises(ValueError, match="at least 5 cities, but got 3"):
        city_areas(cities(3), 5, [1], 10.0)
    with pytest.raises(ValueError, match="a radius from 0 to 1,000 km"):
        city_areas(cities(3), 1, [1], 0.0)
    with pytest.raises(ValueError, match="at least one place in each area"):
        city_areas(cities(3), 1, [], 10.0)
    with pytest.raises(ValueError, match="a column 'country'"):
        city_areas(cities(3), 1, [1], 10.0, ["GB"])


def test_points_come_from_a_csv_or_a_geojson(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("id,lat,lon\nA 1,51.5,-0.1\nA 1,52,0\n")
    shapes = gpd.points_from_xy([-0.1], [51.5])
    gpd.GeoDataFrame(geometry=shapes, crs="EPSG:4326").to_file(tmp_path / "points.geojson")
    table = point_areas(tmp_path / "points.csv")
    assert [(area.code, area.name, area.wanted) for area in table] == [
        ("a-1", "A 1", 1),
        ("a-1-2", "A 1", 1),
    ]
    assert list(table[0].candidates(0)) == [(51.5, -0.1)]
    (point,) = point_areas(tmp_path / "points.geojson")
    assert (point.code, list(point.candidates(0))) == ("point-00000", [(51.5, -0.1)])


def test_polygons_are_no_points(tmp_path: Path) -> None:
    gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs="EPSG:4326").to_file(
        tmp_path / "areas.geojson"
    )
    with pytest.raises(ValueError, match=r"Expected points in .*Polygon"):
        point_areas(tmp_path / "areas.geojson")
