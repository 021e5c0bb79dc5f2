"""What a model gains when it may abstain: risk against coverage.

The model answers the share c of photos of which it is surest; its *risk* is the mean error of these
answers. The area under risk against coverage (AURC; El-Yaniv and Wiener, 2010, JMLR 11, 1605;
Geifman and El-Yaniv, 2017) is small when errors come last. *Random* abstention has the risk of all
photos at every coverage; the *best possible* puts all errors last. Photos of equal confidence are
answered in the order of their ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from shared.evaluation.intervals import Floats, Interval, PlaceBootstrap
from shared.evaluation.metrics import place_index

COVERAGES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


@dataclass(frozen=True)
class RiskCoverage:
    """Risk against coverage.

    Attributes:
        coverage: (N,) shares of photos answered, rising to 1.
        risk: (N,) mean error of those answered.
        best: (N,) the same if all errors came last.
        aurc: the mean of `risk`, with its interval; and of `best`, `excess` the difference.
        excess: AURC minus that of the best possible order.
        answered: the risk at some coverages, with intervals.
    """

    coverage: Floats
    risk: Floats
    best: Floats
    aurc: Interval
    excess: Interval
    answered: dict[float, Interval]


def risk_coverage(
    table: pd.DataFrame,
    confidence: ArrayLike,
    error: ArrayLike,
    bootstrap: PlaceBootstrap,
    coverages: Sequence[float] = COVERAGES,
) -> RiskCoverage:
    """Risk against coverage of N answers, with intervals over places.

    Args:
        table: predictions, for the places.
        confidence: (N,) how sure the model is of each; any scale.
        error: (N,) the error of each: 0 or 1, or km.
        bootstrap: how intervals are made.
        coverages: where the risk is told.
    """
    sure, errors = np.asarray(confidence, np.float64), np.asarray(error, np.float64)
    if not (sure.shape == errors.shape == (len(table),)) or len(table) == 0:
        msg = f"Expected {len(table)} confidences and errors, got {sure.shape} and {errors.shape}"
        raise ValueError(msg)
    ranks = {"risk": np.argsort(-sure, kind="stable"), "best": np.argsort(errors, kind="stable")}
    place, _ = place_index(table)

    def figures(weights: Floats) -> dict[str, Floats]:
        areas = {name: _area(weights[:, rank], errors[rank]) for name, rank in ranks.items()}
        found = {"aurc": areas["risk"], "excess": areas["risk"] - areas["best"]}
        rank = ranks["risk"]
        for share in coverages:
            found[f"at {share}"] = _risk_at(weights[:, rank], errors[rank], share)
        return found

    made = bootstrap.weighted(place, figures)
    count = np.arange(1, len(errors) + 1)
    curves = {name: np.cumsum(errors[rank]) / count for name, rank in ranks.items()}
    at = {share: made[f"at {share}"] for share in coverages}
    share_answered = count / len(errors)
    return RiskCoverage(
        share_answered, curves["risk"], curves["best"], made["aurc"], made["excess"], at
    )


def _area(weights: Floats, errors: Floats) -> Floats:
    """(B,) the mean risk over the answered photos, each counted as often as it was drawn."""
    answered = np.cumsum(weights, axis=1)
    risk = np.cumsum(weights * errors, axis=1) / np.maximum(answered, 1)
    area: Floats = (weights * risk).sum(axis=1) / weights.sum(axis=1)
    return area


def _risk_at(weights: Floats, errors: Floats, share: float) -> Floats:
    """(B,) the risk when `share` of the photos is answered; at least one is."""
    answered = np.cumsum(weights, axis=1)
    wanted = np.maximum(1.0, np.ceil(share * answered[:, -1] - 1e-9))[:, None]
    counted = np.clip(wanted - (answered - weights), 0.0, weights)
    risk: Floats = (counted @ errors) / counted.sum(axis=1)
    return risk
