"""One prediction read as another: regions as countries, classes as points, points as classes.

So all approaches stand in one table under one protocol. Degrees, `(lat, lon)`, kilometres.

*The point that minimises the expected distance*: with probabilities p_k of classes with centres
c_k, the x of least sum_k p_k d(x, c_k), the geometric median on the sphere (Fletcher,
Venkatasubramanian and Joshi, 2009, NeuroImage 45, S143: Weiszfeld's algorithm on a manifold). It
starts at the best of the centres, and at other good places, since on a sphere the sum may have
several valleys; it stays at a centre where no direction leads down, and never ends above the best.
"""

import logging

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from shared.evaluation.predictions import (
    check_predictions,
    class_probabilities,
    has_classes,
)
from shared.geo import (
    EARTH_RADIUS_KM,
    Floats,
    check_points,
    haversine_km,
    to_lat_lon,
    to_unit_vectors,
)
from shared.partitions import Partition
from shared.vmf import least_distance

logger = logging.getLogger(__name__)

HOW = ("centre", "expected-distance")
STEPS = 50
STARTS = 3  # best centres
TOLERANCE = 1e-7  # radians: 0.6 m
AT_CENTRE = 1e-7  # radians; 2 - 2 a.b of unit vectors tells no less apart
MANY = 1000  # classes
ENOUGH = 0.999  # of the probability is looked at, of many classes
NEARER = 1e-6  # radians, 6 m: a step of the search must gain so much
AT_ONCE = 32  # rows of many classes
BLOCK = 4_000_000  # of photos x classes at a time: 32 MB a matrix


def expected_distance_points(probabilities: ArrayLike, centres: ArrayLike) -> Floats:
    """The points that minimise the expected distance under predicted distributions.

    Args:
        probabilities: (N, K) probabilities of the classes, not negative, each row above 0.
        centres: (K, 2) latitudes and longitudes of the classes' centres, degrees.

    Returns:
        (N, 2) latitudes and longitudes, degrees.

    Raises:
        ValueError: when the shapes do not fit, or a row is no distribution.
    """
    values, points = np.asarray(probabilities, np.float64), check_points(centres, "centres")
    if values.ndim != 2 or points.shape != (values.shape[1], 2) or values.shape[1] == 0:
        msg = (
            f"Expected (N, K) probabilities and (K, 2) centres, got {values.shape}, {points.shape}"
        )
        raise ValueError(msg)
    if not ((values >= 0).all() and (values.sum(axis=1) > 0).all()):
        msg = "Expected probabilities that are not negative, with a sum above 0 in each row"
        raise ValueError(msg)
    vectors, between = to_unit_vectors(points), haversine_km(points[:, None], points[None])
    size = max(1, BLOCK // values.shape[1])
    found = [
        _medians(values[start : start + size], vectors, between)
        for start in range(0, len(values), size)
    ]
    return to_lat_lon(np.concatenate(found)) if found else np.empty((0, 2))


def points_of_many(probabilities: ArrayLike, centres: ArrayLike) -> Floats:
    """As `expected_distance_points`, for thousands of classes, such as cells of the Earth.

    Distances between all of them would fill the memory: the search begins at the likeliest
    centres and in the mean direction alone, and looks at the likeliest that hold 99.9 %.

    Args:
        probabilities: (N, K) probabilities of the classes.
        centres: (K, 2) latitudes and longitudes of their centres, degrees.

    Returns:
        (N, 2) latitudes and longitudes, degrees.
    """
    values, points = np.asarray(probabilities, np.float64), check_points(centres, "centres")
    if len(points) <= MANY:
        return expected_distance_points(values, points)
    vectors, found = to_unit_vectors(points), []
    for start in range(0, len(values), AT_ONCE):
        shares = values[start : start + AT_ONCE]
        order = np.argsort(-shares, axis=1, kind="stable")
        ranked = np.take_along_axis(shares, order, axis=1)
        held = ranked.cumsum(axis=1) / shares.sum(axis=1, keepdims=True)
        n_kept = max(STARTS, int((held < ENOUGH).sum(axis=1).max()) + 1)
        order, ranked = order[:, :n_kept], ranked[:, :n_kept]
        ranked = ranked / ranked.sum(axis=1, keepdims=True)
        places = vectors[order]
        mean = (ranked[..., None] * places).sum(axis=1)
        length = np.linalg.norm(mean, axis=1, keepdims=True)
        mean = np.where(length > 1e-9, mean / np.maximum(length, 1e-9), places[:, 0])
        starts = [*(places[:, n] for n in range(STARTS)), mean]
        found.append(least_distance(places, ranked, starts, NEARER))
    return to_lat_lon(np.concatenate(found)) if found else np.empty((0, 2))


def _medians(values: Floats, vectors: Floats, between: Floats) -> Floats:
    """(N, 3) geometric medians of rows of probabilities: the lowest that any start leads to."""
    shares = values / values.sum(axis=1, keepdims=True)
    expected = shares @ between / EARTH_RADIUS_KM
    order = np.argsort(expected, axis=1, kind="stable")
    best = vectors[order[:, 0]]
    least = expected.min(axis=1)
    means = shares @ vectors
    length = np.linalg.norm(means, axis=1, keepdims=True)
    starts = [vectors[order[:, n]] for n in range(min(STARTS, len(vectors)))]
    starts.append(np.where(length > 1e-9, means / np.maximum(length, 1e-9), best))
    for start in starts:
        _descend(start, shares, vectors, best, least)
    return best


def _descend(start: Floats, shares: Floats, vectors: Floats, best: Floats, least: Floats) -> None:
    """Go down from (N, 3) starts; what is lower than `least` is written to `best`."""
    here, open_rows = start.copy(), np.arange(len(shares))
    for _ in range(STEPS):
        cost = (shares[open_rows] * _arcs(here[open_rows], vectors)).sum(axis=1)
        lower = cost < least[open_rows]
        best[open_rows[lower]], least[open_rows[lower]] = here[open_rows[lower]], cost[lower]
        moved = _step(here[open_rows], shares[open_rows], vectors)
        shift = np.linalg.norm(moved - here[open_rows], axis=1)
        here[open_rows] = moved
        open_rows = open_rows[shift > TOLERANCE]
        if len(open_rows) == 0:
            return


def _step(here: Floats, shares: Floats, vectors: Floats) -> Floats:
    """A step of Weiszfeld's algorithm; at a class's own centre, Vardi and Zhang's (2000)."""
    arcs = _arcs(here, vectors)
    at_centre = arcs < AT_CENTRE
    pull = np.where(at_centre, 0.0, shares / np.sin(np.clip(arcs, AT_CENTRE, np.pi - 1e-6)))
    # The sum of p_k times the unit tangents towards the centres.
    sums = pull @ vectors
    along = sums - (sums * here).sum(axis=1, keepdims=True) * here
    strength = np.linalg.norm(along, axis=1)
    held = np.where(at_centre, shares, 0.0).sum(axis=1)
    inverse = np.where(at_centre, 0.0, shares / np.maximum(arcs, AT_CENTRE)).sum(axis=1)
    length = np.maximum(strength - held, 0.0) / np.maximum(inverse, 1e-12)
    length = np.minimum(length, np.pi / 2)
    direction = along / np.maximum(strength, 1e-15)[:, None]
    moved = np.cos(length)[:, None] * here + np.sin(length)[:, None] * direction
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), dtype=np.float64)


def _arcs(points: Floats, vectors: Floats) -> Floats:
    """(N, K) angles between unit vectors, radians."""
    squared = np.maximum(2 - 2 * points @ vectors.T, 0.0)
    found: Floats = 2 * np.arcsin(np.minimum(np.sqrt(squared) / 2, 1.0))
    return found


def as_countries(table: pd.DataFrame, partition: Partition) -> pd.DataFrame:
    """Classes inside countries read as countries: the sum of each country's classes.

    Args:
        table: predictions of classes of the partition, with `true_country`.
        partition: the classes; `countries` names the country of each. Classes of no country are
            left out, and the rest scaled to a sum of 1.

    Returns:
        Predictions of countries. `pred_lat` and `pred_lon` stay those of the most probable class.

    Raises:
        ValueError: when the table has no `true_country`, or classes that the partition lacks.
    """
    if "true_country" not in table.columns:
        msg = f"Expected a column true_country, to tell what is right: got {list(table.columns)}"
        raise ValueError(msg)
    codes, values = class_probabilities(table)
    rows = partition.index_of(codes)
    if (rows < 0).any():
        unknown = [code for code, row in zip(codes, rows, strict=True) if row < 0]
        msg = f"Expected classes of {partition.name!r}, but it lacks {unknown[:5]}"
        raise ValueError(msg)
    countries = np.asarray(partition.countries, dtype=object)[rows]
    names = sorted({str(c) for c in countries if c})
    member = countries[:, None] == np.asarray(names, dtype=object)[None]
    sums = values @ member.astype(np.float64)
    lost = float((1 - sums.sum(axis=1)).max())
    if lost > 1e-3:
        logger.warning("classes of no country are left out: up to %.1f %% of a row", 100 * lost)
    sums /= np.maximum(sums.sum(axis=1, keepdims=True), 1e-12)
    return _ranked(table, names, sums, table["true_country"].to_numpy(dtype=object))


def as_points(
    table: pd.DataFrame, partition: Partition | None, how: str = "expected-distance"
) -> pd.DataFrame:
    """Classes read as points: the same table with other guessed coordinates.

    Args:
        table: predictions. Without rows or without classes it is returned as it is.
        partition: the classes, for their centres.
        how: `"centre"` of the most probable class, or `"expected-distance"`: the point that
            minimises the expected distance.

    Raises:
        ValueError: for another `how`, or classes that the partition lacks.
    """
    if how not in HOW:
        msg = f"Expected how to be one of {HOW}, but got {how!r}"
        raise ValueError(msg)
    if len(table) == 0 or not has_classes(table):
        return table
    if partition is None:
        msg = "Expected the partition of the classes, to read them as points"
        raise ValueError(msg)
    codes, values = class_probabilities(table)
    centres = partition.subset(codes).centres
    if how == "centre":
        chosen = dict(zip(codes, centres, strict=True))
        points = np.stack([chosen[code] for code in table["pred_code"]])
    else:
        points = expected_distance_points(values, centres)
    return table.assign(pred_lat=points[:, 0], pred_lon=points[:, 1])


def points_as_classes(
    table: pd.DataFrame,
    partition: Partition,
    true_codes: ArrayLike,
    probabilities: ArrayLike | None = None,
) -> pd.DataFrame:
    """Guessed points read as classes of a partition.

    Args:
        table: predictions with a guessed point each.
        partition: the classes.
        true_codes: (N,) the true class of each row.
        probabilities: (N, K) of the classes, from a model that gives a distribution (such as
            `VmfMixture.on_cells`). Without, the class that the point lies in has all of it, and
            the others follow by the distance of their centres.

    Returns:
        Predictions of the classes, with the points as guessed coordinates.
    """
    if probabilities is not None:
        values = np.asarray(probabilities, dtype=np.float64)
        values = values / values.sum(axis=1, keepdims=True)
        return _ranked(table, partition.codes, values, np.asarray(true_codes, dtype=object))
    points = table[["pred_lat", "pred_lon"]].to_numpy(dtype=np.float64)
    own = partition.index_of(partition.label(points))
    away = haversine_km(points[:, None], partition.centres[None])
    away[np.arange(len(points)), own] = -1.0
    order = np.argsort(away, axis=1, kind="stable")
    shares = np.zeros(away.shape, dtype=np.float32)
    shares[:, 0] = 1.0
    return _table(table, np.asarray(partition.codes, dtype=object)[order], shares, true_codes)


def _ranked(
    table: pd.DataFrame, codes: list[str], values: Floats, true_codes: ArrayLike
) -> pd.DataFrame:
    single = values.astype(np.float32)
    order = np.argsort(-single, axis=1, kind="stable")
    ranked = np.asarray(codes, dtype=object)[order]
    return _table(table, ranked, np.take_along_axis(single, order, axis=1), true_codes)


def _table(
    table: pd.DataFrame, ranked: ArrayLike, shares: ArrayLike, true_codes: ArrayLike
) -> pd.DataFrame:
    codes = np.asarray(ranked, dtype=object)
    found = table.assign(
        true_code=np.asarray(true_codes, dtype=object),
        pred_code=codes[:, 0],
        codes=list(codes),
        probabilities=list(np.asarray(shares, dtype=np.float32)),
    )
    return check_predictions(found, "a readout")
