"""Splitting a cell among groups of its places, so that the parts fill it without overlaps.

The groups' Voronoi regions are clipped to the cell (`geocells_plane`) and then tidied
(`geocells_tidy`).
"""

from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Geometry

from shared.areas import centroids
from shared.geo import Floats
from shared.processing.geocells_cluster import Labels
from shared.processing.geocells_plane import (
    SAME_PLACE_KM,
    FlatArea,
    Shapes,
    nearest_inside,
    voronoi_groups,
)
from shared.processing.geocells_tidy import tidied


@dataclass(frozen=True)
class Cell:
    """A cell while it is made.

    Attributes:
        shape: its polygon, degrees.
        rows: (M,) its places.
    """

    shape: Geometry = field(repr=False)
    rows: NDArray[np.intp] = field(repr=False)


def split_cell(
    cell: Cell, places: Floats, weights: NDArray[np.int64], groups: Labels, minimum: int
) -> list[Cell]:
    """The parts of a cell, each with at least the minimum of points.

    Args:
        cell: what is split.
        places: (N, 2) latitudes and longitudes of all places, degrees.
        weights: (N,) points at each.
        groups: (M,) the group of each of the cell's places.
        minimum: points that a part must have.

    Returns:
        The parts; the cell itself alone, where nothing but one part comes of it.
    """
    if groups.max(initial=0) == 0:
        return [cell]
    middle = centroids([cell.shape])[0]
    area = FlatArea(cell.shape, middle)
    plane = nearest_inside(area, places[cell.rows])
    spots, spot = _distinct(plane)
    group_of_spot = groups[np.unique(spot, return_index=True)[1]]
    shapes = voronoi_groups(spots, _dense(group_of_spot), area.shape)
    clipped = [area.clipped(shape)[0] for shape in shapes]
    parts, owner = shapely.get_parts(np.asarray(clipped, dtype=object), return_index=True)
    part_of_spot = _part_of(spots, _dense(group_of_spot), parts, owner)
    points = np.bincount(part_of_spot[spot], weights[cell.rows], minlength=len(parts))
    owner = tidied(parts, owner, points.astype(np.int64), minimum)
    if owner.max() == 0:
        return [cell]
    final = [shapely.union_all(parts[owner == k]) for k in range(int(owner.max()) + 1)]
    in_degrees = [area.clipped(shape)[1] for shape in final]
    cell_of = owner[part_of_spot[spot]]
    return [Cell(shape, cell.rows[cell_of == k]) for k, shape in enumerate(in_degrees)]


def _distinct(plane: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Spots further apart than rounding, and the spot of each place."""
    grid = np.round(plane / (10 * SAME_PLACE_KM)).astype(np.int64)
    _, first, spot = np.unique(grid, axis=0, return_index=True, return_inverse=True)
    return plane[first], spot.ravel()


def _dense(labels: Labels) -> Labels:
    """Groups without gaps in their numbers: a spot may have taken in all of a group's places."""
    return np.unique(labels, return_inverse=True)[1].astype(np.intp)


def _part_of(spots: Floats, group: Labels, parts: Shapes, owner: Labels) -> NDArray[np.intp]:
    """The part that holds each spot; for one on an outline the nearest of its group's parts."""
    found = np.full(len(spots), -1, dtype=np.intp)
    points = shapely.points(spots)
    spot, part = shapely.STRtree(parts).query(points, predicate="intersects")
    own = owner[part] == group[spot]
    found[spot[own][::-1]] = part[own][::-1]
    for row in np.flatnonzero(found < 0):
        members = np.flatnonzero(owner == group[row])
        found[row] = members[int(np.argmin(shapely.distance(points[row], parts[members])))]
    return found
