"""How compact the classes of a partition are: their area against the smallest circle round them."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from shared.areas import areas_km2, centroids
from shared.geo import EARTH_RADIUS_KM, Floats
from shared.partitions import Partition
from shared.processing.geocells_plane import FlatArea

POLYGONAL = 2  # shapely's dimension of polygons


def compactness(partition: Partition) -> Floats:
    """The share of the smallest circle round a class that is its own, 0 to 1.

    Source: Reock (1961), A Note: Measuring Compactness as a Requirement of Legislative
    Apportionment, Midwest Journal of Political Science 5, 70. A circle has 1, a square 0.64, and a
    group of islands little. Unlike measures by the outline's length it does not ask how finely a
    shore was drawn. The circle is found in a plane that keeps circles, at the area's middle.

    Args:
        partition: the classes.

    Returns:
        (K,) shares; NaN for a class without a polygon.
    """
    shapes: NDArray[Any] = partition.table.geometry.to_numpy()
    share = np.full(len(shapes), np.nan)
    rows = np.flatnonzero(shapely.get_dimensions(shapes) == POLYGONAL)
    area = areas_km2(shapes[rows])
    for row, area_km2, middle in zip(rows, area, centroids(shapes[rows]), strict=True):
        hull = shapely.convex_hull(FlatArea(shapes[row], middle).shape)
        radius = float(shapely.minimum_bounding_radius(hull)) / (2 * EARTH_RADIUS_KM)
        cap_km2 = 4 * np.pi * EARTH_RADIUS_KM**2 * radius**2 / (1 + radius**2)
        share[row] = min(area_km2 / cap_km2, 1.0)
    return share
