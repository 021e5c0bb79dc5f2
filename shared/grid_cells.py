"""The cells of a grid: an outline cut into boxes, and small cells merged into a neighbour.

Degrees, (lon, lat) inside shapes. An outline is cut into bands first and then into boxes, boxes
that lie inside are not cut at all, and neighbours are looked up for the small cells alone: boxes
of 0.1 degrees on a country of 100,000 cells take seconds.
"""

import heapq
from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Geometry

from shared.areas import areas_km2
from shared.geo import Floats

BOXES = ("degrees", "equal-area")
EDGE_DEG = 1e-9  # cells that share less than this length only touch at a corner

Shapes = NDArray[np.object_]


def clipped(outline: Geometry, size: float, boxes: str) -> Shapes:
    """The polygons that boxes cut out of an outline.

    Boxes in degrees come column by column from the west, south first. Boxes of equal area have a
    column of their own in each row of latitudes, so they come row by row from the south.

    Args:
        outline: a polygon or multipolygon.
        size: side of a box, degrees; of boxes of equal area, of those on the equator.
        boxes: one of `BOXES`.

    Returns:
        (N,) polygons; the parts of a clipped box follow each other, south first.
    """
    shapely.prepare(outline)
    found: list[Shapes] = []
    places: list[NDArray[np.int64]] = []
    for row, south, north, width in _bands(outline, size, boxes):
        shapes, columns = _band_cells(outline, south, north, width)
        found.append(shapes)
        places.append(np.column_stack([columns, np.full(len(columns), row)]))
    shapes, place = np.concatenate(found), np.concatenate(places)
    major, minor = (place[:, 0], place[:, 1]) if boxes == "degrees" else (place[:, 1], place[:, 0])
    west, south, _, _ = shapely.bounds(shapes).T  # puts the parts of one box in order
    return np.asarray(shapes[np.lexsort([west, south, minor, major])], dtype=object)


def sizes_of(shapes: Shapes, boxes: str) -> Floats:
    """What cells are compared by: square degrees, or km2 where boxes have equal areas."""
    if boxes == "equal-area":
        return areas_km2(shapes)
    return np.asarray(shapely.area(shapes), dtype=np.float64)


def merged(
    cells: Shapes, sizes: Floats, min_share: float, neighbour: str, islands: str
) -> list[Geometry]:
    """The cells after the small ones went to a neighbour; a merged cell keeps the other's place.

    Args:
        cells: (N,) polygons.
        sizes: (N,) their areas, in any unit.
        min_share: what is below this share of the largest is small.
        neighbour: `"largest"` or `"first"`: what a small cell goes to; the smallest goes first.
        islands: `"keep"` or `"nearest"`: what becomes of small cells without a neighbour.
    """
    shapes: dict[int, Geometry] = dict(enumerate(cells))
    size = dict(enumerate(sizes.tolist()))
    limit = min_share * max(size.values())
    small = {k for k in shapes if size[k] < limit}
    beside = _edges(cells, sorted(small))
    queue = [(size[k], k) for k in small]
    heapq.heapify(queue)
    while queue:
        seen, k = heapq.heappop(queue)
        if k not in small or seen != size[k]:  # it went elsewhere, or has grown since
            continue
        small.discard(k)
        into = _chosen(k, shapes, beside, size, neighbour, islands)
        if into is None:
            continue
        shapes[into] = shapely.union(shapes[into], shapes.pop(k))
        size[into] += size[k]
        if into in small:
            if size[into] >= limit:
                small.discard(into)
            else:
                heapq.heappush(queue, (size[into], into))
        _join(beside, k, into)
    return [shapes[k] for k in sorted(shapes)]


def _bands(outline: Geometry, size: float, boxes: str) -> Iterator[tuple[int, float, float, float]]:
    """Rows of boxes that an outline may reach: number, southern and northern edge, box width."""
    _, low, _, high = outline.bounds
    for row in range(int(np.floor(low / size)), int(np.ceil(high / size))):
        south, north = row * size, (row + 1) * size
        width = size if boxes == "degrees" else _equal_width(max(south, -90), min(north, 90), size)
        yield row, south, north, width


def _equal_width(south: float, north: float, size: float) -> float:
    """The width of a box whose area is that of a box on the equator, degrees; at most 360.

    The area between two meridians and two parallels is the width times the difference of the sines.
    """
    height = np.sin(np.radians(north)) - np.sin(np.radians(south))
    return float(min(360.0, size * np.sin(np.radians(size)) / height))


def _band_cells(
    outline: Geometry, south: float, north: float, width: float
) -> tuple[Shapes, NDArray[np.int64]]:
    """The polygons of one row of boxes, and the column of each."""
    west, _, east, _ = outline.bounds
    band = shapely.intersection(outline, shapely.box(west - 1, south, east + 1, north))
    if band.is_empty:
        return np.empty(0, dtype=object), np.empty(0, dtype=np.int64)
    west, _, east, _ = band.bounds
    columns = np.arange(int(np.floor(west / width)), int(np.ceil(east / width)))
    boxes = np.asarray(shapely.box(columns * width, south, (columns + 1) * width, north))
    shapely.prepare(band)
    whole = shapely.contains_properly(outline, boxes)  # the band's own edges do not cut
    met = ~whole & shapely.intersects(band, boxes)
    pieces = boxes.astype(object)
    pieces[met] = shapely.intersection(band, boxes[met])
    parts, owner = shapely.get_parts(pieces[whole | met], return_index=True)
    is_cell = (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & (
        shapely.area(parts) > 0
    )
    return parts[is_cell], columns[whole | met][owner[is_cell]]


def _edges(cells: Shapes, small: list[int]) -> dict[int, set[int]]:
    """The cells that each small cell shares an edge with."""
    beside: dict[int, set[int]] = {k: set() for k in small}
    if not small:
        return beside
    rows = np.asarray(small)
    first, second = shapely.STRtree(cells).query(cells[rows], predicate="intersects")
    first = rows[first]
    shared = shapely.length(shapely.intersection(cells[first], cells[second])) > EDGE_DEG
    shared &= first != second
    for a, b in zip(first[shared].tolist(), second[shared].tolist(), strict=True):
        beside[a].add(b)
    return beside


def _chosen(
    k: int,
    shapes: dict[int, Geometry],
    beside: dict[int, set[int]],
    size: dict[int, float],
    neighbour: str,
    islands: str,
) -> int | None:
    """The cell that a small one is merged into, or None where it stays."""
    if beside[k]:
        return (
            min(beside[k]) if neighbour == "first" else max(beside[k], key=lambda j: (size[j], -j))
        )
    if islands == "keep" or len(shapes) == 1:
        return None
    others = [j for j in shapes if j != k]
    distance = shapely.distance(shapes[k], np.asarray([shapes[j] for j in others], dtype=object))
    return others[int(np.argmin(distance))]


def _join(beside: dict[int, set[int]], k: int, into: int) -> None:
    """Let one cell take over another's neighbours; only small cells know theirs."""
    for other in beside.pop(k):
        if other in beside:
            beside[other].discard(k)
            if other != into:
                beside[other].add(into)
        if other != into and into in beside:
            beside[into].add(other)
