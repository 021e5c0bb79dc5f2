"""Naming the regions of 330,000 points, against a loop over `gdf.contains(point).any()`.

The areas are the world's admin-1 areas where the folder LOST_AND_FOUND_GEODATA holds them, else a
grid of two degrees on coarse outlines, about as many. The loop is run on a sample of the points and
scaled to all of them; it names nothing and leaves the points off the coast open, ours does both.
The second row finds the five nearest regions, against a loop over `gdf.distance`, in degrees.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import geopandas as gpd
import numpy as np
import shapely

from benchmarks.table import Row, scale
from shared.boundaries import GEODATA_VARIABLE, world_outlines
from shared.gazetteer import gazetteer
from shared.geo import Floats
from shared.grid import grid_partition
from shared.partitions import Partition
from shared.regions import NATURAL_EARTH_NAME, regions_partition

FILES = (NATURAL_EARTH_NAME, "admin_1_world_rounded.geojson")
N_POINTS = 330_000
N_LOOPED = 100
ROUNDS = 3
TARGET = 50.0
TARGET_NEAREST = 10.0


def rows() -> Iterator[Row]:
    """Seconds for all points, ours and the loop's, by the median of interleaved rounds."""
    partition, name = _partition()
    n_points = max(N_LOOPED, int(N_POINTS * scale()))
    points = _points(n_points)
    polygons = gpd.GeoSeries(partition.table.geometry.to_numpy())

    def label(table: Partition) -> None:
        assert len(table.label_with_distance(points)[0]) == n_points

    def five(table: Partition) -> None:
        assert table.nearest(points, 5)[0].shape == (n_points, 5)

    def holds(point: shapely.Point) -> None:
        polygons.contains(point).any()

    def five_of_loop(point: shapely.Point) -> None:
        np.argpartition(polygons.distance(point).to_numpy(), 5)[:5]

    for what, ours, loop, asked in (
        ("labelling", label, holds, TARGET),
        ("the five nearest regions of", five, five_of_loop, TARGET_NEAREST),
    ):
        fast_s, slow_s = _seconds(partition, points, ours, loop)
        yield Row(
            f"{what} {n_points:,} points ({name})",
            f"{fast_s:.2f} s",
            f"{slow_s:,.0f} s ({N_LOOPED} points, scaled)",
            slow_s / fast_s,
            f"at least {asked:.0f}",
            slow_s / fast_s >= asked,
        )


def _seconds(
    partition: Partition,
    points: Floats,
    ours: Callable[[Partition], None],
    loop: Callable[[shapely.Point], None],
) -> tuple[float, float]:
    """Ours with everything from the polygons on (index, outlines, trees), and the loop's."""
    fast, slow = [], []
    for number in range(ROUNDS):
        sample = points[number * N_LOOPED % len(points) :][:N_LOOPED]
        start = time.perf_counter()
        for lat, lon in sample:
            loop(shapely.Point(lon, lat))
        slow.append((time.perf_counter() - start) * len(points) / len(sample))
        start = time.perf_counter()
        ours(Partition(partition.name, partition.table))
        fast.append(time.perf_counter() - start)
    return median(fast), median(slow)


def _partition() -> tuple[Partition, str]:
    folder = Path(os.environ.get(GEODATA_VARIABLE) or "../shared/data/geodata")
    for name in FILES:
        if (folder / name).exists():
            partition = regions_partition(str(folder / name))
            return partition, f"{len(partition):,} admin-1 areas"
    partition = grid_partition(shapely.union_all(world_outlines().geometry.to_numpy()), 2.0)
    return partition, f"{len(partition):,} boxes"


def _points(n_points: int) -> Floats:
    """Points about 5 km round gazetteer places, as photos are taken; some lie off the coast."""
    random = np.random.default_rng(0)
    places = gazetteer()[["lat", "lon"]].to_numpy(dtype=float)
    chosen = places[random.integers(len(places), size=n_points)]
    moved = chosen + random.normal(0, 0.05, chosen.shape)
    return np.clip(moved, (-90, -180), (90, 180))
