"""Semantic geocells of 100,000 places, against a straightforward way of building them.

Places are drawn from the gazetteer; areas are the world's admin-1 areas where the folder
LOST_AND_FOUND_GEODATA holds them, else a grid of two degrees on coarse outlines. The whole is timed
alone, with the published bounds (30 to 60) and the fast choice, and is asked to take under two
minutes on two cores. What is compared is one step, on a sample of the cells that are too large:
their clusters and parts. Straightforward are OPTICS on a matrix of great-circle distances, a
Voronoi region clipped to the cell for each of its places, and a union of these for each cluster.
A third row makes the cells of a tenth of the places with HDBSCAN and with the published OPTICS, and
tells how far off the right cell is from places that neither saw.
"""

import time
from collections.abc import Iterator
from statistics import median

import numpy as np
import pandas as pd
import shapely
from sklearn.cluster import OPTICS
from sklearn.metrics.pairwise import haversine_distances

from benchmarks.bench_regions import _partition
from benchmarks.table import Row, scale
from shared.gazetteer import gazetteer
from shared.geo import Floats
from shared.partitions import Partition
from shared.processing.geocells import make_geocells, preset
from shared.processing.geocells_areas import Areas, administrative_areas
from shared.processing.geocells_cluster import METHODS, found_groups
from shared.processing.geocells_split import Cell, split_cell
from shared.processing.partition_quality import partition_quality

N_POINTS = 100_000
MOST_S = 120.0
N_CELLS = 5
N_UNSEEN = 5_000
MOST_POINTS = 2_000  # of a cell that is compared: OPTICS takes a matrix of them
ROUNDS = 3
TARGET = 5.0


def rows() -> Iterator[Row]:
    """The whole in seconds; and the median of interleaved rounds of one step."""
    n_points = max(5_000, int(N_POINTS * scale()))
    places = gazetteer()[["lat", "lon"]].to_numpy(dtype=float)
    places = places[np.random.default_rng(0).permutation(len(places))]
    points = places[:n_points]
    regions, name = _partition()
    start = time.perf_counter()
    areas = administrative_areas(regions, points)
    cells = make_geocells(points, areas, preset("pigeon", n_points))
    whole_s = time.perf_counter() - start
    yield Row(
        f"geocells of {n_points:,} places ({name}): {len(cells.partition):,} cells",
        f"{whole_s:.1f} s",
        f"{MOST_S:.0f} s allowed",
        MOST_S / whole_s,
        "at least 1",
        whole_s <= MOST_S,
    )
    yield _one_step(areas, np.unique(points, axis=0))
    yield _methods(regions, points[: n_points // 10], places[n_points:][:N_UNSEEN])


def _methods(regions: Partition, points: Floats, unseen_places: Floats) -> Row:
    areas = administrative_areas(regions, points)
    known = pd.DataFrame(points, columns=["lat", "lon"])
    unseen = pd.DataFrame(unseen_places, columns=["lat", "lon"])
    seconds, told = [], []
    for method in METHODS:
        start = time.perf_counter()
        cells = make_geocells(points, areas, preset("pigeon", len(points), method))
        seconds.append(time.perf_counter() - start)
        quality = partition_quality(cells.partition, known, unseen, with_areas=False).summary()
        told.append(f"{len(cells.counts):,} cells, {quality['oracle median, km']:.0f} km off")
    ratio = seconds[1] / seconds[0]
    return Row(
        f"cells of {len(points):,} places by HDBSCAN ({told[0]}), not OPTICS ({told[1]})",
        f"{seconds[0]:.1f} s",
        f"{seconds[1]:.1f} s",
        ratio,
        "at least 1",
        ratio >= 1,
    )


def _one_step(areas: Areas, places: Floats) -> Row:
    chosen = _large_cells(areas, places)
    weights = np.ones(len(places), dtype=np.int64)
    trial = preset("pigeon", len(places)).trials[0]
    fast, slow = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for cell in chosen:
            _straightforward(cell, places)
        slow.append(time.perf_counter() - start)
        start = time.perf_counter()
        for cell in chosen:
            groups = found_groups(places[cell.rows], weights[cell.rows], trial, 30)
            assert split_cell(cell, places, weights, groups, 30)
        fast.append(time.perf_counter() - start)
    ratio = median(slow) / median(fast)
    size = sum(len(cell.rows) for cell in chosen)
    return Row(
        f"splitting {len(chosen)} areas of {size:,} places once",
        f"{median(fast):.2f} s",
        f"{median(slow):.2f} s",
        ratio,
        f"at least {TARGET:.0f}",
        ratio >= TARGET,
    )


def _large_cells(areas: Areas, places: Floats) -> list[Cell]:
    owner = areas.label(places)
    counts = np.bincount(owner, minlength=len(areas))
    order = np.argsort(-np.where(counts <= MOST_POINTS, counts, 0), kind="stable")
    return [Cell(areas.shapes[row], np.flatnonzero(owner == row)) for row in order[:N_CELLS]]


def _straightforward(cell: Cell, places: Floats) -> None:
    """Published steps, written down one after the other, in planar degrees but for distances."""
    own = places[cell.rows]
    distance = haversine_distances(np.radians(own))
    labels = OPTICS(min_samples=8, xi=0.05, metric="precomputed").fit_predict(distance)
    regions = shapely.get_parts(
        shapely.voronoi_polygons(
            shapely.multipoints(own[:, ::-1]), extend_to=cell.shape, ordered=True
        )
    )
    clipped = [shapely.intersection(region, cell.shape) for region in regions]
    for label in np.unique(labels):
        members = [
            part for part, own_label in zip(clipped, labels, strict=True) if own_label == label
        ]
        shapely.union_all(members)
