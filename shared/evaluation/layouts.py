"""Other data sets as they lie on a disk: their photos and what is known of each. Degrees.

* `"im2gps"`, `"im2gps3k"`, `"yfcc4k"`: a table as of github.com/TIBHannover/GeoEstimation
  (`im2gps_places365.csv`, `im2gps3k_places365.csv`, `yfcc25600_places365.csv`, of which YFCC4k is a
  part): `IMG_ID` (a file name, perhaps with folders), `LAT`, `LON` and more. One published version
  of the Im2GPS3k table (commit 3487c53) heads its latitudes `LON` and its longitudes `LAT`; that is
  seen by latitudes beyond 90 degrees, and turned round.
* `"osv5m"`: `id, latitude, longitude` and perhaps `country, region, sub-region, city`, with photos
  `<id>.jpg` in any folders below.
* `"folder"`: photos, each with a record beside it (`<name>.json`, with `coordinates` or
  `country_code`), or without: then nothing is known of it but the guess.

Tables are read with `keep_default_na=False`: "NA" is Namibia. Photos of one point are one place.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from shared.data_loader import DataListError, read_record
from shared.gazetteer import nearest_place_codes
from shared.partitions import Partition
from shared.processing.places import place_keys

LAYOUTS = ("im2gps", "im2gps3k", "yfcc4k", "osv5m", "folder")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
ID_COLUMNS = ("IMG_ID", "img_id", "id", "image_id", "filename")
LAT_COLUMNS = ("LAT", "latitude", "lat", "true_lat")
LON_COLUMNS = ("LON", "longitude", "lon", "lng", "true_lon")


@dataclass(frozen=True)
class Photo:
    """A photo that lies somewhere: what the cache of decoded photos asks for."""

    id: str
    image: Path


@dataclass(frozen=True)
class Foreign:
    """A data set of another layout.

    Attributes:
        photos: those whose file is there, by id.
        truth: indexed by id: `place`, `code` (country, "" unknown), `lat`, `lon` (NaN unknown).
        labels: `country`, `region`, `area`, `city` as the table tells them, "" where it does not.
        notes: what was found on reading, for the report.
    """

    photos: list[Photo]
    truth: pd.DataFrame
    labels: pd.DataFrame
    notes: list[str]


def layout_of(path: Path) -> str:
    """The layout that a file or folder seems to have.

    Raises:
        FileNotFoundError: when there is nothing.
        ValueError: when it is a file of another kind.
    """
    if not path.exists():
        msg = f"Expected a folder of photos or a CSV table at {path}, but there is nothing"
        raise FileNotFoundError(msg)
    if path.is_dir():
        return "folder"
    name, columns = path.name.lower(), _header(path)
    if "IMG_ID" in columns:
        return "im2gps3k" if "3k" in name else "yfcc4k" if "yfcc" in name else "im2gps"
    if {"id", "latitude", "longitude"} <= columns:
        return "osv5m"
    msg = (
        f"Expected a table of Im2GPS, YFCC4k (IMG_ID, LAT, LON) or OSV-5M (id, latitude, "
        f"longitude) at {path}, but its columns are {sorted(columns)[:12]}"
    )
    raise ValueError(msg)


def read_foreign(
    path: Path, images: Path | None = None, layout: str = "", countries: Partition | None = None
) -> Foreign:
    """Read a data set of another layout.

    Args:
        path: its table, or its folder of photos.
        images: where the photos of a table lie, in any folders below; None: beside the table.
        layout: one of `LAYOUTS`; "" to tell it from the path.
        countries: names the countries of points; None: the gazetteer does.

    Raises:
        FileNotFoundError: when the table, or all of its photos, are missing.
        ValueError: for another layout, or a table without its columns.
    """
    kind = layout or layout_of(path)
    if kind not in LAYOUTS:
        msg = f"Expected a layout of {LAYOUTS}, or '', but got {kind!r}"
        raise ValueError(msg)
    known, notes = _folder(path) if kind == "folder" else _table(path)
    files = photo_files(path if kind == "folder" else images or path.parent)
    found = {id_: files[key] for id_ in known.index if (key := _key(id_)) in files}
    if not found:
        msg = f"Expected photos of {path} below {images or path.parent}, but found none of them"
        raise FileNotFoundError(msg)
    if len(found) < len(known):
        notes.append(f"{len(known) - len(found):,} of {len(known):,} photos are not there.")
    known = known.loc[sorted(found)]
    known["code"] = _codes(known, countries)
    known["place"] = place_keys(known[["lat", "lon"]])
    labels = known[["country", "region", "area", "city"]]
    photos = [Photo(id_, found[id_]) for id_ in known.index]
    return Foreign(photos, known[["place", "code", "lat", "lon"]], labels, notes)


def photo_files(folder: Path) -> dict[str, Path]:
    """All photos below a folder, by file name without suffix; the first of equal names."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            found.setdefault(path.stem, path)
    return found


def read_labels(table: pd.DataFrame) -> pd.DataFrame:
    """Country, region, area and city of a table, "" where it has none."""
    columns = {"country": "country", "region": "region", "area": "sub-region", "city": "city"}
    return pd.DataFrame(
        {
            level: table.get(name, pd.Series("", index=table.index))
            for level, name in columns.items()
        },
        dtype=object,
    )


def unknown_to(codes: Iterable[str], classes: Iterable[str]) -> dict[str, int]:
    """The countries that a model cannot name, with how many photos each has, by falling number.

    Args:
        codes: the country of each photo, "" where it is not known.
        classes: the countries that the model knows.
    """
    known = set(classes)
    counts = pd.Series([code for code in codes if code and code not in known]).value_counts()
    ordered = sorted(counts.items(), key=lambda item: (-int(item[1]), str(item[0])))
    return {str(code): int(count) for code, count in ordered}


def _table(path: Path) -> tuple[pd.DataFrame, list[str]]:
    if not path.is_file():
        msg = f"Expected a table at {path}, but there is none"
        raise FileNotFoundError(msg)
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    id_, lat, lon = (
        _column(table, names, path) for names in (ID_COLUMNS, LAT_COLUMNS, LON_COLUMNS)
    )
    if table[id_].duplicated().any():
        first = table[id_][table[id_].duplicated()].iloc[0]
        msg = f"{path}: expected each {id_} once, but {first} comes again"
        raise ValueError(msg)
    points = {name: pd.to_numeric(table[name], errors="coerce") for name in (lat, lon)}
    notes = []
    if (points[lat].abs() > 90).any() and not (points[lon].abs() > 90).any():
        points[lat], points[lon] = points[lon], points[lat]
        notes.append(f"The columns {lat} and {lon} were swapped: turned round.")
    known = read_labels(table).assign(lat=points[lat], lon=points[lon])
    known.index = pd.Index(table[id_].astype(str), name="id")
    outside = known["lat"].isna() | known["lon"].isna()
    outside |= (known["lat"].abs() > 90) | (known["lon"].abs() > 180)
    if outside.any():
        notes.append(f"{int(outside.sum()):,} rows have no point on the Earth: left out.")
    return known[~outside], notes


def _folder(path: Path) -> tuple[pd.DataFrame, list[str]]:
    files = photo_files(path)
    if not files:
        msg = f"Expected photos ({', '.join(SUFFIXES)}) below {path}, but found none"
        raise FileNotFoundError(msg)
    rows, unread = {}, 0
    for name, image in files.items():
        record: Mapping[str, object] = {}
        beside = image.with_suffix(".json")
        if beside.is_file():
            try:
                record = read_record(beside)
            except (DataListError, ValueError):
                unread += 1
        rows[name] = _of_record(record)
    known = pd.DataFrame.from_dict(rows, orient="index").rename_axis("id")
    notes = (
        [f"{unread:,} records cannot be read: nothing is known of their photos."] if unread else []
    )
    blank = int((known["lat"].isna() & (known["country"] == "")).sum())
    if blank:
        notes.append(f"Of {blank:,} photos neither place nor country is known.")
    return known, notes


def _of_record(record: Mapping[str, object]) -> dict[str, object]:
    point = record.get("coordinates")
    lat, lon = point if isinstance(point, list) and len(point) == 2 else (np.nan, np.nan)
    if not all(isinstance(v, int | float) for v in (lat, lon)) or abs(lat) > 90 or abs(lon) > 180:
        lat, lon = np.nan, np.nan
    code = record.get("country_code")
    country = code if isinstance(code, str) else ""
    return {"lat": float(lat), "lon": float(lon), "country": country} | dict.fromkeys(
        ("region", "area", "city"), ""
    )


def _codes(known: pd.DataFrame, countries: Partition | None) -> pd.Series:
    """The table's own country where it has one; else that of the point; else ""."""
    codes = known["country"].astype(object).copy()
    asked = (codes == "") & known["lat"].notna()
    if asked.any():
        points = known.loc[asked, ["lat", "lon"]].to_numpy(dtype=np.float64)
        codes[asked] = countries.label(points) if countries else nearest_place_codes(points)[0]
    return codes


def _column(table: pd.DataFrame, names: Iterable[str], path: Path) -> str:
    for name in names:
        if name in table.columns:
            return name
    msg = f"{path}: expected one of the columns {list(names)}, but got {list(table.columns)[:12]}"
    raise ValueError(msg)


def _header(path: Path) -> set[str]:
    try:
        return set(pd.read_csv(path, nrows=0).columns)
    except (ValueError, UnicodeDecodeError) as error:
        msg = f"Expected a CSV table at {path}: {error}"
        raise ValueError(msg) from error


def _key(id_: str) -> str:
    name = Path(id_)
    return name.stem if name.suffix.lower() in SUFFIXES else name.name
