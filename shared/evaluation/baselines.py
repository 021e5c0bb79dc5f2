"""What a model must beat: chance, the most frequent country, and the nearest photo by colour.

Each baseline is a table of predictions of the same test photos, so that it goes through the same
metrics and can be paired with the model; it is fit on the training list alone.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from shared.evaluation.intervals import Floats
from shared.evaluation.metrics import TOP
from shared.evaluation.predictions import check_predictions
from shared.training.images import Bytes, Preprocessing

COLOUR_SIZE = Preprocessing(64, 36)  # pixels: colours need no detail
BINS = 8  # a channel
SHIFT = 5  # bits: 256 grey levels to 8 bins
CHUNK_BYTES = 128 * 1024**2


def chance(n_classes: int, known_share: float = 1.0) -> dict[str, float]:
    """What drawing classes by lot reaches on average: top-j is min(j, K) / K, exactly.

    Args:
        n_classes: K, the classes that are drawn from.
        known_share: share of the rows whose true class is among them.

    Returns:
        `top_1`, `top_3`, `top_5`. Balanced accuracy is as top-1 where all classes are known;
        macro F1 has no closed form.
    """
    if n_classes < 1:
        msg = f"Expected at least one class, but got {n_classes}"
        raise ValueError(msg)
    return {f"top_{j}": known_share * min(j, n_classes) / n_classes for j in TOP}


def majority_predictions(test: pd.DataFrame, training_codes: Sequence[str]) -> pd.DataFrame:
    """The same guess for every photo: the training photos' countries, by how many each has.

    Args:
        test: predictions of the model, for the photos and their truth.
        training_codes: the country of each training photo.

    Returns:
        Predictions; of equally frequent countries the first by code comes first.
    """
    counts = pd.Series(list(training_codes)).value_counts().sort_index()
    shares = (counts / counts.sum()).to_numpy()
    return _as_predictions(test, list(counts.index), np.tile(shares, (len(test), 1)))


def colour_histograms(images: Bytes) -> NDArray[np.float32]:
    """The colours of photos: square roots of the shares of 8 x 8 x 8 boxes of RGB.

    The Euclidean distance of two such rows is their Hellinger distance, times the root of 2.

    Args:
        images: (N, H, W, 3) bytes; may be a memory map.

    Returns:
        (N, 512), each row of length 1.

    Raises:
        ValueError: when the images are no such bytes.
    """
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        msg = f"Expected (N, H, W, 3) uint8, but got {images.shape} {images.dtype}"
        raise ValueError(msg)
    found = np.empty((len(images), BINS**3), dtype=np.float32)
    for row, image in enumerate(tqdm(images, "colours", unit="photo", delay=3)):
        red, green, blue = (image[..., c].ravel() >> SHIFT for c in range(3))
        box = (red.astype(np.intp) * BINS + green) * BINS + blue
        counts = np.bincount(box, minlength=BINS**3)
        found[row] = np.sqrt(counts / counts.sum())
    return found


def neighbour_predictions(
    test: pd.DataFrame,
    test_colours: ArrayLike,
    training_codes: Sequence[str],
    training_colours: ArrayLike,
) -> pd.DataFrame:
    """The country of the training photo with the most alike colours.

    Countries are ranked by their nearest photo. The probabilities fall with that distance
    (1 / distance, scaled to a sum of 1): only their order means something.

    Args:
        test: predictions of the model, for the photos and their truth.
        test_colours: (N, D) colours of the test photos, in the order of `test`.
        training_codes: the country of each of M training photos.
        training_colours: (M, D) their colours.

    Returns:
        Predictions; of equally near countries the first by code comes first.
    """
    classes, distance = nearest_by_class(test_colours, training_codes, training_colours)
    closeness = 1 / np.maximum(distance, 1e-6)
    return _as_predictions(test, classes, closeness / closeness.sum(axis=1, keepdims=True))


def nearest_by_class(
    queries: ArrayLike, codes: Sequence[str], points: ArrayLike
) -> tuple[list[str], Floats]:
    """The distance of each query to the nearest point of each class.

    Args:
        queries: (N, D) vectors of length 1.
        codes: the class of each of M points.
        points: (M, D) vectors of length 1.

    Returns:
        The K classes, sorted, and (N, K) Euclidean distances.
    """
    asked, known = np.asarray(queries, dtype=np.float32), np.asarray(points, dtype=np.float32)
    if asked.ndim != 2 or known.shape != (len(codes), asked.shape[1]) or len(codes) == 0:
        msg = f"Expected (N, D) and ({len(codes)}, D) vectors, got {asked.shape} and {known.shape}"
        raise ValueError(msg)
    order = np.argsort(np.asarray(codes, dtype=str), kind="stable")
    classes, starts = np.unique(np.asarray(codes, dtype=str)[order], return_index=True)
    known = np.ascontiguousarray(known[order].T)
    found = np.empty((len(asked), len(classes)))
    size = max(1, CHUNK_BYTES // (4 * len(codes)))
    for start in range(0, len(asked), size):
        likeness = asked[start : start + size] @ known  # of unit vectors: d^2 = 2 - 2 a.b
        best = np.maximum.reduceat(likeness, starts, axis=1)
        found[start : start + size] = np.sqrt(np.maximum(2 - 2 * best, 0))
    return [str(code) for code in classes], found


def _as_predictions(test: pd.DataFrame, classes: list[str], scores: Floats) -> pd.DataFrame:
    """The model's table with other guesses; where the guess lies is left open."""
    values = scores.astype(np.float32)
    order = np.argsort(-values, axis=1, kind="stable")
    ranked = np.asarray(classes, dtype=object)[order]
    table = test.assign(
        pred_code=ranked[:, 0],
        pred_lat=np.nan,
        pred_lon=np.nan,
        codes=list(ranked),
        probabilities=list(np.take_along_axis(values, order, axis=1)),
    )
    return check_predictions(table, "a baseline")
