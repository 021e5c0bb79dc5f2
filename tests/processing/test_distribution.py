"""Mapping to a target: small cases computed by hand, and properties of any case."""

from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.processing.distribution import Mapping, largest_gap, map_to_distribution


def _pairs(places: dict[str, int], views: int = 1) -> pd.DataFrame:
    """Pairs of so many places a country, each place with so many views."""
    rows = [
        (f"{code}{place:03d}_{view}", code, f"{code}{place:03d}")
        for code, number in places.items()
        for place in range(number)
        for view in range(views)
    ]
    return pd.DataFrame(rows, columns=["id", "code", "place"]).set_index("id")


def _chosen(mapping: Mapping) -> dict[str, int]:
    table = mapping.table
    return {str(code): int(n) for code, n in table["chosen"].items() if n}


def _status(mapping: Mapping) -> dict[str, str]:
    return {str(code): str(status) for code, status in mapping.table["status"].items()}


def test_without_slack_the_proportions_are_exact() -> None:
    # Due shares 1/2, 1/4, 1/4; Peru's 10 are a quarter of 40.
    target = pd.Series({"FR": 50, "CZ": 25, "PE": 25})
    mapping = map_to_distribution(_pairs({"FR": 100, "CZ": 50, "PE": 10}), target, slack_factor=1)
    assert mapping.size == 40
    assert _chosen(mapping) == {"FR": 20, "CZ": 10, "PE": 10}
    assert largest_gap(mapping) == 0


def test_with_slack_the_scarcest_falls_short_and_the_rest_grows() -> None:
    # Peru's 10 are half of its due of 20, so N = 80: 40, 20 and 10 of 20.
    target = pd.Series({"FR": 50, "CZ": 25, "PE": 25})
    mapping = map_to_distribution(_pairs({"FR": 100, "CZ": 50, "PE": 10}), target, slack_factor=0.5)
    assert mapping.size == 80
    assert _chosen(mapping) == {"FR": 40, "CZ": 20, "PE": 10}
    assert mapping.table.loc["PE", "quota"] == 20
    assert largest_gap(mapping) == pytest.approx(0.25 - 10 / 70)


def test_never_more_than_all_is_asked_for() -> None:
    mapping = map_to_distribution(_pairs({"FR": 10, "CZ": 10}), pd.Series({"FR": 1, "CZ": 1}))
    assert mapping.size == 20  # not 20 / 0.75
    assert _chosen(mapping) == {"FR": 10, "CZ": 10}


def test_rare_countries_are_left_out_and_the_rest_shares_their_part() -> None:
    # Of 200 pairs Peru has 1: 0.5 %, less than 0.75 %. Then France is due 3/4.
    pairs = _pairs({"FR": 150, "CZ": 49, "PE": 1})
    target = pd.Series({"FR": 30, "CZ": 10, "PE": 60})
    mapping = map_to_distribution(pairs, target, slack_factor=1)
    assert _status(mapping) == {"FR": "kept", "CZ": "kept", "PE": "below the minimum share"}
    assert _chosen(mapping) == {"FR": 147, "CZ": 49}


def test_a_country_of_just_the_minimum_share_is_kept() -> None:
    # 3 of 400 are 0.75 %, which is 0.0075 * 400 = 3.0000000000000004 in floating point.
    pairs = _pairs({"FR": 397, "PE": 3})
    mapping = map_to_distribution(pairs, pd.Series({"FR": 9, "PE": 1}), minimum_share=0.0075)
    assert _status(mapping)["PE"] == "kept"


def test_countries_of_one_side_alone_are_named() -> None:
    pairs = _pairs({"FR": 10, "CZ": 10})
    mapping = map_to_distribution(pairs, pd.Series({"FR": 5, "PE": 5}))
    expected = {"FR": "kept", "PE": "missing in the source", "CZ": "not in the target"}
    assert _status(mapping) == expected
    assert _chosen(mapping) == {"FR": 10}


def test_missing_countries_are_an_error_when_not_allowed() -> None:
    pairs = _pairs({"FR": 999, "CZ": 1})
    target = pd.Series({"FR": 5, "PE": 5, "CZ": 1})
    message = r"3 countries.*2 are left out: Peru \(missing in the source\), Czechia \(below"
    with pytest.raises(ValueError, match=message):
        map_to_distribution(pairs, target, missing_allowed=False)


def test_views_of_a_place_stay_together() -> None:
    # N = 12 / (3/4 · 1/3) = 48; Czechia's due is 16, so 4 places of 4; France's 32, 8 places.
    pairs = _pairs({"FR": 20, "CZ": 3}, views=4)
    mapping = map_to_distribution(pairs, pd.Series({"FR": 2, "CZ": 1}))
    assert mapping.size == 48
    assert _chosen(mapping) == {"FR": 32, "CZ": 12}
    views = pairs.loc[mapping.ids].groupby("place").size()
    assert set(views) == {4}


def test_another_order_of_pairs_gives_the_same_choice() -> None:
    pairs = _pairs({"FR": 40, "CZ": 20}, views=2)
    target = pd.Series({"FR": 1, "CZ": 1})
    assert (
        map_to_distribution(pairs, target).ids
        == map_to_distribution(pairs.sample(frac=1, random_state=1), target[::-1]).ids
    )


def test_another_seed_gives_another_choice_of_the_same_size() -> None:
    pairs, target = _pairs({"FR": 40, "CZ": 10}), pd.Series({"FR": 1, "CZ": 1})
    one = map_to_distribution(pairs, target, seed=1)
    two = map_to_distribution(pairs, target, seed=2)
    assert one.ids != two.ids
    assert _chosen(one) == _chosen(two)


def test_a_smaller_choice_is_a_part_of_a_larger_one() -> None:
    pairs, target = _pairs({"FR": 60, "CZ": 10}), pd.Series({"FR": 1, "CZ": 1})
    small = set(map_to_distribution(pairs, target, slack_factor=1).ids)
    assert small < set(map_to_distribution(pairs, target, slack_factor=0.5).ids)


def test_no_common_country_is_an_error() -> None:
    with pytest.raises(ValueError, match="No country is left: of 2 countries"):
        map_to_distribution(_pairs({"FR": 3}), pd.Series({"PE": 3}))


def test_a_place_in_two_countries_is_an_error() -> None:
    pairs = pd.DataFrame({"code": ["FR", "CZ"], "place": ["p", "p"]}, index=["a", "b"])
    with pytest.raises(ValueError, match=r"'p' has \['CZ', 'FR'\]"):
        map_to_distribution(pairs, pd.Series({"FR": 1}))


@pytest.mark.parametrize("slack", [0.0, -0.5, 1.5])
def test_slack_is_a_part_of_the_due(slack: float) -> None:
    with pytest.raises(ValueError, match="slack factor"):
        map_to_distribution(_pairs({"FR": 3}), pd.Series({"FR": 3}), slack_factor=slack)


def test_minimum_share_is_a_share() -> None:
    with pytest.raises(ValueError, match="minimum share"):
        map_to_distribution(_pairs({"FR": 3}), pd.Series({"FR": 3}), minimum_share=2)


CODES = ["FR", "CZ", "PE", "NA", "US"]
NUMBERS = st.dictionaries(st.sampled_from(CODES), st.integers(1, 60), min_size=1)


@settings(deadline=None)
@given(NUMBERS, NUMBERS, st.integers(1, 4), st.integers(1, 20).map(lambda n: n / 20))
def test_any_choice_is_within_its_bounds_and_as_large_as_can_be(
    places: dict[str, int], target: dict[str, int], views: int, slack: float
) -> None:
    common = [code for code in places if code in target]
    if not common:
        return
    pairs = _pairs(places, views)
    mapping = map_to_distribution(pairs, pd.Series(target), minimum_share=0, slack_factor=slack)
    chosen = _chosen(mapping)
    total = sum(target[code] for code in common)
    due = {code: Fraction(target[code], total) * mapping.size for code in common}
    available = {code: Fraction(places[code] * views) for code in common}
    part = Fraction(str(slack))
    assert set(chosen) <= set(common)
    for code in common:
        number = chosen.get(code, 0)
        assert number % views == 0  # whole places
        assert number <= min(due[code], available[code])
        # Every kept country can have its slack's part of the due: what rounding to whole pairs
        # and places takes is less than a pair and a place.
        assert available[code] >= part * due[code]
        assert number > min(part * due[code], available[code]) - 1 - views
        # No further place would fit.
        assert number == available[code] or number + views > int(due[code])
    # No larger N would do: it would be more than there is, or ask too much of some country.
    larger = mapping.size * Fraction(1001, 1000)
    is_all = mapping.size == sum(available.values())
    assert is_all or any(
        available[code] < part * larger * Fraction(target[code], total) for code in common
    )
