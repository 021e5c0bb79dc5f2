"""The grid partition: a country's outline cut into boxes of latitude and longitude.

Degrees, points `(lat, lon)`. Places are drawn from its cells when street views are collected, and
training learns the same cells. Cells are cut as GeoGuessrAI did it: boxes at multiples of the size
counted from (0, 0), clipped to the outline; the parts of a clipped box are cells of their own;
cells smaller than a share of the largest are merged into a neighbour that they share an edge with,
the smallest first. A small island has no neighbour, and stays, or goes to the nearest cell.
"""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely import Geometry

from shared.boundaries import CRS, country_polygons, read_polygons, world_outlines
from shared.countries import code_of
from shared.partitions import COLUMNS, Partition

COARSE = "coarse"
MIN_SHARE = 0.1  # GeoGuessrAI's: of the largest cell before merging, in square degrees
NEIGHBOURS = ("largest", "first")
ISLANDS = ("keep", "nearest")
EDGE_DEG = 1e-9  # cells that share less than this length only touch at a corner
DENSE_DEG = 0.05  # step along an outline before it is put on the equal-area plane


def country_outline(
    source: str, country: str = "", holding: tuple[float, float] | None = None
) -> Geometry:
    """The outline of one country, or of the part of it that holds a point.

    Args:
        source: `"coarse"`: outlines that are installed (Natural Earth 110m: no network, islands are
            missing); `"natural-earth-50m"`; or the path of a file with one outline, or with
            countries as `shared.boundaries.country_polygons` reads them.
        country: its code or name; may be empty where the file has one outline alone.
        holding: `(lat, lon)`: only the polygon that holds this point, such as (39.5, -98.35) for
            the contiguous United States.

    Returns:
        A polygon or multipolygon, (lon, lat) inside it.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when the country, or a polygon that holds the point, is not there.
    """
    outline = _lone_outline(source) if not country else _outline_of(source, code_of(country))
    if holding is None:
        return outline
    point = shapely.Point(holding[1], holding[0])
    held = [part for part in shapely.get_parts(outline) if shapely.intersects(part, point)]
    if not held:
        msg = (
            f"Expected a polygon of {country or source} that holds (lat, lon) {holding}: none does"
        )
        raise ValueError(msg)
    return held[0]


def grid_partition(
    outline: Geometry,
    size_deg: float = 2.0,
    min_share: float = MIN_SHARE,
    neighbour: str = "largest",
    islands: str = "keep",
    name: str = "grid",
) -> Partition:
    """The partition of an outline into cells; their codes are numbered column by column.

    Args:
        outline: a polygon or multipolygon in degrees, (lon, lat) inside it. It ends at longitude
            ±180; cells on the two sides of it are no neighbours.
        size_deg: side of a box, degrees.
        min_share: cells below this share of the largest one (before merging; square degrees) are
            merged; 0 merges none.
        neighbour: what a small cell is merged into: `"largest"` of its neighbours, or `"first"`
            in column order, as the ancestor did.
        islands: small cells without a neighbour: `"keep"`, or merge into the `"nearest"` cell.
        name: the partition's name, and the beginning of its codes: `<name>_0007`.

    Raises:
        ValueError: when a setting is out of range, or the outline is empty.
    """
    _check(outline, size_deg, min_share, neighbour, islands)
    cells = _clipped(outline, size_deg)
    shapes = _merged(cells, min_share, neighbour, islands)
    rows = [_row(f"{name}_{number:04d}", shape) for number, shape in enumerate(shapes)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return Partition(name, gpd.GeoDataFrame(table, geometry="geometry", crs=CRS))


def _check(
    outline: Geometry, size_deg: float, min_share: float, neighbour: str, islands: str
) -> None:
    faults = [
        (0 < size_deg <= 180, f"size_deg of more than 0 and at most 180, but got {size_deg}"),
        (0 <= min_share <= 1, f"min_share from 0 to 1, but got {min_share}"),
        (neighbour in NEIGHBOURS, f"neighbour to be one of {NEIGHBOURS}, but got {neighbour!r}"),
        (islands in ISLANDS, f"islands to be one of {ISLANDS}, but got {islands!r}"),
        (outline is not None and outline.area > 0, "an outline with an area, but got an empty one"),
    ]
    for is_good, expected in faults:
        if not is_good:
            msg = f"Expected {expected}"
            raise ValueError(msg)


def _clipped(outline: Geometry, size: float) -> list[Geometry]:
    """The polygons that boxes cut out of an outline, column by column from west, south first."""
    west, south, east, north = outline.bounds
    columns = range(int(np.floor(west / size)), int(np.ceil(east / size)))
    rows = range(int(np.floor(south / size)), int(np.ceil(north / size)))
    shapely.prepare(outline)
    boxes = [
        shapely.box(i * size, j * size, (i + 1) * size, (j + 1) * size)
        for i in columns
        for j in rows
    ]
    met = [box for box in boxes if shapely.intersects(outline, box)]
    parts = shapely.get_parts(shapely.intersection(outline, np.asarray(met, dtype=object)))
    return [part for part in parts if part.geom_type == "Polygon" and part.area > 0]


def _merged(
    cells: Sequence[Geometry], min_share: float, neighbour: str, islands: str
) -> list[Geometry]:
    """The cells after the small ones went to a neighbour; a merged cell keeps the other's place."""
    shapes: dict[int, Geometry] = dict(enumerate(cells))
    area = {k: float(shape.area) for k, shape in shapes.items()}
    beside = _edges(cells)
    limit = min_share * max(area.values())
    small = {k for k in shapes if area[k] < limit}
    while small:
        k = min(small, key=lambda cell: (area[cell], cell))
        small.discard(k)
        into = _chosen(k, shapes, beside, area, neighbour, islands)
        if into is None:
            continue
        shapes[into] = shapely.union(shapes[into], shapes.pop(k))
        area[into] = float(shapes[into].area)
        if area[into] >= limit:
            small.discard(into)
        _join(beside, k, into)
    return [shapes[k] for k in sorted(shapes)]


def _edges(cells: Sequence[Geometry]) -> dict[int, set[int]]:
    """The cells that each cell shares an edge with."""
    array = np.asarray(cells, dtype=object)
    pairs = shapely.STRtree(array).query(array, predicate="intersects")
    first, second = pairs[:, pairs[0] < pairs[1]]
    shared = shapely.length(shapely.intersection(array[first], array[second])) > EDGE_DEG
    beside: dict[int, set[int]] = {k: set() for k in range(len(cells))}
    for a, b in zip(first[shared].tolist(), second[shared].tolist(), strict=True):
        beside[a].add(b)
        beside[b].add(a)
    return beside


def _chosen(
    k: int,
    shapes: dict[int, Geometry],
    beside: dict[int, set[int]],
    area: dict[int, float],
    neighbour: str,
    islands: str,
) -> int | None:
    """The cell that a small one is merged into, or None where it stays."""
    if beside[k]:
        return (
            min(beside[k]) if neighbour == "first" else max(beside[k], key=lambda j: (area[j], -j))
        )
    if islands == "keep" or len(shapes) == 1:
        return None
    others = [j for j in shapes if j != k]
    distance = shapely.distance(shapes[k], np.asarray([shapes[j] for j in others], dtype=object))
    return others[int(np.argmin(distance))]


def _join(beside: dict[int, set[int]], k: int, into: int) -> None:
    """Let one cell take over another's neighbours."""
    for other in beside.pop(k):
        beside[other].discard(k)
        if other != into:
            beside[other].add(into)
            beside[into].add(other)


def _row(code: str, shape: Geometry) -> tuple[str, str, float, float, Geometry]:
    lat, lon = _centre(shape)
    return code, _named(shape), lat, lon, shape


def _centre(shape: Geometry) -> tuple[float, float]:
    """The middle of a cell's area on the sphere, or a point inside where that lies outside."""
    middle = shapely.transform(shapely.segmentize(shape, DENSE_DEG), _to_plane).centroid
    lat, lon = float(np.degrees(np.arcsin(middle.y))), float(middle.x)
    if not shapely.intersects(shape, shapely.Point(lon, lat)):
        inside = shape.representative_point()
        lat, lon = float(inside.y), float(inside.x)
    return lat, lon


def _to_plane(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) longitude and latitude to longitude and sine of latitude, where areas are true."""
    return np.stack([points[:, 0], np.sin(np.radians(points[:, 1]))], axis=1)


def _named(shape: Geometry) -> str:
    """A cell's name: what its corners are, such as `38.0 to 40.0 N, 100.0 to 98.0 W`."""
    west, south, east, north = shape.bounds
    return f"{_span(south, north, 'S', 'N')}, {_span(west, east, 'W', 'E')}"


def _span(low: float, high: float, negative: str, positive: str) -> str:
    if low >= 0:
        return f"{low:.1f} to {high:.1f} {positive}"
    if high <= 0:
        return f"{-low:.1f} to {-high:.1f} {negative}"
    return f"{-low:.1f} {negative} to {high:.1f} {positive}"


def _lone_outline(source: str) -> Geometry:
    path = Path(source)
    if not path.exists():
        msg = f"Expected a file with one outline at {source}; or name a country to take one of"
        raise FileNotFoundError(msg)
    table = read_polygons(path)
    if len(table) != 1:
        msg = f"Expected one outline in {path}, but got {len(table)}: name a country"
        raise ValueError(msg)
    return table.geometry.iloc[0]


def _outline_of(source: str, code: str) -> Geometry:
    table = world_outlines() if source == COARSE else country_polygons(source)
    found = table[table["code"] == code]
    if len(found) == 0:
        msg = (
            f"Expected the outline of {code} among the {len(table)} of {source!r}: it is not there"
        )
        raise ValueError(msg)
    return found.geometry.iloc[0]
