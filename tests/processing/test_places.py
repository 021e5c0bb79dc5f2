"""Keys of places."""

import numpy as np
import pandas as pd

from shared.processing.places import place_keys


def test_a_named_place_comes_before_coordinates_and_those_before_the_id() -> None:
    records = pd.DataFrame(
        {
            "place": ["square", np.nan, np.nan, "", np.nan],
            "lat": [1.0, 1.0, 1.0, np.nan, -0.0],
            "lon": [2.0, 2.0, 2.0, np.nan, 5.0],
        },
        index=["a", "b", "c", "d", "e"],
    )
    keys = place_keys(records)
    assert keys["a"] == "square"
    assert keys["b"] == keys["c"] == "at 1.0 2.0"
    assert keys["d"] == "d"
    assert keys["e"] == "at 0.0 5.0"


def test_coordinates_that_differ_in_the_last_bit_are_two_places() -> None:
    lat = [1.0, np.nextafter(1.0, 2.0)]
    records = pd.DataFrame({"lat": lat, "lon": [0.0, 0.0]}, index=["a", "b"])
    assert place_keys(records).nunique() == 2


def test_records_with_names_alone_are_a_place_each() -> None:
    records = pd.DataFrame({"country": ["Peru", "Peru"]}, index=["a", "b"])
    assert place_keys(records).tolist() == ["a", "b"]


def test_numbers_as_places_are_text() -> None:
    assert place_keys(pd.DataFrame({"place": [7]}, index=["a"])).tolist() == ["7"]
