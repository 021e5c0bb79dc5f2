"""Tidying the parts of an area that was shared out: what came off a cell goes to a neighbour.

Parts are polygons of a plane, km. What came off a cell and holds fewer points than the minimum
goes, with its points, to the neighbour that it shares the longest border with; this fills holes and
takes slivers. What came off with enough points becomes a cell of its own. Islands, which touch
nothing, stay.
"""

import numpy as np
import shapely
from numpy.typing import NDArray

from shared.processing.geocells_plane import Rows, Shapes

Borders = list[dict[int, float]]  # of each part: those that it touches, and how long the border is
TOUCHING_KM = 1e-3  # parts that share less than this length only touch at a corner


def tidied(parts: Shapes, owner: Rows, points: NDArray[np.int64], minimum: int) -> Rows:
    """The cells of parts after what came off went to a neighbour, each with enough points.

    Args:
        parts: (P,) polygons that do not overlap.
        owner: (P,) the cell that each part was cut for.
        points: (P,) points in each.
        minimum: points that a cell must have; where all have fewer together, one cell is left.

    Returns:
        (P,) cells, numbered from 0.
    """
    borders = _borders(parts)
    return _large_enough(
        parts, _gathered(parts, owner, points, minimum, borders), points, minimum, borders
    )


def gathered(parts: Shapes, owner: Rows, size: NDArray[np.int64]) -> Rows:
    """The cells of parts after all that came off went to a neighbour: as `tidied`, for any size.

    Args:
        parts: (P,) polygons that do not overlap.
        owner: (P,) the cell that each part was cut for.
        size: (P,) of each part; the largest part of a cell is what the others came off from.

    Returns:
        (P,) cells, some of `owner`.
    """
    return _gathered(parts, owner, size, int(size.sum()) + 1, _borders(parts))


def _gathered(
    parts: Shapes, owner: Rows, points: NDArray[np.int64], minimum: int, borders: Borders
) -> Rows:
    owner = owner.astype(np.intp).copy()
    area = shapely.area(parts)
    main = {
        int(k): max(np.flatnonzero(owner == k).tolist(), key=lambda p: (points[p], area[p], -p))
        for k in np.unique(owner)
    }
    loose = [p for p in range(len(parts)) if p != main[int(owner[p])]]
    for p in sorted(loose, key=lambda p: (points[p], area[p], p)):
        touching = {q: length for q, length in borders[p].items() if owner[q] != owner[p]}
        if touching:
            owner[p] = owner.max() + 1 if points[p] >= minimum else _longest(touching, owner)
    return owner


def _large_enough(
    parts: Shapes,
    owner: Rows,
    points: NDArray[np.int64],
    minimum: int,
    borders: Borders,
) -> Rows:
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


def _longest(touching: dict[int, float], owner: Rows) -> int:
    """The cell that shares the longest border, by the parts that are touched."""
    lengths: dict[int, float] = {}
    for q, length in touching.items():
        lengths[int(owner[q])] = lengths.get(int(owner[q]), 0.0) + length
    return max(lengths, key=lambda k: (lengths[k], -k))


def _borders(parts: Shapes) -> Borders:
    """For each part those that it touches, and the length of their border, km."""
    borders: Borders = [{} for _ in parts]
    one, other = shapely.STRtree(parts).query(parts, predicate="dwithin", distance=TOUCHING_KM)
    one, other = one[one < other], other[one < other]
    shared = shapely.intersection(parts[one], parts[other], grid_size=TOUCHING_KM / 10)
    for p, q, length in zip(one.tolist(), other.tolist(), shapely.length(shared), strict=True):
        if length > TOUCHING_KM:
            borders[p][q] = borders[q][p] = float(length)
    return borders
