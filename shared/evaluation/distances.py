"""How far guesses are from the truth: distances, shares within radii, GeoScore. Degrees, km.

All figures are computed by a named convention (`conventions.py`). With distances d of N photos:

* within r: share of photos with d < r (or d <= r), r in 1, 25, 200, 750, 2500 km: street, city,
  region, country, continent (Hays and Efros, 2008, and every paper since);
* GeoScore: mean of 5000 exp(-d / 1492.7 km), GeoGuessr's points on the world map;
* mean and median of d.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pyproj import Geod

from shared.evaluation.conventions import Convention, convention_of
from shared.geo import GEOSCORE_MAXIMUM, Floats, check_points

RADII_KM = (1.0, 25.0, 200.0, 750.0, 2500.0)
DISTANCE_TITLES = {
    "median_km": "median km",
    "mean_km": "mean km",
    "geo_score": "GeoScore",
    "within_1": "within 1 km",
    "within_25": "25 km",
    "within_200": "200 km",
    "within_750": "750 km",
    "within_2500": "2,500 km",
}


def distance_km(
    truth: ArrayLike, guesses: ArrayLike, convention: str | Convention = "default"
) -> Floats:
    """The distance of each guess from the truth.

    Args:
        truth: (N, 2) latitudes and longitudes, degrees.
        guesses: (N, 2) the same; NaN where there is no guess, if the convention allows that.
        convention: a name of `CONVENTIONS`, or a convention.

    Returns:
        (N,) distances, km; NaN where there is no guess.

    Raises:
        ValueError: when the shapes differ, a point is none, or a guess is missing and the
            convention refuses that.
    """
    rule = convention_of(convention)
    first, second = np.asarray(truth, np.float64), np.asarray(guesses, np.float64)
    if first.ndim != 2 or first.shape != second.shape:
        msg = f"Expected (N, 2) truths and as many guesses, but got {first.shape}, {second.shape}"
        raise ValueError(msg)
    is_there = ~np.isnan(second).any(axis=1)
    if rule.missing_points == "refuse" and not is_there.all():
        msg = (
            f"Expected a guess for each of {len(second)} photos, but {int((~is_there).sum())} "
            "have none: choose a convention that drops them ('plonk') or gives them no points "
            "('geobench')"
        )
        raise ValueError(msg)
    found = np.full(len(first), np.nan)
    pair = check_points(first[is_there], "truths"), check_points(second[is_there], "guesses")
    found[is_there] = _geodesic(*pair) if rule.surface == "WGS84" else _haversine(*pair, rule)
    return found


def _haversine(a: Floats, b: Floats, rule: Convention) -> Floats:
    first, second = a * rule.degree_rad, b * rule.degree_rad
    half = (second - first) / 2
    square = (
        np.sin(half[:, 0]) ** 2
        + np.cos(first[:, 0]) * np.cos(second[:, 0]) * np.sin(half[:, 1]) ** 2
    )
    found: Floats = 2 * rule.radius_km * np.arcsin(np.sqrt(np.minimum(square, 1.0)))
    return found


def _geodesic(a: Floats, b: Floats) -> Floats:
    _, _, metres = Geod(ellps="WGS84").inv(a[:, 1], a[:, 0], b[:, 1], b[:, 0])
    return np.asarray(metres, dtype=np.float64) / 1000


def scores_of(distances: ArrayLike, convention: str | Convention = "default") -> Floats:
    """The points of each guess.

    Args:
        distances: (N,) km; NaN where there is no guess.
        convention: a name of `CONVENTIONS`, or a convention.

    Returns:
        (N,) points, 0 to 5000; without a guess 0 where the convention says so, else NaN.
    """
    rule, values = convention_of(convention), np.asarray(distances, dtype=np.float64)
    points = GEOSCORE_MAXIMUM * np.exp(-values / rule.decay_km)
    if rule.full_score_km:
        points = np.where(values <= rule.full_score_km, GEOSCORE_MAXIMUM, points)
    if rule.missing_points == "zero":
        points = np.nan_to_num(points, nan=0.0)
    return np.asarray(np.round(points) if rule.rounds_score else points, dtype=np.float64)


def is_within(
    distances: ArrayLike, radius_km: float, convention: str | Convention = "default"
) -> NDArray[np.bool_]:
    """(N,) whether each distance lies within a radius; a missing guess does not."""
    rule, values = convention_of(convention), np.asarray(distances, dtype=np.float64)
    return np.asarray(values <= radius_km if rule.includes_edge else values < radius_km, np.bool_)


def distance_figures(
    distances: ArrayLike, convention: str | Convention = "default"
) -> dict[str, float]:
    """All figures of distances.

    Args:
        distances: (N,) km; NaN where there is no guess, if the convention allows that.
        convention: a name of `CONVENTIONS`, or a convention.

    Returns:
        `median_km`, `mean_km` (in the convention's unit), `geo_score`, and the shares `within_1`
        to `within_2500`.

    Raises:
        ValueError: when no photo is left, or a guess is missing and the convention refuses that.
    """
    rule, values = convention_of(convention), np.asarray(distances, dtype=np.float64)
    missing = np.isnan(values)
    if rule.missing_points == "refuse" and missing.any():
        msg = f"Expected a distance for each photo, but {int(missing.sum())} have none"
        raise ValueError(msg)
    counted = values[~missing] if rule.missing_points == "drop" else values
    if missing.all():
        msg = f"Expected at least one photo with a guess, but got none of {len(values)}"
        raise ValueError(msg)
    return {
        "median_km": float(np.nanmedian(counted)) / rule.unit_km,
        "mean_km": float(np.nanmean(counted)) / rule.unit_km,
        "geo_score": float(scores_of(counted, rule).mean()),
        **{f"within_{r:g}": float(is_within(counted, r, rule).mean()) for r in RADII_KM},
    }


def located(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table of predictions whose true place and guessed place are both known."""
    columns = ["true_lat", "true_lon", "pred_lat", "pred_lon"]
    return table[table[columns].notna().all(axis=1)].reset_index(drop=True)


def table_distances(table: pd.DataFrame, convention: str | Convention = "default") -> Floats:
    """(N,) distances of a table of predictions, km."""
    truth = table[["true_lat", "true_lon"]].to_numpy(dtype=np.float64)
    return distance_km(truth, table[["pred_lat", "pred_lon"]].to_numpy(np.float64), convention)


def distance_text(name: str, value: float) -> str:
    """A figure of `distance_figures` for people: `"385.6 km"`, `"3,361"`, `"36.7 %"`."""
    if name.endswith("_km"):
        return f"{value:,.1f} km"
    return f"{value:,.0f}" if name == "geo_score" else f"{100 * value:.1f} %"


def all_conventions(
    truth: ArrayLike,
    guesses: ArrayLike,
    conventions: Mapping[str, Convention],
    centres: tuple[ArrayLike, ArrayLike] | None = None,
) -> pd.DataFrame:
    """The figures of the same guesses by each convention.

    Args:
        truth: (N, 2) latitudes and longitudes, degrees.
        guesses: (N, 2) the same.
        conventions: by name.
        centres: (M, 2) centres of the true and of the guessed classes, for conventions that
            measure between these; without, such conventions are left out.

    Returns:
        A row a convention; `median_km` and `mean_km` are in the convention's own unit.
    """
    rows = {}
    for name, rule in conventions.items():
        ends = centres if rule.truth_is_centre else (truth, guesses)
        if ends is not None:
            rows[name] = distance_figures(distance_km(*ends, rule), rule)
    return pd.DataFrame(rows).T.rename_axis("convention")
