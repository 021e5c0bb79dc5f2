"""Lines on the sphere: the shortest way between two points, and circles. Degrees, `(lat, lon)`."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.geo import EARTH_RADIUS_KM, check_points, to_lat_lon, to_unit_vectors

ARC_POINTS = 60  # of a great circle that is drawn as a line


def great_circle(
    first: ArrayLike, second: ArrayLike, n_points: int = ARC_POINTS
) -> NDArray[np.float64]:
    """(n_points, 2) places along the shortest way between two points, degrees."""
    a, b = to_unit_vectors(first), to_unit_vectors(second)
    angle = float(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b))
    if np.sin(angle) < 1e-9:  # the same point, or antipodes, between which every way is shortest
        return np.stack([check_points(first), check_points(second)])
    share = np.linspace(0, 1, n_points)[:, None]
    return to_lat_lon(np.sin((1 - share) * angle) * a + np.sin(share * angle) * b)


def circle(middle: ArrayLike, radius_km: float, n_points: int = 120) -> NDArray[np.float64]:
    """(n_points, 2) places as far from a point as a radius (km) says, degrees; closed."""
    up = to_unit_vectors(middle)
    aside = np.cross(up, [0.0, 0.0, 1.0] if abs(up[2]) < 0.9 else [1.0, 0.0, 0.0])
    aside /= np.linalg.norm(aside)
    turn = np.linspace(0, 2 * np.pi, n_points)[:, None]
    around = np.cos(turn) * aside + np.sin(turn) * np.cross(up, aside)
    angle = radius_km / EARTH_RADIUS_KM
    return to_lat_lon(np.cos(angle) * up + np.sin(angle) * around)
