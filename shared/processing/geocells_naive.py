"""Naive cells, to hold semantic geocells against: boxes halved until none holds too many points.

Degrees `(lat, lon)`. PIGEON's ablation: a box is cut in the middle of its longer side (in degrees)
until it has at most the maximum of training points, whatever borders run through it. Boxes without
points are no classes: any other point belongs to the nearest box.
"""

from collections import Counter

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from shared.boundaries import CRS
from shared.gazetteer import nearest_place_codes
from shared.geo import check_points, spherical_mean
from shared.partitions import Partition

FINEST_DEG = 1e-4  # a box is not halved below this
EARTH = (-90.0, -180.0, 90.0, 180.0)  # south, west, north, east

Box = tuple[float, float, float, float]
Held = tuple[Box, NDArray[np.intp]]


def naive_cells(points: ArrayLike, maximum: int) -> Partition:
    """Boxes that are halved until none holds more than the maximum of points.

    Args:
        points: (N, 2) latitudes and longitudes of the training places, degrees.
        maximum: points of a box; more only where they lie within `FINEST_DEG`.

    Returns:
        A class a box with points. Its centre is the mean of its points on the sphere, its country
        that of most of them.

    Raises:
        ValueError: without points, or for a maximum below 1.
    """
    array = check_points(points).reshape(-1, 2)
    if not len(array) or maximum < 1:
        msg = f"Expected points and a maximum of at least 1, got {len(array)} and {maximum}"
        raise ValueError(msg)
    waiting: list[Held] = [(EARTH, np.arange(len(array)))]
    done: list[Held] = []
    while waiting:
        box, rows = waiting.pop()
        if len(rows) <= maximum or max(box[2] - box[0], box[3] - box[1]) < FINEST_DEG:
            done.append((box, rows))
        else:
            waiting += [half for half in _halves(box, rows, array) if len(half[1])]
    done.sort(key=lambda held: held[0])
    countries = np.asarray(nearest_place_codes(array)[0], dtype=object)
    return _partition(done, array, countries)


def _halves(box: Box, rows: NDArray[np.intp], points: NDArray[np.float64]) -> list[Held]:
    """A box cut in the middle of its longer side; points on the cut go north or east."""
    south, west, north, east = box
    if north - south > east - west:
        middle = (south + north) / 2
        is_behind = points[rows, 0] >= middle
        boxes = (south, west, middle, east), (middle, west, north, east)
    else:
        middle = (west + east) / 2
        is_behind = points[rows, 1] >= middle
        boxes = (south, west, north, middle), (south, middle, north, east)
    return [(boxes[0], rows[~is_behind]), (boxes[1], rows[is_behind])]


def _partition(
    held: list[Held], points: NDArray[np.float64], countries: NDArray[np.object_]
) -> Partition:
    lines = []
    for number, ((south, west, north, east), rows) in enumerate(held):
        middle, code = spherical_mean(points[rows]), f"naive_{number:05d}"
        lines.append(
            {
                "code": code,
                "name": code,
                "lat": middle[0],
                "lon": middle[1],
                "geometry": shapely.box(west, south, east, north),
                "country": Counter(sorted(countries[rows])).most_common(1)[0][0],
                "inner_lat": middle[0],
                "inner_lon": middle[1],
            }
        )
    return Partition("naive cells", gpd.GeoDataFrame(lines, geometry="geometry", crs=CRS))
