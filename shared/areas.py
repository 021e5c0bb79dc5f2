"""Sizes and middles of areas on the sphere: square kilometres, degrees, points `(lat, lon)`.

Areas are shapely geometries in EPSG:4326, `(lon, lat)` inside; edges are straight in degrees, as
the files of boundaries have them, and areas that cross the antimeridian are cut there.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from shared.geo import EARTH_RADIUS_KM, Floats, to_lat_lon, to_unit_vectors

DENSE_DEG = 0.05  # step along edges: straight in degrees and great circle are then the same
POLYGONAL = 2  # shapely's dimension of polygons


def areas_km2(shapes: ArrayLike) -> Floats:
    """The areas of polygons on the sphere.

    By Lambert's cylindrical projection, which is equal-area: longitude and sine of latitude.

    Args:
        shapes: (N,) polygons or multipolygons; anything else, None too, has no area.

    Returns:
        (N,) areas, km2; NaN where there is no polygon.
    """
    array = _as_shapes(shapes)
    area = np.full(len(array), np.nan)
    is_polygon = shapely.get_dimensions(array) == POLYGONAL
    flat = shapely.transform(shapely.segmentize(array[is_polygon], DENSE_DEG), _to_plane)
    area[is_polygon] = shapely.area(flat) * (np.radians(1) * EARTH_RADIUS_KM) ** 2
    return area


def centroids(shapes: ArrayLike) -> Floats:
    """The middle of each area on the sphere: the mean direction of all its points.

    The integral of unit vectors over an area is half the sum, along its outline, of the cross
    products of neighbouring points (Stokes). Neither the antimeridian nor a pole is special. The
    middle may lie outside of the area. Of places it is their spherical mean.

    Args:
        shapes: (N,) polygons, multipolygons, points or multipoints.

    Returns:
        (N, 2) latitudes and longitudes, degrees.

    Raises:
        ValueError: when an area has no middle: it is empty, or the whole sphere.
    """
    array = _as_shapes(shapes)
    middle = np.full((len(array), 2), np.nan)
    is_polygon = shapely.get_dimensions(array) == POLYGONAL
    if is_polygon.any():
        middle[is_polygon] = to_lat_lon(_sums_of_vectors(array[is_polygon]))
    if not is_polygon.all():
        places, owner = shapely.get_coordinates(array[~is_polygon], return_index=True)
        middle[~is_polygon] = to_lat_lon(_sums(to_unit_vectors(places[:, ::-1]), owner))
    return middle


def inner_points(shapes: ArrayLike, centres: ArrayLike) -> Floats:
    """A point of each area: its centre where the area holds it, else one inside its largest part.

    Of places it is the one nearest to the centre.

    Args:
        shapes: (N,) polygons, multipolygons, points or multipoints.
        centres: (N, 2) their middles, degrees.

    Returns:
        (N, 2) latitudes and longitudes, degrees.
    """
    array, inner = _as_shapes(shapes), np.array(centres, dtype=np.float64).reshape(-1, 2)
    is_polygon = shapely.get_dimensions(array) == POLYGONAL
    is_outside = is_polygon & ~shapely.intersects_xy(array, inner[:, 1], inner[:, 0])
    for row in np.flatnonzero(is_outside):
        parts = shapely.get_parts(array[row])
        inside = shapely.point_on_surface(parts[np.argmax(areas_km2(parts))])
        inner[row] = inside.y, inside.x
    for row in np.flatnonzero(~is_polygon):
        places = shapely.get_coordinates(array[row])[:, ::-1]
        near = to_unit_vectors(places) @ to_unit_vectors(inner[row])
        inner[row] = places[int(np.argmax(near))]
    return inner


def _as_shapes(shapes: ArrayLike) -> NDArray[Any]:
    array: NDArray[Any] = np.asarray(shapes, dtype=object).reshape(-1)
    return array


def _to_plane(points: Floats) -> Floats:
    """(N, 2) longitude and latitude to longitude and sine of latitude, in degrees of the equator.

    One unit is then the same length in both directions at the equator.
    """
    return np.column_stack([points[:, 0], np.degrees(np.sin(np.radians(points[:, 1])))])


def _sums_of_vectors(polygons: NDArray[Any]) -> Floats:
    """Twice the integral of unit vectors over each of (N,) polygons: (N, 3)."""
    # In this order: where `segmentize` mends what rounding broke, it turns outlines round.
    dense = shapely.orient_polygons(shapely.segmentize(polygons, DENSE_DEG))
    parts, owner = shapely.get_parts(dense, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    places, ring = shapely.get_coordinates(rings, return_index=True)
    vectors = to_unit_vectors(np.clip(places[:, ::-1], (-90, -180), (90, 180)))
    is_edge = ring[1:] == ring[:-1]
    turns = np.cross(vectors[:-1], vectors[1:])[is_edge]
    return _sums(turns, owner[part[ring[:-1][is_edge]]])


def _sums(vectors: Floats, owners: NDArray[np.intp]) -> Floats:
    """The sums of (M, 3) vectors by owner: (N, 3)."""
    return np.column_stack([np.bincount(owners, vectors[:, axis]) for axis in range(3)])
