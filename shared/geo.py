"""Distances, unit vectors and nearest neighbours on the sphere: degrees, `(lat, lon)`, kilometres.

The Earth is a sphere here. Against the WGS84 ellipsoid a great-circle distance is off by at most
0.6 %, which is far below what a photo can tell.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

# Mean radius R1 of the Earth, km: (2a + b) / 3 of WGS84 (Moritz, 2000, Geodetic Reference System).
EARTH_RADIUS_KM = 6371.0088
# Points of a guess at distance 0, and the distance at which they fell to 1/e: as GeoGuessr's
# world map scores, in the form that PIGEON (arXiv 2307.05845) and OSV-5M (2404.18873) report.
GEOSCORE_MAXIMUM = 5000.0
GEOSCORE_DECAY_KM = 1492.7

Floats = NDArray[np.float64]


def check_points(points: ArrayLike, what: str = "points") -> Floats:
    """Points as a float array, once it is sure that they are latitudes and longitudes.

    Args:
        points: (..., 2) latitudes and longitudes, degrees.
        what: what the points are, for the error.

    Returns:
        (..., 2) float64.

    Raises:
        ValueError: when the last axis is not 2, a value is not finite, a latitude is outside
            [-90, 90] or a longitude outside [-180, 180].
    """
    array = np.asarray(points, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != 2:
        msg = f"Expected {what} of shape (..., 2), latitude and longitude, but got {array.shape}"
        raise ValueError(msg)
    flat = array.reshape(-1, 2)
    bad = ~((np.abs(flat[:, 0]) <= 90) & (np.abs(flat[:, 1]) <= 180))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        msg = (
            f"Expected {what} in degrees, (lat, lon) within (±90, ±180), but row {row} "
            f"({int(bad.sum())} such of {len(flat)}) is ({flat[row, 0]}, {flat[row, 1]}). "
            "Are latitude and longitude swapped?"
        )
        raise ValueError(msg)
    return array


def haversine_km(a: ArrayLike, b: ArrayLike) -> Floats:
    """Great-circle distance between points, by the haversine formula.

    Source: Sinnott (1984), Virtues of the Haversine, Sky and Telescope 68, 159.

    Args:
        a: (..., 2) latitudes and longitudes, degrees.
        b: (..., 2) the same, of a shape that broadcasts with that of `a`.

    Returns:
        (...) distances, km.

    Raises:
        ValueError: when a shape or a coordinate is not one of points on the Earth.
    """
    first, second = np.radians(check_points(a, "a")), np.radians(check_points(b, "b"))
    half = (second - first) / 2
    square = (
        np.sin(half[..., 0]) ** 2
        + np.cos(first[..., 0]) * np.cos(second[..., 0]) * np.sin(half[..., 1]) ** 2
    )
    distance: Floats = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(square, 1.0)))
    return distance


def to_unit_vectors(points: ArrayLike) -> Floats:
    """Points as vectors of length 1: x towards (0, 0), y towards (0, 90 E), z towards the pole.

    Args:
        points: (..., 2) latitudes and longitudes, degrees.

    Returns:
        (..., 3) unit vectors.

    Raises:
        ValueError: when a shape or a coordinate is not one of points on the Earth.
    """
    radians = np.radians(check_points(points))
    lat, lon = radians[..., 0], radians[..., 1]
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def to_lat_lon(vectors: ArrayLike) -> Floats:
    """The points that vectors from the centre of the Earth point at; their length plays no part.

    Args:
        vectors: (..., 3) vectors, none of them zero.

    Returns:
        (..., 2) latitudes and longitudes, degrees.

    Raises:
        ValueError: when the last axis is not 3, or a vector is zero or not finite.
    """
    array = np.asarray(vectors, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != 3:
        msg = f"Expected vectors of shape (..., 3), but got {array.shape}"
        raise ValueError(msg)
    x, y, z = array[..., 0], array[..., 1], array[..., 2]
    across = np.hypot(x, y)
    length = np.hypot(across, z)
    if not (np.isfinite(length) & (length > 0)).all():
        msg = "Expected vectors that point somewhere, but at least one is zero or not finite"
        raise ValueError(msg)
    return np.stack([np.degrees(np.arctan2(z, across)), np.degrees(np.arctan2(y, x))], axis=-1)


def spherical_mean(points: ArrayLike) -> Floats:
    """The middle of points: the direction of the mean of their unit vectors.

    Args:
        points: (N, 2) latitudes and longitudes, degrees; N at least 1.

    Returns:
        (2,) latitude and longitude, degrees.

    Raises:
        ValueError: when there are no points, or they cancel out (two antipodes).
    """
    vectors = to_unit_vectors(points).reshape(-1, 3)
    if len(vectors) == 0:
        msg = "Expected at least one point to take the mean of, but got none"
        raise ValueError(msg)
    mean = vectors.mean(axis=0)
    if float(np.linalg.norm(mean)) < 1e-12:
        msg = f"The {len(vectors)} points cancel out: they have no middle on the sphere"
        raise ValueError(msg)
    return to_lat_lon(mean)


class NearestPlaces:
    """A tree of points that answers, exactly and on the sphere, which of them is nearest.

    Chords between unit vectors grow with the arc between them, so that a Euclidean tree gives
    the great-circle neighbour, across the antimeridian and over the poles too.
    """

    def __init__(self, points: ArrayLike) -> None:
        """Build the tree of (N, 2) points, degrees; N at least 1."""
        vectors = to_unit_vectors(points)
        if vectors.ndim != 2 or len(vectors) == 0:
            msg = f"Expected points of shape (N, 2) with N at least 1, but got {np.shape(points)}"
            raise ValueError(msg)
        self._tree = cKDTree(vectors)

    def query(self, queries: ArrayLike, workers: int = -1) -> tuple[NDArray[np.intp], Floats]:
        """Index and distance (km) of the point nearest to each of (M, 2) queries, degrees."""
        chord, index = self._tree.query(to_unit_vectors(queries), workers=workers)
        distance_km = 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(np.asarray(chord) / 2, 1.0))
        return np.asarray(index, dtype=np.intp), distance_km


def nearest(points: ArrayLike, queries: ArrayLike) -> tuple[NDArray[np.intp], Floats]:
    """The nearest of some points to each query, exact on the sphere.

    Args:
        points: (N, 2) latitudes and longitudes, degrees; N at least 1.
        queries: (M, 2) the same.

    Returns:
        (M,) indices into `points`, and (M,) distances, km.

    Raises:
        ValueError: when a shape or a coordinate is not one of points on the Earth.
    """
    return NearestPlaces(points).query(queries)


def block_names(points: ArrayLike, size_deg: float) -> NDArray[Any]:
    """The block of a grid of latitudes and longitudes that each point lies in.

    Blocks count from (-90, -180); the last row and column hold their upper edge, and longitude
    180 is the same meridian as -180.

    Args:
        points: (N, 2) latitudes and longitudes, degrees.
        size_deg: side of a block, degrees, more than 0.

    Returns:
        (N,) names such as `"block_066_097"`: row and column of the block.

    Raises:
        ValueError: when the side is not more than 0 and at most 180.
    """
    if not 0 < size_deg <= 180:
        msg = f"Expected a block side of more than 0 and at most 180 degrees, but got {size_deg}"
        raise ValueError(msg)
    array = check_points(points).reshape(-1, 2)
    lon = np.where(array[:, 1] == 180, -180.0, array[:, 1])
    last_row = int(np.ceil(180 / size_deg)) - 1
    rows = np.minimum(np.floor((array[:, 0] + 90) / size_deg).astype(int), last_row)
    columns = np.floor((lon + 180) / size_deg).astype(int)
    names = [f"block_{row:03d}_{column:03d}" for row, column in zip(rows, columns, strict=True)]
    return np.asarray(names, dtype=object)


def geo_score(distance_km: ArrayLike) -> Floats:
    """GeoGuessr's points for a guess: 5000 exp(-d / 1492.7 km), not rounded.

    Args:
        distance_km: (...) distances between guess and truth, km.

    Returns:
        (...) points, 0 to 5000.
    """
    score: Floats = GEOSCORE_MAXIMUM * np.exp(
        -np.asarray(distance_km, dtype=np.float64) / GEOSCORE_DECAY_KM
    )
    return score
