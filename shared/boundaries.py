"""Polygons of countries: reading and downloading them; areas and middles of polygons.

Polygons are in EPSG:4326, `(lon, lat)` inside their geometries as every library has it; all
points that go in and out of here are `(lat, lon)`, degrees. `PolygonIndex` searches polygons.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio

from shared.countries import UnknownCountryError, all_codes, code_of, name_of, resolve_territory
from shared.polygon_index import PolygonIndex

__all__ = [
    "CRS",
    "PolygonIndex",
    "country_of_values",
    "country_polygons",
    "natural_earth_path",
    "pinned_geodata",
    "read_polygons",
    "world_outlines",
]

logger = logging.getLogger(__name__)

CRS = "EPSG:4326"
GEODATA_OPTION = "GEODATA"
GEODATA_VARIABLE = f"LOST_AND_FOUND_{GEODATA_OPTION}"  # in the environment, or in `.env`
NATURAL_EARTH = "natural-earth-50m"
# Natural Earth 4.0 (2017), public domain, converted to GeoJSON; pinned to a commit.
NATURAL_EARTH_URL = (
    "https://raw.githubusercontent.com/martynafford/natural-earth-geojson/"
    "0b9a6ceb0a7032713abd9460ac1e995a9c60cd1e/50m/cultural/ne_50m_admin_0_countries.json"
)
NATURAL_EARTH_SHA256 = "27cd8c4db795ace2bac42ec606376f13c9b08e38aff1b8e7af3582ea98d23aa8"
NATURAL_EARTH_NAMES = ("ne_50m_admin_0_countries.geojson", "ne_50m_admin_0_countries.json")
# Natural Earth's own three letters where it gives no ISO code, or none that stays. The Siachen
# Glacier (KAS) belongs to nobody there and is left out.
NATURAL_EARTH_CODES = {
    "ALD": "AX",
    "ATC": "AU",
    "CLP": "FR",
    "CNM": "CY",
    "CSI": "AU",
    "CYN": "CY",
    "ESB": "CY",
    "FRA": "FR",
    "IOA": "AU",
    "KAB": "KZ",
    "KOS": "XK",
    "NOR": "NO",
    "PSX": "PS",
    "SAH": "EH",
    "SDS": "SS",
    "SOL": "SO",
    "USG": "CU",
    "WSB": "CY",
}


def country_polygons(source: str, territories: str = "own") -> gpd.GeoDataFrame:
    """Polygons of countries, one row a country: `code`, `name`, `geometry`, sorted by code.

    Args:
        source: the path of a GeoJSON, GeoParquet or other file that pyogrio reads, or
            `"natural-earth-50m"`. That is looked for in the folder that the environment variable
            LOST_AND_FOUND_GEODATA names, and downloaded where it is not there.
        territories: `"own"`, or `"sovereign"` to join territories to their sovereigns.

    Raises:
        FileNotFoundError: when there is no such file, or it cannot be downloaded.
        ValueError: when the file has no column that tells countries.
    """
    path = natural_earth_path() if source == NATURAL_EARTH else Path(source)
    if not path.exists():
        msg = (
            f"Expected country polygons at {path}. Give the path of a GeoJSON or GeoParquet file, "
            f"{NATURAL_EARTH!r}, or an empty string: then the gazetteer alone names countries"
        )
        raise FileNotFoundError(msg)
    return _by_country(read_polygons(path), path, territories)


def natural_earth_path() -> Path:
    """Where Natural Earth's 50m countries lie, downloaded and checked when they must be.

    Raises:
        FileNotFoundError: when they are not there and cannot be downloaded.
    """
    return pinned_geodata(
        NATURAL_EARTH_NAMES,
        NATURAL_EARTH_URL,
        NATURAL_EARTH_SHA256,
        "another file of polygons, or an empty string: then the gazetteer alone names countries",
    )


def pinned_geodata(names: Sequence[str], url: str, sha256: str, otherwise: str) -> Path:
    """Where a file of geodata lies: in the folder of LOST_AND_FOUND_GEODATA, or downloaded.

    Args:
        names: its names in that folder; the first is that of a download.
        url: where it is downloaded from.
        sha256: what the download is held to.
        otherwise: what else may be given, for the error: "give the path of ...".

    Raises:
        FileNotFoundError: when it is not there and cannot be downloaded.
    """
    from shared.data_loader.config import option  # here: who only draws a map needs no data-loader

    folder = option(GEODATA_OPTION)
    for name in names if folder else ():
        path = Path(str(folder)) / name
        if path.exists():
            return path
    import pooch  # here, not above: it imports tqdm.auto, which warns in every notebook

    try:
        fetched = pooch.retrieve(
            url,
            known_hash=f"sha256:{sha256}",
            fname=names[0],
            path=pooch.os_cache("lost-and-found"),
        )
    except (OSError, ValueError) as error:
        msg = (
            f"Could not download {url} ({error}). Without network: put {names[0]} in a folder and "
            f"name it in {GEODATA_VARIABLE}, give the path of {otherwise}"
        )
        raise FileNotFoundError(msg) from error
    return Path(fetched)


def read_polygons(path: Path) -> gpd.GeoDataFrame:
    """A file of polygons, GeoParquet or whatever pyogrio reads, in degrees."""
    is_parquet = path.suffix in {".parquet", ".geoparquet"}
    table = gpd.read_parquet(path) if is_parquet else gpd.read_file(path)
    return table.to_crs(CRS)


def world_outlines() -> gpd.GeoDataFrame:
    """Coarse outlines of 177 countries for the background of maps: `code, name, geometry`.

    They come with pyogrio's wheel (Natural Earth 110m, public domain), so that no network is
    needed. They are too coarse to tell countries of points by.

    Raises:
        FileNotFoundError: when the installed pyogrio carries none.
    """
    folder = Path(pyogrio.__file__).parent / "tests" / "fixtures" / "naturalearth_lowres"
    path = folder / "naturalearth_lowres.shp"
    if not path.exists():
        msg = f"Expected outlines at {path}. Install pyogrio from its wheel (poetry.lock)"
        raise FileNotFoundError(msg)
    return _by_country(gpd.read_file(path).to_crs(CRS), path, "own")


def country_of_values(values: tuple[Any, ...]) -> str | None:
    """The first of a row's values that is, or stands for, a country code; None: there is none."""
    for value in values:
        if pd.isna(value) or str(value).strip() in {"", "-99", "-1"}:
            continue
        text = str(value).strip()
        if text in NATURAL_EARTH_CODES:
            return NATURAL_EARTH_CODES[text]
        if text in all_codes():
            return text
        try:
            return code_of(text)
        except UnknownCountryError:
            continue
    return None


def _by_country(table: gpd.GeoDataFrame, path: Path, territories: str) -> gpd.GeoDataFrame:
    """Rows joined by country code, with the codes fixed."""
    columns = {str(column).casefold(): column for column in table.columns}
    known = [
        c for c in ("code", "iso_a2_eh", "iso_a2", "adm0_a3", "iso_a3", "name") if c in columns
    ]
    if not known:
        msg = f"Expected a column 'code', 'ISO_A2' or 'ISO_A3' in {path}: got {list(table.columns)}"
        raise ValueError(msg)
    values = table[[columns[c] for c in known]].astype(object)
    codes = [country_of_values(row) for row in values.itertuples(index=False, name=None)]
    for name, code in zip(values.iloc[:, -1], codes, strict=True):
        if code is None:
            logger.info("%s: no country code for %r, left out", path, name)
    coded = table[["geometry"]].assign(code=codes).dropna(subset=["code"])
    coded["code"] = [resolve_territory(code, territories) for code in coded["code"]]
    joined = coded.dissolve("code", sort=True).reset_index()
    joined["name"] = joined["code"].map(name_of)
    return joined[["code", "name", "geometry"]]
