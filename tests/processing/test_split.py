"""The split: stable, by place, every country in every part where possible."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.data_loader import stable_order
from shared.processing.split import (
    PARTS,
    distances_to_training,
    places_in_several_parts,
    split_places,
    unit_number,
)


def _pairs(places: dict[str, int], views: int = 1, seed: int = 0) -> pd.DataFrame:
    """Pairs of so many places a country, each with so many views, somewhere on the Earth."""
    random = np.random.default_rng(seed)
    rows = []
    for code, number in places.items():
        for place in range(number):
            lat, lon = random.uniform(-60, 60), random.uniform(-170, 170)
            rows += [
                (f"{code}{place:04d}_{view}", code, f"{code}{place:04d}", lat, lon)
                for view in range(views)
            ]
    return pd.DataFrame(rows, columns=["id", "code", "place", "lat", "lon"]).set_index("id")


def test_the_number_of_a_place_is_the_beginning_of_its_sha256() -> None:
    # printf '7:prague' | sha256sum
    assert unit_number("prague", 7) == Fraction(int("c4aca233d731f2bf", 16), 2**64)


def test_the_fractions_are_met_to_within_chance() -> None:
    parts = split_places(_pairs({"FR": 4000})).parts
    shares = parts.value_counts(normalize=True)
    # Four standard deviations of 4,000 draws: sqrt(0.7 · 0.3 / 4000) = 0.0072, and so on.
    assert shares["train"] == pytest.approx(0.7, abs=0.029)
    assert shares["validation"] == pytest.approx(0.2, abs=0.026)
    assert shares["test"] == pytest.approx(0.1, abs=0.019)


def test_views_of_a_place_stay_together() -> None:
    pairs = _pairs({"FR": 50, "CZ": 20}, views=4)
    parts = split_places(pairs).parts
    assert places_in_several_parts(parts, pairs["place"]) == []
    assert len(parts) == len(pairs)


def test_a_leak_is_found() -> None:
    parts = pd.Series({"a": "train", "b": "test", "c": "test"})
    places = pd.Series({"a": "p", "b": "p", "c": "q"})
    assert places_in_several_parts(parts, places) == ["p"]


def test_a_place_that_is_added_moves_no_other() -> None:
    before = split_places(_pairs({"FR": 200, "CZ": 100})).parts
    after = split_places(_pairs({"FR": 230, "CZ": 100, "PE": 40})).parts
    pd.testing.assert_series_equal(after.loc[before.index], before)


def test_another_order_gives_the_same_parts() -> None:
    pairs = _pairs({"FR": 30, "CZ": 5, "PE": 3}, views=2)
    one, two = split_places(pairs), split_places(pairs.sample(frac=1, random_state=3))
    pd.testing.assert_series_equal(one.parts, two.parts)
    assert one.moved == two.moved


def test_another_seed_gives_other_parts() -> None:
    pairs = _pairs({"FR": 100})
    assert not split_places(pairs, seed=1).parts.equals(split_places(pairs, seed=2).parts)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["FR", "CZ", "PE", "NA"]), st.integers(1, 9), min_size=1),
    st.integers(0, 10_000),
    st.sampled_from([(0.7, 0.2, 0.1), (0.8, 0.0, 0.2), (0.98, 0.01, 0.01)]),
)
def test_a_country_with_places_enough_is_in_every_part(
    places: dict[str, int], seed: int, fractions: tuple[float, float, float]
) -> None:
    pairs = _pairs(places)
    split = split_places(pairs, fractions, seed=seed)
    wanted = [part for part, fraction in zip(PARTS, fractions, strict=True) if fraction]
    for code, number in places.items():
        has = set(split.parts[pairs["code"] == code])
        assert has <= set(wanted)
        if number >= len(wanted):
            assert has == set(wanted)
        else:
            lacking = {part for country, part in split.lacking if country == code}
            assert lacking == set(wanted) - has
    for unit, part in split.moved.items():
        assert set(split.parts[pairs["place"] == unit]) == {part}


def test_an_empty_validation_stays_empty() -> None:
    split = split_places(_pairs({"FR": 100, "CZ": 4}), (0.8, 0.0, 0.2))
    assert split.ids("validation") == []
    assert sorted(split.ids("train") + split.ids("test")) == sorted(split.parts.index)


def test_small_countries_are_dropped_and_named() -> None:
    pairs = _pairs({"FR": 60, "CZ": 49, "PE": 60})
    split = split_places(pairs, min_photos_per_country=50)
    assert split.dropped == {"CZ": (49, 49)}
    assert set(pairs.loc[split.parts.index, "code"]) == {"FR", "PE"}


def test_countries_of_few_places_are_dropped() -> None:
    pairs = pd.concat([_pairs({"FR": 60}), _pairs({"CZ": 2}, views=40)])
    assert split_places(pairs, min_places_per_country=3).dropped == {"CZ": (80, 2)}


def test_dropping_everything_is_an_error() -> None:
    with pytest.raises(ValueError, match="No pair is left of 5: all 1 countries"):
        split_places(_pairs({"FR": 5}), min_photos_per_country=50)


def test_places_of_a_block_stay_together() -> None:
    pairs = _pairs({"FR": 400})
    parts = split_places(pairs, block_deg=20).parts
    # Blocks of 20 degrees, counted here by hand: row and column from the south-west.
    rows, columns = (pairs["lat"] + 90) // 20, (pairs["lon"] + 180) // 20
    of_block = parts.groupby([rows.loc[parts.index], columns.loc[parts.index]]).nunique()
    assert of_block.max() == 1
    assert parts.nunique() == 3


def test_places_without_coordinates_are_units_among_blocks() -> None:
    pairs = _pairs({"FR": 100})
    pairs.loc[pairs.index[::2], ["lat", "lon"]] = np.nan
    alone, blocks = split_places(pairs).parts, split_places(pairs, block_deg=30).parts
    assert (alone[pairs.index[::2]] == blocks[pairs.index[::2]]).mean() > 0.9


def test_a_country_within_one_block_is_reported_as_lacking() -> None:
    pairs = _pairs({"FR": 300})
    monaco = pd.DataFrame(
        {"code": "MC", "place": ["m1", "m2", "m3"], "lat": 43.73, "lon": 7.42}, index=list("xyz")
    )
    split = split_places(pd.concat([pairs, monaco]), block_deg=10)
    assert len({part for code, part in split.lacking if code == "MC"}) == 2


@pytest.mark.parametrize(
    "fractions", [(0.7, 0.2), (0.7, 0.2, 0.2), (1.2, -0.1, -0.1), (0.0, 0.5, 0.5)]
)
def test_fractions_that_are_none_are_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="three fractions"):
        split_places(_pairs({"FR": 5}), fractions)


def test_distances_from_test_to_training() -> None:
    points = pd.DataFrame(
        {"lat": [0.0, 0.0, 10.0, np.nan], "lon": [179.5, -179.5, 0.0, np.nan]}, index=list("abcd")
    )
    parts = pd.Series(["train", "test", "train", "test"], index=list("abcd"))
    # One degree of the equator, across the antimeridian.
    np.testing.assert_allclose(distances_to_training(points, parts), [111.19508], atol=1e-4)


def test_no_coordinates_have_no_distances() -> None:
    points = pd.DataFrame({"lat": [np.nan], "lon": [np.nan]}, index=["a"])
    assert distances_to_training(points, pd.Series(["train"], index=["a"])).shape == (0,)


def test_the_first_places_of_an_order_are_split_like_all_others() -> None:
    # The mapping keeps the first places of the order of the same seed; their parts are as asked.
    pairs = _pairs({"FR": 4000})
    first = set(stable_order(pairs["place"], 0)[:1000])
    parts = split_places(pairs[pairs["place"].isin(first)]).parts
    # Four standard deviations of 1,000 draws.
    assert (parts == "train").mean() == pytest.approx(0.7, abs=0.058)
