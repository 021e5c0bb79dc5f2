"""Several trainings of one recipe: means over seeds, intervals over places, tests over both."""

import math

import numpy as np
import pytest

from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.seeds import (
    SeedRuns,
    differences,
    figures_of,
    holm,
    median_ratio,
    p_value,
)

BOOTSTRAP = PlaceBootstrap(0, 400)


def runs(*km: list[float], **means: list[list[float]]) -> SeedRuns:
    return SeedRuns(
        np.asarray(km, dtype=float), {n: np.asarray(v, dtype=float) for n, v in means.items()}
    )


def test_a_figure_is_the_mean_of_the_seeds_figures_not_that_of_all_answers() -> None:
    # Medians 20 and 500: their mean is 260; of the six answers together it would be 65.
    found = figures_of(runs([10, 20, 30], [100, 500, 900]), BOOTSTRAP)
    assert found["median_km"].interval.value == 260
    assert found["median_km"].seeds.tolist() == [20, 500]
    assert found["median_km"].spread == pytest.approx(480 / math.sqrt(2))
    assert found["mean_km"].interval.value == 260
    # Below 25 km: two of three, none. Below 200 km: three of three, one of three.
    assert found["within_25"].interval.value == pytest.approx(1 / 3)
    assert found["within_200"].interval.value == pytest.approx(2 / 3)


def test_geoscore_is_5000_at_the_truth_and_decays_by_e_in_1493_km() -> None:
    found = figures_of(runs([0.0, 1492.7]), BOOTSTRAP)
    assert found["geo_score"].interval.value == pytest.approx(2500 * (1 + 1 / math.e))
    assert math.isnan(found["geo_score"].spread)


def test_what_is_not_known_of_a_place_is_left_out_of_its_figure_alone() -> None:
    found = figures_of(runs([1, 2, 3], month=[[1, np.nan, 0]]), BOOTSTRAP)
    assert found["month"].interval.value == 0.5
    assert found["mean_km"].interval.value == 2


def test_a_fact_that_one_side_does_not_tell_has_no_difference() -> None:
    told, untold = runs([1, 2, 3], elevation_m=[[10, 20, 30]]), runs([2, 3, 4])
    assert "elevation_m" not in differences(told, untold, BOOTSTRAP)
    assert "elevation_m" not in differences(untold, told, BOOTSTRAP)
    assert differences(untold, told, BOOTSTRAP)["mean_km"].interval.value == 1


def test_equal_places_have_no_interval_and_unequal_ones_do() -> None:
    assert figures_of(runs([7, 7, 7]), BOOTSTRAP)["mean_km"].interval.upper == 7
    wide = figures_of(runs([0, 0, 300, 300]), BOOTSTRAP)["mean_km"].interval
    assert wide.lower < 150 < wide.upper


def test_places_are_paired_so_a_gain_at_each_of_them_is_clear() -> None:
    rng = np.random.default_rng(0)
    km = rng.uniform(0, 5000, size=40)
    first, second = runs(list(km), list(km)), runs(list(km + 10), list(km + 10))
    found = differences(first, second, BOOTSTRAP)["mean_km"]
    assert found.interval.value == pytest.approx(-10)
    assert (found.interval.lower, found.interval.upper) == pytest.approx((-10, -10))
    assert found.p == pytest.approx(2 / 401)  # no draw of 400 on the other side


def test_seeds_that_differ_widen_a_difference_that_places_alone_would_call_clear() -> None:
    # Every place alike: only the seeds differ. The second recipe is better on average, by 40, but
    # one of its three seeds is worse than any of the first.
    first, second = runs(*[[100.0] * 30] * 3), runs([0.0] * 30, [30.0] * 30, [150.0] * 30)
    found = differences(first, second, BOOTSTRAP)["mean_km"]
    assert found.interval.value == pytest.approx(40)
    assert found.interval.lower == pytest.approx(-50)  # all three draws the third seed, 1 in 27
    assert found.interval.upper == pytest.approx(100)
    assert found.p > 0.1


def test_equal_recipes_do_not_differ() -> None:
    found = differences(runs([5, 9]), runs([5, 9]), BOOTSTRAP)["geo_score"]
    assert (found.interval.value, found.p) == (0, 1)


def test_the_ratio_of_medians() -> None:
    found = median_ratio(runs([100, 100, 100]), runs([300, 300, 300]), BOOTSTRAP)
    assert (found.value, found.lower, found.upper) == (3, 3, 3)


def test_p_counts_each_side_with_one_draw_more() -> None:
    assert p_value([1, 2, 3, -1]) == pytest.approx(2 * 2 / 5)
    assert p_value([1, 1, 1]) == pytest.approx(2 * 1 / 4)
    assert p_value([0, 0]) == 1
    assert math.isnan(p_value([math.nan]))


def test_holm_as_in_his_paper() -> None:
    # Sorted 0.01, 0.03, 0.04: times 3, 2, 1, and never below the one before.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.7]) == [1, 1]
    assert math.isnan(holm([math.nan, 0.01])[0])
    assert holm([math.nan, 0.01])[1] == 0.01


@pytest.mark.parametrize("km", [[[1.0, np.nan]], [], [[]]])
def test_a_distance_for_each_place_is_asked_for(km: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="a distance for each"):
        runs(*km)


def test_both_sides_need_the_same_places() -> None:
    with pytest.raises(ValueError, match="3 and 2"):
        differences(runs([1, 2, 3]), runs([1, 2]), BOOTSTRAP)
    with pytest.raises(ValueError, match="3 and 2"):
        median_ratio(runs([1, 2, 3]), runs([1, 2]), BOOTSTRAP)
