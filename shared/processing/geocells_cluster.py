"""Clusters of places on the sphere: OPTICS as published, HDBSCAN as the fast choice.

Degrees `(lat, lon)`. Both run on unit vectors with Euclidean distances: chords grow with arcs, so
that the clusters are those of great-circle distances, at a fraction of the time. What has no
clusters can be cut in two halves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN, OPTICS

from shared.geo import Floats, NearestPlaces, to_unit_vectors

OPTICS_NAME, HDBSCAN_NAME = "optics", "hdbscan"
METHODS = (HDBSCAN_NAME, OPTICS_NAME)
NOISE = -1
AXIS_DECIMALS = 12  # along an axis, in radii: places nearer than 6 micrometres count as level

Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Trial:
    """One way to look for clusters: what a cell that is too large is tried with.

    Attributes:
        method: `"optics"` or `"hdbscan"`.
        min_samples: places that make a spot dense.
        xi: how steep the edge of a cluster of OPTICS is.
        selection: which clusters of HDBSCAN's tree are taken: `"eom"`, the most lasting, or
            `"leaf"`, the finest.
    """

    method: str
    min_samples: int
    xi: float = 0.05
    selection: str = "eom"


def found_groups(places: Floats, weights: NDArray[np.int64], trial: Trial, minimum: int) -> Labels:
    """Groups of places, each with at least the minimum of points; one group: nothing was found.

    Clusters with fewer points are noise. Two clusters or more share the noise out: each of its
    places goes to the cluster of the nearest clustered place. One cluster alone is a group, and
    the noise around it the other.

    Args:
        places: (N, 2) latitudes and longitudes, degrees, each once.
        weights: (N,) points at each place.
        trial: how to look.
        minimum: points of a group.

    Returns:
        (N,) groups, numbered from 0 in the order of their first place.
    """
    labels = clusters(places, trial, minimum)
    sizes = np.bincount(labels[labels >= 0], weights[labels >= 0], minlength=1)
    labels = np.where((labels >= 0) & (sizes[labels] >= minimum), labels, NOISE)
    kept = np.unique(labels[labels >= 0])
    is_noise = labels == NOISE
    if len(kept) >= 2 and is_noise.any():
        near, _ = NearestPlaces(places[~is_noise]).query(places[is_noise], workers=1)
        labels[is_noise] = labels[~is_noise][near]
    elif len(kept) < 2 and weights[is_noise].sum() < minimum:
        labels = np.zeros(len(places), dtype=np.intp)
    return _numbered(labels)


def halved(places: Floats, weights: NDArray[np.int64], axis: int = 0) -> Labels:
    """Two groups with as many points each as can be: the last resort for what has no clusters.

    The cut is at the middle of the points along one of their principal axes on the sphere. With
    more than the maximum of points, and a maximum of at least twice the minimum, both halves have
    the minimum, unless one place alone holds too many.

    Args:
        places: (N, 2) latitudes and longitudes, degrees, each once.
        weights: (N,) points at each place.
        axis: 0, along which they spread most, or 1, across it.

    Returns:
        (N,) groups, numbered from 0 in the order of their first place; one group for one place.
    """
    if len(places) < 2:
        return np.zeros(len(places), dtype=np.intp)
    vectors = to_unit_vectors(places)
    apart = vectors - np.average(vectors, axis=0, weights=weights)
    axes = np.linalg.svd(apart * np.sqrt(weights)[:, None], full_matrices=False)[2]
    ahead = axes[axis] * np.sign(axes[axis][np.argmax(np.abs(axes[axis]))])
    order = np.argsort(np.round(vectors @ ahead, AXIS_DECIMALS), kind="stable")
    before = np.cumsum(weights[order])
    cut = int(np.argmin(np.abs(before[:-1] - before[-1] / 2))) + 1
    labels = np.ones(len(places), dtype=np.intp)
    labels[order[:cut]] = 0
    return _numbered(labels)


def clusters(places: Floats, trial: Trial, minimum: int) -> Labels:
    """The clusters of places as they are found.

    Args:
        places: (N, 2) latitudes and longitudes, degrees.
        trial: how to look.
        minimum: places of a cluster of HDBSCAN, at least 2.

    Returns:
        (N,) clusters from 0, and `NOISE`; one cluster where there are too few places to look.
    """
    vectors = to_unit_vectors(places)
    least = min(trial.min_samples, len(places))
    if least < 2:
        return np.zeros(len(places), dtype=np.intp)
    if trial.method == OPTICS_NAME:
        found = OPTICS(min_samples=least, xi=trial.xi, algorithm="kd_tree").fit_predict(vectors)
    else:
        found = HDBSCAN(
            min_cluster_size=max(2, min(minimum, len(places))),
            min_samples=least,
            cluster_selection_method=trial.selection,
            algorithm="kd_tree",
            copy=True,
        ).fit_predict(vectors)
    return np.asarray(found, dtype=np.intp)


def _numbered(labels: Labels) -> Labels:
    """The same groups, numbered from 0 in the order in which they come first."""
    _, first, group = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    numbered: Labels = rank[group].astype(np.intp)
    return numbered
