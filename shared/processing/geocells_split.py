"""Splitting a cell among groups of its places, so that the parts fill it without overlaps.

The groups' Voronoi regions are clipped to the cell (`geocells_plane`) and then tidied: what came
off a group and holds fewer points than the minimum goes, with its points, to the neighbour that it
shares the longest border with; this fills holes and takes slivers. What came off with enough
points becomes a cell of its own. Islands, which touch nothing, stay with their group.
"""

from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Geometry

from shared.areas import centroids
from shared.geo import Floats
from shared.processing.geocells_areas import Shapes
from shared.processing.geocells_cluster import Labels
from shared.processing.geocells_plane import (
    SAME_PLACE_KM,
    FlatArea,
    nearest_inside,
    voronoi_groups,
)

TOUCHING_KM = 1e-3  # parts that share less than this length only touch at a corner


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
    owner = _tidied(parts, owner, points.astype(np.int64), minimum)
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


def _tidied(parts: Shapes, owner: Labels, points: NDArray[np.int64], minimum: int) -> Labels:
    """The cell of each part, numbered from 0."""
    owner = owner.astype(np.intp).copy()
    borders = _borders(parts)
    area = shapely.area(parts)
    main = {
        int(k): max(np.flatnonzero(owner == k).tolist(), key=lambda p: (points[p], area[p], -p))
        for k in np.unique(owner)
    }
    loose = [p for p in range(len(parts)) if p != main[int(owner[p])]]
    for p in sorted(loose, key=lambda p: (points[p], area[p], p)):
        touching = {q: length for q, length in borders[p].items() if owner[q] != owner[p]}
        if not touching:
            continue
        owner[p] = owner.max() + 1 if points[p] >= minimum else _longest(touching, owner)
    return _large_enough(parts, owner, points, minimum, borders)


def _large_enough(
    parts: Shapes,
    owner: Labels,
    points: NDArray[np.int64],
    minimum: int,
    borders: list[dict[int, float]],
) -> Labels:
    """Cells that lost too many points to their neighbours join one of these, the smallest first."""
    while True:
        kept, cell = np.unique(owner, return_inverse=True)
        sizes = np.bincount(cell, points)
        if len(kept) == 1 or sizes.min() >= minimum:
            return cell.astype(np.intp)
        smallest = kept[int(np.argmin(sizes))]
        members = np.flatnonzero(owner == smallest)
        touching: dict[int, float] = {}
        for p in members:
            for q, length in borders[p].items():
                if owner[q] != smallest:
                    touching[q] = touching.get(q, 0.0) + length
        if touching:
            owner[members] = _longest(touching, owner)
            continue
        others = np.flatnonzero(owner != smallest)
        away = shapely.distance(shapely.union_all(parts[members]), parts[others])
        owner[members] = owner[others[int(np.argmin(away))]]


def _longest(touching: dict[int, float], owner: Labels) -> int:
    """The cell that shares the longest border, by the parts that are touched."""
    lengths: dict[int, float] = {}
    for q, length in touching.items():
        lengths[int(owner[q])] = lengths.get(int(owner[q]), 0.0) + length
    return max(lengths, key=lambda k: (lengths[k], -k))


def _borders(parts: Shapes) -> list[dict[int, float]]:
    """For each part those that it touches, and the length of their border, km."""
    borders: list[dict[int, float]] = [{} for _ in parts]
    one, other = shapely.STRtree(parts).query(parts, predicate="dwithin", distance=TOUCHING_KM)
    one, other = one[one < other], other[one < other]
    shared = shapely.intersection(parts[one], parts[other], grid_size=TOUCHING_KM / 10)
    for p, q, length in zip(one.tolist(), other.tolist(), shapely.length(shared), strict=True):
        if length > TOUCHING_KM:
            borders[p][q] = borders[q][p] = float(length)
    return borders
