"""City tables, against populations and coordinates that are known."""

from pathlib import Path

import numpy as np
import pytest
import shapely

from shared.cities import (
    BY_PEOPLE,
    BY_PLACES,
    cities_of_cells,
    cities_partition,
    city_table,
    nation_of,
    nearest_city,
)
from shared.grid import grid_partition
from tests.training.city_photos import write_cities


def test_cities_come_by_population_each_with_its_nation(tmp_path: Path) -> None:
    found = city_table((), 3, str(write_cities(tmp_path)))
    assert found["name"].tolist() == ["Tokyo", "Osaka", "Paris"]
    assert found["code"].tolist() == ["JP-tokyo", "JP-osaka", "FR-paris"]
    assert found["nation"].tolist() == ["Japan", "Japan", "France"]
    assert found["population"].tolist() == [9_700_000, 2_700_000, 2_100_000]
    assert set(found["ranked"]) == {BY_PEOPLE}


def test_an_even_table_has_as_many_cities_of_each_country(tmp_path: Path) -> None:
    found = city_table(("CZ", "FR", "JP"), 3, str(write_cities(tmp_path)), is_even=True)
    assert sorted(found["name"]) == ["Paris", "Prague", "Tokyo"]


def test_a_place_near_to_a_larger_city_is_a_part_of_it(tmp_path: Path) -> None:
    path = write_cities(tmp_path)
    with path.open("a", encoding="utf-8") as file:
        file.write("Kladno,50.14,14.10,70000,CZ\n")  # 24 km from the middle of Prague
    assert "Kladno" in set(city_table((), 0, str(path), apart_km=20)["name"])
    assert "Kladno" not in set(city_table((), 0, str(path), apart_km=30)["name"])


def test_without_a_table_the_gazetteers_places_are_ranked_and_say_so() -> None:
    found = city_table(("GB",), 20, apart_km=50)
    assert set(found["ranked"]) == {BY_PLACES}
    assert found["population"].isna().all()
    # Greater London has more places around it than any other area of the country.
    away = np.hypot(found["lat"].iloc[0] - 51.5, found["lon"].iloc[0] + 0.1)
    assert away < 0.5
    assert {"England", "Scotland"} <= set(city_table(("GB",), 60, apart_km=50)["nation"])


def test_the_united_kingdom_is_told_by_its_four_nations() -> None:
    assert nation_of("GB", "Scotland") == "Scotland"
    assert nation_of("GB", "") == "United Kingdom"
    assert nation_of("FR", "Ile-de-France") == "France"


def test_points_are_grouped_to_the_nearest_city_of_their_own_country(tmp_path: Path) -> None:
    cities = city_table((), 0, str(write_cities(tmp_path)))
    vienna = [48.21, 16.37]  # 110 km from Brno, in a country without a city here
    rows, away = nearest_city(cities, [vienna, vienna, vienna], ["CZ", "AT", "FR"])
    names = [cities["name"].iloc[row] if row >= 0 else "" for row in rows]
    assert names == ["Brno", "", "Lyon"]
    assert away[0] == pytest.approx(110, abs=2)
    assert np.isnan(away[1])
    assert cities["name"].iloc[nearest_city(cities, [vienna])[0][0]] == "Brno"


def test_a_cell_is_called_by_its_largest_city(tmp_path: Path) -> None:
    cells = grid_partition(shapely.box(0, 44, 20, 52), 4.0)
    found = cities_of_cells(cells, str(write_cities(tmp_path)))
    # Cells of 4 degrees from (0, 44): Lyon and Paris lie apart (45.8 N 4.8 E; 48.9 N 2.4 E).
    assert dict(zip(found["code"], found["name"], strict=True)) == {
        cells.label([[48.86, 2.35]])[0]: "Paris",
        cells.label([[45.76, 4.84]])[0]: "Lyon",
        cells.label([[50.08, 14.43]])[0]: "Prague",
        cells.label([[49.19, 16.61]])[0]: "Brno",
    }
    paris = found[found["name"] == "Paris"].iloc[0]
    assert (paris["lat"], paris["lon"]) == pytest.approx((50.0, 2.0), abs=0.1)


def test_cities_are_classes_of_their_countries(tmp_path: Path) -> None:
    partition = cities_partition(city_table((), 0, str(write_cities(tmp_path))))
    assert partition.countries == ["JP", "JP", "FR", "CZ", "FR", "CZ"]
    assert partition.label([[50.0, 14.0]]).tolist() == ["CZ-prague"]


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a table of cities at .*nowhere\.csv"):
        city_table((), 5, str(tmp_path / "nowhere.csv"))


def test_a_table_without_populations_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cities.csv"
    path.write_text("name,lat,lon\nPrague,50,14\n")
    with pytest.raises(ValueError, match=r"one of the columns .*population.* in .*cities\.csv"):
        city_table((), 5, str(path))


def test_a_country_without_a_city_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cities of \['KE'\]"):
        city_table(("KE",), 5, str(write_cities(tmp_path)))
