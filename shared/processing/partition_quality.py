"""What a way of dividing the Earth is worth before anything is trained on it.

For any partition: the size of its classes, how evenly photos fall into them, and the *oracle
error*: how far off a classifier would still be that always names the right class, since it answers
with one point a class. Degrees `(lat, lon)`, kilometres, square kilometres.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from shared.geo import (
    Floats,
    NearestPlaces,
    check_points,
    geo_score,
    haversine_km,
    to_lat_lon,
    to_unit_vectors,
)
from shared.partitions import Partition
from shared.processing.partition_quality_shape import class_areas_km2, compactness

CENTRES = ("photos", "own", "inner")
RADII_KM = (1, 25, 200, 750, 2500)  # street, city, region, country, continent


@dataclass(frozen=True)
class PartitionQuality:
    """A partition, seen with the eyes of a data set.

    Attributes:
        name: what the partition is called in tables and figures.
        classes: a row a class, by code: `name, country, lat, lon` (the point that stands for it),
            `area_km2` (see `class_areas_km2`), `compactness` (0 to 1), `train`
            and `test`, its photos, and `is_known`: it has enough training photos to be a class
            of a model.
        photos: a row a test photo: `code`, the class it lies in; `has_class`, that class is
            known; `oracle_km`, from the photo to the point of its class, or, where that is not
            known, to the nearest point of a known class; `nearest_km`, to the nearest point of
            any known class, which no readout by classes can beat.
    """

    name: str
    classes: pd.DataFrame = field(repr=False)
    photos: pd.DataFrame = field(repr=False)

    def summary(self) -> dict[str, float]:
        """The figures of one line of `quality_table`."""
        known = self.classes[self.classes["is_known"]]
        oracle_km = self.photos["oracle_km"].to_numpy()
        return {
            "classes": len(self.classes),
            "known classes": len(known),
            "median area, km2": float(known["area_km2"].median()),
            "median photos": float(known["train"].median()),
            "compactness, %": 100 * float(known["compactness"].median()),
            "largest, %": 100 * float(known["train"].max() / known["train"].sum()),
            "even classes": effective_number(known["train"]),
            "in a known class, %": _percent(self.photos["has_class"]),
            "oracle median, km": _of_some(np.median, oracle_km),
            "oracle mean, km": _of_some(np.mean, oracle_km),
            "oracle GeoScore": _of_some(np.mean, geo_score(oracle_km)),
        } | {f"within {radius} km, %": _percent(oracle_km <= radius) for radius in RADII_KM}


def partition_quality(
    partition: Partition,
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    name: str = "",
    centres: str = "photos",
    min_photos: int = 1,
    train_codes: Iterable[str] | None = None,
    test_codes: Iterable[str] | None = None,
    with_areas: bool = True,
) -> PartitionQuality:
    """How well a partition divides a data set's places.

    Args:
        partition: the classes.
        train: `lat`, `lon` of the training photos, degrees.
        test: `lat`, `lon` of the test photos, degrees.
        name: what to call it; the partition's own name if empty.
        centres: the point that stands for a class: `"photos"`, the middle of its training photos
            on the sphere (its own centre, where it has none); `"own"`, the partition's centre; or
            `"inner"`, its point inside.
        min_photos: training photos that make a class known, at least 1.
        train_codes: the class of each training photo, where it is known already ("" for none);
            else the partition labels it.
        test_codes: the same of the test photos.
        with_areas: whether the classes' areas and compactness are wanted: they take seconds
            where a class has places alone.

    Raises:
        ValueError: when a setting is out of range, a photo lies nowhere, or no class is known.
    """
    if centres not in CENTRES or min_photos < 1:
        msg = (
            f"Expected centres to be one of {CENTRES} and min_photos of at least 1, but got "
            f"{centres!r} and {min_photos}"
        )
        raise ValueError(msg)
    points = [_points(table, what) for table, what in ((train, "training"), (test, "test"))]
    rows = [
        partition.index_of(partition.label(array) if codes is None else list(codes))
        for array, codes in zip(points, (train_codes, test_codes), strict=True)
    ]
    counts = [np.bincount(found[found >= 0], minlength=len(partition)) for found in rows]
    is_known = counts[0] >= min_photos
    if not is_known.any():
        msg = f"Expected a class of {partition.name!r} with {min_photos} training photos: none has"
        raise ValueError(msg)
    guesses = _guesses(partition, points[0], rows[0], centres)
    return PartitionQuality(
        name or partition.name,
        _classes(partition, guesses, counts, is_known, with_areas),
        _photos(partition, test.index, points[1], rows[1], guesses, is_known),
    )


def quality_table(qualities: Sequence[PartitionQuality]) -> pd.DataFrame:
    """The summaries of partitions, a column each."""
    return pd.DataFrame({quality.name: quality.summary() for quality in qualities})


def effective_number(counts: ArrayLike) -> float:
    """How many classes of equal size would be as uneven: exp of the entropy of the shares.

    Source: Hill (1973), Diversity and Evenness, Ecology 54, 427: the number of order 1.

    Args:
        counts: (K,) photos of each class.
    """
    numbers = np.asarray(counts, dtype=np.float64)
    shares = numbers[numbers > 0] / numbers.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _points(table: pd.DataFrame, what: str) -> Floats:
    missing = {"lat", "lon"} - set(table.columns)
    if missing or table[["lat", "lon"]].isna().any(axis=None):
        msg = f"Expected lat and lon of every {what} photo: leave out those without coordinates"
        raise ValueError(msg)
    return check_points(table[["lat", "lon"]].to_numpy(dtype=float), f"{what} photos")


def _guesses(partition: Partition, points: Floats, rows: NDArray[np.int64], centres: str) -> Floats:
    """(K, 2) the point that stands for each class, degrees."""
    if centres == "inner":
        return partition.inner
    guesses = partition.centres.copy()
    if centres == "own":
        return guesses
    has_class = rows >= 0
    vectors = to_unit_vectors(points[has_class])
    sums = np.column_stack(
        [
            np.bincount(rows[has_class], vectors[:, axis], minlength=len(partition))
            for axis in range(3)
        ]
    )
    is_sure = np.linalg.norm(sums, axis=1) > 0  # no photos, or photos that cancel out
    guesses[is_sure] = to_lat_lon(sums[is_sure])
    return guesses


def _classes(
    partition: Partition,
    guesses: Floats,
    counts: Sequence[NDArray[np.int64]],
    is_known: NDArray[np.bool_],
    with_areas: bool,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": partition.names,
            "country": partition.countries,
            "lat": guesses[:, 0],
            "lon": guesses[:, 1],
            "area_km2": class_areas_km2(partition) if with_areas else np.nan,
            "compactness": compactness(partition) if with_areas else np.nan,
            "train": counts[0],
            "test": counts[1],
            "is_known": is_known,
        },
        index=pd.Index(partition.codes, name="code"),
    )


def _photos(
    partition: Partition,
    index: pd.Index,
    points: Floats,
    rows: NDArray[np.int64],
    guesses: Floats,
    is_known: NDArray[np.bool_],
) -> pd.DataFrame:
    has_class = (rows >= 0) & is_known[rows]
    _, nearest_km = NearestPlaces(guesses[is_known]).query(points)
    oracle_km = nearest_km.copy()
    oracle_km[has_class] = haversine_km(points[has_class], guesses[rows[has_class]])
    codes = np.asarray([*partition.codes, ""], dtype=object)[rows]
    columns = {
        "code": codes,
        "has_class": has_class,
        "oracle_km": oracle_km,
        "nearest_km": nearest_km,
    }
    return pd.DataFrame(columns, index=index)


def _percent(flags: ArrayLike) -> float:
    array = np.asarray(flags)
    return 100 * float(array.mean()) if len(array) else float("nan")


def _of_some(figure: Callable[[Floats], np.floating], values: Floats) -> float:
    return float(figure(values)) if len(values) else float("nan")
