"""Photos of your own: a folder of pictures with GPS in EXIF, or a table that says where they are.

The table is CSV or Parquet: `path` (below the folder), and `lat, lon` or `country`; `heading`,
`place` and `date` are kept where they are there. Degrees `(lat, lon)`. Whatever EXIF holds stays
out of what is written; of it only the position, the true heading and the day go to the record.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from shared.collection.public.account import Skips, Source
from shared.collection.public.gathering import TWICE, in_countries, only_wanted, record_text
from shared.collection.public.pictures import PictureFault, exif_place
from shared.countries import UnknownCountryError, code_of
from shared.data_loader.errors import DataListError
from shared.data_loader.names import IMAGE_SUFFIXES

SYNONYMS = {"latitude": "lat", "longitude": "lon", "lng": "lon", "file": "path", "filename": "path"}
COLUMNS = ("path", "lat", "lon", "country", "heading", "place", "date")
HEX_DIGITS = 8  # of the digest that keeps apart files of one name in several folders

_PLAIN = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_+.\-]{0,80}")
_OTHER = re.compile(r"[^0-9A-Za-z_+\-]+")


class OwnPhotos:
    """The adapter of a folder, with or without a table."""

    def __init__(self, folder: str, table: str = "", licence: str = "") -> None:
        """Prepare; nothing is read yet.

        Args:
            folder: where the pictures are, in whatever folders below it.
            table: the path of a CSV or Parquet table; "" to read EXIF.
            licence: under which the pictures may be used; goes to the records.

        Raises:
            DataListError: there is no such folder or table.
        """
        self._folder = Path(folder).expanduser().resolve()
        self._table = Path(table).expanduser() if table else None
        if not self._folder.is_dir():
            msg = f"{folder}: expected a folder of photos, got none; name one that is there"
            raise DataListError(msg)
        if self._table is not None and not self._table.is_file():
            msg = f"{table}: expected a CSV or Parquet table, got none; name one that is there"
            raise DataListError(msg)
        self._records: dict[str, dict[str, Any]] = {}
        self._paths: dict[str, Path] = {}
        self.source = Source(
            name="own photos",
            address=f"a folder named {self._folder.name}"
            + (f", table {self._table.name}" if self._table else ", places from EXIF"),
            licence=licence or "not stated",
            asks="Yours to pass on or not; mind the people and the homes that can be seen.",
        )

    def ids(self, countries: frozenset[str], skips: Skips) -> Iterable[str]:
        """The ids of the pictures that have a place."""
        found = self._from_table(self._table, skips) if self._table else self._from_exif(skips)
        for path, record in found:
            name = id_of(path)
            if name in self._records:
                skips.add(TWICE, path)
                continue
            self._records[name] = record
            self._paths[name] = self._folder / path
        names = sorted(self._records)
        yield from only_wanted(names, self._wanted(names, countries), skips)

    def record(self, name: str) -> bytes:
        """Where it is, and what else is known."""
        return record_text(self._records[name], self.source)

    def images(self, names: Sequence[str], skips: Skips) -> Iterator[tuple[str, bytes]]:
        """The pictures."""
        for name in names:
            try:
                yield name, self._paths[name].read_bytes()
            except OSError as error:
                skips.add(f"the picture cannot be read ({type(error).__name__})", name)

    def _from_exif(self, skips: Skips) -> Iterator[tuple[str, dict[str, Any]]]:
        for path in sorted(_pictures(self._folder, skips)):
            try:
                place = exif_place((self._folder / path).read_bytes())
            except PictureFault as fault:
                skips.add(str(fault), path)
            except OSError as error:
                skips.add(f"the picture cannot be read ({type(error).__name__})", path)
            else:
                point = [round(place.lat, 7), round(place.lon, 7)]  # a centimetre
                yield path, {"coordinates": point, "heading": place.heading, "date": place.date}

    def _from_table(self, table: Path, skips: Skips) -> Iterator[tuple[str, dict[str, Any]]]:
        for number, row in enumerate(read_table(table).iter_rows(named=True), start=1):
            path = str(row.get("path") or "")
            where = f"row {number}: {path}"
            if not self._is_inside(path):
                skips.add("a path that is not below the folder", where)
            elif not (self._folder / path).is_file():
                skips.add("no file at its path", where)
            elif PurePosixPath(path).suffix.lower() not in IMAGE_SUFFIXES:
                skips.add("no JPEG, PNG or WebP", where)
            elif isinstance(record := _record(row), str):
                skips.add(record, where)
            else:
                yield PurePosixPath(path).as_posix(), record

    def _is_inside(self, path: str) -> bool:
        return bool(path) and (self._folder / path).resolve().is_relative_to(self._folder)

    def _wanted(self, names: Sequence[str], countries: frozenset[str]) -> list[bool]:
        records = [self._records[name] for name in names]
        points = [record["coordinates"] for record in records if "coordinates" in record]
        placed = iter(in_countries([(lat, lon) for lat, lon in points], countries))
        return [
            next(placed)
            if "coordinates" in record
            else not countries or code_of(record["country"]) in countries
            for record in records
        ]


def id_of(path: str) -> str:
    """The id of a picture: its name, where that is plain; else as much of it, and a digest.

    It depends on the path alone, so that a picture that is added moves no other's id.
    """
    stem = PurePosixPath(path).with_suffix("").as_posix()
    if _PLAIN.fullmatch(stem):
        return stem
    digest = hashlib.sha256(stem.encode()).hexdigest()[:HEX_DIGITS]
    slug = _OTHER.sub("-", stem).strip("-")[-80:].lstrip("-+") or "photo"
    return f"{slug}-{digest}"


def read_table(path: Path) -> pl.DataFrame:
    """A table with the columns of `COLUMNS` that it has, as text ("NA" is Namibia).

    Raises:
        DataListError: it cannot be read, or says neither paths nor places.
    """
    is_parquet = path.suffix.lower() in {".parquet", ".pq"}
    try:
        table = pl.read_parquet(path) if is_parquet else pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        msg = f"{path.name}: expected a CSV or Parquet table, got: {str(error)[:200]}"
        raise DataListError(msg) from error
    names = {column: column.strip().casefold() for column in table.columns}
    names = {column: SYNONYMS.get(name, name) for column, name in names.items()}
    kept = {column: name for column, name in names.items() if name in COLUMNS}
    there = set(kept.values())
    if "path" not in there or not ({"lat", "lon"} <= there or "country" in there):
        msg = f"{path.name}: expected columns path, and lat, lon or country; got {table.columns}"
        raise DataListError(msg)
    if len(there) < len(kept):
        msg = f"{path.name}: expected one column for each of {COLUMNS}, got {table.columns}"
        raise DataListError(msg)
    return table.select(pl.col(column).cast(pl.String).alias(name) for column, name in kept.items())


def _record(row: Mapping[str, str | None]) -> dict[str, Any] | str:
    """A record from a row of texts, or why there is none."""
    record: dict[str, Any] = {key: row.get(key) for key in ("place", "date")}
    heading = _number(row.get("heading"))
    record["heading"] = None if heading is None else heading % 360
    lat, lon = _number(row.get("lat")), _number(row.get("lon"))
    if lat is not None and lon is not None:
        if not (abs(lat) <= 90 and abs(lon) <= 180):
            return "no latitude and longitude on the Earth"
        return {**record, "coordinates": [lat, lon]}
    country = row.get("country")
    if not country:
        return "neither latitude and longitude nor a country"
    try:
        code_of(country)
    except UnknownCountryError:
        return "a country that is not known"
    return {**record, "country": country}


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if abs(value) < 1e6 else None  # neither NaN nor infinite


def _pictures(folder: Path, skips: Skips) -> Iterator[str]:
    """Paths of pictures below a folder, with forward slashes; hidden ones are passed over."""
    for inner, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(inner).relative_to(folder)
        for name in sorted(names):
            path = (below / name).as_posix()
            if name.startswith("."):
                continue
            if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES:
                yield path
            else:
                skips.add("no JPEG, PNG or WebP", path)
