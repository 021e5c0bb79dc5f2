"""Generalised zero-shot accuracy: classes seen in training and classes never seen, apart.

All classes, seen and unseen, stand to choose from. The accuracy of each side is the mean over its
classes of their share of right guesses, so that no class counts more for having more photos; both
together are judged by the harmonic mean, which is 0 where either is. Models lean to the classes
that they saw: `lean` takes the same amount from the logarithm of each seen class's probability,
which moves along the curve of one accuracy against the other; the area under that curve judges a
model without choosing an amount.

Sources: Xian, Lampert, Schiele and Akata (2018), Zero-Shot Learning: A Comprehensive Evaluation,
arXiv 1707.00600 (means over classes, harmonic mean); Chao, Changpinyo, Gong and Sha (2016), An
Empirical Study and Analysis of Generalized Zero-Shot Learning, arXiv 1605.04253 (calibrated
stacking, AUSUC).
"""

from collections.abc import Callable, Collection, Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from shared.evaluation.intervals import (
    Floats,
    Interval,
    PlaceBootstrap,
    Sums,
    count_by_place,
)
from shared.evaluation.metrics import mean_of_known, place_index, ratio
from shared.evaluation.predictions import check_predictions, class_probabilities

AVERAGES = ("class", "photo")
SMALLEST = 1e-12  # of probabilities, before their logarithm
TITLES = {
    "seen": "seen classes",
    "unseen": "unseen classes",
    "harmonic": "harmonic mean",
    "unseen_alone": "unseen classes, among themselves",
}


def generalised(
    table: pd.DataFrame,
    seen: Collection[str],
    bootstrap: PlaceBootstrap,
    average: str = "class",
) -> dict[str, Interval]:
    """Accuracy on seen and on unseen classes, and their harmonic mean, with intervals over places.

    Args:
        table: predictions, among seen and unseen classes alike.
        seen: the classes that training saw.
        bootstrap: how intervals are made.
        average: `"class"`: the mean over a side's classes that some row truly has; `"photo"`: the
            share of its rows.

    Returns:
        `seen`, `unseen`, `harmonic`, and `unseen_alone`: the accuracy on the unseen classes when
        they alone stand to choose from (the usual, not the generalised, setting). NaN where a
        side has no row.

    Raises:
        ValueError: for another average.
    """
    if average not in AVERAGES:
        msg = f"Expected average to be one of {AVERAGES}, but got {average!r}"
        raise ValueError(msg)
    return bootstrap.intervals(_sums(table, seen), _figures_by(average))


def generalised_difference(
    first: pd.DataFrame,
    second: pd.DataFrame,
    seen: Collection[str],
    bootstrap: PlaceBootstrap,
    average: str = "class",
) -> dict[str, Interval]:
    """The figures of `first` minus those of `second`, paired by place.

    Raises:
        ValueError: when the two are not of the same photos.
    """
    if list(first["id"]) != list(second["id"]):
        msg = "Expected predictions of the same photos on both sides, in the same order"
        raise ValueError(msg)
    sides = (_sums(first, seen), _sums(second, seen))
    return bootstrap.differences(*sides, _figures_by(average))


def chances(classes: Iterable[str], seen: Collection[str]) -> dict[str, float]:
    """What guessing evenly among all classes reaches, by the names of `generalised`."""
    codes = list(classes)
    n_unseen = sum(code not in set(seen) for code in codes)
    even = 1 / len(codes)
    alone = 1 / n_unseen if n_unseen else float("nan")
    return {"seen": even, "unseen": even, "harmonic": even, "unseen_alone": alone}


def lean(table: pd.DataFrame, seen: Collection[str], amount: float) -> pd.DataFrame:
    """The same predictions with `amount` taken from the log-probability of each seen class.

    Args:
        table: predictions.
        seen: the classes that training saw.
        amount: natural logarithm; above 0 it helps the unseen classes.

    Returns:
        The table with other probabilities, ranked anew; its guessed points are null, since they
        belonged to the classes that were guessed before.
    """
    classes, values = class_probabilities(table)
    is_seen = np.isin(classes, list(seen))
    scores = np.log(np.maximum(values, SMALLEST)) - amount * is_seen
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    order = np.argsort(-shares, axis=1, kind="stable")
    ranked = np.asarray(classes, dtype=object)[order]
    moved = table.assign(
        pred_code=ranked[:, 0],
        pred_lat=np.nan,
        pred_lon=np.nan,
        codes=list(ranked),
        probabilities=list(np.take_along_axis(shares, order, axis=1)),
    )
    return check_predictions(moved, "predictions that lean to unseen classes")


def seen_unseen_curve(
    table: pd.DataFrame, seen: Collection[str], amounts: ArrayLike
) -> pd.DataFrame:
    """Both accuracies (means over classes) and their harmonic mean for each amount of `lean`.

    Args:
        table: predictions.
        seen: the classes that training saw.
        amounts: what is taken from the log-probability of each seen class.

    Returns:
        A row an amount: `amount`, `seen`, `unseen`, `harmonic`.
    """
    rows = []
    for amount in np.asarray(amounts, dtype=np.float64).tolist():
        sums = {k: v.sum(axis=0) for k, v in _sums(lean(table, seen, amount), seen).items()}
        found = _figures_by("class")(sums)
        rows.append({"amount": amount, **{k: float(v) for k, v in found.items()}})
    return pd.DataFrame(rows)[["amount", "seen", "unseen", "harmonic"]]


def affordable_lean(
    table: pd.DataFrame, seen: Collection[str], cost: float, amounts: ArrayLike
) -> float:
    """The largest amount of `lean` that costs the seen classes little: no unseen photo is needed.

    Args:
        table: predictions of photos of seen classes, such as those of validation.
        seen: the classes that training saw.
        cost: the share of the seen accuracy that may be lost, 0 to 1.
        amounts: to choose from, 0 and above.

    Raises:
        ValueError: for a negative amount.
    """
    tried = np.sort(np.asarray(amounts, dtype=np.float64))
    if not len(tried) or tried[0] < 0:
        msg = f"Expected amounts of 0 and above, but got {tried[:3]}"
        raise ValueError(msg)
    whole = seen_unseen_curve(table, seen, [0.0])["seen"].iloc[0]
    found = seen_unseen_curve(table, seen, tried)
    kept = found["amount"][found["seen"] >= (1 - cost) * whole]
    return float(kept.max()) if len(kept) else 0.0


def area_under(curve: pd.DataFrame) -> float:
    """The area under seen accuracy over unseen accuracy (AUSUC), by trapezoids."""
    ordered = curve.sort_values(["unseen", "seen"], ascending=[True, False])
    return float(np.trapezoid(ordered["seen"], ordered["unseen"]))


def _sums(table: pd.DataFrame, seen: Collection[str]) -> dict[str, Floats]:
    """(P, K) of rows and of hits by true class, for the seen classes and for the others."""
    known, truth = set(seen), table["true_code"].to_numpy(dtype=object)
    place, n_places = place_index(table)
    is_seen = np.asarray([code in known for code in truth], dtype=bool)
    hits = truth == table["pred_code"].to_numpy(dtype=object)
    among = _best_unseen(table, known)
    sums: dict[str, Floats] = {}
    for side, mine in (("seen", is_seen), ("unseen", ~is_seen)):
        # A side without rows keeps one empty column, of which nothing is known.
        codes = sorted(set(truth[mine])) or [""]
        number = {code: column for column, code in enumerate(codes)}
        column = np.asarray([number.get(code, 0) for code in truth], dtype=np.intp)
        shape = (n_places, len(codes))
        sums[f"{side} rows"] = count_by_place(place, column, *shape, mine)
        sums[f"{side} hits"] = count_by_place(place, column, *shape, mine & hits)
        if side == "unseen":
            sums["alone hits"] = count_by_place(place, column, *shape, mine & (among == truth))
    return sums


def _best_unseen(table: pd.DataFrame, seen: Collection[str]) -> NDArray[np.object_]:
    """(N,) the likeliest class of each row among the unseen ones; "" where there is none."""
    classes, values = class_probabilities(table)
    codes = np.asarray(classes, dtype=object)
    others = ~np.isin(classes, list(seen))
    if not others.any():
        return np.full(len(table), "", dtype=object)
    return np.asarray(codes[others][values[:, others].argmax(axis=1)], dtype=object)


def _figures_by(average: str) -> Callable[[Sums], Mapping[str, Floats]]:
    def share(hits: Floats, rows: Floats) -> Floats:
        if average == "photo":
            return ratio(hits.sum(axis=-1), rows.sum(axis=-1))
        return mean_of_known(ratio(hits, rows))

    def figures(sums: Sums) -> Mapping[str, Floats]:
        seen = share(sums["seen hits"], sums["seen rows"])
        unseen = share(sums["unseen hits"], sums["unseen rows"])
        return {
            "seen": seen,
            "unseen": unseen,
            "harmonic": harmonic(seen, unseen),
            "unseen_alone": share(sums["alone hits"], sums["unseen rows"]),
        }

    return figures


def harmonic(first: ArrayLike, second: ArrayLike) -> Floats:
    """The harmonic mean of two shares: 0 where either is, NaN where either is not known."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    return np.where((a == 0) & (b == 0), 0.0, ratio(2 * a * b, a + b))
