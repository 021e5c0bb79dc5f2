"""Intervals by bootstrap over places, for any figure that is made from sums over photos.

Views of one place are alike, so photos are not independent: places are drawn, with all their
photos (the cluster bootstrap). What a figure needs is summed for each place once; a draw is then a
vector of how often each place was drawn, and the sums of all draws are one matrix product.

Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapters 13 (percentile
interval) and 8.5 (units that are drawn together); Field and Welsh (2007), Bootstrapping clustered
data, Journal of the Royal Statistical Society B 69, 369.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
# Name -> (..., P) or (..., P, K) before summing over the P places; (...) or (..., K) after it.
Sums = Mapping[str, Floats]
# Weights of rows, (draws, N) -> named figures of shape (draws,) or (draws, K).
Weighted = Callable[[Floats], Mapping[str, Floats]]
# Sums over places -> named figures of shape (...) or (..., K). Leading axes are draws.
Figures = Callable[[Sums], Mapping[str, Floats]]

BLOCK_BYTES = 64 * 1024**2  # of draws at a time


@dataclass(frozen=True)
class Interval:
    """A figure with its interval: scalars, or arrays with a value a class.

    Attributes:
        value: the figure on all places.
        lower: the interval's lower end.
        upper: its upper end. Both are NaN where no draw gives the figure.
    """

    value: Any
    lower: Any
    upper: Any

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0: for differences."""
        return bool(self.lower > 0 or self.upper < 0)

    def percent(self) -> str:
        """A share as text: `"86.2 % (84.0 to 88.1)"`."""
        value, lower, upper = (f"{100 * v:.1f}" for v in (self.value, self.lower, self.upper))
        return f"{value} % ({lower} to {upper})"

    def points(self) -> str:
        """A difference of shares as text: `"+5.0 points (+1.2 to +8.8)"`."""
        value, lower, upper = (f"{100 * v:+.1f}" for v in (self.value, self.lower, self.upper))
        return f"{value} points ({lower} to {upper})"

    def as_dict(self) -> dict[str, float | None]:
        """Value, lower and upper for JSON, to 6 decimals; None for NaN."""
        return {name: rounded(getattr(self, name)) for name in ("value", "lower", "upper")}


@dataclass(frozen=True)
class PlaceBootstrap:
    """How places are drawn.

    Attributes:
        seed: feeds the draws. Equal places and seeds give equal intervals, bit for bit.
        draws: how many samples are drawn. With 2,000, the ends of an interval wander by about a
            fortieth of its width from seed to seed.
        level: share of the draws that lie inside the interval.
    """

    seed: int = 0
    draws: int = 2000
    level: float = 0.95

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.draws < 1 or not 0 < self.level < 1:
            msg = f"Expected at least 1 draw and a level between 0 and 1, but got {self}"
            raise ValueError(msg)

    def weights(self, n_places: int) -> Iterator[Floats]:
        """How often each place is in each draw: blocks of shape (draws in the block, n_places)."""
        if n_places < 1:
            msg = f"Expected at least one place to draw from, but got {n_places}"
            raise ValueError(msg)
        random = np.random.default_rng(self.seed)
        size = max(1, BLOCK_BYTES // (8 * n_places))
        for start in range(0, self.draws, size):
            count = min(size, self.draws - start)
            drawn = random.integers(n_places, size=(count, n_places))
            drawn += np.arange(count)[:, None] * n_places
            counts = np.bincount(drawn.ravel(), minlength=count * n_places)
            yield counts.reshape(count, n_places).astype(np.float64)

    def intervals(self, sums: Sums, figures: Figures) -> dict[str, Interval]:
        """Figures with their intervals: of the draws, the middle `level` (percentile method).

        Args:
            sums: for each name the sums of every place, (P,) or (P, K).
            figures: makes figures from sums over places; it is given leading axes for the draws.

        Returns:
            The intervals by name. A draw in which a figure is NaN (a class without a photo) is
            left out of that figure's interval.
        """
        values = figures({name: array.sum(axis=0) for name, array in sums.items()})
        return self._summary(values, self._draw(sums, figures))

    def differences(self, first: Sums, second: Sums, figures: Figures) -> dict[str, Interval]:
        """Figures of `first` minus those of `second`, paired: each draw takes the same places.

        What makes a place hard makes it hard for both, so the difference is known better than
        either figure.

        Args:
            first: sums of every place, (P,) or (P, K).
            second: the same for the other predictions of the same places in the same order.
            figures: makes figures from sums over places.

        Raises:
            ValueError: when the two have different places.
        """
        n_places = {len(array) for sums in (first, second) for array in sums.values()}
        if len(n_places) != 1:
            msg = f"Expected the same places on both sides, but got {sorted(n_places)} of them"
            raise ValueError(msg)

        def both(sums: Sums) -> Mapping[str, Floats]:
            one = figures({name[2:]: array for name, array in sums.items() if name[0] == "1"})
            two = figures({name[2:]: array for name, array in sums.items() if name[0] == "2"})
            return {name: one[name] - two[name] for name in one}

        sides = {"1 ": first, "2 ": second}
        return self.intervals(
            {side + name: array for side, sums in sides.items() for name, array in sums.items()},
            both,
        )

    def weighted(self, place: NDArray[np.intp], figures: Weighted) -> dict[str, Interval]:
        """Figures that are no functions of sums, such as medians, with their intervals.

        Args:
            place: (N,) the place of each row, 0 to P - 1.
            figures: makes figures from weights: how often each row was drawn, (draws, N). It is
                called on blocks of draws, so that the weights fit in `BLOCK_BYTES`.

        Returns:
            The intervals by name, as of `intervals`.
        """
        n_places = int(place.max()) + 1 if len(place) else 0
        size = max(1, BLOCK_BYTES // (8 * max(1, len(place))))
        drawn: dict[str, list[Floats]] = {}
        for block in self.weights(n_places):
            for start in range(0, len(block), size):
                found = figures(block[start : start + size][:, place])
                for name, value in found.items():
                    drawn.setdefault(name, []).append(value)
        whole = figures(np.ones((1, len(place))))
        return self._summary(
            {name: value[0] for name, value in whole.items()},
            {name: np.concatenate(parts) for name, parts in drawn.items()},
        )

    def _draw(self, sums: Sums, figures: Figures) -> dict[str, Floats]:
        n_places = {len(array) for array in sums.values()}
        if len(n_places) != 1:
            msg = f"Expected sums of the same places, but got {sorted(n_places)} of them"
            raise ValueError(msg)
        drawn: dict[str, list[Floats]] = {}
        for weights in self.weights(n_places.pop()):
            summed = {name: weights @ array for name, array in sums.items()}
            for name, value in figures(summed).items():
                drawn.setdefault(name, []).append(value)
        return {name: np.concatenate(parts) for name, parts in drawn.items()}

    def _summary(
        self, values: Mapping[str, Floats], drawn: Mapping[str, Floats]
    ) -> dict[str, Interval]:
        tail = (1 - self.level) / 2
        found = {}
        for name, value in values.items():
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
                lower, upper = np.nanquantile(drawn[name], (tail, 1 - tail), axis=0)
            found[name] = Interval(np.asarray(value)[()], lower[()], upper[()])
        return found


def sum_by_place(place: NDArray[np.intp], values: ArrayLike, n_places: int) -> Floats:
    """Sum a value, or K values, of every photo over each place.

    Args:
        place: (N,) the place of each photo, 0 to n_places - 1.
        values: (N,) or (N, K).
        n_places: how many places there are.

    Returns:
        (P,) or (P, K) sums.
    """
    array = np.asarray(values, dtype=np.float64)
    summed = np.zeros((n_places, *array.shape[1:]))
    np.add.at(summed, place, array)
    return summed


def count_by_place(
    place: NDArray[np.intp],
    column: NDArray[Any],
    n_places: int,
    n_columns: int,
    weight: ArrayLike,
) -> Floats:
    """How many photos of each place have each column (a class, a bin).

    Args:
        place: (N,) the place of each photo.
        column: (N,) the column of each photo.
        n_places: how many places there are.
        n_columns: how many columns there are.
        weight: (N,) what each photo counts, 1 or True for a whole one.

    Returns:
        (P, n_columns) counts.
    """
    cell, counted = place * n_columns + column, np.asarray(weight, dtype=np.float64)
    counts = np.bincount(cell, counted, n_places * n_columns)
    return np.asarray(counts.reshape(n_places, n_columns), dtype=np.float64)


def rounded(value: float, decimals: int = 6) -> float | None:
    """A figure for JSON: without the last bits of a sum, which may differ; None for NaN."""
    return None if not np.isfinite(value) else round(float(value), decimals) + 0.0
