"""City tables: the largest cities of countries, places grouped to them, and their partition.

Degrees, `(lat, lon)`, kilometres. The gazetteer tells no populations. A table that does is a
parameter: a CSV or GeoJSON file such as Natural Earth's populated places, or `2014_us_cities.csv`.
Without one, places are ranked by how many places of the gazetteer lie near: this follows
population roughly, since large cities are surrounded by towns, and says so in its column `ranked`.
"""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from shared.boundaries import CRS
from shared.countries import fold, name_of
from shared.gazetteer import gazetteer, nearest_places
from shared.geo import EARTH_RADIUS_KM, Floats, NearestPlaces, check_points, to_unit_vectors
from shared.partitions import Partition

COLUMNS = ["code", "name", "region", "nation", "country", "lat", "lon", "population", "ranked"]
NEAR_KM = 25.0  # how near the places lie that a place is ranked by
BY_PEOPLE, BY_PLACES = "population", "places near"
# What tables call their columns, the first that is there is taken.
NAMES = ("name", "city", "nameascii")
PEOPLE = ("population", "pop", "pop_max")
CODES = ("country_code", "iso_a2", "cc", "country")
LATS, LONS = ("lat", "latitude"), ("lon", "lng", "longitude")


def city_table(
    countries: Collection[str] = (),
    top: int = 150,
    source: str = "",
    apart_km: float = NEAR_KM,
    is_even: bool = False,
) -> pd.DataFrame:
    """The largest cities.

    Args:
        countries: their codes; none for the whole world.
        top: how many cities; 0 for all.
        source: a file with populations; "" for the gazetteer's places, ranked by how many others
            lie within 25 km.
        apart_km: a place this near to a larger city counts as a part of it; 0: every place is a
            city of its own.
        is_even: as many cities of each country, `top` of all together (rounded down), instead of
            the largest wherever they lie.

    Returns:
        `COLUMNS`, the largest first: `code` (unique), `name`, `region` (of the gazetteer), `nation`
        (the country's name, or England, Scotland, Wales, Northern Ireland), `country` (code),
        `lat`, `lon`, `population` (NaN where unknown) and `ranked`, what they are ranked by.

    Raises:
        FileNotFoundError: when the source is not there.
        ValueError: when no city is left, or a column is missing.
    """
    places = _with_people(Path(source)) if source else _by_places_near()
    if countries:
        places = places[places["country"].isin(set(countries))]
    if not len(places) or top < 0 or apart_km < 0:
        msg = (
            f"Expected cities of {sorted(countries) or 'the world'} in {source or 'the gazetteer'} "
            f"(there are {len(places)}), and top={top}, apart_km={apart_km} of at least 0"
        )
        raise ValueError(msg)
    places = places.sort_values(["size", "name", "lat"], ascending=[False, True, True])
    if is_even:
        each = max(1, top // places["country"].nunique()) if top else 0
        parts = [_largest(part, each, apart_km) for _, part in places.groupby("country")]
        chosen = pd.concat(parts).sort_values(["size", "name"], ascending=[False, True])
    else:
        chosen = _largest(places, top, apart_km)
    return _finished(chosen)


def cities_of_cells(cells: Partition, source: str = "") -> pd.DataFrame:
    """The largest city of each cell of a grid, for the protocol that tells cells by their cities.

    Args:
        cells: a partition with polygons.
        source: as in `city_table`.

    Returns:
        `COLUMNS`, a row for each cell that holds a place, in the order of the cells: `code`, `lat`
        and `lon` are the cell's own.
    """
    places = _with_people(Path(source)) if source else _by_places_near()
    labels, away_km = cells.label_with_distance(places[["lat", "lon"]].to_numpy())
    inside = places.assign(cell=labels)[away_km == 0]
    inside = inside.sort_values(["size", "name", "lat"], ascending=[False, True, True])
    found = _finished(inside.drop_duplicates("cell"))
    codes = inside.drop_duplicates("cell")["cell"].to_numpy()
    centres = dict(zip(cells.codes, cells.centres.tolist(), strict=True))
    points = np.array([centres[code] for code in codes]).reshape(-1, 2)
    table = found.assign(code=codes, lat=points[:, 0], lon=points[:, 1])
    order = np.argsort(cells.index_of(table["code"]))
    return table.iloc[order].reset_index(drop=True)


def nearest_city(
    cities: pd.DataFrame, points: ArrayLike, countries: Sequence[str] | None = None
) -> tuple[NDArray[np.intp], Floats]:
    """The city that each point is grouped to: the nearest, of the point's own country.

    Args:
        cities: `lat`, `lon` and `country`.
        points: (N, 2) latitudes and longitudes, degrees.
        countries: (N,) the codes of the points' countries; None: of any country.

    Returns:
        (N,) rows of `cities`, -1 where the country has none; and (N,) distances, km, NaN there.
    """
    array = check_points(points).reshape(-1, 2)
    where = cities[["lat", "lon"]].to_numpy(dtype=np.float64)
    if countries is None:
        return NearestPlaces(where).query(array)
    rows = np.full(len(array), -1, dtype=np.intp)
    away = np.full(len(array), np.nan)
    codes = np.asarray(countries, dtype=object)
    own = cities["country"].to_numpy(dtype=object)
    for code in sorted({str(code) for code in codes} & set(own)):
        here, there = np.flatnonzero(codes == code), np.flatnonzero(own == code)
        found, away[here] = NearestPlaces(where[there]).query(array[here])
        rows[here] = there[found]
    return rows, away


def cities_partition(cities: pd.DataFrame, name: str = "cities") -> Partition:
    """The cities as classes; a point is of the nearest."""
    table = cities[["code", "name", "lat", "lon", "country"]].reset_index(drop=True)
    shapes = gpd.GeoSeries([None] * len(table), crs=CRS)
    return Partition(name, gpd.GeoDataFrame(table, geometry=shapes, crs=CRS))


def nation_of(code: str, region: str) -> str:
    """The nation as captions name it: for the United Kingdom its four, else the country."""
    return region if code == "GB" and region else name_of(code)


def _largest(places: pd.DataFrame, top: int, apart_km: float) -> pd.DataFrame:
    """The first places of a sorted table, without those near to one before."""
    vectors = to_unit_vectors(places[["lat", "lon"]].to_numpy(dtype=np.float64))
    limit = top or len(places)
    if apart_km == 0:
        return places.head(limit)
    near = cKDTree(vectors)
    is_part = np.zeros(len(places), dtype=bool)
    chosen: list[int] = []
    for row in range(len(places)):
        if is_part[row]:
            continue
        chosen.append(row)
        if len(chosen) == limit:
            break
        is_part[near.query_ball_point(vectors[row], _chord(apart_km))] = True
    return places.iloc[chosen]


def _chord(distance_km: float) -> float:
    """The straight line between unit vectors that lie this far apart on the sphere."""
    return 2 * float(np.sin(distance_km / EARTH_RADIUS_KM / 2))


def _by_places_near() -> pd.DataFrame:
    """The gazetteer, ranked by how many of its places lie within `NEAR_KM`."""
    places = gazetteer().rename(columns={"cc": "country", "admin1": "region"})
    vectors = to_unit_vectors(places[["lat", "lon"]].to_numpy())
    counts = cKDTree(vectors).query_ball_point(vectors, _chord(NEAR_KM), return_length=True)
    size = np.asarray(counts, dtype=np.float64)
    return places.assign(population=np.nan, size=size, ranked=BY_PLACES)


def _with_people(path: Path) -> pd.DataFrame:
    """The places of a file with populations; what it lacks comes from the nearest place."""
    if not path.is_file():
        msg = f"Expected a table of cities at {path} (CSV or GeoJSON), but there is no such file"
        raise FileNotFoundError(msg)
    table = _read(path)
    columns = {
        wanted: _column(table, names, path)
        for wanted, names in (("name", NAMES), ("population", PEOPLE), ("lat", LATS), ("lon", LONS))
    }
    found = pd.DataFrame({wanted: table[column] for wanted, column in columns.items()})
    found["name"] = found["name"].astype(str).str.strip()
    found = found.dropna(subset=["lat", "lon", "population"])
    beside = gazetteer().iloc[nearest_places(found[["lat", "lon"]].to_numpy())[0]]
    own = next((name for name in CODES if name in table.columns), None)
    codes = beside["cc"].to_numpy(dtype=object)
    if own is not None:
        told = table.loc[found.index, own].astype(str).to_numpy(dtype=object)
        codes = np.where([len(code) == 2 and code.isalpha() for code in told], told, codes)
    people = found["population"].astype(float)
    return found.assign(
        country=codes, region=beside["admin1"].to_numpy(), size=people, ranked=BY_PEOPLE
    )


def _read(path: Path) -> pd.DataFrame:
    if path.suffix.lower() == ".csv":
        return pd.read_csv(path, keep_default_na=False, na_values=[""])
    table = gpd.read_file(path)
    points = table.geometry.representative_point()
    return pd.DataFrame(table.drop(columns="geometry")).assign(lat=points.y, lon=points.x)


def _column(table: pd.DataFrame, names: Iterable[str], path: Path) -> str:
    for name in names:
        if name in table.columns:
            return name
    msg = f"Expected one of the columns {tuple(names)} in {path}, but found {list(table.columns)}"
    raise ValueError(msg)


def _finished(places: pd.DataFrame) -> pd.DataFrame:
    """The columns of a city table; a name that a country has twice gets a number in its code."""
    table = places.reset_index(drop=True)
    regions = table["region"].fillna("").astype(str)
    pairs = list(zip(table["country"].astype(str), regions, strict=True))
    stems = [
        f"{code}-{fold(name).replace(' ', '-')}"
        for code, name in zip(table["country"], table["name"].astype(str), strict=True)
    ]
    counts = pd.Series(stems, dtype=object).groupby(stems).cumcount()
    codes = [stem if n == 0 else f"{stem}-{n + 1}" for stem, n in zip(stems, counts, strict=True)]
    nations = [nation_of(code, region) for code, region in pairs]
    return table.assign(code=codes, region=regions, nation=nations)[COLUMNS]
