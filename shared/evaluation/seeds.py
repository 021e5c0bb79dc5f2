"""Figures of one recipe that was trained several times: means over seeds, intervals over places.

Two kinds of luck are in a figure: which places were tested, and how a training fell out.

* A figure is taken for each seed, and averaged. Its interval is that of the mean over these seeds:
  places are drawn, the same for all seeds (`intervals`). How the seeds differ stands beside it.
* A difference of two recipes is drawn over both: each draw takes places, the same for both sides,
  and seeds, for each side on its own, since the n-th training of one has nothing in common with the
  n-th of the other (`differences`). This is the pigeonhole bootstrap (Owen, 2007, Annals of Applied
  Statistics 1, 386), of two factors that are crossed. Of S seeds it sees (S - 1) / S of the
  variance between them: with three seeds its intervals are a little narrow there.

Kilometres; shares are between 0 and 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.evaluation.distance_intervals import weighted_median
from shared.evaluation.distances import RADII_KM, is_within, scores_of
from shared.evaluation.intervals import Floats, Interval, PlaceBootstrap

MEDIAN = "median_km"


@dataclass(frozen=True)
class SeedRuns:
    """What several trainings of one recipe came to, place by place.

    Attributes:
        km: (S, P) distances of the guesses, a row a seed.
        means: more figures that are means over places, by name: (S, P) values, such as whether the
            country is right; NaN where the truth is not known.
    """

    km: Floats = field(repr=False)
    means: Mapping[str, Floats] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Check the shapes.

        Raises:
            ValueError: when they differ, there is no seed or place, or a distance is missing.
        """
        shapes = {self.km.shape, *(array.shape for array in self.means.values())}
        if len(shapes) != 1 or self.km.ndim != 2 or not self.km.size or np.isnan(self.km).any():
            msg = (
                "Expected (S, P) values of seeds and places, and a distance for each, but got "
                f"{sorted(shapes)}"
            )
            raise ValueError(msg)

    @property
    def n_seeds(self) -> int:
        """The number of trainings."""
        return len(self.km)

    @property
    def columns(self) -> dict[str, Floats]:
        """All figures that are means over places, by name: (S, P) values."""
        return {
            "mean_km": self.km,
            "geo_score": scores_of(self.km),
            **{f"within_{r:g}": is_within(self.km, r).astype(np.float64) for r in RADII_KM},
            **self.means,
        }


@dataclass(frozen=True)
class SeedFigure:
    """A figure of several trainings.

    Attributes:
        interval: the mean over the seeds, with its interval over places.
        seeds: (S,) the figure of each.
    """

    interval: Interval
    seeds: Floats

    @property
    def spread(self) -> float:
        """The standard deviation over the seeds (S - 1 below the line); NaN of one seed."""
        return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else float("nan")


@dataclass(frozen=True)
class Difference:
    """A difference of two recipes, and how likely it is to be luck.

    Attributes:
        interval: the difference, over places and seeds.
        p: of the two-sided test by the same draws: twice the smaller share of draws on one side of
            0, each side with one draw more than was found (Davison and Hinkley, 1997, Bootstrap
            Methods and their Application, 4.2).
    """

    interval: Interval
    p: float


def figures_of(runs: SeedRuns, bootstrap: PlaceBootstrap) -> dict[str, SeedFigure]:
    """All figures of a recipe: the mean over its seeds with an interval over places."""
    ones = np.ones((1, runs.km.shape[1]))
    alone = {name: found[0] for name, found in _by_seed(runs, ones).items()}
    drawn = _drawn([runs], bootstrap, draws_seeds=False)
    return {
        name: SeedFigure(_interval(values.mean(), drawn[name], bootstrap.level), values)
        for name, values in alone.items()
    }


def differences(
    first: SeedRuns, second: SeedRuns, bootstrap: PlaceBootstrap
) -> dict[str, Difference]:
    """The figures of `first` minus those of `second`, of the same places, over places and seeds.

    A figure that one of the two does not have is left out.

    Raises:
        ValueError: when the places differ in number.
    """
    if first.km.shape[1] != second.km.shape[1]:
        msg = (
            f"Expected the same places on both sides, but got {first.km.shape[1]} and "
            f"{second.km.shape[1]}"
        )
        raise ValueError(msg)
    drawn = _drawn([first, second], bootstrap, draws_seeds=True)
    ones = np.ones((1, first.km.shape[1]))
    one, two = (_by_seed(runs, ones) for runs in (first, second))
    return {
        name: Difference(
            _interval(one[name].mean() - two[name].mean(), values, bootstrap.level), p_value(values)
        )
        for name, values in drawn.items()
    }


def median_ratio(first: SeedRuns, second: SeedRuns, bootstrap: PlaceBootstrap) -> Interval:
    """How many times as far the median of `second` is as that of `first`, over places and seeds.

    Raises:
        ValueError: when the places differ in number.
    """
    if first.km.shape[1] != second.km.shape[1]:
        msg = f"Expected the same places, but got {first.km.shape[1]} and {second.km.shape[1]}"
        raise ValueError(msg)
    seeds = np.random.default_rng(bootstrap.seed)
    drawn = []
    for places in bootstrap.weights(first.km.shape[1]):
        one, two = (
            _mean_over_seeds(_medians(runs, places), _seed_weights(runs, len(places), seeds))
            for runs in (first, second)
        )
        drawn.append(two / one)
    ones = np.ones((1, first.km.shape[1]))
    value = float(_medians(second, ones).mean() / _medians(first, ones).mean())
    return _interval(value, np.concatenate(drawn), bootstrap.level)


def p_value(drawn: ArrayLike) -> float:
    """The two-sided p of a difference from its draws; NaN where no draw gives one."""
    values = np.asarray(drawn, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan")
    sides = [int((values <= 0).sum()) + 1, int((values >= 0).sum()) + 1]
    return float(min(1.0, 2 * min(sides) / (len(values) + 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values of several tests, so that all together err as seldom as one (Holm, 1979).

    Args:
        p_values: of the tests; NaN stays.

    Returns:
        In the same order, none smaller than it was.
    """
    values = np.asarray(p_values, dtype=np.float64)
    found, largest = values.copy(), 0.0
    order = [int(row) for row in np.argsort(values, kind="stable") if not np.isnan(values[row])]
    for rank, row in enumerate(order):
        largest = max(largest, min(1.0, float(values[row]) * (len(order) - rank)))
        found[row] = largest
    return [float(value) for value in found]


def _drawn(
    sides: Sequence[SeedRuns], bootstrap: PlaceBootstrap, *, draws_seeds: bool
) -> dict[str, Floats]:
    """The draws of each figure, of one recipe, or of the first minus the second."""
    seeds = np.random.default_rng(bootstrap.seed)
    parts: dict[str, list[Floats]] = {}
    for places in bootstrap.weights(sides[0].km.shape[1]):
        found = []
        for runs in sides:
            weights = np.ones((len(places), runs.n_seeds))
            if draws_seeds:
                weights = _seed_weights(runs, len(places), seeds)
            by_seed = _by_seed(runs, places)
            found.append({n: _mean_over_seeds(v, weights) for n, v in by_seed.items()})
        for name in (name for name in found[0] if all(name in one for one in found)):
            value = found[0][name] if len(found) == 1 else found[0][name] - found[1][name]
            parts.setdefault(name, []).append(value)
    return {name: np.concatenate(values) for name, values in parts.items()}


def _seed_weights(runs: SeedRuns, n_draws: int, seeds: np.random.Generator) -> Floats:
    """(B, S) how often each seed is in each draw."""
    share = np.full(runs.n_seeds, 1 / runs.n_seeds)
    return seeds.multinomial(runs.n_seeds, share, size=n_draws).astype(np.float64)


def _mean_over_seeds(values: Floats, weights: Floats) -> Floats:
    mean: Floats = (values * weights).sum(axis=1) / weights.sum(axis=1)
    return mean


def _by_seed(runs: SeedRuns, places: Floats) -> dict[str, Floats]:
    """(B, S) every figure of each seed, places counted as (B, P) weights."""
    found = {MEDIAN: _medians(runs, places)}
    for name, values in runs.columns.items():
        known = ~np.isnan(values)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[name] = (places @ np.where(known, values, 0.0).T) / (places @ known.T)
    return found


def _medians(runs: SeedRuns, places: Floats) -> Floats:
    return np.stack([weighted_median(km, places) for km in runs.km], axis=1)


def _interval(value: float, drawn: NDArray[np.float64], level: float) -> Interval:
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return Interval(value, float("nan"), float("nan"))
    lower, upper = np.quantile(known, ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(value), float(lower), float(upper))
