"""Semantic geocells: classes that follow borders where there are few photos and cities where many.

Degrees `(lat, lon)`, kilometres. After PIGEON (Haas et al. 2023, arXiv 2307.05845): administrative
areas are merged within their country until each has its minimum of training points, and what is
above the maximum is split where its points cluster, along the Voronoi borders of the points.

Unlike the published code, all is done on the sphere (`geocells_plane` says how), and a cell that is
split is always shared out among all its points: parts that come off go to a neighbour with their
points, so that cells neither overlap nor leave gaps. What is still above the maximum when no more
clusters are found is halved, where the published code leaves it (`GeocellSettings.rest`). Borders
of countries are never crossed, so that a country with fewer points than the minimum is one small
cell. The result depends on the points alone, not on their order.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from shared.areas import centroids, inner_points
from shared.boundaries import CRS
from shared.geo import Floats, check_points, to_lat_lon, to_unit_vectors
from shared.partitions import COLUMNS, OPTIONAL_COLUMNS, Partition
from shared.processing.geocells_areas import Areas
from shared.processing.geocells_cluster import (
    HDBSCAN_NAME,
    METHODS,
    OPTICS_NAME,
    Trial,
    found_groups,
    halved,
)
from shared.processing.geocells_merge import merged_groups
from shared.processing.geocells_split import Cell, split_cell

logger = logging.getLogger(__name__)

CENTRES = ("mean", "median", "centroid")
HALVE, LEAVE = "halve", "leave"
REST = (HALVE, LEAVE)
MEDIAN_STEPS = 100
MEDIAN_CLOSE = 1e-10  # of a radius: under a millimetre
HDBSCAN_TRIALS = (
    Trial(HDBSCAN_NAME, 10),
    Trial(HDBSCAN_NAME, 5),
    Trial(HDBSCAN_NAME, 5, selection="leaf"),
    Trial(HDBSCAN_NAME, 3, selection="leaf"),
)


@dataclass(frozen=True)
class GeocellSettings:
    """How cells are made.

    Attributes:
        minimum: training points that a cell must have; a country with fewer is one cell.
        maximum: training points above which a cell is split, where its points cluster.
        trials: how clusters are looked for, one after the other.
        centre: the point of a cell: the `"mean"` of its training points on the sphere, their
            geometric `"median"`, or the `"centroid"` of its area.
        rest: what becomes of cells above the maximum in which no trial finds clusters: `"halve"`,
            they are cut where half of their points lie to either side, along the points' Voronoi
            borders, until they have the maximum at most; or `"leave"`, as published. One place with
            more points than the maximum stays, and what no cut parts so that all have the minimum.
    """

    minimum: int
    maximum: int
    trials: Sequence[Trial] = HDBSCAN_TRIALS
    centre: str = "mean"
    rest: str = HALVE

    def __post_init__(self) -> None:
        """Hold the settings to their ranges.

        Raises:
            ValueError: when one is out of range.
        """
        is_known = self.centre in CENTRES and self.rest in REST
        if not 1 <= self.minimum <= self.maximum or not is_known:
            msg = (
                f"Expected 1 <= minimum <= maximum, a centre of {CENTRES} and a rest of {REST}, "
                f"but got {self.minimum}, {self.maximum}, {self.centre!r} and {self.rest!r}"
            )
            raise ValueError(msg)


def _optics(*pairs: tuple[int, float]) -> tuple[Trial, ...]:
    return tuple(Trial(OPTICS_NAME, samples, xi) for samples, xi in pairs)


# As published, in the papers and the released configuration; which leave the rest (`LEAVE`).
PRESETS = {
    "pigeon": GeocellSettings(30, 60, _optics((8, 0.05), (10, 0.025), (15, 0.015))),
    "pigeotto": GeocellSettings(1000, 2000, _optics((300, 0.05), (400, 0.005), (1000, 0.0001))),
}
SCALED = "scaled"  # to the data: see `preset`
POINTS_A_CELL = 45  # PIGEON's 100,000 training places in 2,203 cells


def preset(name: str, n_points: int, method: str = HDBSCAN_NAME) -> GeocellSettings:
    """A named setting.

    Args:
        name: `"pigeon"` (30 to 60 points), `"pigeotto"` (1,000 to 2,000), or `"scaled"`: bounds in
            the proportion 1 to 2 that give as many cells for each doubling of the points as
            PIGEON's do for its 100,000, but no fewer than 5 to 10 points and no more than 30 to 60.
        n_points: training points.
        method: `"hdbscan"`, the fast choice, or `"optics"`, as published (for `"scaled"` with
            PIGEON's parameters).

    Raises:
        ValueError: for a name or method that there is none of.
    """
    if name not in {*PRESETS, SCALED} or method not in METHODS:
        msg = (
            f"Expected a preset of {[*PRESETS, SCALED]} and a method of {METHODS}, but got "
            f"{name!r} and {method!r}"
        )
        raise ValueError(msg)
    if name == SCALED:
        share = float(np.sqrt(n_points / 100_000))
        minimum = int(np.clip(round(30 * share), 5, 30))
        settings = replace(PRESETS["pigeon"], minimum=minimum, maximum=2 * minimum)
    else:
        settings = PRESETS[name]
    return settings if method == OPTICS_NAME else replace(settings, trials=HDBSCAN_TRIALS)


@dataclass(frozen=True)
class Geocells:
    """Cells and what they were made from.

    Attributes:
        partition: a class a cell.
        counts: (K,) training points of each cell, by `partition.label`. A place on a border, or
            off the coast at the same distance from two cells, may be named for the other one than
            it was counted for when cells were made, so that one in hundreds misses the minimum by
            a point.
        steps: cells after each step, by its name.
    """

    partition: Partition
    counts: NDArray[np.int64] = field(repr=False)
    steps: dict[str, int]


def make_geocells(
    points: ArrayLike, areas: Areas, settings: GeocellSettings, name: str = "geocells"
) -> Geocells:
    """Divide the land of countries with training points into cells.

    Args:
        points: (N, 2) latitudes and longitudes, degrees: the training places, each as often as it
            shall count.
        areas: where to begin (`administrative_areas`).
        settings: how.
        name: the partition's name.

    Raises:
        ValueError: when there are no points.
    """
    array = check_points(points).reshape(-1, 2)
    if not len(array):
        msg = "Expected training points to make cells from, but got none"
        raise ValueError(msg)
    places, weights = np.unique(array, axis=0, return_counts=True)
    area_of = areas.label(places)
    counts = np.bincount(area_of, weights, minlength=len(areas)).astype(np.int64)
    groups = merged_groups(areas, counts, settings.minimum)
    cells = [_joined(areas, members, area_of) for members in groups]
    steps = {"areas": len(areas), "merged": len(cells)}
    steps |= {"with points": int((counts > 0).sum())}
    owners = [_owner(areas, members, counts) for members in groups]
    made = list(zip(cells, owners, strict=True))
    for number, trial in enumerate(settings.trials):
        made = _split_all(made, places, weights, settings, trial)
        steps[f"{trial.method} {number + 1}"] = len(made)
    if settings.rest == HALVE:
        made = _split_all(made, places, weights, settings, None)
        steps["halved"] = len(made)
    partition = _partition(made, settings, places, weights, name)
    labels = partition.index_of(partition.label(places))
    final = np.bincount(labels, weights, minlength=len(partition)).astype(np.int64)
    return Geocells(partition, final, steps)


Owned = tuple[Cell, tuple[str, str]]  # a cell, its country and the region with most of its points


def _joined(areas: Areas, members: NDArray[np.intp], area_of: NDArray[np.intp]) -> Cell:
    shape = (
        areas.shapes[members[0]]
        if len(members) == 1
        else shapely.coverage_union_all(areas.shapes[members])
    )
    return Cell(shape, np.flatnonzero(np.isin(area_of, members)))


def _owner(areas: Areas, members: NDArray[np.intp], counts: NDArray[np.int64]) -> tuple[str, str]:
    points: Counter[str] = Counter()
    for row in members.tolist():
        points[areas.regions[row]] += int(counts[row])
    return areas.countries[int(members[0])], points.most_common(1)[0][0]


def _split_all(
    cells: Sequence[Owned],
    places: Floats,
    weights: NDArray[np.int64],
    settings: GeocellSettings,
    trial: Trial | None,
) -> list[Owned]:
    """Split what is above the maximum, and what comes of it, until nothing more is found.

    `trial` None halves instead of looking for clusters.
    """
    done: list[Owned] = []
    what = trial.method if trial else "halves"
    waiting = list(cells)
    with tqdm(desc=what, unit="cell", delay=2) as bar:
        while waiting:
            cell, owner = waiting.pop()
            parts = [cell]
            if weights[cell.rows].sum() > settings.maximum:
                parts = _parts(cell, places, weights, settings.minimum, trial)
            if len(parts) == 1:
                done.append((cell, owner))
                bar.update()
            else:
                waiting += [(part, owner) for part in parts]
    return done


def _parts(
    cell: Cell, places: Floats, weights: NDArray[np.int64], minimum: int, trial: Trial | None
) -> list[Cell]:
    """The parts of a cell by its clusters, or its halves; the cell alone where there are none."""
    own, points = places[cell.rows], weights[cell.rows]
    if trial is not None:
        return split_cell(cell, places, weights, found_groups(own, points, trial, minimum), minimum)
    for axis in (
        0,
        1,
    ):  # across, where the halves along would come off in pieces that are too small
        parts = split_cell(cell, places, weights, halved(own, points, axis), minimum)
        if len(parts) > 1:
            return parts
    return [cell]


def _partition(
    cells: Sequence[Owned],
    settings: GeocellSettings,
    places: Floats,
    weights: NDArray[np.int64],
    name: str,
) -> Partition:
    shapes = np.asarray([cell.shape for cell, _ in cells], dtype=object)
    middles = centroids(shapes)
    centres = middles.copy()
    for row, (cell, _) in enumerate(cells):
        if len(cell.rows) and settings.centre != "centroid":
            centres[row] = _centre(places[cell.rows], weights[cell.rows], settings.centre)
    inner = inner_points(shapes, centres)
    order = sorted(
        range(len(cells)), key=lambda row: (cells[row][1][0], *np.round(middles[row], 6))
    )
    numbers: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    for row in order:
        country, region = cells[row][1]
        numbers[country] += 1
        code = f"{country or 'none'}.{numbers[country]:04d}"
        rows.append(
            {
                "code": code,
                "name": f"{region.rsplit(' (', 1)[0]} ({code})",
                "lat": centres[row, 0],
                "lon": centres[row, 1],
                "geometry": shapes[row],
                "country": country,
                "inner_lat": inner[row, 0],
                "inner_lon": inner[row, 1],
            }
        )
    table = gpd.GeoDataFrame(rows, columns=COLUMNS + OPTIONAL_COLUMNS, geometry="geometry", crs=CRS)
    return Partition(name, table)


def _centre(places: Floats, weights: NDArray[np.int64], how: str) -> Floats:
    """The mean of places on the sphere, or their geometric median (Weiszfeld's steps)."""
    vectors = to_unit_vectors(places)
    here = weights @ vectors
    for _ in range(MEDIAN_STEPS if how == "median" else 0):
        here = here / np.linalg.norm(here)
        away = np.linalg.norm(vectors - here, axis=1)
        pull = weights / np.maximum(away, MEDIAN_CLOSE)
        moved = pull @ vectors / pull.sum()
        if np.linalg.norm(moved / np.linalg.norm(moved) - here) < MEDIAN_CLOSE:
            break
        here = moved
    return to_lat_lon(here)
