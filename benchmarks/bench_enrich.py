"""Naming the countries of 330,000 points, against a loop over `gdf.contains`.

The polygons are Natural Earth's 50m countries where the folder LOST_AND_FOUND_GEODATA holds them,
else the coarse outlines that come with pyogrio (which favour the loop: they have fewer edges).
The loop is run on a sample of the points and scaled to all of them.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import geopandas as gpd
import numpy as np
import shapely

from benchmarks.table import Row, scale
from shared.boundaries import (
    GEODATA_VARIABLE,
    NATURAL_EARTH_NAMES,
    country_polygons,
    world_outlines,
)
from shared.gazetteer import gazetteer
from shared.geo import Floats
from shared.processing.country_labels import CountryLabeller

N_POINTS = 330_000
N_LOOPED = 200
ROUNDS = 3
TARGET = 20.0


def rows() -> Iterator[Row]:
    """One row: seconds for all points, ours and the loop's, by the median of interleaved rounds."""
    polygons, name = _polygons()
    n_points = max(N_LOOPED, int(N_POINTS * scale()))
    points = _points(n_points)
    ours, loop = [], []
    for number in range(ROUNDS):
        sample = points[number * N_LOOPED % n_points :][:N_LOOPED]
        loop.append(_seconds_of_loop(polygons, sample) * n_points / len(sample))
        ours.append(_seconds_of_ours(polygons, points))
    ratio = median(loop) / median(ours)
    yield Row(
        f"enriching {n_points:,} points ({name})",
        f"{median(ours):.2f} s",
        f"{median(loop):,.0f} s (contains on {N_LOOPED} points, scaled)",
        ratio,
        f"at least {TARGET:.0f}",
        ratio >= TARGET,
    )


def _polygons() -> tuple[gpd.GeoDataFrame, str]:
    folder = Path(os.environ.get(GEODATA_VARIABLE) or "../shared/data/geodata")
    for name in NATURAL_EARTH_NAMES:
        if (folder / name).exists():
            return country_polygons(str(folder / name)), "Natural Earth 50m"
    return world_outlines(), "Natural Earth 110m"


def _points(n_points: int) -> Floats:
    """Points about 5 km round gazetteer places, as photos are taken; some lie off the coast."""
    random = np.random.default_rng(0)
    places = gazetteer()[["lat", "lon"]].to_numpy(dtype=float)
    chosen = places[random.integers(len(places), size=n_points)]
    moved = chosen + random.normal(0, 0.05, chosen.shape)
    return np.clip(moved, (-90, -180), (90, 180))


def _seconds_of_ours(polygons: gpd.GeoDataFrame, points: Floats) -> float:
    """Everything from the polygons on, the index and the tree of outlines too."""
    start = time.perf_counter()
    labels = CountryLabeller(polygons).label(points)
    assert len(labels.codes) == len(points)
    return time.perf_counter() - start


def _seconds_of_loop(polygons: gpd.GeoDataFrame, points: Floats) -> float:
    start = time.perf_counter()
    for lat, lon in points:
        polygons.loc[polygons.contains(shapely.Point(lon, lat)), "code"]
    return time.perf_counter() - start
