"""Where to look for street views: cells of a grid, cities by rank, or points of a file.

Degrees, `(lat, lon)`, kilometres. An area yields candidates, uniform on the sphere within it, in an
order that its code and the seed alone decide: more areas, or more places in one, move no other.
"""

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely import Geometry

from shared.countries import code_of
from shared.data_loader.names import is_safe
from shared.geo import EARTH_RADIUS_KM, check_points, haversine_km, to_lat_lon, to_unit_vectors
from shared.partitions import Partition

DIGITS = 5  # decimals of asked coordinates: a metre
BATCH = 64  # candidates drawn at a time
MAX_BATCHES = 10_000  # a cell that fills less of its box than one in 640,000 is none
CITY_COLUMNS = ("name", "lat", "lon", "population")

LatLon = tuple[float, float]


@dataclass(frozen=True)
class Area:
    """Somewhere that places are wanted: a cell, the disc around a city, or a point.

    Attributes:
        kind: `"cell"`, `"city"` or `"point"`: the record's field that keeps the code.
        code: its short name, unique and safe in file names.
        name: its name for people.
        wanted: how many places.
        centre: (lat, lon), degrees.
        shape: a cell's polygon, (lon, lat) inside it.
        radius_km: of a city's disc.
    """

    kind: str
    code: str
    name: str
    wanted: int
    centre: LatLon
    shape: Geometry | None = None
    radius_km: float = 0.0

    def candidates(self, seed: int) -> Iterator[LatLon]:
        """Places to ask for, one after the other: of a point itself alone, else without end."""
        if self.kind == "point":
            yield self.centre
            return
        digest = hashlib.sha256(f"street view:{seed}:{self.code}".encode()).digest()
        random = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))
        for _ in range(MAX_BATCHES):
            draws = random.random((BATCH, 2))
            points = self._in_box(draws) if self.shape is not None else self._in_disc(draws)
            for lat, lon in np.round(points, DIGITS).tolist():
                if self.holds((lat, lon)):
                    yield lat, lon
        msg = f"Expected {self.kind} {self.code} to fill more of its box: hardly any draw is in it"
        raise ValueError(msg)

    def holds(self, point: LatLon) -> bool:
        """Whether a place lies in the area; anything near it does for a point."""
        if self.shape is not None:
            return bool(shapely.intersects_xy(self.shape, point[1], point[0]))
        return self.kind == "point" or float(haversine_km(self.centre, point)) <= self.radius_km

    def _in_box(self, draws: NDArray[np.float64]) -> NDArray[np.float64]:
        """Uniform on the sphere between the cell's bounds: the sine of the latitude is uniform."""
        west, south, east, north = shapely.bounds(self.shape)
        low, high = np.sin(np.radians([south, north]))
        lat = np.degrees(np.arcsin(low + (high - low) * draws[:, 0]))
        return np.stack([lat, west + (east - west) * draws[:, 1]], axis=1)

    def _in_disc(self, draws: NDArray[np.float64]) -> NDArray[np.float64]:
        """Uniform on the cap around the centre: the cosine of the angle to it is uniform."""
        drop = 1 - (1 - np.cos(self.radius_km / EARTH_RADIUS_KM)) * draws[:, :1]
        side, turn = np.sqrt(1 - drop**2), 2 * np.pi * draws[:, 1:]
        lat, lon = np.radians(self.centre)
        north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
        east = np.array([-np.sin(lon), np.cos(lon), 0.0])
        outward = to_unit_vectors(self.centre)
        return to_lat_lon(drop * outward + side * (np.cos(turn) * north + np.sin(turn) * east))


def cell_areas(partition: Partition, places_per_cell: int) -> list[Area]:
    """An area for each cell of a partition.

    Raises:
        ValueError: when a cell has no polygon, or fewer than one place is wanted.
    """
    _check_wanted([places_per_cell])
    shapes = list(partition.table.geometry)
    if any(shape is None for shape in shapes):
        msg = f"Expected a polygon for each class of {partition.name!r}, but some have none"
        raise ValueError(msg)
    shapely.prepare(shapes)
    centres = [(float(lat), float(lon)) for lat, lon in partition.centres]
    rows = zip(partition.codes, partition.names, centres, shapes, strict=True)
    return [Area("cell", code, name, places_per_cell, at, shape) for code, name, at, shape in rows]


def read_cities(path: Path) -> pd.DataFrame:
    """A table of cities: `name`, `lat`, `lon` (degrees), `population`, and `country` if it has it.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when a column is missing, or a value is no number or no place on the Earth.
    """
    if not path.exists():
        msg = f"Expected a table of cities at {path}: a CSV with the columns {CITY_COLUMNS}"
        raise FileNotFoundError(msg)
    # "NA" is Namibia, not a missing value.
    table = pd.read_csv(path, keep_default_na=False, encoding="utf-8")
    table.columns = [str(column).strip().casefold() for column in table.columns]
    _check_columns(table, CITY_COLUMNS, path)
    table["name"] = table["name"].astype(str).str.strip()
    for column in CITY_COLUMNS[1:]:
        table[column] = _numbers(table[column], column, path)
    check_points(table[["lat", "lon"]].to_numpy(dtype=np.float64), f"cities of {path}")
    return table


def city_areas(
    cities: pd.DataFrame,
    top: int,
    places_by_rank: Sequence[int],
    radius_km: float,
    countries: Sequence[str] = (),
) -> list[Area]:
    """An area for each of the largest cities, of each country where countries are named.

    Args:
        cities: as `read_cities` reads them.
        top: how many of the largest; of each country, where some are named.
        places_by_rank: places a city, for equal parts of the ranks: `[200, 100, 50]` gives the
            first third of the top 200 places each, the second 100, the last 50.
        radius_km: of the disc around the middle of a city.
        countries: names or codes, compared with the column `country`; none: all cities together.

    Raises:
        ValueError: when a setting is out of range, or there are fewer cities than asked for.
    """
    _check_wanted(places_by_rank)
    if top < 1 or not 0 < radius_km <= 1000:
        msg = f"Expected top >= 1 and a radius from 0 to 1,000 km, but got {top} and {radius_km}"
        raise ValueError(msg)
    areas: list[Area] = []
    used: set[str] = set()
    for part, prefix in _by_country(cities, countries):
        if len(part) < top:
            msg = f"Expected at least {top} cities{prefix and f' in {prefix}'}, but got {len(part)}"
            raise ValueError(msg)
        ranked = part.sort_values("population", ascending=False, kind="stable").head(top)
        for rank, (_, row) in enumerate(ranked.iterrows()):
            wanted = places_by_rank[rank * len(places_by_rank) // top]
            code = _free(_slug(str(row["name"])) or "city", used)
            at = float(row["lat"]), float(row["lon"])
            areas.append(Area("city", code, str(row["name"]), wanted, at, radius_km=radius_km))
    return areas


def point_areas(path: Path) -> list[Area]:
    """An area for each point of a file: a CSV with `lat`, `lon`, or points that geopandas reads.

    A column `id` or `name`, if there is one, is kept as the code; else points are numbered.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when a column is missing, or a value is no place on the Earth.
    """
    if not path.exists():
        msg = f"Expected points at {path}: a CSV with the columns lat, lon, or a GeoJSON of points"
        raise FileNotFoundError(msg)
    table = _read_points(path)
    _check_columns(table, ("lat", "lon"), path)
    points = np.stack([_numbers(table[c], c, path) for c in ("lat", "lon")], axis=1)
    check_points(points, f"points of {path}")
    named = next((c for c in ("id", "name") if c in table.columns), None)
    names = [f"point {n:05d}" for n in range(len(table))] if named is None else list(table[named])
    used: set[str] = set()
    rows = zip(names, np.round(points, DIGITS).tolist(), strict=True)
    return [
        Area("point", _free(_slug(str(name)) or "point", used), str(name), 1, (lat, lon))
        for name, (lat, lon) in rows
    ]


def _read_points(path: Path) -> pd.DataFrame:
    if path.suffix.casefold() in {".csv", ".txt"}:
        table = pd.read_csv(path, keep_default_na=False, encoding="utf-8")
    else:
        is_parquet = path.suffix in {".parquet", ".geoparquet"}
        places = gpd.read_parquet(path) if is_parquet else gpd.read_file(path)
        places = places.to_crs("EPSG:4326") if places.crs is not None else places
        kinds = sorted(set(places.geom_type))
        if kinds != ["Point"]:
            msg = f"Expected points in {path}, but got {kinds}"
            raise ValueError(msg)
        table = pd.DataFrame(places.drop(columns="geometry"))
        table["lat"], table["lon"] = places.geometry.y, places.geometry.x
    table.columns = [str(column).strip().casefold() for column in table.columns]
    return table


def _by_country(
    cities: pd.DataFrame, countries: Sequence[str]
) -> Iterator[tuple[pd.DataFrame, str]]:
    if not countries:
        yield cities, ""
        return
    if "country" not in cities.columns:
        msg = f"Expected a column 'country' to pick {list(countries)} by: got {list(cities)}"
        raise ValueError(msg)
    codes = {name: code_of(str(name)) for name in cities["country"].unique()}
    of_row = cities["country"].map(codes)
    for country in countries:
        yield cities[of_row == code_of(country)], country


def _numbers(column: "pd.Series[float]", name: str, path: Path) -> NDArray[np.float64]:
    """A column as floats; the error names the first row that is none."""
    values = pd.to_numeric(column, errors="coerce")
    bad = np.flatnonzero(values.isna())
    if len(bad):
        row = int(bad[0])
        text = str(column.iloc[row])[:40]
        msg = f"{path}, row {row + 1}: expected a number as {name}, got {text!r} ({len(bad)} such)"
        raise ValueError(msg)
    return values.to_numpy(dtype=np.float64)


def _check_columns(table: pd.DataFrame, columns: Sequence[str], path: Path) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing or table.empty:
        got = f"{len(table)} rows with {list(table.columns)}"
        msg = f"{path}: expected rows with the columns {tuple(columns)}, got {got}"
        raise ValueError(msg)


def _check_wanted(counts: Sequence[int]) -> None:
    if not counts or min(counts) < 1:
        msg = f"Expected at least one place in each area, but got {list(counts)}"
        raise ValueError(msg)


def _slug(name: str) -> str:
    """A name in small letters, digits and `-`: "São Paulo" is `sao-paulo`; others are left out."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
    slug = "-".join("".join(c if c.isalnum() else " " for c in plain).split())[:60]
    return slug if slug and is_safe(slug) else ""


def _free(code: str, used: set[str]) -> str:
    """The code, with a number behind it where it was used before."""
    number, free = 1, code
    while free in used:
        number += 1
        free = f"{code}-{number}"
    used.add(free)
    return free
