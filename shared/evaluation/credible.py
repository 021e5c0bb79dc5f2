"""Credible areas: where a photo was taken with 90 %, how large that is, and whether it holds.

* Of classes: the smallest set whose probabilities sum to the level at least (the highest
  posterior density set). Its size is the sum of the classes' areas.
* Of a distribution on the sphere, such as a mixture of von Mises-Fisher distributions: the part of
  the Earth where its density is highest, cut into cells of equal area.

It holds for a photo whose true class (or place) lies inside. A model with honest probabilities
holds 90 % of the time at 90 %; sets of whole classes hold a little more often, since the last class
is taken whole. Areas are km2 on the WGS84 ellipsoid.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray

from shared.boundaries import CRS, world_outlines
from shared.evaluation.distance_intervals import weighted_median
from shared.evaluation.intervals import Floats, Interval, PlaceBootstrap
from shared.evaluation.metrics import place_index
from shared.evaluation.predictions import code_matrix, ranked_probabilities
from shared.geo import (
    EARTH_RADIUS_KM,
    NearestPlaces,
    check_points,
    to_lat_lon,
    to_unit_vectors,
)
from shared.partitions import Partition
from shared.polygon_index import PolygonIndex
from shared.vmf import VmfMixture

EQUAL_AREA = "EPSG:6933"  # cylindrical, on the WGS84 ellipsoid
LEVELS = (0.5, 0.8, 0.9, 0.95)
EARTH_KM2 = 4 * np.pi * EARTH_RADIUS_KM**2
N_CELLS = 20_000  # of the Earth: 25,506 km2 each, 90 km to the edge
LAND_CELLS = 100_000  # 5,101 km2 each
BLOCK = 4_000_000  # photos x cells at a time


@dataclass(frozen=True)
class Coverage:
    """How a credible area of one level does.

    Attributes:
        level: the probability that it promises.
        holds: share of the photos whose truth lies inside.
        size_km2: its median size; NaN where the areas of classes are not known.
        classes: its median number of classes; None for areas that are not made of classes.
    """

    level: float
    holds: Interval
    size_km2: Interval
    classes: Interval | None

    @property
    def is_kept(self) -> bool:
        """Whether the promise lies in the interval of what was found, or below it."""
        return bool(self.holds.upper >= self.level)


def credible_classes(probabilities: ArrayLike, level: float) -> NDArray[np.bool_]:
    """The smallest sets of classes that hold a probability.

    Args:
        probabilities: (N, K) probabilities of the classes, in any order.
        level: what the set sums to at least, in (0, 1].

    Returns:
        (N, K) whether each class is in the set; at least one is.

    Raises:
        ValueError: for another level, or no such probabilities.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if not 0 < level <= 1:
        msg = f"Expected a level in (0, 1], but got {level}"
        raise ValueError(msg)
    if values.ndim != 2 or not (values >= 0).all():
        msg = f"Expected (N, K) probabilities, none negative, but got shape {values.shape}"
        raise ValueError(msg)
    order = np.argsort(-values, axis=1, kind="stable")
    ranked = np.take_along_axis(values, order, axis=1)
    # A class is in the set when those before it do not reach the level yet.
    before = np.cumsum(ranked, axis=1) - ranked
    chosen = before < level - 1e-9
    chosen[:, 0] = True
    found = np.zeros(values.shape, dtype=np.bool_)
    np.put_along_axis(found, order, chosen, axis=1)
    return found


def class_areas(partition: Partition) -> Floats:
    """(K,) areas of the classes, km2; NaN for a class of which nothing tells it.

    A country without a polygon has the area of its coarse outline. Other classes that are known by
    their places alone have the land of their country that is nearer to them than to any other
    class, counted in cells of `EARTH_KM2 / LAND_CELLS`, at least one.
    """
    shapes = partition.table.geometry.to_numpy(dtype=object).copy()
    bare = np.flatnonzero(shapely.get_dimensions(shapes) != 2)
    shapes[bare] = None
    if len(bare) and partition.name == "countries":
        outlines = world_outlines().set_index("code").geometry
        shapes[bare] = [outlines.get(partition.codes[row]) for row in bare]
    found = np.full(len(shapes), np.nan)
    known = np.flatnonzero(shapely.get_dimensions(shapes) == 2)
    flat = gpd.GeoSeries(shapes[known], crs=CRS).to_crs(EQUAL_AREA)
    found[known] = flat.area.to_numpy(dtype=np.float64) / 1e6
    open_rows = [row for row in np.flatnonzero(np.isnan(found)) if partition.countries[row]]
    if partition.name != "countries" and open_rows:
        found[open_rows] = _land_areas(partition)[open_rows]
    return found


def _land_areas(partition: Partition) -> Floats:
    """(K,) the land of each class's country that is nearest to the class, km2."""
    cells, outlines = equal_cells(LAND_CELLS), world_outlines()
    rows, _ = PolygonIndex(outlines.geometry.to_numpy()).label(cells)
    countries = np.asarray([*outlines["code"], ""], dtype=object)[rows]
    own = np.asarray(partition.countries, dtype=object)
    counts = np.zeros(len(partition))
    for country in sorted(set(own) - {""}):
        inside, classes = cells[countries == country], np.flatnonzero(own == country)
        if len(inside):
            part = partition.subset([partition.codes[row] for row in classes])
            labels = part.index_of(part.label(inside))
            counts[classes] = np.bincount(labels, minlength=len(classes))
    return np.maximum(counts, 1) * EARTH_KM2 / LAND_CELLS


def class_coverage(
    table: pd.DataFrame,
    partition: Partition,
    bootstrap: PlaceBootstrap,
    levels: Sequence[float] = LEVELS,
) -> list[Coverage]:
    """How credible sets of classes do on a table of predictions.

    A photo whose true class the model lacks can lie in no set: it counts as not held.

    Args:
        table: predictions.
        partition: the classes.
        bootstrap: how intervals are made.
        levels: the probabilities that are promised.
    """
    codes, values = code_matrix(table), ranked_probabilities(table)
    areas = class_areas(partition)[partition.index_of(codes.ravel())].reshape(codes.shape)
    is_true = codes == table["true_code"].to_numpy(dtype=object)[:, None]
    found = []
    for level in levels:
        chosen = credible_classes(values, level)
        held = (chosen & is_true).any(axis=1)
        sizes = np.where(chosen, areas, 0.0).sum(axis=1)
        found.append(_coverage(table, bootstrap, level, held, sizes, chosen.sum(axis=1)))
    return found


def equal_cells(count: int = N_CELLS) -> Floats:
    """(count, 2) points that divide the sphere evenly: a Fibonacci lattice (González, 2010)."""
    number = np.arange(count) + 0.5
    z = 1 - 2 * number / count
    turn = np.pi * (1 + 5**0.5) * number
    across = np.sqrt(1 - z**2)
    return to_lat_lon(np.stack([across * np.cos(turn), across * np.sin(turn), z], axis=1))


def density_coverage(
    table: pd.DataFrame,
    mixture: VmfMixture,
    bootstrap: PlaceBootstrap,
    levels: Sequence[float] = LEVELS,
    n_cells: int = N_CELLS,
) -> tuple[list[Coverage], Floats]:
    """How credible areas of predicted densities on the sphere do.

    Args:
        table: N predictions with known true places.
        mixture: their N densities.
        bootstrap: how intervals are made.
        levels: the probabilities that are promised.
        n_cells: into how many cells of equal area the Earth is cut: what an area is made of, and
            the least that it can be.

    Returns:
        The coverage at each level; and (N,) the distance that each row may expect between its
        guess and the truth, km: how unsure the model is.
    """
    truth = check_points(table[["true_lat", "true_lon"]].to_numpy(dtype=np.float64))
    guesses = to_unit_vectors(table[["pred_lat", "pred_lon"]].to_numpy(dtype=np.float64))
    cells = equal_cells(n_cells)
    own, _ = NearestPlaces(cells).query(truth)
    vectors = to_unit_vectors(cells).astype(np.float32)
    held = np.zeros((len(levels), len(truth)), dtype=np.bool_)
    counts, unsure = np.zeros((len(levels), len(truth))), np.zeros(len(truth))
    size = max(1, BLOCK // (n_cells * mixture.weights.shape[1]))
    for start in range(0, len(truth), size):
        rows = slice(start, min(start + size, len(truth)))
        shares = cell_shares(mixture.part(rows), vectors)
        mine = np.take_along_axis(shares, own[rows, None], axis=1)[:, 0]
        for index, (inside, least) in enumerate(_densest(shares, levels)):
            held[index, rows], counts[index, rows] = mine >= least, inside
        arcs = np.arccos(np.clip(guesses[rows] @ vectors.T, -1, 1))
        unsure[rows] = (shares * arcs).sum(axis=1) * EARTH_RADIUS_KM
    sizes = counts * EARTH_KM2 / n_cells
    coverage = [
        _coverage(table, bootstrap, level, held[index], sizes[index], None)
        for index, level in enumerate(levels)
    ]
    return coverage, unsure


def cell_shares(mixture: VmfMixture, vectors: NDArray[np.float32]) -> Floats:
    """The probability of each cell of equal area: as `VmfMixture.on_cells`, in single precision.

    That is ten times as fast, and all that areas of cells need. A component is widened by the
    spread of a cell, so that a narrow one does not fall between the centres.

    Args:
        mixture: N mixtures of M components.
        vectors: (K, 3) unit vectors of the cells that cover the Earth.

    Returns:
        (N, K) probabilities; each row sums to 1.
    """
    spread = EARTH_KM2 / len(vectors) / (12 * EARTH_RADIUS_KM**2)
    kappas = 1 / (1 / mixture.kappas + spread)
    scale = kappas / -np.expm1(-2 * kappas) * mixture.weights
    cosines = mixture.means.astype(np.float32) @ vectors.T  # (N, M, K)
    cosines -= 1
    cosines *= kappas[..., None].astype(np.float32)
    np.exp(cosines, out=cosines)
    found = np.einsum("nm,nmk->nk", scale.astype(np.float32), cosines).astype(np.float64)
    return np.asarray(found / found.sum(axis=1, keepdims=True), dtype=np.float64)


def _densest(shares: Floats, levels: Sequence[float]) -> Iterator[tuple[NDArray[np.intp], Floats]]:
    """For each level how many cells, the densest first, hold it; and the share of the last."""
    ranked = -np.sort(-shares, axis=1)
    running = np.cumsum(ranked, axis=1)
    for level in levels:
        inside = np.minimum((running < level - 1e-9).sum(axis=1) + 1, shares.shape[1])
        yield inside, np.take_along_axis(ranked, inside[:, None] - 1, axis=1)[:, 0]


def _coverage(
    table: pd.DataFrame,
    bootstrap: PlaceBootstrap,
    level: float,
    held: NDArray[np.bool_],
    sizes: Floats,
    counts: NDArray[Any] | None,
) -> Coverage:
    place, _ = place_index(table)
    right = held.astype(np.float64)

    def figures(weights: Floats) -> dict[str, Floats]:
        found = {"holds": (weights @ right) / weights.sum(axis=1)}
        found["size_km2"] = weighted_median(sizes, weights)
        if counts is not None:
            found["classes"] = weighted_median(counts, weights)
        return found

    made = bootstrap.weighted(place, figures)
    return Coverage(level, made["holds"], made["size_km2"], made.get("classes"))


def coverage_document(found: Sequence[Coverage]) -> list[dict[str, Any]]:
    """What `metrics.json` says of credible areas."""
    return [
        {
            "level": c.level,
            "holds": c.holds.as_dict(),
            "median_km2": c.size_km2.as_dict(),
            "median_classes": None if c.classes is None else c.classes.as_dict(),
        }
        for c in found
    ]
