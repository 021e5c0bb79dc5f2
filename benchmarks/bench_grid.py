"""Building a grid of 0.1 degrees, against a plain loop that intersects the outline with each box.

The outline is the contiguous United States of the Census where the folder LOST_AND_FOUND_GEODATA
holds it, else the installed one with as many points on its straight lines. The loop is run on a
sample of the boxes and scaled to all of them; it only cuts, while ours also merges small cells and
makes centres and names.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Geometry

from benchmarks.table import Row, scale
from shared.boundaries import GEODATA_VARIABLE
from shared.grid import country_outline, grid_partition

NATION = "cb_2018_us_nation_5m.shp"
KANSAS = (39.50, -98.35)
N_POINTS = 15_937  # of the Census outline
SIZE_DEG = 0.1
N_LOOPED = 300
ROUNDS = 3
TARGET = 20.0


def rows() -> Iterator[Row]:
    """Seconds for all boxes, ours and the loop's, by the median of interleaved rounds."""
    outline, name = _outline()
    size = SIZE_DEG / np.sqrt(scale())
    corners = _corners(outline, size)
    chosen = np.random.default_rng(0).permutation(len(corners))
    slow, fast, cells = [], [], 0
    for number in range(ROUNDS):
        sample = corners[np.roll(chosen, -number * N_LOOPED)[:N_LOOPED]]
        start = time.perf_counter()
        for lon, lat in sample.tolist():
            shapely.intersection(outline, shapely.box(lon, lat, lon + size, lat + size))
        slow.append((time.perf_counter() - start) * len(corners) / len(sample))
        shapely.destroy_prepared(outline)  # the loop has none, and ours makes its own
        start = time.perf_counter()
        cells = len(grid_partition(outline, size))
        fast.append(time.perf_counter() - start)
        shapely.destroy_prepared(outline)
    ratio = median(slow) / median(fast)
    yield Row(
        f"grid of {size:.2g}°, {len(corners):,} boxes, {cells:,} cells ({name})",
        f"{median(fast):.2f} s",
        f"{median(slow):,.0f} s ({N_LOOPED} boxes, scaled)",
        ratio,
        f"at least {TARGET:.0f}",
        ratio >= TARGET,
    )


def _outline() -> tuple[Geometry, str]:
    folder = Path(os.environ.get(GEODATA_VARIABLE) or "../shared/data/geodata")
    if (folder / NATION).exists():
        return country_outline(str(folder / NATION), holding=KANSAS), "Census outline"
    coarse = country_outline("coarse", "US", holding=KANSAS)
    dense = shapely.segmentize(coarse, shapely.length(coarse) / N_POINTS)
    return dense, f"coarse outline with {shapely.count_coordinates(dense):,} points"


def _corners(outline: Geometry, size: float) -> NDArray[np.float64]:
    """(N, 2) south-western corners of all boxes that may reach the outline, (lon, lat)."""
    west, south, east, north = outline.bounds
    lon = np.arange(np.floor(west / size), np.ceil(east / size)) * size
    lat = np.arange(np.floor(south / size), np.ceil(north / size)) * size
    return np.stack(np.meshgrid(lon, lat), axis=-1).reshape(-1, 2)
