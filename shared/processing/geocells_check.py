"""Whether cells divide the land that they cover: no overlaps, no gaps, each point in one cell.

Degrees `(lat, lon)`, square kilometres.
"""

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from shared.areas import areas_km2
from shared.geo import Floats, check_points
from shared.partitions import Partition
from shared.processing.geocells_areas import Areas
from shared.processing.geocells_plane import Shapes

MOST_DRAWS = 1000  # rounds of drawing points in an area's bounds, before its shape is at fault


def coverage_report(
    partition: Partition, areas: Areas, points: ArrayLike, n_random: int = 10_000, seed: int = 0
) -> dict[str, float]:
    """What is left uncovered or covered twice.

    Args:
        partition: the cells.
        areas: the land that they have to cover.
        points: (N, 2) latitudes and longitudes, degrees: the training places.
        n_random: random points of the land that are looked up.
        seed: feeds their draw.

    Returns:
        `land, km2`; `covered twice, km2` and `not covered, km2`, by areas; `random points in one
        cell`, `in none` and `in several`; `places in one class`, those of the training places that
        a class is named for, and `cells without places`.
    """
    shapes = partition.table.geometry.to_numpy()
    land = float(areas_km2(areas.shapes).sum())
    cells = float(areas_km2(shapes).sum())
    union = float(areas_km2([shapely.union_all(shapes)])[0])
    held = cells_of(shapes, random_points(areas.shapes, n_random, seed))
    rows = partition.index_of(partition.label(check_points(points).reshape(-1, 2)))
    return {
        "land, km2": land,
        "covered twice, km2": cells - union,
        "not covered, km2": land - union,
        "random points in one cell": int((held == 1).sum()),
        "random points in none": int((held == 0).sum()),
        "random points in several": int((held > 1).sum()),
        "places in one class": int((rows >= 0).sum()),
        "cells without places": len(partition) - len(np.unique(rows[rows >= 0])),
    }


def cells_of(shapes: Shapes, points: Floats) -> NDArray[np.int64]:
    """(N,) how many of the shapes hold each of (N, 2) points."""
    spots = shapely.points(points[:, ::-1])
    found, _ = shapely.STRtree(shapes).query(spots, predicate="intersects")
    return np.bincount(found, minlength=len(points)).astype(np.int64)


def random_points(shapes: Shapes, count: int, seed: int) -> Floats:
    """Points drawn evenly from areas on the sphere: (count, 2) latitudes and longitudes, degrees.

    Raises:
        ValueError: when an area holds none of many points of its bounds.
    """
    draw = np.random.default_rng(seed)
    # By parts: the bounds of islands on the two sides of the antimeridian go round the Earth.
    parts = shapely.get_parts(shapes)
    size = areas_km2(parts)
    owner = np.sort(draw.choice(len(parts), count, p=size / size.sum()))
    bounds = shapely.bounds(parts)[owner]
    low, high = np.sin(np.radians(bounds[:, 1])), np.sin(np.radians(bounds[:, 3]))
    points = np.empty((count, 2))
    waiting = np.arange(count)
    for _ in range(MOST_DRAWS):
        chance = draw.random((len(waiting), 2))
        height = low[waiting] + chance[:, 0] * (high - low)[waiting]
        points[waiting, 0] = np.degrees(np.arcsin(np.clip(height, -1, 1)))
        west, east = bounds[waiting, 0], bounds[waiting, 2]
        points[waiting, 1] = west + chance[:, 1] * (east - west)
        held = shapely.intersects_xy(parts[owner[waiting]], points[waiting, 1], points[waiting, 0])
        waiting = waiting[~held]
        if not len(waiting):
            return points
    msg = f"Expected areas that hold points of their bounds, but {len(waiting)} draws found none"
    raise ValueError(msg)
