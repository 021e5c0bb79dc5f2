"""Whether a guessed point lies in the right country, region, area and city. Degrees, `(lat, lon)`.

The areas of a point are those of the gazetteer's nearest place (GeoNames: country `cc`, region
`admin1`, area `admin2`, city `name`), as OSV-5M tells them (arXiv 2404.18873). A *key* names an
area with those it lies in, `Waitangi__Chatham Islands_NZ`, since names alone come more than once.
What is missing differs between publications: 42 % of the gazetteer's places have no area. With the
default convention a photo whose own label is missing at a level is not counted at that level; the
conventions `"osv5m"` and `"osv5m-game"` reproduce what their code does instead.

The nearest place is not the polygon: near borders and coasts the two differ, so say which was used.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from shared.evaluation.conventions import Convention, convention_of
from shared.gazetteer import gazetteer, nearest_places
from shared.geo import Floats, check_points
from shared.partitions import Partition
from shared.polygon_index import PolygonIndex

LEVELS = ("country", "region", "area", "city")
COLUMNS = {"country": "cc", "region": "admin1", "area": "admin2", "city": "name"}
OSV5M_COLUMNS = {"country": "country", "region": "region", "area": "sub-region", "city": "city"}


def areas_of(points: ArrayLike, convention: str | Convention = "default") -> pd.DataFrame:
    """The areas of points, by the gazetteer's nearest place.

    Args:
        points: (N, 2) latitudes and longitudes, degrees.
        convention: a name of `CONVENTIONS`, or a convention: its `geocoder`.

    Returns:
        A row a point: `country` (code), `region`, `area`, `city`, "" where there is none; and
        `place_km`, the distance to that place.
    """
    rule, array = convention_of(convention), check_points(points).reshape(-1, 2)
    if rule.geocoder == "plane":
        rows = np.asarray(_plane().query(array)[1], dtype=np.intp)
        distance: Floats = np.full(len(array), np.nan)
    else:
        rows, distance = nearest_places(array)
    found = gazetteer().iloc[rows][list(COLUMNS.values())].reset_index(drop=True)
    found.columns = pd.Index(LEVELS)
    return found.astype(object).assign(place_km=distance)


@lru_cache(maxsize=1)
def _plane() -> cKDTree:
    """The tree of reverse_geocoder: degrees as if the Earth were flat."""
    return cKDTree(gazetteer()[["lat", "lon"]].to_numpy(dtype=np.float64))


def labels_of(table: pd.DataFrame, columns: Mapping[str, str] = OSV5M_COLUMNS) -> pd.DataFrame:
    """The labels of a foreign table as `country`, `region`, `area`, `city`, "" where missing.

    Args:
        table: read with `keep_default_na=False`, or Namibia's code NA has become a missing value.
        columns: the table's column for each level; a level whose column is absent is all "".
    """
    found = {}
    for level in LEVELS:
        values = table[columns[level]] if columns.get(level) in table.columns else None
        texts = (
            [""] * len(table) if values is None else ["" if _lacks(v) else str(v) for v in values]
        )
        found[level] = texts
    return pd.DataFrame(found, dtype=object)


def area_hits(
    truth: pd.DataFrame, guesses: pd.DataFrame, convention: str | Convention = "default"
) -> dict[str, NDArray[np.float64]]:
    """Whether guesses lie in the right area, at each level.

    Args:
        truth: (N rows) `country`, `region`, `area`, `city`, "" where missing.
        guesses: the same of the guessed points (`areas_of`).
        convention: a name of `CONVENTIONS`, or a convention.

    Returns:
        For each level (N,): 1 right, 0 wrong, NaN not counted.
    """
    rule = convention_of(convention)
    if len(truth) != len(guesses):
        msg = f"Expected as many guesses as truths, but got {len(guesses)} and {len(truth)}"
        raise ValueError(msg)
    known = truth.astype(object)
    if rule.loses_namibia:
        known = known.assign(country=known["country"].where(known["country"] != "NA", ""))
    hits = {}
    for level in LEVELS:
        right = _keys(known, level, rule, is_label=True) == _keys(guesses, level, rule)
        counted = right.astype(np.float64)
        if rule.missing_labels == "skip":
            counted[(known[level] == "").to_numpy()] = np.nan
        hits[level] = counted
    return hits


def _keys(
    areas: pd.DataFrame, level: str, rule: Convention, is_label: bool = False
) -> NDArray[Any]:
    """(N,) what is compared, as objects."""
    if rule.compares_names:
        return np.asarray(areas[level], dtype=object)
    # From the level upwards: name, admin2, admin1, cc.
    levels = LEVELS[LEVELS.index(level) :: -1]
    parts = areas[list(levels)].astype(object)
    if is_label and rule.writes_nan:
        parts = parts.where(parts != "", "NaN")
    keys = np.asarray(["_".join(row) for row in parts.itertuples(index=False)], dtype=object)
    if is_label and rule.writes_nan:  # a label that is missing itself has no key at all
        keys[(areas[level] == "").to_numpy()] = "NaN"
    return keys


def area_figures(hits: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """The accuracy at each level, NaN where no photo is counted."""
    return {
        level: float(np.nanmean(values)) if (~np.isnan(values)).any() else float("nan")
        for level, values in hits.items()
    }


def country_hits(
    true_codes: ArrayLike,
    points: ArrayLike,
    convention: str | Convention = "default",
    countries: Partition | None = None,
) -> NDArray[np.float64]:
    """Whether guessed points lie in the right country.

    Args:
        true_codes: (N,) country codes.
        points: (N, 2) guesses, degrees.
        convention: its `country_from`: by the gazetteer's nearest place, or by polygon.
        countries: polygons of countries, for a convention that goes by polygon. A point in no
            polygon (at sea) is in no country.

    Raises:
        ValueError: when the convention needs polygons and there are none.
    """
    rule, codes = convention_of(convention), np.asarray(true_codes, dtype=object)
    if rule.country_from == "gazetteer":
        return np.asarray(areas_of(points, rule)["country"].to_numpy() == codes, np.float64)
    if countries is None or countries.table.geometry.isna().all():
        msg = "Expected a partition of countries with polygons: this convention goes by polygon"
        raise ValueError(msg)
    return np.asarray(polygon_codes(points, countries) == codes, np.float64)


def polygon_codes(points: ArrayLike, countries: Partition) -> NDArray[Any]:
    """(N,) the class whose polygon holds each point, "" where none does."""
    array = check_points(points).reshape(-1, 2)
    codes = np.asarray([*countries.codes, ""], dtype=object)
    rows, _ = PolygonIndex(list(countries.table.geometry)).label(array)
    return codes[rows]  # -1 is the last: ""


def _lacks(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value)) or value in ("", "NaN")
