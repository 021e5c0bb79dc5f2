"""What captions tell of places: facts as words. Degrees `(lat, lon)`, kilometres.

Of photos they come from their records (`month`, `heading`, `driving_side`, country), from the
regions and surroundings that `2-data-processing/2-enrich` found, and from the gazetteer. What a
country without photos has in common with others comes from its gazetteer places alone, by the same
functions: so a prompt for it is made of the same words.
"""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from shared.countries import continent_of, name_of
from shared.gazetteer import gazetteer, nearest_places
from shared.geo import NearestPlaces, check_points, spherical_mean
from shared.processing.regions import load_regions
from shared.processing.surroundings import driving_sides, load_surroundings
from shared.training.captions import FACTS

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
FACINGS = ("north", "east", "south", "west")
# Names that English gives an article: plurals, islands in the plural, and unions.
WITH_ARTICLE = frozenset(
    (
        *("AE", "AX", "BS", "CC", "CD", "CF", "CG", "CK", "DO", "FK", "FO", "GB", "GM", "IM"),
        *("KM", "KY", "MH", "MP", "MV", "NL", "PH", "PN", "SB", "SC", "TC", "TF", "UM", "US"),
        *("VA", "VG", "VI"),
    )
)
TROPIC_DEG, POLAR_DEG = 23.44, 66.56  # the tilt of the Earth's axis, and 90 minus it
BELTS = (  # below which latitude, degrees, and its name
    (TROPIC_DEG, "the tropics"),
    (35.0, "the subtropics"),
    (45.0, "the milder latitudes"),
    (55.0, "the cooler latitudes"),
    (POLAR_DEG, "the colder latitudes"),
    (91.0, "the polar latitudes"),
)
STEP_DEG = 10  # of the position in words
THIRDS = (1 / 3, 2 / 3)
PARTS = (  # of a country, by thirds from south to north and from west to east
    ("the south-west", "the south", "the south-east"),
    ("the west", "the middle", "the east"),
    ("the north-west", "the north", "the north-east"),
)


def spoken(code: str) -> str:
    """A country's name as it stands in a sentence: `"the United States"`, `"France"`."""
    return f"the {name_of(code)}" if code in WITH_ARTICLE else name_of(code)


def plain_region(name: str, code: str, country: str) -> str:
    """A region's own name, out of `"Czechia, Hlavni mesto Praha (CZ.010)"`.

    Args:
        name: of the partition.
        code: of the region.
        country: its code, "" unknown.
    """
    own = name.removesuffix(f" ({code})")
    return own.removeprefix(f"{name_of(country)}, ") if country else own


def belt_of(lat: float) -> str:
    """The belt of latitude, in words: what the sun's height alone makes of a climate."""
    return next(name for limit, name in BELTS if abs(lat) < limit)


def position_of(lat: float, lon: float) -> str:
    """A position to ten degrees, in words: `"50 degrees north and 10 degrees west"`."""
    rounded = [int(np.floor(abs(v) / STEP_DEG + 0.5)) * STEP_DEG for v in (lat, lon)]
    if rounded[1] == 180:
        lon = 180.0  # the antimeridian has one name
    sides = ("north" if lat >= 0 else "south", "east" if lon >= 0 else "west")
    told = [f"{v} degrees {s}" for v, s in zip(rounded, sides, strict=True)]
    return " and ".join("the equator" if k == 0 and v == 0 else t
                        for k, (v, t) in enumerate(zip(rounded, told, strict=True)))  # fmt: skip


def part_of_country(points: ArrayLike, codes: Iterable[str]) -> list[str]:
    """The part of its country that each point lies in, in words: `"the south-east"`.

    The country's gazetteer places are split into thirds from south to north, and into thirds from
    west to east: nine parts, of which the inmost is `"the middle"`. "" where there are no places.

    Args:
        points: (N, 2) degrees.
        codes: the country of each.
    """
    array, own = check_points(points).reshape(-1, 2), np.asarray(list(codes), dtype=object)
    found = np.full(len(array), "", dtype=object)
    for code in set(own) & set(_country_trees()):
        places = gazetteer().loc[gazetteer()["cc"] == code, ["lat", "lon"]].to_numpy()
        # Counted from the country's middle, so that Fiji's east lies beyond the antimeridian.
        middle = spherical_mean(places)[1]
        mine = np.flatnonzero(own == code)
        lats, lons = array[mine, 0], (array[mine, 1] - middle + 180) % 360
        rows = np.searchsorted(np.quantile(places[:, 0], THIRDS), lats, side="right")
        there = (places[:, 1] - middle + 180) % 360
        columns = np.searchsorted(np.quantile(there, THIRDS), lons, side="right")
        found[mine] = [PARTS[row][column] for row, column in zip(rows, columns, strict=True)]
    return [str(text) for text in found]


def facing_of(heading_deg: float) -> str:
    """North, east, south or west, whichever is within 45 degrees of a heading; "" for NaN."""
    return "" if np.isnan(heading_deg) else FACINGS[int(((heading_deg + 45) % 360) // 90)]


@lru_cache(maxsize=1)
def _country_trees() -> dict[str, NearestPlaces]:
    return {
        str(code): NearestPlaces(rows[["lat", "lon"]].to_numpy())
        for code, rows in gazetteer().groupby("cc", sort=True)
    }


def neighbours_of(
    points: ArrayLike, own: Iterable[str], among: Iterable[str], count: int = 2
) -> list[str]:
    """The nearest other countries of points, in words: `"France and Spain"`.

    Args:
        points: (N, 2) degrees.
        own: the country of each, which is left out.
        among: the countries that may be named.
        count: how many.
    """
    array, codes = check_points(points).reshape(-1, 2), [c for c in among if c in _country_trees()]
    away = np.stack([_country_trees()[c].query(array)[1] for c in codes], axis=1)
    names = []
    for row, mine in zip(away, own, strict=True):
        order = [codes[k] for k in np.argsort(row, kind="stable") if codes[k] != mine]
        names.append(" and ".join(spoken(code) for code in order[:count]))
    return names


def place_facts(
    points: ArrayLike, codes: Iterable[str], among: Iterable[str], index: Iterable[str]
) -> pd.DataFrame:
    """What coordinates alone say: town, region, country, continent, neighbours, belt, position.

    Town and region are those of the gazetteer's nearest place of the same country where that is
    the nearest of all, else they are not known.

    Args:
        points: (N, 2) degrees.
        codes: the country of each.
        among: the countries that may be named as neighbours.
        index: the ids.

    Returns:
        A table with the columns of `FACTS`, "" where not known.
    """
    array, own = check_points(points).reshape(-1, 2), [str(code) for code in codes]
    rows, _ = nearest_places(array)
    places = gazetteer().iloc[rows]
    is_own = (places["cc"].to_numpy(dtype=object) == np.asarray(own, dtype=object)).astype(bool)
    found = pd.DataFrame("", index=pd.Index(list(index)), columns=list(FACTS), dtype=object)
    found["country"] = [spoken(code) for code in own]
    found["city"] = np.where(is_own, places["name"].to_numpy(dtype=object), "")
    found["region"] = np.where(is_own, places["admin1"].to_numpy(dtype=object), "")
    found["continent"] = [continent_of(code) for code in own]
    found["near"] = neighbours_of(array, own, among)
    found["belt"] = [belt_of(lat) for lat in array[:, 0]]
    found["position"] = [position_of(lat, lon) for lat, lon in array]
    return found


def photo_facts(
    records: pd.DataFrame,
    dataset: str,
    among: Iterable[str],
    surroundings: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The facts of photos, as words.

    Args:
        records: of photos, indexed by id: `country_code`, and perhaps `lat`, `lon`, `month`,
            `heading`, `driving_side`.
        dataset: whose regions are taken where `2-enrich/regions` has run; else the region is that
            of the gazetteer's nearest place.
        among: the countries that may be named as neighbours.
        surroundings: of `load_surroundings`, for climate, month and driving side; None: without.

    Returns:
        A table with the columns of `FACTS`, "" where not known; photos without coordinates keep
        their country and continent.
    """
    codes = records["country_code"].astype(str)
    found = pd.DataFrame("", index=records.index, columns=list(FACTS), dtype=object)
    found["country"] = [spoken(code) for code in codes]
    found["continent"] = [continent_of(code) for code in codes]
    located = records.reindex(columns=["lat", "lon"]).notna().all(axis=1).to_numpy()
    if located.any():
        some = records[located]
        told = place_facts(some[["lat", "lon"]], codes[located], among, some.index)
        found.loc[located] = told.to_numpy()
        _tell_regions(found, dataset)
    _tell_record(found, records)
    if surroundings is not None:
        _tell_surroundings(found, surroundings.reindex(records.index))
    without = (found["driving_side"] == "").to_numpy()
    found.loc[without, "driving_side"] = [driving_sides().get(c, "") for c in codes[without]]
    return found


def known_surroundings(dataset: str) -> pd.DataFrame | None:
    """The surroundings of a data set's photos; None where `2-enrich/surroundings` has not run."""
    try:
        return load_surroundings(dataset)
    except FileNotFoundError:
        return None


def _tell_regions(found: pd.DataFrame, dataset: str) -> None:
    """Put the names of the regions that 2-enrich found in the place of the gazetteer's."""
    try:
        _, table = load_regions(dataset)
    except FileNotFoundError:
        return
    known = table[table.index.isin(found.index)]
    columns = known[["region_name", "region_code", "region_country"]].to_numpy(dtype=object)
    names = {tuple(row): plain_region(*row) for row in {tuple(row) for row in columns}}
    found.loc[known.index, "region"] = [names[tuple(row)] for row in columns]


def _tell_record(found: pd.DataFrame, records: pd.DataFrame) -> None:
    if "driving_side" in records:
        found["driving_side"] = _words(records["driving_side"])
    if "month" in records:
        found["month"] = _months(records["month"])
    if "heading" in records:
        found["facing"] = [facing_of(value) for value in records["heading"].astype(float)]


def _tell_surroundings(found: pd.DataFrame, table: pd.DataFrame) -> None:
    """Take climate, and what the records lack, from the surroundings."""
    if "climate_name" in table:
        found["climate"] = [text.lower() for text in _words(table["climate_name"])]
    for name, words in (("driving_side", _words), ("month", _months)):
        if name in table:
            is_missing = (found[name] == "").to_numpy()
            found.loc[is_missing, name] = np.asarray(words(table[name]), dtype=object)[is_missing]


def _words(values: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else str(value) for value in values]


def _months(values: pd.Series) -> list[str]:
    numbers = pd.to_numeric(values, errors="coerce")
    return [MONTHS[int(n) - 1] if 1 <= n <= 12 else "" for n in numbers]
