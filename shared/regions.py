"""The partition into regions: Natural Earth's admin-1 areas, or those of the gazetteer.

Degrees, points `(lat, lon)`. Codes are stable: ISO 3166-2 (`CH-ZH`) where the file gives one that
is its own there, else Natural Earth's `adm1_code` (`AFG-1753`), else `<country>.<number>`, counted
by name in the file. Names are unique: country, region and code. Countries are those of the file,
so that its borders hold; overseas departments that it draws as parts of their sovereign (Réunion)
have their own country, as everywhere here.

Without polygons the gazetteer's places of one first-level area are a region: a point belongs to
the region of the nearest place on the sphere. Places without an area join that of the nearest
place of their country that has one.
"""

import logging
import re
from collections import Counter
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from shared.areas import centroids, inner_points
from shared.boundaries import CRS, country_of_values, pinned_geodata, read_polygons
from shared.countries import name_of, resolve_territory, sovereign_of
from shared.gazetteer import gazetteer
from shared.geo import NearestPlaces
from shared.partitions import COLUMNS, OPTIONAL_COLUMNS, Partition
from shared.polygon_index import PolygonIndex

logger = logging.getLogger(__name__)

GAZETTEER = "gazetteer"
NATURAL_EARTH = "natural-earth-10m"
# Natural Earth 5.1.2 (2022), public domain, 40,726,851 bytes, about 4,600 areas; pinned to the
# commit of that release. The digest is the one by which several public projects, independently of
# each other, pin this very file: there was no network to take it again when this was written.
NATURAL_EARTH_URL = (
    "https://raw.githubusercontent.com/nvkelso/natural-earth-vector/"
    "f1890d9f152c896d250a77557a5751a93d494776/geojson/ne_10m_admin_1_states_provinces.geojson"
)
NATURAL_EARTH_SHA256 = "22d0e3ad85eb3e27f17cabf8ba2d50e554fbc27a87796ff891d958185da62fb5"
NATURAL_EARTH_NAME = "ne_10m_admin_1_states_provinces.geojson"

COUNTRY_COLUMNS = ("iso_a2", "iso_country", "adm0_a3", "admin", "country")
NAME_COLUMNS = ("name", "name_en", "gn_name", "woe_name", "geonunit")
ISO_3166_2 = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")


def regions_partition(source: str = GAZETTEER, territories: str = "own") -> Partition:
    """The partition `"regions"`, ordered by code.

    Args:
        source: `"gazetteer"` (or `""`): its places, no polygons, no network;
            `"natural-earth-10m"`: looked for in the folder LOST_AND_FOUND_GEODATA, downloaded
            where it is not there; or the path of a file of admin-1 polygons that pyogrio reads.
        territories: `"own"`, or `"sovereign"` to count territories to their sovereigns.

    Raises:
        FileNotFoundError: when there is no such file, or it cannot be downloaded.
        ValueError: when the file has no column that tells countries, or none that names areas.
    """
    if source in {"", GAZETTEER}:
        table = _of_gazetteer()
    else:
        path = natural_earth_regions_path() if source == NATURAL_EARTH else Path(source)
        table = _of_file(path)
    centres = centroids(table.geometry)
    inner = inner_points(table.geometry, centres)
    known = [resolve_territory(code, territories) if code else "" for code in table["country"]]
    whole = table.assign(
        country=known,
        name=[_full_name(*row) for row in table[["country", "name", "code"]].to_numpy()],
        lat=centres[:, 0],
        lon=centres[:, 1],
        inner_lat=inner[:, 0],
        inner_lon=inner[:, 1],
    )
    ordered = whole.sort_values("code", ignore_index=True)[COLUMNS + OPTIONAL_COLUMNS]
    return Partition("regions", gpd.GeoDataFrame(ordered, geometry="geometry", crs=CRS))


def natural_earth_regions_path() -> Path:
    """Where Natural Earth's 10m admin-1 areas lie, downloaded and checked when they must be.

    Raises:
        FileNotFoundError: when they are not there and cannot be downloaded.
    """
    return pinned_geodata(
        [NATURAL_EARTH_NAME],
        NATURAL_EARTH_URL,
        NATURAL_EARTH_SHA256,
        f"another file of admin-1 polygons, or {GAZETTEER!r}",
    )


def _full_name(country: str, region: str, code: str) -> str:
    owner = name_of(country) if country else "no country"
    return f"{owner}, {region} ({code})"


def _of_gazetteer() -> pd.DataFrame:
    """A row a first-level area: `code, name, country, geometry`, the places that lie in it."""
    places = gazetteer().assign(area=_areas_of_places())
    places = places.sort_values(["cc", "area"], kind="stable", ignore_index=True)
    area = places.groupby(["cc", "area"], sort=True).ngroup().to_numpy()
    points = shapely.points(places[["lon", "lat"]].to_numpy(dtype=float))
    table = places[["cc", "area"]].drop_duplicates(ignore_index=True)
    number = table.groupby("cc").cumcount() + 1
    return pd.DataFrame(
        {
            "code": table["cc"] + "." + number.astype(str).str.zfill(3),
            "name": [area or name_of(cc) for cc, area in table.to_numpy()],
            "country": table["cc"],
            "geometry": shapely.multipoints(points, indices=area),
        }
    )


def _areas_of_places() -> NDArray[Any]:
    """The first-level area of each place; "" in countries that have none."""
    table = gazetteer()
    areas = table["admin1"].to_numpy(dtype=object).copy()
    points = table[["lat", "lon"]].to_numpy(dtype=float)
    countries = table["cc"].to_numpy(dtype=object)
    for country in sorted(set(countries[areas == ""])):
        of_country = countries == country
        bare = np.flatnonzero(of_country & (areas == ""))
        named = np.flatnonzero(of_country & (areas != ""))
        if len(named):
            areas[bare] = areas[named[NearestPlaces(points[named]).query(points[bare])[0]]]
    return areas


def _of_file(path: Path) -> pd.DataFrame:
    """A row an area of a file: `code, name, country, geometry`."""
    if not path.exists():
        msg = (
            f"Expected admin-1 polygons at {path}. Give the path of a GeoJSON or GeoParquet file, "
            f"{NATURAL_EARTH!r}, or {GAZETTEER!r}: then its places stand for the regions"
        )
        raise FileNotFoundError(msg)
    table = read_polygons(path).rename(columns=str.casefold)
    countries = [c for c in COUNTRY_COLUMNS if c in table.columns]
    names = [c for c in NAME_COLUMNS if c in table.columns]
    if not countries or not names:
        msg = (
            f"Expected a column of {COUNTRY_COLUMNS} and one of {NAME_COLUMNS} in {path}: got "
            f"{list(table.columns)}"
        )
        raise ValueError(msg)
    shapes = _as_polygons(table.geometry.to_numpy())
    found = pd.DataFrame(
        {
            "iso": _texts(table, "iso_3166_2"),
            "adm1": _texts(table, "adm1_code"),
            "name": [_first_text(row) or "unnamed" for row in table[names].to_numpy(dtype=object)],
            "country": _countries(table[countries], shapes, path),
            "geometry": shapes,
        }
    )
    kept: pd.DataFrame = found[shapely.area(shapes) > 0].reset_index(drop=True)
    kept.insert(0, "code", _codes(kept))
    named: pd.DataFrame = kept.drop(columns=["iso", "adm1"])
    return named


def _as_polygons(shapes: NDArray[Any]) -> NDArray[Any]:
    """Valid polygons; the lines and points that mending leaves behind are dropped."""
    whole = shapely.make_valid(shapes)
    polygons = [
        shapely.union_all([part for part in shapely.get_parts(shape) if part.area > 0])
        if shapely.get_type_id(shape) == shapely.GeometryType.GEOMETRYCOLLECTION
        else shape
        for shape in whole
    ]
    return np.asarray(polygons, dtype=object)


def _texts(table: pd.DataFrame, column: str) -> list[str]:
    """A column as texts, "" where there is none."""
    if column not in table.columns:
        return [""] * len(table)
    return ["" if pd.isna(value) else str(value).strip() for value in table[column]]


def _first_text(values: NDArray[Any]) -> str:
    return next((str(v).strip() for v in values if not pd.isna(v) and str(v).strip()), "")


def _countries(columns: pd.DataFrame, shapes: NDArray[Any], path: Path) -> list[str]:
    """The country of each area: what the file says; of its places where that says nothing.

    Where most places of an area are of a territory of its country that the file does not draw
    under its own code, it is that territory.
    """
    values = columns.astype(object).itertuples(index=False, name=None)
    written = [country_of_values(row) or "" for row in values]
    drawn = set(written)
    rows, _ = PolygonIndex(shapes).label(gazetteer()[["lat", "lon"]].to_numpy(dtype=float))
    inside: dict[int, Counter[str]] = {}
    for row, code in zip(rows.tolist(), gazetteer()["cc"], strict=True):
        inside.setdefault(row, Counter())[str(code)] += 1
    inside.pop(-1, None)  # places that no area holds
    for row, counts in inside.items():
        most = counts.most_common(1)[0][0]
        is_territory = most not in drawn and sovereign_of(most) == written[row]
        if not written[row] or is_territory:
            written[row] = most
    for row in np.flatnonzero([not code for code in written]):
        logger.info("%s: no country for the area in row %d", path, row)
    return written


def _codes(table: pd.DataFrame) -> list[str]:
    """A code for each area, unique and the same for the same file."""
    iso = [code if ISO_3166_2.fullmatch(code) else "" for code in table["iso"]]
    counts = Counter(iso) + Counter(table["adm1"])
    number: Counter[str] = Counter()
    codes = np.full(len(table), "", dtype=object)
    middle = np.round(centroids(table.geometry), 3)
    order = np.lexsort((middle[:, 1], middle[:, 0], table["name"].to_numpy(dtype=str)))
    for row in order:
        country = table["country"].iloc[row] or "none"
        number[country] += 1
        own = next((c for c in (iso[row], table["adm1"].iloc[row]) if c and counts[c] == 1), "")
        codes[row] = own or f"{country}.{number[country]:03d}"
    return [str(code) for code in codes]
