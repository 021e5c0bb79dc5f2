"""Lost & Found's published data set: Kaggle's folders `data` and `data_mapped`, as pairs.

The ids are those of Lost & Found: `location_<x>.png` and `location_<x>.json` of the download and
`geoguessr_location_<x>.png` and `geoguessr_result_<x>.json` of its scraper become `<x>.png` and
`<x>.json`. Names without `singleplayer_` or `multiplayer_` get the first, as its own import does:
all that it published was played alone.
"""

import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from shared.collection.public.account import Skips, Source
from shared.collection.public.gathering import TWICE, in_countries, only_wanted, record_text
from shared.countries import UnknownCountryError, code_of
from shared.data_loader.archives import read_member
from shared.data_loader.config import transfer
from shared.data_loader.errors import DataListError
from shared.data_loader.files import parse_record
from shared.data_loader.names import IMAGE_SUFFIXES, RECORD_SUFFIX, is_safe

PARTS = ("data", "data_mapped")
PREFIXES = ("geoguessr_location_", "geoguessr_result_", "location_", "result_")
MODES = ("singleplayer_", "multiplayer_")
SOURCE = Source(
    name="Lost & Found: street location images",
    address="kaggle.com/datasets/killusions/street-location-images",
    licence="as its page on Kaggle states; the pictures are screenshots of Google Street View",
    asks="Read the page's licence before you download; do not pass the pictures on.",
)


class LostAndFound:
    """The adapter of the unpacked download, or of its zip."""

    source = SOURCE

    def __init__(self, folder: str, parts: Sequence[str] = PARTS) -> None:
        """Prepare; nothing is read yet.

        Args:
            folder: holds `data` and `data_mapped`; or the zip as it was downloaded.
            parts: which of the two are used. A pair in both is used once.

        Raises:
            DataListError: another part.
        """
        unknown = sorted(set(parts) - set(PARTS))
        if unknown or not parts:
            msg = f"parts: expected some of {PARTS}, got {list(parts)}"
            raise DataListError(msg)
        self._files = Files(Path(folder).expanduser())
        self._parts = [part for part in PARTS if part in parts]
        self._images: dict[str, str] = {}
        self._inside: dict[str, dict[str, None]] = {}  # the parts of each id, in order
        self._records: dict[str, dict[str, Any]] = {}

    def ids(self, countries: frozenset[str], skips: Skips) -> Iterable[str]:
        """The ids of the whole pairs that say a place."""
        records = self._list(skips)
        if not records and not self._images:
            msg = (
                f"expected pairs in the folders {' and '.join(self._parts)}, got none; name the "
                "folder that holds them, or the zip, in the parameter address"
            )
            raise DataListError(msg)
        for name in sorted(records.keys() - self._images.keys()):
            skips.add("a record without a picture", records[name])
        for name in sorted(self._images.keys() - records.keys()):
            skips.add("a picture without a record", self._images[name])
        for name in sorted(records.keys() & self._images.keys()):
            self._read(name, records[name], skips)
        names = list(self._records)
        yield from only_wanted(names, self._wanted(names, countries), skips)

    def record(self, name: str) -> bytes:
        """The record as it was published, with the parts it is in, and the source."""
        return record_text(self._records[name], self.source)

    def images(self, names: Sequence[str], skips: Skips) -> Iterator[tuple[str, bytes]]:
        """The pictures."""
        for name in names:
            try:
                yield name, self._files.read(self._images[name])
            except (OSError, zipfile.BadZipFile) as error:
                skips.add(f"the picture cannot be read ({type(error).__name__})", name)

    def _list(self, skips: Skips) -> dict[str, str]:
        """Find the pictures, and the paths of the records by id; the first part goes first."""
        records: dict[str, str] = {}
        for path in self._files.names(skips):
            part = next((part for part in PARTS if part in path.split("/")[:-1]), "")
            name, suffix = _split(path.rpartition("/")[2])
            if part not in self._parts or not name:
                continue
            table = records if suffix == RECORD_SUFFIX else self._images
            if name in table and part in table[name].split("/"):
                skips.add(TWICE, path)
            table.setdefault(name, path)
            self._inside.setdefault(name, {})[part] = None
        return records

    def _read(self, name: str, path: str, skips: Skips) -> None:
        try:
            record = parse_record(self._files.read(path), path)
        except (DataListError, OSError, zipfile.BadZipFile):
            skips.add("a record that is no JSON object", path)
            return
        if fault := _fault(record):
            skips.add(fault, path)
        else:
            self._records[name] = {**record, "parts": list(self._inside[name])}

    def _wanted(self, names: Sequence[str], countries: frozenset[str]) -> list[bool]:
        """Whether each is in one of the countries: by its coordinates, else by the name."""
        points = [self._records[name].get("coordinates") for name in names]
        placed = iter(in_countries([(p[0], p[1]) for p in points if p is not None], countries))
        return [
            _names_one(self._records[name], countries) if point is None else next(placed)
            for name, point in zip(names, points, strict=True)
        ]


class Files:
    """The files of a folder or of a zip, by their paths with forward slashes."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._zip = zipfile.ZipFile(place) if zipfile.is_zipfile(place) else None
        if self._zip is None and not place.is_dir():
            msg = (
                f"{place}: expected the unpacked folder of {SOURCE.address} (with the folders "
                f"{' and '.join(PARTS)}) or its zip, got nothing; download it and name it here"
            )
            raise DataListError(msg)

    def names(self, skips: Skips) -> Iterator[str]:
        """All paths, sorted; unsafe ones, and members of a zip that are too large, are noted."""
        limit = int(transfer().max_file_mb * 1e6)
        for path, size in sorted(self._walk()):
            parts = path.split("/")
            if any(not is_safe(part) for part in parts if part):
                skips.add("an unsafe path", repr(path))
            elif size > limit:
                skips.add(f"a file of more than {limit:,} bytes", path)
            else:
                yield path

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        if self._zip is not None:
            return read_member(self._zip, self._zip.getinfo(path))
        return (self._place / path).read_bytes()

    def _walk(self) -> Iterator[tuple[str, int]]:
        if self._zip is not None:
            yield from ((i.filename, i.file_size) for i in self._zip.infolist() if not i.is_dir())
            return
        for folder, folders, names in os.walk(self._place):
            folders[:] = [name for name in folders if not name.startswith(".")]
            below = Path(folder).relative_to(self._place)
            for name in names:
                if not name.startswith("."):
                    yield (below / name).as_posix(), (Path(folder) / name).stat().st_size


def _split(file_name: str) -> tuple[str, str]:
    """The id and the suffix of a file of a pair; two empty texts for any other."""
    stem, suffix = os.path.splitext(file_name)  # noqa: PTH122
    if suffix.lower() not in (*IMAGE_SUFFIXES, RECORD_SUFFIX):
        return "", ""
    for prefix in PREFIXES:
        if stem.startswith(prefix) and stem != prefix:
            stem = stem.removeprefix(prefix)
            break
    return (stem if stem.startswith(MODES) else MODES[0] + stem), suffix.lower()


def _fault(record: dict[str, Any]) -> str:
    """Why a record says no place, or nothing."""
    point = record.get("coordinates")
    if point is None:
        country = record.get("country")
        return "" if isinstance(country, str) and country else "a record without a place"
    is_point = (
        isinstance(point, list)
        and len(point) == 2
        and all(isinstance(x, int | float) and not isinstance(x, bool) for x in point)
    )
    if not is_point or not (abs(point[0]) <= 90 and abs(point[1]) <= 180):
        return "coordinates that are no latitude and longitude"
    return "coordinates (0, 0), which is never a real answer" if not any(point) else ""


def _names_one(record: dict[str, Any], countries: frozenset[str]) -> bool:
    try:
        return not countries or code_of(record["country"]) in countries
    except UnknownCountryError:
        return False
