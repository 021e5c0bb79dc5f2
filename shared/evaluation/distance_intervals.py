"""Distances with intervals over places, and paired differences: medians, means, shares, GeoScore.

A median is no function of sums, so each draw of the bootstrap gives the photos weights (how often
their places were drawn), and the figures are weighted ones: sorted once, a draw is a running sum.
With whole weights they equal the figures of the photos written out that often. Kilometres.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from shared.evaluation.conventions import Convention, convention_of
from shared.evaluation.distances import RADII_KM, is_within, scores_of, table_distances
from shared.evaluation.intervals import Floats, Interval, PlaceBootstrap, Weighted
from shared.evaluation.metrics import place_index


def weighted_median(values: ArrayLike, weights: Floats) -> Floats:
    """The median of values that are counted several times each.

    Args:
        values: (N,) numbers.
        weights: (B, N) how often each is counted, whole numbers.

    Returns:
        (B,) medians; between the two middle values their mean; NaN where nothing is counted.
    """
    order = np.argsort(np.asarray(values), kind="stable")
    ranked = np.asarray(values, dtype=np.float64)[order]
    running = np.cumsum(weights[:, order], axis=1)
    total = running[:, -1]
    # The k-th value (from 0) is the first whose running count exceeds k.
    low = (running <= ((total - 1) // 2)[:, None]).sum(axis=1)
    high = (running <= (total // 2)[:, None]).sum(axis=1)
    last = len(ranked) - 1
    found = (ranked[np.minimum(low, last)] + ranked[np.minimum(high, last)]) / 2
    return np.where(total > 0, found, np.nan)


def weighted_figures(distances: ArrayLike, convention: str | Convention = "default") -> Weighted:
    """A function that makes the figures of `distances.distance_figures` from weights.

    Args:
        distances: (N,) km, none missing.
        convention: a name of `CONVENTIONS`, or a convention.
    """
    rule, values = convention_of(convention), np.asarray(distances, dtype=np.float64)
    if values.ndim != 1 or np.isnan(values).any():
        msg = f"Expected (N,) distances, none missing, but got shape {values.shape}"
        raise ValueError(msg)
    names = ["mean_km", "geo_score", *(f"within_{r:g}" for r in RADII_KM)]
    columns = [values / rule.unit_km, scores_of(values, rule)]
    columns += [is_within(values, r, rule).astype(np.float64) for r in RADII_KM]
    table = np.stack(columns, axis=1)

    def figures(weights: Floats) -> dict[str, Floats]:
        with np.errstate(invalid="ignore"):
            means = (weights @ table) / weights.sum(axis=1, keepdims=True)
        medians = weighted_median(values, weights) / rule.unit_km
        found = {name: means[:, column] for column, name in enumerate(names)}
        return {"median_km": medians, **found}

    return figures


def distance_intervals(
    table: pd.DataFrame, bootstrap: PlaceBootstrap, convention: str | Convention = "default"
) -> dict[str, Interval]:
    """Median, mean, GeoScore and shares of a table of predictions, with intervals over places.

    Args:
        table: predictions whose true and guessed places are all known (`distances.located`).
        bootstrap: how places are drawn.
        convention: a name of `CONVENTIONS`, or a convention.
    """
    place, _ = place_index(table)
    figures = weighted_figures(table_distances(table, convention), convention)
    return bootstrap.weighted(place, figures)


def compare_distances(
    first: pd.DataFrame,
    second: pd.DataFrame,
    bootstrap: PlaceBootstrap,
    convention: str | Convention = "default",
) -> dict[str, Interval]:
    """Figures of `first` minus those of `second`, of the same photos, paired over places.

    Raises:
        ValueError: when the two are not about the same photos and places.
    """
    same = ["id", "place", "true_lat", "true_lon"]
    if not first[same].reset_index(drop=True).equals(second[same].reset_index(drop=True)):
        msg = f"Expected predictions of the same photos, but {same} differ ({len(first)} rows here)"
        raise ValueError(msg)
    place, _ = place_index(first)
    one, two = (
        weighted_figures(table_distances(t, convention), convention) for t in (first, second)
    )

    def difference(weights: Floats) -> dict[str, Floats]:
        ours, theirs = one(weights), two(weights)
        return {name: ours[name] - theirs[name] for name in ours}

    return bootstrap.weighted(place, difference)


def selected_intervals(
    figures: Weighted,
    place: NDArray[np.intp],
    chosen: NDArray[np.bool_],
    bootstrap: PlaceBootstrap,
) -> dict[str, Interval]:
    """Figures of some of the rows, places drawn among all: a draw may hold few of them.

    Args:
        figures: makes figures from (draws, N) weights of all rows.
        place: (N,) the place of each row.
        chosen: (N,) the rows that count.
        bootstrap: how places are drawn.
    """
    return bootstrap.weighted(place, lambda weights: figures(weights * chosen))
