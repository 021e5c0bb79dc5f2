"""GeoGuessrAI's files as pairs: the cell, the place, the view and the month are in their names.

Two layouts are read, and mixtures of them:

    <cell>+<lat>,<lon>/<view>_<yyyy-mm>.jpg
    <cell>+<lat>,<lon>+<view>_<yyyy-mm>.jpg

The parts may also be folders in folders (`<cell>/<lat>,<lon>/...`), joined by `-` in place of `_`,
or set off by spaces; the month may be missing. Degrees `(lat, lon)`. `<view>` is a heading in
degrees, or the number of the view where no file of the folder has a larger one than 11: a number
is no heading, so that the record has it as `view` alone.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from shared.collection.public.account import Skips, Source
from shared.collection.public.gathering import TWICE, in_countries, only_wanted, record_text
from shared.data_loader.errors import DataListError

MOST_NUMBERS = 12  # views a place that are numbered; larger numbers are degrees

_NAME = re.compile(
    r"(?:^|\+)\s*(?P<cell>\d{1,6})\s*\+\s*"
    r"(?P<lat>-?\d{1,2}(?:\.\d+)?)\s*,\s*(?P<lon>-?\d{1,3}(?:\.\d+)?)\s*\+\s*"
    r"(?P<view>\d{1,3})(?:\s*[_-]\s*(?P<year>\d{4})\s*-\s*(?P<month>0[1-9]|1[0-2]))?\s*"
    r"\.(?:jpe?g|png|webp)",
    re.IGNORECASE,
)


class GeoguessrAI:
    """The adapter of a folder of GeoGuessrAI's."""

    def __init__(self, folder: str, licence: str = "") -> None:
        """Prepare; nothing is read yet.

        Args:
            folder: where the files are, such as `data` or `dataCombined`.
            licence: under which they may be used; goes to the records.

        Raises:
            DataListError: there is no such folder.
        """
        self._folder = Path(folder).expanduser().resolve()
        if not self._folder.is_dir():
            msg = f"{folder}: expected a folder of GeoGuessrAI's files, got none"
            raise DataListError(msg)
        self._records: dict[str, dict[str, Any]] = {}
        self._paths: dict[str, Path] = {}
        self.source = Source(
            name="GeoGuessrAI's files",
            address=f"a folder named {self._folder.name}",
            licence=licence or "not stated; Google imagery",
            asks="Not to be passed on: the pictures are Google's.",
        )

    def ids(self, countries: frozenset[str], skips: Skips) -> Iterable[str]:
        """The ids of the files whose names say a place."""
        for path, record in self._named(skips):
            name = id_of(record)
            if name in self._records:
                skips.add(TWICE, path)
                continue
            self._records[name] = record
            self._paths[name] = self._folder / path
        self._read_headings()
        names = sorted(self._records)
        points = [tuple(self._records[name]["coordinates"]) for name in names]
        yield from only_wanted(names, in_countries(points, countries), skips)

    def record(self, name: str) -> bytes:
        """What the name says."""
        return record_text(self._records[name], self.source)

    def images(self, names: Sequence[str], skips: Skips) -> Iterator[tuple[str, bytes]]:
        """The pictures."""
        for name in names:
            try:
                yield name, self._paths[name].read_bytes()
            except OSError as error:
                skips.add(f"the picture cannot be read ({type(error).__name__})", name)

    def _named(self, skips: Skips) -> Iterator[tuple[str, dict[str, Any]]]:
        for path in sorted(_files(self._folder)):
            record = read_name(path)
            if record is None:
                skips.add("a name that is not GeoGuessrAI's", path)
            else:
                yield path, record

    def _read_headings(self) -> None:
        views = {record["view"] for record in self._records.values()}
        if views and max(views) >= MOST_NUMBERS:
            for record in self._records.values():
                record["heading"] = record.pop("view") % 360


def read_name(path: str) -> dict[str, Any] | None:
    """What a file's path says, or None where it is none of GeoGuessrAI's.

    Args:
        path: below the folder, with forward slashes; its last three parts at most are looked at.

    Returns:
        `cell`, `coordinates` (degrees), `place`, `view`, and `date` and `month` where it has them.
    """
    found = _NAME.fullmatch("+".join(path.split("/")[-3:])) or _NAME.fullmatch(
        "+".join(path.split("/")[-2:])
    )
    found = found or _NAME.fullmatch(path.split("/")[-1])
    if found is None:
        return None
    lat, lon = float(found["lat"]), float(found["lon"])
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        return None
    record: dict[str, Any] = {
        "cell": int(found["cell"]),
        "coordinates": [lat, lon],
        "place": f"{int(found['cell']):04d}_{found['lat']}_{found['lon']}",
        "view": int(found["view"]),
    }
    if found["year"]:
        record |= {"date": f"{found['year']}-{found['month']}", "month": int(found["month"])}
    return record


def id_of(record: dict[str, Any]) -> str:
    """The id of a pair: its place, its view and its month."""
    view = record.get("view", record.get("heading"))
    parts = (record["place"], view, record.get("date"))
    return "_".join(str(part) for part in parts if part is not None)


def _files(folder: Path) -> Iterator[str]:
    """Paths of files below a folder, with forward slashes; hidden ones are passed over."""
    for inner, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                yield (Path(inner).relative_to(folder) / name).as_posix()
