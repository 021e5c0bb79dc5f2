"""Mixtures of von Mises-Fisher distributions: where a photo may have been taken, with a spread.

A von Mises-Fisher distribution is the sphere's counterpart of a normal one: it has a mean direction
and a concentration kappa, which is about 1 / (its spread in radians along each axis, squared).
Degrees, `(lat, lon)`, kilometres; densities are per steradian.
Source: Mardia and Jupp (2000), Directional Statistics, section 9.3.2.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.geo import EARTH_RADIUS_KM, Floats, check_points, to_lat_lon, to_unit_vectors

READINGS = ("expected-distance", "mode", "mean")
RINGS, SPOKES = 6, 8  # points that stand for a component when distances are averaged over it
ROUNDS = 60  # of the searches for a point
HERE = 1e-7  # rad: 0.6 m
AT_ONCE = 256  # photos
TINY = 1e-12


@dataclass(frozen=True)
class VmfMixture:
    """N mixtures of M components each.

    Attributes:
        weights: (N, M) shares, each row sums to 1.
        means: (N, M, 3) unit vectors.
        kappas: (N, M) concentrations, above 0.
    """

    weights: Floats
    means: Floats
    kappas: Floats

    def __post_init__(self) -> None:
        """Hold the parts to each other."""
        shape = np.shape(self.weights)
        wanted = (shape, (*shape, 3), shape)
        found = tuple(np.shape(part) for part in (self.weights, self.means, self.kappas))
        if len(shape) != 2 or found != wanted:
            msg = f"Expected weights (N, M), means (N, M, 3) and kappas (N, M), but got {found}"
            raise ValueError(msg)
        if not (np.asarray(self.kappas) > 0).all():
            msg = "Expected kappas above 0, but at least one is not"
            raise ValueError(msg)
        for name in ("weights", "means", "kappas"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))

    def __len__(self) -> int:
        """The number of mixtures, N."""
        return len(self.weights)

    def part(self, rows: slice | NDArray[np.intp]) -> "VmfMixture":
        """Some of the mixtures."""
        return VmfMixture(self.weights[rows], self.means[rows], self.kappas[rows])

    def log_density(self, points: ArrayLike) -> Floats:
        """The logarithm of each mixture's density at a point of its own.

        Args:
            points: (N, 2) latitudes and longitudes, degrees.

        Returns:
            (N,) logarithms, per steradian (the whole sphere has 4 pi of them).
        """
        array = check_points(points)
        if array.shape != (len(self), 2):
            msg = f"Expected a point for each of {len(self)} mixtures, but got {array.shape}"
            raise ValueError(msg)
        found: Floats = self._log_density(to_unit_vectors(array)[:, None])[:, 0]
        return found

    def points(self, how: str = "expected-distance") -> Floats:
        """One point for each mixture.

        Args:
            how: `"expected-distance"`: where the expected distance to the true place is least;
                `"mode"`: where the density is highest; `"mean"`: the direction of the mean vector.

        Returns:
            (N, 2) latitudes and longitudes, degrees.
        """
        if how not in READINGS:
            msg = f"Expected how to be one of {READINGS}, but got {how!r}"
            raise ValueError(msg)
        read = {"expected-distance": _least_distance, "mode": _mode, "mean": _mean}[how]
        found = [read(part) for part in self._parts()]
        return to_lat_lon(np.concatenate(found)) if found else np.empty((0, 2))

    def on_cells(self, centres: ArrayLike, areas_km2: ArrayLike) -> Floats:
        """The probability of each of some cells, given that the place is in one of them.

        A component much narrower than a cell would fall between the centres. So each is widened
        by the cell's own spread, that of a square of its area: the mean density over the cell.

        Args:
            centres: (K, 2) latitudes and longitudes, degrees.
            areas_km2: (K,) areas.

        Returns:
            (N, K) probabilities; each row sums to 1.
        """
        vectors = to_unit_vectors(centres)
        areas = np.asarray(areas_km2, dtype=np.float64)
        if areas.shape != vectors.shape[:1] or not (areas > 0).all():
            msg = f"Expected {len(vectors)} areas above 0, but got {areas.shape}"
            raise ValueError(msg)
        spread = areas / (12 * EARTH_RADIUS_KM**2)  # variance of a square along each axis, rad^2
        # Cells of one band have one area: what depends on it alone is computed once.
        kinds, kind = np.unique(spread, return_inverse=True)
        found = np.zeros((len(self), len(vectors)))
        for m in range(self.weights.shape[1]):  # a loop, so that no array is larger than (N, K)
            kappas = 1 / (1 / self.kappas[:, m, None] + kinds)
            highest = self.weights[:, m, None] * np.exp(log_vmf(0.0, kappas))
            cosines = self.means[:, m] @ vectors.T
            found += highest[:, kind] * np.exp(kappas[:, kind] * (np.minimum(cosines, 1.0) - 1))
        found *= areas
        found /= found.sum(axis=1, keepdims=True)
        return found

    def _log_density(self, vectors: Floats) -> Floats:
        """(N, K) at (N or 1, K, 3) unit vectors."""
        shape = (len(self), vectors.shape[1])
        found = np.full(shape, -np.inf)
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        for m in range(self.weights.shape[1]):  # a loop, so that no array is larger than (N, K)
            versine = ((vectors - self.means[:, m, None]) ** 2).sum(axis=-1) / 2
            component = log_vmf(versine, self.kappas[:, m, None]) + log_weights[:, m, None]
            found = np.logaddexp(found, component)
        return found

    def _parts(self) -> Iterator["VmfMixture"]:
        edges = [*range(0, len(self), AT_ONCE), len(self)]
        return (self.part(slice(*edge)) for edge in pairwise(edges))


def log_vmf(versine: ArrayLike, kappas: ArrayLike) -> Floats:
    """The logarithm of the density of a von Mises-Fisher distribution, per steradian.

    kappa exp(kappa cos a) / (4 pi sinh kappa), written so that nothing overflows for large kappa
    and nothing cancels for small kappa or small angles.

    Args:
        versine: 1 - cos of the angle a to the mean: half of the squared chord.
        kappas: concentrations, above 0; broadcast with `versine`.
    """
    k = np.asarray(kappas, dtype=np.float64)
    factor = np.log(k) - np.log(2 * np.pi) - np.log(-np.expm1(-2 * k))
    found: Floats = factor - k * np.asarray(versine)
    return found


def mean_length(kappas: ArrayLike) -> Floats:
    """The length of the mean vector, coth(kappa) - 1 / kappa; kappa / 3 where that cancels."""
    k = np.asarray(kappas, dtype=np.float64)
    safe = np.maximum(k, 1e-3)
    return np.where(k < 1e-3, k / 3, 1 / np.tanh(safe) - 1 / safe)


def _mean(mixture: VmfMixture) -> Floats:
    """(N, 3) mean vectors; where they cancel out, the mean of the heaviest component."""
    lengths = (mixture.weights * mean_length(mixture.kappas))[..., None]
    mean = (lengths * mixture.means).sum(axis=1)
    rows = np.arange(len(mean))
    heaviest = mixture.means[rows, mixture.weights.argmax(axis=1)]
    return _unit(np.where(np.linalg.norm(mean, axis=1, keepdims=True) > TINY, mean, heaviest))


def _mode(mixture: VmfMixture) -> Floats:
    """Climbs from the highest of the components' means: each step is a weighted mean of them."""
    at_means = mixture._log_density(mixture.means)
    rows = np.arange(len(mixture))
    found: Floats = mixture.means[rows, at_means.argmax(axis=1)]
    for _ in range(ROUNDS):
        versine = ((mixture.means - found[:, None]) ** 2).sum(axis=-1) / 2
        with np.errstate(divide="ignore"):
            logs = np.log(mixture.weights) + log_vmf(versine, mixture.kappas)
        pulls = np.exp(logs - logs.max(axis=1, keepdims=True)) * mixture.kappas
        found = _unit((pulls[..., None] * mixture.means).sum(axis=1))
    return found


def _least_distance(mixture: VmfMixture) -> Floats:
    starts = [_mean(mixture), _mode(mixture), *np.moveaxis(mixture.means, 1, 0)]
    return least_distance(*_quadrature(mixture), starts)


def least_distance(
    places: Floats, shares: Floats, starts: Sequence[Floats], tolerance: float = TINY
) -> Floats:
    """The points with the least expected distance to weighted places: their geometric medians.

    From the best of some starts, by Weiszfeld's steps on the sphere, each taken only where it
    lowers the expected distance; at a place itself as Vardi and Zhang (2000, PNAS 97) take them.

    Args:
        places: (N, Q, 3) unit vectors.
        shares: (N, Q) weights, each row sums to 1.
        starts: (N, 3) unit vectors each.
        tolerance: a step must gain more than this, rad.

    Returns:
        (N, 3) unit vectors.
    """
    costs = np.stack([_expected(start, places, shares) for start in starts])
    best, rows = costs.argmin(axis=0), np.arange(len(places))
    found: Floats = np.stack(starts)[best, rows]
    cost = costs[best, rows]
    for _ in range(ROUNDS):
        angles = _angles(found[:, None], places)
        # A place that the search stands on has no direction: it holds the search back by its share.
        is_here = angles < HERE
        holding = np.where(is_here, shares, 0).sum(axis=1, keepdims=True)
        others = np.where(is_here, 0, shares)
        towards = places - np.cos(angles)[..., None] * found[:, None]  # of length sin(angle)
        pull = ((others / np.maximum(np.sin(angles), HERE))[..., None] * towards).sum(axis=1)
        strength = np.maximum(np.linalg.norm(pull, axis=1, keepdims=True), TINY)
        pull *= np.maximum(0, 1 - holding / strength)
        weights = (others / np.maximum(angles, HERE)).sum(axis=1, keepdims=True)
        tried = _unit(found + pull / np.maximum(weights, TINY))
        tried_cost = _expected(tried, places, shares)
        is_better = tried_cost < cost - tolerance
        if not is_better.any():
            break
        found = np.where(is_better[:, None], tried, found)
        cost = np.where(is_better, tried_cost, cost)
    return found


def _quadrature(mixture: VmfMixture) -> tuple[Floats, Floats]:
    """(N, Q, 3) points that stand for each mixture, and their (N, Q) shares.

    On rings about each mean: Gauss-Legendre in the share of the component that lies inside.
    """
    nodes, ring_shares = np.polynomial.legendre.leggauss(RINGS)
    inside = (nodes + 1) / 2
    k = mixture.kappas[..., None]
    # The inverse of the share of a component that lies beyond a versine.
    versine = -np.log1p(-inside * -np.expm1(-2 * k)) / k
    cosine, sine = 1 - versine, np.sqrt(np.maximum(versine * (2 - versine), 0.0))
    turns = 2 * np.pi * (np.arange(SPOKES) + np.arange(RINGS)[:, None] / 2) / SPOKES
    east, north = _axes(mixture.means)
    spokes = (
        np.cos(turns)[..., None] * east[:, :, None, None]
        + np.sin(turns)[..., None] * north[:, :, None, None]
    )
    along = cosine[..., None, None] * mixture.means[:, :, None, None]
    places = along + sine[..., None, None] * spokes
    shares = mixture.weights[..., None, None] * ring_shares[:, None] / (2 * SPOKES)
    shares = np.broadcast_to(shares, places.shape[:-1])
    n = len(mixture)
    return places.reshape(n, -1, 3), shares.reshape(n, -1)


def _axes(vectors: Floats) -> tuple[Floats, Floats]:
    """Two unit vectors at right angles to each vector and to each other."""
    away = np.where(np.abs(vectors[..., 2:]) < 0.9, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    east = _unit(np.cross(away, vectors))
    return east, np.cross(vectors, east)


def _expected(points: Floats, places: Floats, shares: Floats) -> Floats:
    """(N,) mean angles from (N, 3) points to their places, rad."""
    mean: Floats = (shares * _angles(points[:, None], places)).sum(axis=1)
    return mean


def _angles(a: Floats, b: Floats) -> Floats:
    angles: Floats = np.arccos(np.clip((a * b).sum(axis=-1), -1, 1))
    return angles


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
