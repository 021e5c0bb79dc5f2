"""All views of a place as one prediction. Degrees, `(lat, lon)`."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from shared.evaluation.cells import cell_areas_km2, cells
from shared.evaluation.predictions import (
    check_predictions,
    class_probabilities,
    has_classes,
)
from shared.evaluation.readout import points_of_many
from shared.geo import Floats, to_lat_lon, to_unit_vectors
from shared.vmf import VmfMixture, least_distance

POOLINGS = ("log", "mean")
PLACES_AT_ONCE = 64  # whose densities are in memory
SMALLEST_PROBABILITY = 1e-6  # one view alone cannot rule a country out by more than this


def pool_views(
    table: pd.DataFrame, pooling: str = "log", mixture: VmfMixture | None = None
) -> pd.DataFrame:
    """One prediction a place, from all its views: the same table with the place as the id.

    Args:
        table: predictions of photos.
        pooling: as `pool_rows` takes it.
        mixture: of a model without classes that has a spread: the densities of the rows.

    Returns:
        Predictions of places, sorted. The guessed coordinates are the centre of the class, null
        where no photo of the table was given that class; of a model without classes those of
        `pool_mixture`, or without a spread of `pool_points`.

    Raises:
        ValueError: for another pooling.
    """
    _check(pooling)
    names, place = np.unique(table["place"].to_numpy(dtype=str), return_inverse=True)
    if not has_classes(table):
        points = table[["pred_lat", "pred_lon"]].to_numpy(np.float64)
        found = pool_points(points, place)
        if mixture is not None:
            is_alone = np.bincount(place)[place] == 1  # a lone view stays as it is
            found[place[is_alone]] = points[is_alone]
            rows = np.flatnonzero(~is_alone)
            if len(rows):
                several, among = np.unique(place[rows], return_inverse=True)
                found[several] = pool_mixture(mixture.part(rows), among, pooling)
        firsts = table.groupby("place", sort=True).first().reset_index()
        pointed = firsts.assign(id=firsts["place"], pred_lat=found[:, 0], pred_lon=found[:, 1])
        return _finished(pointed, table)
    classes, values = class_probabilities(table)
    scores = pool_rows(values, place, pooling).astype(np.float32)
    order = np.argsort(-scores, axis=1, kind="stable")
    places = table.groupby("place", sort=True)
    ranked = np.asarray(classes, dtype=object)[order]
    centres = _centres(table).reindex(ranked[:, 0])
    views = pd.DataFrame(
        {
            "id": names,
            "place": names,
            "true_code": places["true_code"].first().to_numpy(),
            "true_lat": places["true_lat"].first().to_numpy(),
            "true_lon": places["true_lon"].first().to_numpy(),
            "pred_code": ranked[:, 0],
            "pred_lat": centres["lat"].to_numpy(),
            "pred_lon": centres["lon"].to_numpy(),
            "codes": list(ranked),
            "probabilities": list(np.take_along_axis(scores, order, axis=1)),
        }
    )
    return _finished(views, table)


def pool_rows(values: ArrayLike, place: NDArray[np.intp], pooling: str) -> Floats:
    """The probabilities of places from those of their views.

    Args:
        values: (N, K) probabilities.
        place: (N,) the place of each, 0 to P - 1, each of them at least once.
        pooling: `"log"`: the mean of the log-probabilities (each floored at 1e-6), scaled back to
            a sum of 1, so that the views vote as independent witnesses would, but the certainty
            stays that of one view; `"mean"`: the mean of the probabilities.

    Returns:
        (P, K) with rows of sum 1, but a lone view stays as it is.

    Raises:
        ValueError: for another pooling.
    """
    _check(pooling)
    array = np.asarray(values, dtype=np.float64)
    order, counts = np.argsort(place, kind="stable"), np.bincount(place)
    firsts = np.cumsum(counts) - counts
    witnesses = np.log(np.maximum(array, SMALLEST_PROBABILITY)) if pooling == "log" else array
    scores = np.add.reduceat(witnesses[order], firsts, axis=0) / counts[:, None]
    if pooling == "log":
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: Floats = scores / scores.sum(axis=1, keepdims=True)
    found[counts == 1] = array[order[firsts[counts == 1]]]
    return found


def pool_mixture(mixture: VmfMixture, place: NDArray[np.intp], pooling: str) -> Floats:
    """The point of least expected distance of each place, under the density of all its views.

    The views' densities are read on the same cells of the Earth and pooled there like classes.

    Args:
        mixture: N densities.
        place: (N,) the place of each, 0 to P - 1, each of them at least once.
        pooling: as `pool_rows` takes it.

    Returns:
        (P, 2) latitudes and longitudes, degrees.
    """
    earth = cells()
    km2, found = cell_areas_km2(earth), []
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place))
    for start in range(0, len(ends), PLACES_AT_ONCE):
        stop = ends[start : start + PLACES_AT_ONCE][-1]
        rows = order[0 if start == 0 else ends[start - 1] : stop]
        shares = mixture.part(rows).on_cells(earth.centres, km2)
        pooled = pool_rows(shares, place[rows] - start, pooling)
        found.append(points_of_many(pooled, earth.centres))
    return np.concatenate(found)


def pool_points(points: ArrayLike, place: NDArray[np.intp]) -> Floats:
    """The geometric median, on the sphere, of the points of each place.

    One view that is far off does not pull it along, as it would the mean.

    Args:
        points: (N, 2) latitudes and longitudes, degrees.
        place: (N,) the place of each, 0 to P - 1, each of them at least once.

    Returns:
        (P, 2) latitudes and longitudes, degrees.
    """
    vectors, counts = to_unit_vectors(points), np.bincount(place)
    order = np.argsort(place, kind="stable")
    firsts = np.cumsum(counts) - counts
    column = np.arange(len(order)) - np.repeat(firsts, counts)  # of each view among its place's
    shape = (len(counts), int(counts.max()))
    views = np.broadcast_to(vectors[order[firsts]][:, None], (*shape, 3)).copy()
    shares = np.zeros(shape)  # places with fewer views are filled up with views that do not count
    views[place[order], column] = vectors[order]
    shares[place[order], column] = np.repeat(1 / counts, counts)
    mean = (shares[..., None] * views).sum(axis=1)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    start = np.where(length > 1e-9, mean / np.maximum(length, 1e-9), views[:, 0])
    return to_lat_lon(least_distance(views, shares, [start]))


def _check(pooling: str) -> None:
    if pooling not in POOLINGS:
        msg = f"Expected pooling to be one of {POOLINGS}, but got {pooling!r}"
        raise ValueError(msg)


def _finished(views: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    if "true_country" in table.columns:
        countries = table.groupby("place", sort=True)["true_country"].first()
        views["true_country"] = countries.to_numpy()
    return check_predictions(views, f"{len(views)} places")


def _centres(table: pd.DataFrame) -> pd.DataFrame:
    """The centres of the classes that some row predicts: `lat`, `lon` indexed by code."""
    first = table.groupby("pred_code")[["pred_lat", "pred_lon"]].first()
    return first.rename(columns={"pred_lat": "lat", "pred_lon": "lon"})
