"""Values of rasters at points: GeoTIFFs read with rasterio, only the windows that hold points.

Points are degrees `(lat, lon)`, distances km. A raster may be in any projection that it tells; one
that tells none (a plain PNG) and is twice as wide as high is taken to cover the whole Earth in
degrees. A point without a value of its own (water, mostly) takes the nearest cell's that has one,
within a reach.

A source is a path, or a pinned address (`shared.processing.surroundings_sources`).
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import rasterio
import shapely
from numpy.typing import ArrayLike, NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import from_bounds
from rasterio.warp import transform
from rasterio.windows import Window

from shared.areas import areas_km2
from shared.geo import EARTH_RADIUS_KM, Floats, check_points, haversine_km
from shared.processing.surroundings_sources import is_remote, local_name

DEGREES = "EPSG:4326"
TILE = 512  # cells a side of what is read at once
ROUND_DEG = 1e-6
REMOTE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}  # no server is asked for files beside it

Cells = NDArray[np.int64]


class Sampled(NamedTuple):
    """What rasters tell at points.

    Attributes:
        value: (N,) in the rasters' unit; NaN where there is none.
        distance_km: (N,) to the middle of the cell that answered, km: 0 for the cell that holds
            the point, NaN where none did.
        source: (N,) which of the rasters answered; -1 where none did.
    """

    value: Floats
    distance_km: Floats
    source: NDArray[np.intp]


def sample(
    sources: Sequence[str], points: ArrayLike, reach_km: float = 0.0, without: Sequence[float] = ()
) -> Sampled:
    """The values of rasters at points, and from where they come.

    Args:
        sources: a raster, or the tiles of one; of several that hold a point the first with a
            value there answers.
        points: (N, 2) latitudes and longitudes, degrees.
        reach_km: how far off a cell may lie that answers for a point without a value, km.
        without: values that mean that there is none, beside those that the raster names.

    Raises:
        FileNotFoundError: when a raster is not there, or cannot be fetched.
        ValueError: when a raster tells neither a projection nor covers the Earth.
    """
    array = check_points(points).reshape(-1, 2)
    values = np.full(len(array), np.nan)
    distance_km = np.zeros(len(array))
    answered = np.full(len(array), -1, dtype=np.intp)
    for number, source in enumerate(sources):
        open_rows = np.flatnonzero(answered < 0)
        with opened(source) as raster:
            found = _own_cells(raster, array[open_rows], without)
        values[open_rows] = found
        answered[open_rows[~np.isnan(found)]] = number
    for number, source in enumerate(sources if reach_km > 0 else ()):
        open_rows = np.flatnonzero(answered < 0)
        with opened(source) as raster:
            found, off_km = _near_cells(raster, array[open_rows], reach_km, without)
        values[open_rows], distance_km[open_rows] = found, off_km
        answered[open_rows[~np.isnan(found)]] = number
    return Sampled(values, np.where(answered < 0, np.nan, distance_km), answered)


def cell_areas_km2(source: str, points: ArrayLike) -> Floats:
    """The area of the cell of a raster that holds each point, km2.

    For a raster in metres, which has to be equal-area, all cells have one area.

    Args:
        source: the raster.
        points: (N, 2) latitudes and longitudes, degrees.
    """
    array = check_points(points).reshape(-1, 2)
    with opened(source) as raster:
        affine = raster.affine
        if not raster.is_degrees:
            return np.full(len(array), abs(affine.determinant) / 1e6)
        rows = raster.cells(array)[:, 0]
    unique, row_of = np.unique(np.clip(rows, 0, None), return_inverse=True)
    north, south = (np.clip(affine.f + affine.e * (unique + k), -90, 90) for k in (0, 1))
    boxes = shapely.box(0, np.minimum(north, south), abs(affine.a), np.maximum(north, south))
    return areas_km2(boxes)[row_of]


class Raster:
    """One raster: which cells hold points, and the values of its cells."""

    def __init__(self, dataset: Any) -> None:  # noqa: ANN401 (rasterio has no types)
        """Look at an open data set of rasterio.

        Raises:
            ValueError: when it tells no projection and is not twice as wide as high.
        """
        self._dataset = dataset
        self.shape = np.array([dataset.height, dataset.width])
        self.is_degrees = dataset.crs is None or dataset.crs.is_geographic
        self.affine = _affine(dataset)
        is_whole = abs(dataset.width * abs(self.affine.a) - 360) < ROUND_DEG
        self.is_round = bool(self.is_degrees and is_whole)  # its last column touches its first

    def cells(self, points: Floats) -> Cells:
        """(N, 2) rows and columns of the cells that hold (N, 2) points; -1 outside."""
        x, y = points[:, 1], points[:, 0]
        if not self.is_degrees:
            x, y = (np.asarray(c) for c in transform(DEGREES, self._dataset.crs, x, y))
        column, row = ~self.affine @ (x, y)
        if self.is_round:
            column = column % self.shape[1]
        row = np.where(row == self.shape[0], row - 1, row)  # the lower edge is the last row's
        cells = np.stack([row, column], axis=1)
        whole = np.floor(np.where(np.isfinite(cells), cells, -1)).astype(np.int64)
        inside: NDArray[np.bool_] = np.all((whole >= 0) & (whole < self.shape), axis=1)
        return np.where(inside[:, None], whole, -1)

    def middles(self, cells: Cells) -> Floats:
        """(N, 2) latitudes and longitudes of the middles of cells, degrees."""
        x, y = self.affine @ (cells[:, 1] + 0.5, cells[:, 0] + 0.5)
        if not self.is_degrees:
            x, y = (np.asarray(c) for c in transform(self._dataset.crs, DEGREES, x, y))
        return np.column_stack([np.clip(y, -90, 90), (np.asarray(x) + 180) % 360 - 180])

    def read(self, low: Cells, high: Cells, without: Sequence[float]) -> Floats:
        """The values of rows and columns from low to high, in the raster's unit; NaN: none."""
        window = Window(int(low[1]), int(low[0]), int(high[1] - low[1]), int(high[0] - low[0]))
        if self._whole is not None:
            read = self._whole[window.toslices()]
        else:
            read = self._dataset.read(1, window=window, masked=True)
        tile = read.filled(0).astype(np.float64)
        is_bare = np.ma.getmaskarray(read) | ~np.isfinite(tile) | np.isin(tile, list(without))
        values = tile * self._dataset.scales[0] + self._dataset.offsets[0]
        return np.where(is_bare, np.nan, values)

    @cached_property
    def _whole(self) -> Any | None:  # noqa: ANN401 (a masked array)
        """All cells, where a window costs as much as all: a PNG is unpacked from its beginning."""
        return self._dataset.read(1, masked=True) if self._dataset.driver == "PNG" else None


@contextmanager
def opened(source: str) -> Iterator[Raster]:
    """A raster, opened by rasterio.

    Raises:
        FileNotFoundError: when it is not there, cannot be fetched, or is not the pinned one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # told by `_affine`
        try:
            with rasterio.Env(**(REMOTE if is_remote(source) else {})):
                dataset = rasterio.open(local_name(source))
        except rasterio.errors.RasterioIOError as error:
            msg = f"Expected a raster that rasterio opens at {source}: {error}"
            raise FileNotFoundError(msg) from error
    with dataset:
        yield Raster(dataset)


def _affine(raster: Any) -> Any:  # noqa: ANN401
    """From (column, row) to what the raster's projection has; the whole Earth where it tells none.

    Raises:
        ValueError: when it tells none and is not twice as wide as high.
    """
    if raster.crs is not None or not raster.transform.is_identity:
        return raster.transform
    if raster.width != 2 * raster.height:
        msg = (
            f"Expected {raster.name} to tell its projection, or to cover the Earth in degrees, "
            f"twice as wide as high, but it is {raster.width} x {raster.height}"
        )
        raise ValueError(msg)
    return from_bounds(-180, -90, 180, 90, raster.width, raster.height)


def _own_cells(raster: Raster, points: Floats, without: Sequence[float]) -> Floats:
    values = np.full(len(points), np.nan)
    cells = raster.cells(points)
    rows = np.flatnonzero(cells[:, 0] >= 0)

    def take(tile: Floats, members: NDArray[np.intp], corner: Cells) -> None:
        at = cells[rows[members]] - corner
        values[rows[members]] = tile[at[:, 0], at[:, 1]]

    _by_tiles(raster, cells[rows], without, take)
    return values


def _by_tiles(
    raster: Raster,
    cells: Cells,
    without: Sequence[float],
    take: Callable[[Floats, NDArray[np.intp], Cells], None],
) -> None:
    """Read each tile that holds cells once, and hand it on with its cells and its corner."""
    if not len(cells):
        return
    _, tile_of = np.unique(cells // TILE, axis=0, return_inverse=True)
    order = np.argsort(tile_of.ravel(), kind="stable")
    cuts = np.flatnonzero(np.diff(tile_of.ravel()[order])) + 1
    for members in np.split(order, cuts):
        low, high = cells[members].min(axis=0), cells[members].max(axis=0) + 1
        take(raster.read(low, high, without), members, low)


def _near_cells(
    raster: Raster,
    points: Floats,
    reach_km: float,
    without: Sequence[float],
) -> tuple[Floats, Floats]:
    """The nearest cell with a value, for each point; NaN where there is none within reach."""
    values, off_km = np.full(len(points), np.nan), np.zeros(len(points))
    cells = raster.cells(points)
    for n in np.flatnonzero(cells[:, 0] >= 0):
        rows, columns = _around(raster, points[n], cells[n], reach_km)
        wide = np.unique(columns)
        low = np.array([rows[0], wide[0]])
        tile = raster.read(low, np.array([rows[-1] + 1, wide[-1] + 1]), without)
        at = np.argwhere(~np.isnan(tile))
        if not len(at):
            continue
        km = haversine_km(points[n], raster.middles(at + low))
        best = int(np.argmin(km))
        if km[best] <= reach_km:
            values[n], off_km[n] = tile[at[best, 0], at[best, 1]], km[best]
    return values, off_km


def _around(
    raster: Raster,
    point: Floats,
    cell: Cells,
    reach_km: float,
) -> tuple[Cells, Cells]:
    """The rows and columns that may lie within reach of a cell; all columns near a pole."""
    affine, (height, width) = raster.affine, raster.shape
    if raster.is_degrees:
        km_a_degree = np.radians(1) * EARTH_RADIUS_KM
        furthest = min(abs(point[0]) + reach_km / km_a_degree, 90.0)
        across = km_a_degree * abs(affine.a) * np.cos(np.radians(furthest))
        steps = reach_km / (km_a_degree * abs(affine.e)), reach_km / max(across, 1e-9)
    else:
        steps = reach_km * 1000 / abs(affine.e), reach_km * 1000 / abs(affine.a)
    tall, wide = int(np.ceil(steps[0])) + 1, int(min(np.ceil(steps[1]) + 1, width))
    rows = np.arange(max(cell[0] - tall, 0), min(cell[0] + tall + 1, height))
    columns = np.arange(cell[1] - wide, cell[1] + wide + 1)
    if raster.is_round:
        return rows, columns % width
    return rows, columns[(columns >= 0) & (columns < width)]
