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
from shapely import Geometry

from shared.boundaries import CRS, country_polygons, read_polygons, world_outlines
from shared.countries import code_of
from shared.gazetteer import nearest_place_codes
from shared.geo import Floats
from shared.grid_cells import BOXES, Shapes, clipped, merged, sizes_of
from shared.partitions import COLUMNS, Partition
from shared.paths import data_folder, shown

COARSE = "coarse"
MIN_SHARE = 0.1  # GeoGuessrAI's: of the largest cell before merging, in square degrees
NEIGHBOURS = ("largest", "first")
ISLANDS = ("keep", "nearest")
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
    return _part_holding(outline, holding, country or source)


def countries_outline(
    source: str, codes: Sequence[str], holding: tuple[float, float] | None = None
) -> Geometry:
    """The outline of several countries together; those without an outline are passed over.

    Args:
        source: as of `country_outline`.
        codes: the countries' codes.
        holding: `(lat, lon)`: only the polygon that holds this point.

    Raises:
        ValueError: when none of the countries, or no polygon that holds the point, is there.
    """
    table = world_outlines() if source == COARSE else country_polygons(source)
    shapes = table.geometry[table["code"].isin(list(codes))].to_numpy()
    if not len(shapes):
        msg = f"Expected outlines of {list(codes)[:5]} in {source!r}, but there are none"
        raise ValueError(msg)
    return _part_holding(shapely.union_all(shapes), holding, f"{len(shapes)} countries")


def _part_holding(outline: Geometry, holding: tuple[float, float] | None, what: str) -> Geometry:
    if holding is None:
        return outline
    point = shapely.Point(holding[1], holding[0])
    held = [part for part in shapely.get_parts(outline) if shapely.intersects(part, point)]
    if not held:
        msg = f"Expected a polygon of {what} that holds (lat, lon) {holding}: none does"
        raise ValueError(msg)
    return held[0]


def grid_partition(
    outline: Geometry,
    size_deg: float = 2.0,
    min_share: float = MIN_SHARE,
    neighbour: str = "largest",
    islands: str = "keep",
    name: str = "grid",
    boxes: str = "degrees",
) -> Partition:
    """The partition of an outline into cells, numbered in the order of `clipped`.

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
        boxes: `"degrees"`: as wide as high in degrees, so that they shrink to the north; or
            `"equal-area"`: wider in degrees by as much, so that all have the area of one on the
            equator. Shares of the largest are then of km2.

    Raises:
        ValueError: when a setting is out of range, or the outline is empty.
    """
    _check(outline, size_deg, min_share, neighbour, islands, boxes)
    cells = clipped(outline, size_deg, boxes)
    shapes = merged(cells, sizes_of(cells, boxes), min_share, neighbour, islands)
    return Partition(name, _table(np.asarray(shapes, dtype=object), name))


def cell_centres(shapes: Shapes) -> Floats:
    """The middle of each cell's area on the sphere, or a point inside where that lies outside.

    Args:
        shapes: (N,) polygons.

    Returns:
        (N, 2) latitudes and longitudes, degrees.
    """
    flat = shapely.transform(shapely.segmentize(shapes, DENSE_DEG), _to_plane)
    middles = shapely.get_coordinates(shapely.centroid(flat))
    lat, lon = np.degrees(np.arcsin(middles[:, 1])), middles[:, 0]
    outside = ~shapely.intersects_xy(shapes, lon, lat)
    inside = shapely.get_coordinates(shapely.point_on_surface(shapes[outside]))
    lon[outside], lat[outside] = inside[:, 0], inside[:, 1]
    return np.column_stack([lat, lon])


def with_countries(grid: Partition) -> Partition:
    """The same cells, each with the country of the gazetteer's place nearest to its middle.

    A cell across a border has but one, so that cells read as countries are a little worse.
    """
    return Partition(grid.name, grid.table.assign(country=nearest_place_codes(grid.centres)[0]))


def grid_folder(dataset: str) -> Path:
    """Where `2-data-processing/6-divide/grid.ipynb` writes the grids of a data set."""
    return data_folder("2-data-processing/6-divide", dataset) / "grid"


def load_grid(dataset: str, boxes: str = "degrees") -> Partition:
    """The grid of a data set.

    Args:
        dataset: the data set.
        boxes: one of `BOXES`.

    Raises:
        FileNotFoundError: when the notebook that makes it has not run.
        ValueError: for other boxes.
    """
    if boxes not in BOXES:
        msg = f"Expected boxes to be one of {BOXES}, but got {boxes!r}"
        raise ValueError(msg)
    path = grid_folder(dataset) / f"{boxes}.parquet"
    if not path.is_file():
        msg = (
            f"Expected the grid of {dataset!r} at {shown(path)}, but there is none: "
            "2-data-processing/6-divide/grid.ipynb writes it"
        )
        raise FileNotFoundError(msg)
    return Partition.load(path)


def _check(
    outline: Geometry, size_deg: float, min_share: float, neighbour: str, islands: str, boxes: str
) -> None:
    faults = [
        (0 < size_deg <= 180, f"size_deg of more than 0 and at most 180, but got {size_deg}"),
        (0 <= min_share <= 1, f"min_share from 0 to 1, but got {min_share}"),
        (neighbour in NEIGHBOURS, f"neighbour to be one of {NEIGHBOURS}, but got {neighbour!r}"),
        (islands in ISLANDS, f"islands to be one of {ISLANDS}, but got {islands!r}"),
        (boxes in BOXES, f"boxes to be one of {BOXES}, but got {boxes!r}"),
        (outline is not None and outline.area > 0, "an outline with an area, but got an empty one"),
    ]
    for is_good, expected in faults:
        if not is_good:
            msg = f"Expected {expected}"
            raise ValueError(msg)


def _table(shapes: Shapes, name: str) -> gpd.GeoDataFrame:
    """The rows of the cells: codes, names, centres and polygons."""
    centres = cell_centres(shapes)
    columns = {
        "code": [f"{name}_{number:04d}" for number in range(len(shapes))],
        "name": [_named(bounds) for bounds in shapely.bounds(shapes).tolist()],
        "lat": centres[:, 0],
        "lon": centres[:, 1],
    }
    return gpd.GeoDataFrame(pd.DataFrame(columns), geometry=list(shapes), crs=CRS)[COLUMNS]


def _to_plane(points: Floats) -> Floats:
    """(N, 2) longitude and latitude to longitude and sine of latitude, where areas are true."""
    return np.stack([points[:, 0], np.sin(np.radians(points[:, 1]))], axis=1)


def _named(bounds: Sequence[float]) -> str:
    """A cell's name: what its corners are, such as `38.0 to 40.0 N, 100.0 to 98.0 W`."""
    west, south, east, north = bounds
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
