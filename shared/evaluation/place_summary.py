"""All figures of a model that is judged by where its guesses lie: regions and coordinates.

The same for both, so that `4-evaluation/region` and `4-evaluation/coordinates` differ in words
alone. Degrees, `(lat, lon)`, kilometres.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from shared.data_loader import stable_order
from shared.evaluation.abstention import risk_coverage
from shared.evaluation.approaches import Approach, approach_document
from shared.evaluation.areas import LEVELS, area_hits, areas_of
from shared.evaluation.conventions import CONVENTIONS
from shared.evaluation.credible import density_coverage
from shared.evaluation.distance_intervals import compare_distances, distance_intervals
from shared.evaluation.distances import all_conventions, table_distances
from shared.evaluation.intervals import Floats, Interval, PlaceBootstrap, sum_by_place
from shared.evaluation.leakage import LeakageAudit
from shared.evaluation.metrics import evaluate, place_index, ratio
from shared.evaluation.models import Predicted
from shared.evaluation.pooling import pool_views
from shared.evaluation.predictions import has_classes
from shared.evaluation.readout import as_points, expected_distance_points
from shared.evaluation.slices import slice_documents
from shared.evaluation.summary import MODEL, MODEL_PLACES, Baseline
from shared.evaluation.trust import Trust, trust_document, trust_of_classes
from shared.geo import nearest
from shared.partitions import Partition

CONSTANT_PHOTOS = 2000  # of the training, that the best constant is made from


@dataclass(frozen=True)
class PlaceSummary:
    """An evaluation by distance.

    Attributes:
        table: the predictions, photo by photo, with the points that are judged.
        places: the same with all views of a place pooled.
        figures: distances of photos and of places, by `MODEL` and `MODEL_PLACES`.
        classes: figures of the classes (regions) for both; empty for models without.
        areas: share of guesses in the right country, region, area and city, by the gazetteer.
        baselines: by name.
        conventions: the same guesses by each named convention, a row each.
    """

    table: pd.DataFrame
    places: pd.DataFrame
    figures: dict[str, dict[str, Interval]]
    classes: dict[str, dict[str, Interval]]
    areas: dict[str, Interval]
    baselines: dict[str, Baseline]
    conventions: pd.DataFrame


def judged(predicted: Predicted, readout: str, pooling: str) -> dict[str, pd.DataFrame]:
    """The tables that are judged: photos, and places with their views pooled, read as points.

    Args:
        predicted: of a model.
        readout: how classes are read as points.
        pooling: how views are pooled.
    """
    table = predicted.table
    if predicted.mixture is None:  # with one, all rows have a place
        table = table[table[["true_lat", "true_lon"]].notna().all(axis=1)].reset_index(drop=True)
    partition = predicted.model.partition
    pooled = pool_views(table, pooling, predicted.mixture)
    return {
        "photos": as_points(table, partition, readout),
        "places": as_points(pooled, partition, readout),
    }


def summarise_places(
    tables: Mapping[str, pd.DataFrame],
    baselines: Mapping[str, pd.DataFrame],
    bootstrap: PlaceBootstrap,
    convention: str = "default",
    partition: Partition | None = None,
) -> PlaceSummary:
    """Evaluate predictions by distance.

    Args:
        tables: of `judged`.
        baselines: other predictions of the same photos, by name.
        bootstrap: how intervals are made.
        convention: how distances are counted.
        partition: the model's classes, for conventions that measure between their centres.
    """
    photos, places = tables["photos"], tables["places"]
    both = {MODEL: photos, MODEL_PLACES: places}
    found = {
        name: Baseline(
            distance_intervals(table, bootstrap, convention),
            compare_distances(photos, table, bootstrap, convention),
        )
        for name, table in baselines.items()
    }
    points = [photos[[f"{s}_lat", f"{s}_lon"]].to_numpy(np.float64) for s in ("true", "pred")]
    return PlaceSummary(
        photos,
        places,
        {name: distance_intervals(table, bootstrap, convention) for name, table in both.items()},
        {n: evaluate(t, bootstrap) for n, t in both.items()} if has_classes(photos) else {},
        area_intervals(photos, bootstrap),
        found,
        all_conventions(points[0], points[1], CONVENTIONS, class_centres(photos, partition)),
    )


def class_centres(table: pd.DataFrame, partition: Partition | None) -> tuple[Floats, Floats] | None:
    """(M, 2) centres of the true and of the guessed classes, of the rows whose class is known."""
    if partition is None or not has_classes(table):
        return None
    rows = [partition.index_of(table[name]) for name in ("true_code", "pred_code")]
    known = (rows[0] >= 0) & (rows[1] >= 0)
    if not known.any():
        return None
    return partition.centres[rows[0][known]], partition.centres[rows[1][known]]


def area_intervals(table: pd.DataFrame, bootstrap: PlaceBootstrap) -> dict[str, Interval]:
    """Share of guessed points in the right country, region, area and city, by the gazetteer.

    Both truth and guess are named by the nearest place; a photo whose own label is missing at a
    level is not counted there.
    """
    truth, guess = (
        areas_of(table[[f"{side}_lat", f"{side}_lon"]].to_numpy(dtype=np.float64))
        for side in ("true", "pred")
    )
    hits = area_hits(truth, guess)
    place, n_places = place_index(table)
    sums = {}
    for level in LEVELS:
        counted = ~np.isnan(hits[level])
        sums[f"{level} n"] = sum_by_place(place, counted, n_places)
        sums[f"{level} hits"] = sum_by_place(place, np.nan_to_num(hits[level]), n_places)
    return bootstrap.intervals(
        sums, lambda s: {level: ratio(s[f"{level} hits"], s[f"{level} n"]) for level in LEVELS}
    )


def constant_predictions(table: pd.DataFrame, train: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The same point for every photo: that of least mean distance to the training photos.

    Args:
        table: predictions, for the photos and their truth.
        train: the training photos, indexed by id: `lat`, `lon` (NaN where unknown).
        seed: which training photos, where there are more than `CONSTANT_PHOTOS`.
    """
    known = train.dropna(subset=["lat", "lon"])
    chosen = known.loc[stable_order([str(i) for i in known.index], seed)[:CONSTANT_PHOTOS]]
    points = chosen[["lat", "lon"]].to_numpy(dtype=np.float64)
    best = expected_distance_points(np.ones((1, len(points))), points)[0]
    return _pointed(table, np.broadcast_to(best, (len(table), 2)))


def neighbour_points(
    table: pd.DataFrame, colours: ArrayLike, train: pd.DataFrame, train_colours: ArrayLike
) -> pd.DataFrame:
    """The place of the training photo with the most alike colours.

    Args:
        table: predictions, for the photos and their truth.
        colours: (N, D) colours of the rows of `table`.
        train: M training photos: `lat`, `lon`.
        train_colours: (M, D) theirs.
    """
    known = train[["lat", "lon"]].notna().all(axis=1).to_numpy()
    points = train.loc[known, ["lat", "lon"]].to_numpy(dtype=np.float64)
    mine, theirs = np.asarray(colours, np.float32), np.asarray(train_colours, np.float32)[known]
    nearest_rows = [
        (mine[start : start + 256] @ theirs.T).argmax(axis=1) for start in range(0, len(mine), 256)
    ]
    return _pointed(table, points[np.concatenate(nearest_rows)])


def oracle_predictions(table: pd.DataFrame, train: pd.DataFrame) -> pd.DataFrame:
    """The nearest training place to each truth: the best that a search among them could do."""
    points = train[["lat", "lon"]].dropna().to_numpy(dtype=np.float64)
    rows, _ = nearest(points, table[["true_lat", "true_lon"]].to_numpy(dtype=np.float64))
    return _pointed(table, points[rows])


def _pointed(table: pd.DataFrame, points: Floats) -> pd.DataFrame:
    """The same photos with other points, and without classes."""
    found = table.assign(true_code="", pred_code="", pred_lat=points[:, 0], pred_lon=points[:, 1])
    for name, kind in (("codes", object), ("probabilities", np.float32)):
        found[name] = pd.Series([np.empty(0, dtype=kind) for _ in range(len(found))], dtype=object)
    return found


def trust_of_places(
    predicted: Predicted, table: pd.DataFrame, leakage: LeakageAudit, bootstrap: PlaceBootstrap
) -> Trust:
    """Trust in a model of regions or of points.

    Args:
        predicted: the model's predictions, all with a place.
        table: its rows as they are judged.
        leakage: the audit.
        bootstrap: how intervals are made.
    """
    partition, mixture = predicted.model.partition, predicted.mixture
    if partition is not None:
        temperature = predicted.model.config.get("temperature")
        return trust_of_classes(table, partition, leakage, bootstrap, temperature)
    if mixture is None:
        return Trust(leakage, None, [], None)
    coverage, unsure = density_coverage(table, mixture, bootstrap)
    risk = risk_coverage(table, -unsure, table_distances(table), bootstrap)
    return Trust(leakage, None, coverage, risk, "mean km")


def place_document(
    summary: PlaceSummary,
    trust: Trust,
    slices: pd.DataFrame,
    approaches: Sequence[Approach],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """What `metrics.json` holds: facts, then every figure as value, lower and upper."""
    photos = summary.table
    return {
        **facts,
        "n": {"photos": len(photos), "places": int(photos["place"].nunique())},
        "distances": {name: _figures(found) for name, found in summary.figures.items()},
        "classes": {name: _figures(found) for name, found in summary.classes.items()},
        "areas": _figures(summary.areas),
        "baselines": {
            name: {
                "photos": _figures(found.figures),
                "model_minus_this": _figures(found.difference),
            }
            for name, found in summary.baselines.items()
        },
        "conventions": {
            str(name): {str(k): round(float(v), 6) for k, v in row.items()}
            for name, row in summary.conventions.iterrows()
        },
        "approaches": approach_document(approaches),
        "slices": slice_documents(slices),
        "trust": trust_document(trust),
    }


def _figures(found: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: interval.as_dict() for name, interval in found.items()}
