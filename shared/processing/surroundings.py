"""What surrounds each photo: climate, height, people, weather, month, driving side; with sources.

Degrees `(lat, lon)`. `2-data-processing/2-enrich/surroundings.ipynb` writes one table, a row a
record that can be read. Every fact has a column of its own, in its unit, and one that says where
it is from: a raster's name, `"record"`, `"capture date"`, or the country of the nearest place.
They lie beside the records and not in them: records are pinned by their digests, and those of the
same photos would differ with the rasters at hand.
"""

import csv
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.countries import TABLES, UnknownCountryError, code_of
from shared.data_loader.files import write_with
from shared.gazetteer import nearest_place_codes
from shared.paths import data_folder, shown
from shared.processing.surroundings_climate import climate_name
from shared.processing.surroundings_demo import PAINTED, SOURCE, demo_surroundings
from shared.processing.surroundings_measured import Rasters, facts_of_rasters

STAGE = "2-data-processing/2-enrich"
NOTEBOOK = f"{STAGE}/surroundings"
# Facts and their units.
UNITS = {
    "climate": "letters of Koeppen and Geiger",
    "elevation_m": "m above the sea",
    "population_per_km2": "people per square kilometre",
    "temperature_c": "degrees C, mean of the year",
    "temperature_range_c": "degrees C, warmest less coldest month",
    "precipitation_mm_day": "mm a day, mean of the year",
    "precipitation_range_mm_day": "mm a day, wettest less driest month",
    "month": "month of the year, 1 to 12",
    "driving_side": "left or right",
}
TEXTS = ("climate", "driving_side")
COLUMNS = ["climate", "climate_name", *list(UNITS)[1:], *(f"{fact}_from" for fact in UNITS)]


def surroundings(
    records: pd.DataFrame, rasters: Rasters, *, is_demo: bool = False, demo_seed: int = 0
) -> pd.DataFrame:
    """The facts of photos, from their records, their coordinates and rasters.

    A record's own `month` and `driving_side` come before all else; then the month of `date`, and
    the driving side of the country that is named, or that of the nearest place.

    Args:
        records: by id, as `read_records` makes them; `lat, lon` (degrees) NaN where unknown.
        rasters: which rasters are read.
        is_demo: whether the demo's own values stand for rasters that are not given.
        demo_seed: what the demo world was painted with.

    Returns:
        The same index, the columns `COLUMNS`: NaN (or "") where a fact is not known, and its
        source is "" there; `attrs["units"]` are `UNITS`.
    """
    table = pd.DataFrame(index=records.index)
    demo = demo_surroundings(records, demo_seed) if is_demo else None
    found = facts_of_rasters(_points(records), rasters)
    for fact in UNITS:
        values, source = _empty(fact, len(records)), np.full(len(records), "", dtype=object)
        for candidate, name in _candidates(fact, records, found, demo):
            is_new = _is_missing(values) & ~_is_missing(candidate)
            values[is_new] = candidate[is_new]
            source[is_new] = name if isinstance(name, str) else name[is_new]
        table[fact], table[f"{fact}_from"] = values, source
    table["climate_name"] = [climate_name(str(code)) for code in table["climate"]]
    table = table[COLUMNS]
    table.attrs["units"] = dict(UNITS)  # pandas keeps them in the file
    return table


def facts_of(table: pd.DataFrame, name: str) -> dict[str, dict[str, Any]]:
    """All that is known of one photo, each fact with its unit and where it is from.

    Args:
        table: of `surroundings` or `load_surroundings`.
        name: the photo's id.

    Returns:
        By fact `{"value": ..., "unit": ..., "from": ...}`; what is not known is left out.
    """
    row = table.loc[name]
    return {
        fact: {"value": row[fact], "unit": unit, "from": row[f"{fact}_from"]}
        for fact, unit in UNITS.items()
        if row[f"{fact}_from"]
    }


def surroundings_folder(dataset: str) -> Path:
    """Where the surroundings of a data set are: `surroundings.parquet`."""
    return data_folder(STAGE, dataset) / "surroundings"


def save_surroundings(dataset: str, table: pd.DataFrame) -> Path:
    """Write what `load_surroundings` reads, under its name only when it is whole."""
    path = surroundings_folder(dataset) / "surroundings.parquet"
    write_with(path, lambda temporary: table.rename_axis("id").to_parquet(temporary))
    return path


def load_surroundings(dataset: str) -> pd.DataFrame:
    """The surroundings that the notebook wrote, by id.

    Raises:
        FileNotFoundError: when the notebook has not run.
    """
    path = surroundings_folder(dataset) / "surroundings.parquet"
    if not path.exists():
        msg = f"Expected {shown(path)}: run {NOTEBOOK}"
        raise FileNotFoundError(msg)
    return pd.read_parquet(path)


@lru_cache(maxsize=1)
def driving_sides() -> dict[str, str]:
    """The side that traffic keeps to, by country code: "left" or "right", "" where nobody drives.

    Source: `shared/tables/driving_side.csv`, common knowledge, as of 2024. Samoa changed in 2009;
    Northern Cyprus counts as CY; the British Indian Ocean Territory drives on the right.
    """
    with (TABLES / "driving_side.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: row["driving_side"] for row in csv.DictReader(file)}


def month_of(date: object) -> float:
    """The month of a capture date `yyyy-mm` or `yyyy-mm-dd`; NaN where there is none."""
    parts = str(date).split("-")
    if len(parts) < 2 or not parts[1].isdigit() or not 1 <= int(parts[1]) <= 12:
        return float("nan")
    return float(parts[1])


def _points(records: pd.DataFrame) -> pd.DataFrame:
    """The known points, by id; (0, 0) is what scrapers write where they know nothing."""
    if "lat" not in records.columns:
        return pd.DataFrame({"lat": [], "lon": []}, index=records.index[:0], dtype=float)
    points = records[["lat", "lon"]].dropna()
    return points[(points != 0).any(axis=1)]


def _candidates(
    fact: str,
    records: pd.DataFrame,
    found: dict[str, tuple[pd.Series, pd.Series]],
    demo: pd.DataFrame | None,
) -> list[tuple[NDArray[Any], str | NDArray[Any]]]:
    """The values of a fact from each source, the first to be believed first; with the sources."""
    candidates: list[tuple[NDArray[Any], str | NDArray[Any]]] = []
    if fact in ("month", "driving_side") and fact in records.columns:
        candidates.append((_filled(records[fact], fact), "record"))
    if fact == "month" and "date" in records.columns:
        months = np.asarray([month_of(date) for date in records["date"]])
        candidates.append((months, "capture date"))
    if fact == "driving_side":
        candidates += _sides(records)
    if fact in found:
        values, names = (series.reindex(records.index) for series in found[fact])
        candidates.append((_filled(values, fact), names.fillna("").to_numpy(dtype=object)))
    elif demo is not None and fact in demo.columns:
        is_painted = fact in ("elevation_m", "population_per_km2")
        candidates.append((_filled(demo[fact], fact), PAINTED if is_painted else SOURCE))
    return candidates


def _sides(records: pd.DataFrame) -> list[tuple[NDArray[Any], str | NDArray[Any]]]:
    """The driving side of the country that a record names, and of the nearest place's."""
    named, near = (np.full(len(records), "", dtype=object) for _ in range(2))
    for column in ("country", "country_code"):
        if column in records.columns:
            for row in np.flatnonzero(records[column].notna()):
                named[row] = _code_or_nothing(str(records[column].iloc[row]))
    points = _points(records)
    if len(points):
        near[records.index.get_indexer(points.index)] = nearest_place_codes(points.to_numpy())[0]
    sides = driving_sides()
    return [
        (np.asarray([sides.get(str(code), "") for code in codes], dtype=object), source)
        for codes, source in ((named, "country"), (near, "country of the nearest place"))
    ]


def _code_or_nothing(name: str) -> str:
    try:
        return code_of(name)
    except UnknownCountryError:
        return ""


def _empty(fact: str, count: int) -> NDArray[Any]:
    return np.full(count, "", dtype=object) if fact in TEXTS else np.full(count, np.nan)


def _filled(values: pd.Series, fact: str) -> NDArray[Any]:
    """A column as texts with "" for what is missing, or as numbers with NaN."""
    if fact in TEXTS:
        return np.asarray(["" if pd.isna(v) else str(v) for v in values], dtype=object)
    return values.to_numpy(dtype=float)


def _is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    missing: NDArray[np.bool_] = (values == "") if values.dtype == object else np.isnan(values)
    return missing
