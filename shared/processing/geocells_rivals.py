"""Plainer ways to divide the Earth by its points, to hold geocells against.

Degrees `(lat, lon)`. A quadtree of latitudes and longitudes (as PlaNet's cells and PIGEON's naive
ablation), k-means on the sphere, and Uber's H3 hexagons. Only cells with training points are
classes: any other point belongs to the nearest of them.
"""

import geopandas as gpd
import h3  # type: ignore[import-untyped]  # no stubs
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely import Geometry
from sklearn.cluster import KMeans

from shared.boundaries import CRS
from shared.geo import Floats, check_points, to_lat_lon, to_unit_vectors
from shared.partitions import COLUMNS, Partition

FINEST_DEG = 1e-4  # a box of a quadtree is not halved below this
FINEST_H3 = 9


def quadtree_partition(points: ArrayLike, maximum: int) -> Partition:
    """Boxes that are cut into four until none holds more than the maximum of points.

    Args:
        points: (N, 2) latitudes and longitudes, degrees.
        maximum: points of a box; more only where they lie within `FINEST_DEG`.
    """
    array = _some(points)
    waiting: list[tuple[NDArray[np.intp], tuple[float, float, float, float]]] = [
        (np.arange(len(array)), (-90.0, -180.0, 90.0, 180.0))
    ]
    boxes = []
    while waiting:
        rows, (south, west, north, east) = waiting.pop()
        if len(rows) <= maximum or north - south < FINEST_DEG:
            boxes.append((south, west, north, east))
            continue
        lat, lon = (south + north) / 2, (west + east) / 2
        is_north, is_east = array[rows, 0] >= lat, array[rows, 1] >= lon
        for up in (False, True):
            for right in (False, True):
                held = rows[(is_north == up) & (is_east == right)]
                part = (
                    lat if up else south,
                    lon if right else west,
                    north if up else lat,
                    east if right else lon,
                )
                if len(held):
                    waiting.append((held, part))
    boxes.sort()
    shapes = [shapely.box(west, south, east, north) for south, west, north, east in boxes]
    centres = [((s + n) / 2, (w + e) / 2) for s, w, n, e in boxes]
    return _partition("quadtree", np.asarray(centres), np.asarray(shapes, dtype=object))


def k_means_partition(points: ArrayLike, count: int, seed: int = 0) -> Partition:
    """So many means of points on the sphere; a class has no outline, but all that is nearest.

    Args:
        points: (N, 2) latitudes and longitudes, degrees.
        count: classes, at most as many as there are places.
        seed: feeds the draw of the first means.
    """
    places, weights = np.unique(_some(points), axis=0, return_counts=True)
    count = min(count, len(places))
    means = KMeans(count, n_init=1, max_iter=30, random_state=seed)
    means.fit(to_unit_vectors(places), sample_weight=weights)
    centres = to_lat_lon(means.cluster_centers_)
    order = np.lexsort((centres[:, 1], centres[:, 0]))
    return _partition("k-means", centres[order], np.full(count, None, dtype=object))


def h3_partition(points: ArrayLike, count: int) -> Partition:
    """H3 hexagons, of the resolution whose cells with points come nearest to a number.

    Args:
        points: (N, 2) latitudes and longitudes, degrees.
        count: how many classes are wanted.
    """
    array = _some(points)
    by_resolution = [h3_codes(array, resolution) for resolution in range(FINEST_H3 + 1)]
    sizes = [len(set(codes)) for codes in by_resolution]
    best = int(np.argmin(np.abs(np.log(np.asarray(sizes) / count))))
    codes = sorted(set(by_resolution[best]))
    centres = np.asarray([h3.cell_to_latlng(code) for code in codes])
    shapes = np.asarray([_h3_shape(code) for code in codes], dtype=object)
    return _partition("H3", centres, shapes, codes)


def h3_codes(points: Floats, resolution: int) -> list[str]:
    """The H3 cell of each of (N, 2) points, degrees."""
    return [h3.latlng_to_cell(lat, lon, resolution) for lat, lon in points.tolist()]


def _h3_shape(code: str) -> Geometry:
    """A cell's outline in degrees, cut at the antimeridian; a pole's cell up to the pole."""
    corners = np.asarray(h3.cell_to_boundary(code))[:, ::-1]
    lon = corners[:, 0]
    pole = np.sign(corners[0, 1]) * 90.0
    if h3.latlng_to_cell(pole, 0.0, h3.get_resolution(code)) == code:
        order = np.argsort(lon)
        ring = corners[order]
        edge = float(np.interp(180.0, [ring[-1, 0], ring[0, 0] + 360], ring[[-1, 0], 1]))
        ends = [[180.0, edge], [180.0, pole], [-180.0, pole], [-180.0, edge]]
        return shapely.polygons(np.vstack([ring, ends]))
    if np.ptp(lon) <= 180:
        return shapely.polygons(corners)
    east = shapely.polygons(np.column_stack([lon % 360, corners[:, 1]]))
    halves = [
        shapely.intersection(east, shapely.box(0, -90, 180, 90)),
        shapely.transform(
            shapely.intersection(east, shapely.box(180, -90, 360, 90)),
            lambda xy: xy - np.array([360.0, 0.0]),
        ),
    ]
    return shapely.union_all(halves)


def _some(points: ArrayLike) -> Floats:
    array = check_points(points).reshape(-1, 2)
    if not len(array):
        msg = "Expected training points to make classes from, but got none"
        raise ValueError(msg)
    return array


def _partition(
    name: str, centres: Floats, shapes: NDArray[np.object_], codes: list[str] | None = None
) -> Partition:
    known = codes or [f"{name}_{number:05d}" for number in range(len(centres))]
    table = pd.DataFrame(
        {
            "code": known,
            "name": known,
            "lat": centres[:, 0],
            "lon": centres[:, 1],
            "geometry": shapes,
        },
        columns=COLUMNS,
    )
    return Partition(name, gpd.GeoDataFrame(table, geometry="geometry", crs=CRS))
