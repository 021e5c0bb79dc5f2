"""Temperature scaling: one number that the logits are divided by, so that probabilities hold.

It changes no ranking. Source: Guo et al. (2017), On Calibration of Modern Neural Networks.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

LARGEST = 100.0  # and its reciprocal the least: beyond, there is nothing left to calibrate


def fit_temperature(logits: ArrayLike, targets: ArrayLike) -> float:
    """The temperature with the least mean negative log-likelihood.

    Args:
        logits: (N, K) of validation photos.
        targets: (N,) their classes.

    Returns:
        The temperature, from 1 / 100 to 100; 1 where there are no photos.

    Raises:
        ValueError: when the shapes do not fit, or a class is none of the K.
    """
    scores, classes = np.asarray(logits, dtype=np.float64), np.asarray(targets)
    if scores.ndim != 2 or classes.shape != scores.shape[:1]:
        msg = f"Expected (N, K) logits and (N,) classes, got {scores.shape} and {classes.shape}"
        raise ValueError(msg)
    if len(classes) == 0:
        return 1.0
    if classes.min() < 0 or classes.max() >= scores.shape[1]:
        msg = f"Expected classes from 0 to {scores.shape[1] - 1}, but got {classes.min()} to "
        msg += f"{classes.max()}"
        raise ValueError(msg)
    rows = np.arange(len(classes))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(scores / np.exp(log_temperature), axis=1)
        return float(-scaled[rows, classes].mean())

    # In 1 / T the loss is convex, so it has one minimum in log T too.
    limit = float(np.log(LARGEST))
    found = minimize_scalar(loss, bounds=(-limit, limit), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))
