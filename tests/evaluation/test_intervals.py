import math
from collections.abc import Mapping

import numpy as np
import pytest

from shared.evaluation import intervals
from shared.evaluation.intervals import (
    Floats,
    Interval,
    PlaceBootstrap,
    Sums,
    count_by_place,
    rounded,
    sum_by_place,
)


def mean(sums: Sums) -> Mapping[str, Floats]:
    return {"mean": sums["right"] / sums["n"]}


def test_interval_of_a_mean_is_that_of_the_normal_approximation() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=400)
    sums = {"right": values, "n": np.ones(400)}
    found = PlaceBootstrap(seed=0, draws=20_000).intervals(sums, mean)["mean"]
    half = 1.959964 * values.std() / math.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert found.lower == pytest.approx(values.mean() - half, abs=0.05 * half)
    assert found.upper == pytest.approx(values.mean() + half, abs=0.05 * half)


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    bootstrap = PlaceBootstrap(seed=0, draws=400)
    covered = 0
    for _ in range(400):
        right = rng.binomial(4, rng.beta(3, 2, size=60)).astype(float)  # four views of 60 places
        found = bootstrap.intervals({"right": right, "n": np.full(60, 4.0)}, mean)["mean"]
        covered += bool(found.lower <= 0.6 <= found.upper)
    # 95 % of 400 is 380 ± 4.4; the percentile interval of 60 places falls a little short.
    assert 362 <= covered <= 396


def test_four_equal_views_of_a_place_tell_no_more_than_one() -> None:
    rng = np.random.default_rng(3)
    right = (rng.random(200) < 0.7).astype(float)
    once = {"right": right, "n": np.ones(200)}
    four_times = {"right": 4 * right, "n": np.full(200, 4.0)}
    bootstrap = PlaceBootstrap(seed=5)
    assert bootstrap.intervals(once, mean) == bootstrap.intervals(four_times, mean)


def test_a_draw_is_the_places_that_a_loop_would_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(7.0) ** 2
    random = np.random.default_rng(11)
    loop = [values[random.integers(7, size=7)].mean() for _ in range(50)]
    expected = np.quantile(loop, (0.025, 0.975))
    monkeypatch.setattr(intervals, "BLOCK_BYTES", 1)  # a block a draw, as the loop
    sums = {"right": values, "n": np.ones(7)}
    found = PlaceBootstrap(seed=11, draws=50).intervals(sums, mean)["mean"]
    assert (found.lower, found.upper) == pytest.approx(tuple(expected))


def test_equal_seeds_give_equal_intervals_and_others_do_not() -> None:
    sums = {"right": np.random.default_rng(0).random(30), "n": np.ones(30)}
    first, same, other = (PlaceBootstrap(seed).intervals(sums, mean) for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_a_figure_that_some_draws_lack_is_left_out_of_them() -> None:
    sums = {"right": np.array([1.0, 0.0, 0.0]), "n": np.array([1.0, 0.0, 0.0])}

    def share(summed: Sums) -> Mapping[str, Floats]:
        n = summed["n"]
        return {"share": np.where(n > 0, summed["right"] / np.maximum(n, 1), np.nan)}

    found = PlaceBootstrap(0, draws=100).intervals(sums, share)["share"]
    assert (found.value, found.lower, found.upper) == (1.0, 1.0, 1.0)


def test_a_figure_that_no_draw_has_is_nan_without_a_warning(
    recwarn: pytest.WarningsRecorder,
) -> None:
    def nothing(summed: Sums) -> Mapping[str, Floats]:
        return {"none": np.full(np.shape(summed["n"]), np.nan)}

    found = PlaceBootstrap(0, draws=10).intervals({"n": np.ones(3)}, nothing)["none"]
    assert math.isnan(found.lower)
    assert found.as_dict() == {"value": None, "lower": None, "upper": None}
    assert len(recwarn) == 0


def test_paired_difference_is_narrower_than_the_figures_it_compares() -> None:
    rng = np.random.default_rng(4)
    hardness = rng.normal(size=300)
    first: Sums
    second: Sums
    first, second = (
        {"right": (hardness + 0.2 * rng.normal(size=300) < skill).astype(float), "n": np.ones(300)}
        for skill in (0.5, 0.2)
    )
    bootstrap = PlaceBootstrap(0)
    found = bootstrap.differences(first, second, mean)["mean"]
    alone = bootstrap.intervals(first, mean)["mean"]
    assert found.value == pytest.approx(first["right"].mean() - second["right"].mean())
    assert found.is_clear
    assert found.upper - found.lower < 0.8 * (alone.upper - alone.lower)


def test_difference_from_itself_is_exactly_0() -> None:
    sums = {"right": np.random.default_rng(0).random(30), "n": np.ones(30)}
    found = PlaceBootstrap(0).differences(sums, sums, mean)["mean"]
    assert (found.value, found.lower, found.upper) == (0, 0, 0)
    assert not found.is_clear


def test_sums_of_other_places_are_refused() -> None:
    some, more = ({"right": np.ones(n), "n": np.ones(n)} for n in (3, 4))
    with pytest.raises(ValueError, match=r"same places on both sides, but got \[3, 4\]"):
        PlaceBootstrap().differences(some, more, mean)
    with pytest.raises(ValueError, match=r"sums of the same places, but got \[3, 4\]"):
        PlaceBootstrap().intervals({"right": np.ones(3), "n": np.ones(4)[:, None]}, lambda _: {})


def test_no_place_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one place"):
        PlaceBootstrap().intervals({"n": np.ones(0)}, lambda sums: {"n": sums["n"]})


@pytest.mark.parametrize("settings", [{"draws": 0}, {"level": 1.0}, {"level": 0.0}])
def test_settings_that_make_no_interval_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="level between 0 and 1"):
        PlaceBootstrap(**settings)  # type: ignore[arg-type]


def test_values_are_summed_by_place() -> None:
    place = np.array([1, 0, 1])
    assert sum_by_place(place, [1, 2, 4], 3).tolist() == [2, 5, 0]
    assert sum_by_place(place, [[1, 0], [2, 1], [4, 1]], 2).tolist() == [[2, 1], [5, 1]]


def test_columns_are_counted_by_place() -> None:
    place, column = np.array([1, 0, 1]), np.array([0, 1, 0])
    counted = count_by_place(place, column, 2, 3, [1, 1, 0.5])
    assert counted.tolist() == [[0, 1, 0], [1.5, 0, 0]]


def test_an_interval_is_said_in_per_cent() -> None:
    assert Interval(0.862, 0.84, 0.881).percent() == "86.2 % (84.0 to 88.1)"
    assert Interval(0.05, -0.01, 0.11).points() == "+5.0 points (-1.0 to +11.0)"


def test_figures_for_json_have_six_decimals() -> None:
    assert rounded(1 / 3) == 0.333333
    assert str(rounded(-1e-9)) == "0.0"
    assert rounded(math.nan) is None
