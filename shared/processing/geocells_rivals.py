"""Plainer ways to divide the Earth by its points, to hold geocells against.

Degrees `(lat, lon)`. Boxes that are halved (PIGEON's naive cells) or quartered (a quadtree, as
PlaNet's cells), k-means on the sphere, and Uber's H3 hexagons. Only cells with training points are
classes: any other point belongs to the nearest of them.
"""

from collections import Counter
from collections.abc import Callable

import geopandas as gpd
import h3  # type: ignore[import-untyped]  # no stubs
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely import Geometry
from sklearn.cluster import KMeans

from shared.boundaries import CRS
from shared.gazetteer import nearest_place_codes
from shared.geo import Floats, check_points, spherical_mean, to_lat_lon, to_unit_vectors
from shared.partitions import COLUMNS, Partition

FINEST_DEG = 1e-4  # a box that is lower than this is not cut
WORLD = (-90.0, -180.0, 90.0, 180.0)  # south, west, north, east, degrees
FINEST_H3 = 9


def quadtree_partition(points: ArrayLike, maximum: int) -> Partition:
    """Boxes that are cut into four until none holds more than the maximum of points.

    Args:
        points: (N, 2) latitudes and longitudes, degrees.
        maximum: points of a box; more only where they lie within `FINEST_DEG`.

    Raises:
        ValueError: when there are no points, or the maximum is below 1.
    """
    return _boxes_partition("quadtree", points, maximum, _quarters)


def naive_cells(points: ArrayLike, maximum: int) -> Partition:
    """Boxes that are halved until none holds more than the maximum of points.

    The cut is at the middle of the longer side, in degrees, beginning with the whole map: what
    PIGEON's ablation calls naive geocells. No border and no cluster plays a part, and there is no
    minimum.

    Args:
        points: (N, 2) latitudes and longitudes, degrees.
        maximum: points of a box; more only where they lie within `FINEST_DEG`.

    Raises:
        ValueError: when there are no points, or the maximum is below 1.
    """
    return _boxes_partition("naive", points, maximum, _halves)


Box = tuple[float, float, float, float]  # south, west, north, east, degrees


def _halves(box: Box) -> list[Box]:
    south, west, north, east = box
    if east - west >= north - south:
        lon = (west + east) / 2
        return [(south, west, north, lon), (south, lon, north, east)]
    lat = (south + north) / 2
    return [(south, west, lat, east), (lat, west, north, east)]


def _quarters(box: Box) -> list[Box]:
    south, west, north, east = box
    lat, lon = (south + north) / 2, (west + east) / 2
    rows, columns = [(south, lat), (lat, north)], [(west, lon), (lon, east)]
    return [(low, left, high, right) for low, high in rows for left, right in columns]


def _boxes_partition(
    name: str, points: ArrayLike, maximum: int, cut: Callable[[Box], list[Box]]
) -> Partition:
    """The boxes with points that cutting the map leaves, from the south and west.

    The point of a box is the mean of its points, its country that of most of them.
    """
    array = _some(points)
    if maximum < 1:
        msg = f"Expected a maximum of at least 1 point a box, but got {maximum}"
        raise ValueError(msg)
    waiting: list[tuple[NDArray[np.intp], Box]] = [(np.arange(len(array)), WORLD)]
    done: list[tuple[Box, NDArray[np.intp]]] = []
    while waiting:
        rows, box = waiting.pop()
        if len(rows) <= maximum or box[2] - box[0] < FINEST_DEG:
            done.append((box, rows))
            continue
        parts = cut(box)
        owner = _box_of(array[rows], parts)
        for number, part in enumerate(parts):
            held = rows[owner == number]
            if len(held):
                waiting.append((held, part))
    done.sort(key=lambda held: held[0])
    shapes = [shapely.box(west, south, east, north) for (south, west, north, east), _ in done]
    middles = np.stack([spherical_mean(array[rows]) for _, rows in done])
    codes = np.asarray(nearest_place_codes(array)[0], dtype=object)
    countries = [Counter(sorted(codes[rows])).most_common(1)[0][0] for _, rows in done]
    made = _partition(name, middles, np.asarray(shapes, dtype=object))
    inner = {"inner_lat": middles[:, 0], "inner_lon": middles[:, 1]}
    return Partition(name, made.table.assign(country=countries, **inner))


def _box_of(points: Floats, boxes: list[Box]) -> NDArray[np.intp]:
    """(N,) the last of the boxes, sorted from the south and west, that holds each point."""
    corners = np.asarray([box[:2] for box in boxes])
    held = np.all(points[:, None] >= corners, axis=2)
    owner: NDArray[np.intp] = len(boxes) - 1 - held[:, ::-1].argmax(axis=1)
    return owner


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
