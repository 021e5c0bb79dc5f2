"""Whether a probability of 80 % is right 80 % of the time: reliability and calibration error.

The *confidence* of a row is the probability of its guess. Rows are put in M bins by confidence;
with n_m rows, mean confidence conf_m and share of right guesses acc_m,

    ECE = sum_m n_m / N * |acc_m - conf_m|        (Naeini, Cooper and Hauskrecht, 2015)

* equal width: bins (m / M, (m + 1) / M], as in Guo et al. (2017, arXiv 1706.04599), M = 15;
* adaptive: M bins of equally many rows (Nguyen and O'Connor, 2015; "adaptive calibration error",
  Nixon et al., 2019, arXiv 1904.01685), which leaves no bin with a handful of rows.

A finite sample of a perfectly calibrated model has an ECE above 0: with 500 rows and 15 bins
about 0.05. Its interval is of the bootstrap, which shares this bias, so compare ECEs of samples of
one size. In a draw the bins stay those of the whole sample.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from shared.evaluation.intervals import (
    Floats,
    Interval,
    PlaceBootstrap,
    Sums,
    count_by_place,
    sum_by_place,
)
from shared.evaluation.metrics import place_index, ratio
from shared.evaluation.predictions import code_matrix, ranked_probabilities

BINS = 15
KINDS = ("equal width", "adaptive")


@dataclass(frozen=True)
class Calibration:
    """How well confidences tell how often guesses are right.

    Attributes:
        kind: how bins are cut.
        ece: the expected calibration error.
        bins: a row for each bin that is not empty: `n`, mean `confidence`, `accuracy` and its
            interval, `lower` and `upper`.
    """

    kind: str
    ece: Interval
    bins: pd.DataFrame


def confidences(table: pd.DataFrame) -> tuple[Floats, NDArray[np.bool_]]:
    """(N,) the probability of each guess, and (N,) whether it is right."""
    confidence = np.asarray([row[0] for row in table["probabilities"]], dtype=np.float64)
    return confidence, (table["true_code"] == table["pred_code"]).to_numpy(dtype=np.bool_)


def bin_of(
    confidence: ArrayLike, kind: str = "equal width", n_bins: int = BINS
) -> NDArray[np.intp]:
    """The bin of each row.

    Args:
        confidence: (N,) probabilities.
        kind: `"equal width"` or `"adaptive"`. Rows of equal confidence may fall into two adaptive
            bins; they are then taken in the order given.
        n_bins: how many bins.

    Returns:
        (N,) numbers 0 to n_bins - 1.

    Raises:
        ValueError: for another kind, or confidences outside [0, 1].
    """
    values = np.asarray(confidence, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        msg = f"Expected (N,) probabilities between 0 and 1, but got shape {values.shape}"
        raise ValueError(msg)
    if kind == "equal width":
        return np.clip(np.ceil(values * n_bins).astype(np.intp) - 1, 0, n_bins - 1)
    if kind == "adaptive":
        rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
        return np.asarray(rank * n_bins // max(1, len(values)), dtype=np.intp)
    msg = f"Expected kind to be one of {KINDS}, but got {kind!r}"
    raise ValueError(msg)


def reliability(
    confidence: ArrayLike, is_right: ArrayLike, kind: str = "equal width", n_bins: int = BINS
) -> pd.DataFrame:
    """A row for each bin that is not empty.

    Args:
        confidence: (N,) probabilities of the guesses.
        is_right: (N,) whether each guess is right.
        kind: how bins are cut.
        n_bins: how many bins.

    Returns:
        `bin`, `n`, `confidence` (mean), `accuracy`.
    """
    rows = pd.DataFrame(
        {
            "bin": bin_of(confidence, kind, n_bins),
            "confidence": np.asarray(confidence, dtype=np.float64),
            "accuracy": np.asarray(is_right, dtype=np.float64),
        }
    )
    grouped = rows.groupby("bin", sort=True)
    found = grouped.mean()
    found.insert(0, "n", grouped.size())
    return found.reset_index()


def expected_calibration_error(
    confidence: ArrayLike, is_right: ArrayLike, kind: str = "equal width", n_bins: int = BINS
) -> float:
    """The ECE of N guesses; the arguments are those of `reliability`."""
    bins = reliability(confidence, is_right, kind, n_bins)
    gap = (bins["accuracy"] - bins["confidence"]).abs()
    return float((bins["n"] * gap).sum() / bins["n"].sum())


def calibration_sums(table: pd.DataFrame, kind: str, n_bins: int = BINS) -> dict[str, Floats]:
    """What `calibration_figures` needs, summed over each place: three of (P, n_bins)."""
    place, n_places = place_index(table)
    confidence, is_right = confidences(table)
    column = bin_of(confidence, kind, n_bins)
    ones = np.ones(len(table))
    counted = {"n": ones, "confidence": confidence, "right": is_right}
    return {
        name: count_by_place(place, column, n_places, n_bins, weight)
        for name, weight in counted.items()
    }


def calibration_figures(sums: Sums) -> dict[str, Floats]:
    """`ece` (...), and the `accuracy` and `mean_confidence` of the bins, (..., n_bins)."""
    gap = np.abs(sums["right"] - sums["confidence"]).sum(axis=-1)
    return {
        "ece": gap / sums["n"].sum(axis=-1),
        "accuracy": ratio(sums["right"], sums["n"]),
        "mean_confidence": ratio(sums["confidence"], sums["n"]),
    }


def calibrate(
    table: pd.DataFrame, bootstrap: PlaceBootstrap, kind: str = "equal width", n_bins: int = BINS
) -> Calibration:
    """ECE and reliability of a table of predictions, with intervals over its places."""
    sums = calibration_sums(table, kind, n_bins)
    found = bootstrap.intervals(sums, calibration_figures)
    bins = pd.DataFrame(
        {
            "n": sums["n"].sum(axis=0).astype(int),
            "confidence": found["mean_confidence"].value,
            "accuracy": found["accuracy"].value,
            "lower": found["accuracy"].lower,
            "upper": found["accuracy"].upper,
        }
    )
    return Calibration(kind, found["ece"], bins[bins["n"] > 0].reset_index(drop=True))


def tempered(table: pd.DataFrame, temperature: float) -> pd.DataFrame:
    """The predictions that the same logits give divided by a temperature (Guo et al., 2017).

    softmax(z / T) is p^(1/T), scaled to a sum of 1, so the probabilities are enough. The ranking
    does not change.

    Args:
        table: predictions.
        temperature: above 1 makes them less sure, below 1 surer.

    Raises:
        ValueError: when the temperature is not above 0.
    """
    if not temperature > 0:
        msg = f"Expected a temperature above 0, but got {temperature}"
        raise ValueError(msg)
    logs = np.log(np.maximum(ranked_probabilities(table), 1e-38)) / temperature
    values = np.exp(logs - logs.max(axis=1, keepdims=True))
    values /= values.sum(axis=1, keepdims=True)
    return table.assign(probabilities=list(values.astype(np.float32)))


@dataclass(frozen=True)
class Tempering:
    """Calibration before and after a temperature that was fitted on the validation photos.

    Attributes:
        temperature: the temperature.
        before: calibration of the probabilities as they are.
        after: of those with the temperature.
        log_loss: mean negative log-probability of the true class, before and after; of the rows
            whose true class the model has.
    """

    temperature: float
    before: Calibration
    after: Calibration
    log_loss: dict[str, Interval]


def compare_tempered(
    table: pd.DataFrame, temperature: float, bootstrap: PlaceBootstrap, kind: str = "equal width"
) -> Tempering:
    """Calibration of a table of predictions before and after a temperature, on the same draws."""
    cooled = tempered(table, temperature)
    sides = {"before": table, "after": cooled}
    found = {
        name: replace(calibrate(side, bootstrap, kind), kind=f"{name} scaling, {kind}")
        for name, side in sides.items()
    }
    losses = {name: _log_loss(side, bootstrap) for name, side in sides.items()}
    return Tempering(temperature, found["before"], found["after"], losses)


def _log_loss(table: pd.DataFrame, bootstrap: PlaceBootstrap) -> Interval:
    """The mean negative log-probability of the true class, of the rows that have it."""
    is_true = code_matrix(table) == table["true_code"].to_numpy(dtype=object)[:, None]
    known = is_true.any(axis=1)
    own = np.where(is_true, ranked_probabilities(table), 0.0).sum(axis=1)
    loss = np.where(known, -np.log(np.maximum(own, 1e-38)), 0.0)
    place, n_places = place_index(table)
    sums = {"loss": sum_by_place(place, loss, n_places), "n": sum_by_place(place, known, n_places)}
    return bootstrap.intervals(sums, lambda s: {"loss": ratio(s["loss"], s["n"])})["loss"]
