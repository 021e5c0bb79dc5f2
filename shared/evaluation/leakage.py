"""Whether a test is honest: how near its places are to those of the training, and what that does.

A model that has seen a place, or the next house, may remember instead of recognise. Three things
are looked at: places in both lists; the distance of each test place to the nearest training place,
with the figures as a function of it; and photos that are nearly the same on both sides, by the
hash of `shared.processing.duplicates`. OSV-5M holds test and training 1 km apart (arXiv
2404.18873); that is the line drawn here. Degrees, `(lat, lon)`, kilometres.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.evaluation.intervals import Floats, Interval, PlaceBootstrap
from shared.evaluation.slices import slice_figures
from shared.geo import haversine_km, nearest
from shared.processing.duplicates import as_numbers, difference_hash, near_pairs
from shared.training.images import Bytes

NEAR_KM = 1.0  # a test place nearer to a training place than this is the same place
NEAR_BITS = 5  # of 128; photos saved again differ by at most 5, different photos by 10 and more
EDGES_KM = (0.0, 1.0, 10.0, 25.0, 100.0, 200.0, 750.0, np.inf)
TOLERATED = 0.01  # share of test places near to training places that is passed over
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class LeakageAudit:
    """What was found.

    Attributes:
        distances: km from each test place to the nearest training place, indexed by place; empty
            where places have no coordinates.
        by_distance: a row a range of distances: `range`, `photos`, `places`, and the figures of
            `slices.slice_figures` with `_lower` and `_upper`.
        shared_places: how many places are in both lists.
        near_km: what counts as the same place.
        duplicates: pairs of nearly equal photos: `test_id, training_id, bits, km` (NaN where
            unknown); None where they were not looked for.
        compared: how many training photos the duplicates were looked for among.
        warnings: why the test is not honest, in sentences; empty when nothing was found.
    """

    distances: pd.Series
    by_distance: pd.DataFrame
    shared_places: int
    near_km: float
    duplicates: pd.DataFrame | None
    compared: int
    warnings: list[str]

    @property
    def is_honest(self) -> bool:
        """Whether nothing was found that speaks against the test."""
        return not self.warnings

    def document(self) -> dict[str, Any]:
        """What `metrics.json` says of it."""
        known = len(self.distances) > 0
        shares = (self.distances <= self.near_km).mean() if known else None
        quantiles = self.distances.quantile(list(QUANTILES)) if known else None
        return {
            "shared_places": self.shared_places,
            "near_km": self.near_km,
            "near_share_of_places": None if shares is None else round(float(shares), 6),
            "distance_km": {}
            if quantiles is None
            else {
                f"{100 * q:g} %": round(float(v), 3)
                for q, v in zip(QUANTILES, quantiles, strict=True)
            },
            "duplicates": None if self.duplicates is None else len(self.duplicates),
            "compared_photos": self.compared,
            "warnings": self.warnings,
            "by_distance": [_row(row) for row in self.by_distance.to_dict("records")],
        }


def audit(
    table: pd.DataFrame,
    train: pd.DataFrame,
    bootstrap: PlaceBootstrap,
    duplicates: pd.DataFrame | None = None,
    compared: int = 0,
    near_km: float = NEAR_KM,
    tolerated: float = TOLERATED,
    *,
    is_one_dataset: bool = True,
) -> LeakageAudit:
    """Look for leakage between a test and a training list.

    Args:
        table: predictions of the test photos.
        train: the training photos: `place`, `lat`, `lon` (degrees, NaN where unknown).
        bootstrap: how intervals are made.
        duplicates: of `duplicate_photos`, or None: not looked for.
        compared: how many training photos they were looked for among.
        near_km: what counts as the same place.
        tolerated: share of test places within `near_km` that calls for no warning.
        is_one_dataset: whether both lists are of one data set: else equal names of places mean
            nothing.
    """
    shared = len(set(table["place"]) & set(train["place"])) if is_one_dataset else 0
    distances = nearest_training_km(table, train)
    warnings = _warnings(shared, distances, duplicates, near_km, tolerated)
    rows = by_distance(table, distances, bootstrap)
    return LeakageAudit(distances, rows, shared, near_km, duplicates, compared, warnings)


def nearest_training_km(table: pd.DataFrame, train: pd.DataFrame) -> pd.Series:
    """Km from each test place with coordinates to the nearest training place, by place."""
    known = train[["lat", "lon"]].dropna().drop_duplicates().to_numpy(dtype=np.float64)
    places = table.dropna(subset=["true_lat", "true_lon"]).drop_duplicates("place")
    if len(known) == 0 or len(places) == 0:
        return pd.Series(dtype=np.float64)
    _, away = nearest(known, places[["true_lat", "true_lon"]].to_numpy(dtype=np.float64))
    return pd.Series(away, index=places["place"].to_numpy(dtype=object)).sort_index()


def by_distance(
    table: pd.DataFrame,
    distances: pd.Series,
    bootstrap: PlaceBootstrap,
    edges: Sequence[float] = EDGES_KM,
) -> pd.DataFrame:
    """The figures of the test photos by how far the nearest training place is.

    Args:
        table: predictions.
        distances: of `nearest_training_km`.
        bootstrap: how intervals are made, within each range.
        edges: of the ranges, km; a range holds its lower edge.
    """
    away = table["place"].map(distances).to_numpy(dtype=np.float64) if len(distances) else None
    if away is None:
        return pd.DataFrame(columns=["range", "photos", "places"])
    rows: list[dict[str, Any]] = []
    for low, high in pairwise(edges):
        part = table[(away >= low) & (away < high)].reset_index(drop=True)
        if len(part) == 0:
            continue
        row = {"range": _range(low, high), "photos": len(part), "places": part["place"].nunique()}
        for name, found in slice_figures(part, bootstrap).items():
            row |= {name: found.value, f"{name}_lower": found.lower, f"{name}_upper": found.upper}
        rows.append(row)
    return pd.DataFrame(rows)


def photo_hashes(images: Bytes) -> NDArray[np.uint64]:
    """(N, 2) hashes of (N, H, W, 3) photos, of any one size of at least 9 x 9 pixels."""
    grey = (cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2GRAY) for image in images)
    return as_numbers([difference_hash(np.asarray(g, dtype=np.uint8)) for g in grey])


def duplicate_photos(
    test: pd.DataFrame,
    test_images: Bytes,
    train: pd.DataFrame,
    train_images: Bytes,
    bits: int = NEAR_BITS,
) -> pd.DataFrame:
    """Photos of the test that are nearly equal to one of the training.

    Args:
        test: the test photos, indexed by id: `lat`, `lon`.
        test_images: (N, H, W, 3) their pixels.
        train: the training photos.
        train_images: (M, H, W, 3) theirs, of the same size.
        bits: of 128, in which hashes of nearly equal photos differ at most.

    Returns:
        `test_id, training_id, bits, km`, by falling likeness.
    """
    hashes = np.concatenate([photo_hashes(test_images), photo_hashes(train_images)])
    pairs, away = near_pairs(hashes, bits)
    across = (pairs[:, 0] < len(test)) & (pairs[:, 1] >= len(test))
    first, second = pairs[across, 0], pairs[across, 1] - len(test)
    ends = [side[["lat", "lon"]].to_numpy(np.float64) for side in (test, train)]
    found = pd.DataFrame(
        {
            "test_id": test.index.to_numpy(dtype=object)[first],
            "training_id": train.index.to_numpy(dtype=object)[second],
            "bits": away[across],
            "km": _apart(ends[0][first], ends[1][second]),
        }
    )
    return found.sort_values(["bits", "test_id", "training_id"], ignore_index=True)


def _apart(a: Floats, b: Floats) -> Floats:
    found = np.full(len(a), np.nan)
    known = ~(np.isnan(a).any(axis=1) | np.isnan(b).any(axis=1))
    found[known] = haversine_km(a[known], b[known])
    return found


def _warnings(
    shared: int,
    distances: pd.Series,
    duplicates: pd.DataFrame | None,
    near_km: float,
    tolerated: float,
) -> list[str]:
    found = []
    if shared:
        found.append(f"{shared:,} places of the test are in the training list too.")
    near = int((distances <= near_km).sum())
    if len(distances) and near / len(distances) > tolerated:
        share = 100 * near / len(distances)
        found.append(
            f"{near:,} of {len(distances):,} test places ({share:.1f} %) lie within {near_km:g} km "
            "of a training place: split by blocks, or leave a margin between the parts."
        )
    if duplicates is not None and len(duplicates):
        found.append(
            f"{duplicates['test_id'].nunique():,} test photos are nearly the same as a training "
            "photo."
        )
    return found


def _range(low: float, high: float) -> str:
    return f"{low:,g} km and more" if np.isinf(high) else f"{low:,g} to {high:,g} km"


def _row(row: dict[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: row[name] for name in ("range", "photos", "places")}
    for name in ("top_1", "median_km", "geo_score"):
        if name in row:
            ends = row[name], row[f"{name}_lower"], row[f"{name}_upper"]
            found[name] = Interval(*ends).as_dict()
    return found
