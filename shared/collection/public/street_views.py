"""street-views: 1,602 Street View photos with coordinates, from a pinned commit on GitHub.

The table's countries were joined by the names of cities, and 28 are wrong: they are not read, and
stage 2 takes the country from the coordinates. Degrees `(lat, lon)`. Pictures are held to the
digests that the committed list of `street-views` knows.

Where the data set's list `1-collect` is committed, it says which pairs are used and what they are
to the byte; then the records are as it pins them, without a source field: the list's header and
`dataset.toml` name the source.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shared.collection.public.account import Skips, Source
from shared.collection.public.gathering import OTHER_COUNTRY, TWICE, in_countries, record_text
from shared.collection.public.web_files import WebFile, fetch_file, fetch_files
from shared.data_loader.errors import DataListError
from shared.data_loader.files import digest_of
from shared.data_loader.lists import list_path, read_list
from shared.data_loader.remotes import FetchFault

DATASET = "street-views"  # its committed list knows the digests of 1,220 of the photos
COMMIT = "e3177542f12247c4956e1bb1bd5032948c3a8986"
ADDRESS = f"https://raw.githubusercontent.com/njspyx/location-inference/{COMMIT}/dataset_final_v1"
TABLE = "full_benchmark.csv"
FOLDER = "imgs_final_v1"  # the table's file names lie below this folder
COLUMNS = ("filename", "city_name", "lat", "lng", "heading", "pitch", "fov")
NOT_PINNED = "not in the data set's committed list"
SOURCE = Source(
    name="street-views (location-inference, arXiv 2502.14412)",
    address=f"github.com/njspyx/location-inference at {COMMIT}, dataset_final_v1/",
    licence="none stated; Google imagery",
    asks="Not to be passed on: the pictures are Google's, and the repository states no licence.",
)

_FILE = re.compile(r"imgs_final_v1/(\d{1,6})\.jpg")


class StreetViews:
    """The adapter of street-views."""

    source = SOURCE

    def __init__(self, dataset: str, address: str = "") -> None:
        """Prepare; nothing is fetched yet.

        Args:
            dataset: whose committed list holds the pairs, where there is one.
            address: a mirror or a local copy of the folder `dataset_final_v1`.
        """
        self._address = address or ADDRESS
        self._records: dict[str, dict[str, Any]] = {}
        self._files: dict[str, str] = {}
        self._pinned = pinned_digests(dataset)
        self._known = {**pinned_digests(DATASET), **self._pinned}

    def ids(self, countries: frozenset[str], skips: Skips) -> Iterable[str]:
        """The ids of the table's rows: the number of the file, in four digits."""
        self._read(fetch_file(self._address, TABLE), skips)
        names = sorted(self._records)
        points = [tuple(self._records[name]["coordinates"]) for name in names]
        wanted = in_countries(points, countries)
        skips.add(OTHER_COUNTRY, count=wanted.count(False))
        for name, is_wanted in zip(names, wanted, strict=True):
            if self._pinned and name not in self._pinned:
                skips.add(NOT_PINNED, name)
            elif is_wanted:
                yield name

    def record(self, name: str) -> bytes:
        """As the committed list pins it, else with city and source."""
        row = self._records[name]
        if not self._pinned:
            return record_text(row, self.source)
        plain = {key: row[key] for key in ("coordinates", "heading", "pitch", "fov")}
        return json.dumps(plain).encode()

    def images(self, names: Sequence[str], skips: Skips) -> Iterator[tuple[str, bytes]]:
        """The pictures, held to the digests that are known."""
        files = [
            WebFile(name, f"{FOLDER}/{self._files[name]}", self._known.get(name, ("",))[0])
            for name in names
        ]
        for file, found in fetch_files(self._address, files):
            if isinstance(found, FetchFault):
                skips.add(f"the picture could not be had ({found.kind})", file.name)
            elif self._pinned and digest_of(self.record(file.name)) != self._pinned[file.name][1]:
                skips.add("the record is not what the committed list pins", file.name)
            else:
                yield file.name, found

    def _read(self, table: bytes, skips: Skips) -> None:
        rows = csv.DictReader(table.decode("utf-8-sig").splitlines())
        missing = sorted(set(COLUMNS) - set(rows.fieldnames or ()))
        if missing:
            msg = f"{TABLE}: expected the columns {COLUMNS}, got none called {missing}"
            raise DataListError(msg)
        for number, row in enumerate(rows, start=2):
            found = _FILE.fullmatch(row["filename"] or "")
            record = _record(row)
            name = f"street-view_{int(found[1]):04d}" if found else ""
            if found is None:
                skips.add("an unexpected file name", f"line {number}: {row['filename']!r}")
            elif record is None:
                skips.add("no coordinates or view in the table", f"line {number}")
            elif name in self._records:
                skips.add(TWICE, f"line {number}: {name}")
            else:
                self._records[name] = record
                self._files[name] = row["filename"]


def pinned_digests(dataset: str) -> Mapping[str, tuple[str, str]]:
    """What a data set's committed list `1-collect` pins: digests of image and record by id."""
    path = list_path(dataset, "1-collect")
    if not path.is_file():
        return {}
    pinned = read_list(path)
    if not pinned.is_pinned:
        return {}
    digests = zip(pinned.image_digests, pinned.record_digests, strict=True)
    return dict(zip(pinned.ids, digests, strict=True))


def _record(row: Mapping[str, str]) -> dict[str, Any] | None:
    try:
        lat, lon = float(row["lat"]), float(row["lng"])
        view = {key: int(row[key]) for key in ("heading", "pitch", "fov")}
    except (TypeError, ValueError):
        return None
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        return None
    return {"coordinates": [lat, lon], **view, "city": row["city_name"]}
