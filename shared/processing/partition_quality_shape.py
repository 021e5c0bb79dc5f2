"""How large and how compact the classes of a partition are: areas, and the circles round them.

Degrees `(lat, lon)`, square kilometres. Classes without outlines are measured by the land that is
theirs, at even points of the sphere.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from shared.areas import areas_km2, centroids
from shared.boundaries import world_outlines
from shared.gazetteer import nearest_places
from shared.geo import EARTH_RADIUS_KM, Floats, to_lat_lon, to_unit_vectors
from shared.partitions import Partition
from shared.polygon_index import PolygonIndex
from shared.processing.geocells_plane import FlatArea, Plane

POINT, POLYGON = 0, 2  # shapely's dimensions
LAND_POINTS = 1_000_000
POINT_KM2 = 4 * np.pi * EARTH_RADIUS_KM**2 / LAND_POINTS  # 510 km2
POINT_KM = float(np.sqrt(POINT_KM2 / np.pi))  # radius of the disc that a point of land stands for
FEWEST_POINTS = 10  # of land, for a shape to be told from them
SAME_PLACE_KM = 1e-6


def class_areas_km2(partition: Partition) -> Floats:
    """The areas of classes: of their polygons, or of the land that is nearest to them.

    The land is looked up at `LAND_POINTS` even points of the sphere, 510 km2 each, within coarse
    outlines of the world's countries (Natural Earth 110m), so that the area of a class that has
    places or a centre alone is rough, and 0 where it has less land than lies between the points.
    Where its places are the gazetteer's, land that is nearer to another of the gazetteer is not
    its own.

    Args:
        partition: the classes.

    Returns:
        (K,) areas, km2; NaN for a class that has no polygon where others have one.
    """
    area = areas_km2(partition.table.geometry.to_numpy())
    by_land = _by_land(partition)
    if by_land.any():
        rows, _ = _land_of(partition, by_land)
        counts = np.bincount(rows[rows >= 0], minlength=len(partition))
        area[by_land] = counts[by_land] * POINT_KM2
    return area


def compactness(partition: Partition) -> Floats:
    """The share of the smallest circle round a class that is its own, 0 to 1.

    Source: Reock (1961), A Note: Measuring Compactness as a Requirement of Legislative
    Apportionment, Midwest Journal of Political Science 5, 70. A circle has 1, a square 0.64, and a
    group of islands little. Unlike measures by the outline's length it does not ask how finely a
    shore was drawn. The circle is found in a plane that keeps circles, at the area's middle.

    Args:
        partition: the classes.

    Returns:
        (K,) shares; NaN for a class without a polygon that has fewer than `FEWEST_POINTS` points
        of land, or none where others have polygons.
    """
    shapes: NDArray[Any] = partition.table.geometry.to_numpy()
    share = np.full(len(shapes), np.nan)
    rows = np.flatnonzero(shapely.get_dimensions(shapes) == POLYGON)
    area = areas_km2(shapes[rows])
    for row, area_km2, middle in zip(rows, area, centroids(shapes[rows]), strict=True):
        flat = FlatArea(shapes[row], middle).shape
        share[row] = min(area_km2 / _circle_km2(flat), 1.0)
    by_land = _by_land(partition)
    if not by_land.any():
        return share
    owner, land = _land_of(partition, by_land)
    for row in np.flatnonzero(by_land):
        own = land[owner == row]
        if len(own) >= FEWEST_POINTS:
            middle = to_lat_lon(to_unit_vectors(own).sum(axis=0))
            flat = shapely.multipoints(Plane((middle[0], middle[1])).forward(own))
            share[row] = min(len(own) * POINT_KM2 / _circle_km2(flat, POINT_KM), 1.0)
    return share


def _circle_km2(flat: Any, spare_km: float = 0.0) -> float:  # noqa: ANN401 (a geometry)
    """The area on the sphere of the smallest circle round a shape of the plane."""
    radius_km = float(shapely.minimum_bounding_radius(shapely.convex_hull(flat))) + spare_km
    radius = radius_km / (2 * EARTH_RADIUS_KM)
    return float(4 * np.pi * EARTH_RADIUS_KM**2 * radius**2 / (1 + radius**2))


def _by_land(partition: Partition) -> NDArray[np.bool_]:
    """(K,) whether a class is measured by land: it has places, or no class has any shape."""
    dimension = shapely.get_dimensions(partition.table.geometry.to_numpy())
    by_land: NDArray[np.bool_] = (dimension == POINT) | bool((dimension < POINT).all())
    return by_land


def _land_of(partition: Partition, by_land: NDArray[np.bool_]) -> tuple[NDArray[np.intp], Floats]:
    """The class of each point of land, -1 for none, and (N, 2) the points, degrees."""
    land = _land()
    codes, distance_km = partition.label_with_distance(land)
    rows = partition.index_of(codes).astype(np.intp)
    shapes = partition.table.geometry.to_numpy()[by_land]
    places = shapely.get_coordinates(shapes)[:, ::-1]
    if len(places) and (nearest_places(places)[1] < SAME_PLACE_KM).all():
        rows[distance_km >= nearest_places(land)[1] + SAME_PLACE_KM] = -1
    return rows, land


@lru_cache(maxsize=1)
def _land() -> Floats:
    """(N, 2) even points of the sphere that lie on land, degrees.

    They follow a golden spiral: Gonzalez (2010), Measurement of Areas on a Sphere Using Fibonacci
    and Latitude-Longitude Lattices, Mathematical Geosciences 42, 49.
    """
    number = np.arange(LAND_POINTS) + 0.5
    lat = np.degrees(np.arcsin(1 - 2 * number / LAND_POINTS))
    lon = (number * 360 * (2 - (1 + np.sqrt(5)) / 2)) % 360 - 180
    points = np.column_stack([lat, lon])
    rows, _ = PolygonIndex(world_outlines().geometry.to_numpy()).label(points)
    on_land: Floats = points[rows >= 0]
    return on_land
