"""OpenStreetView-5M: 5.1 million street photos from Mapillary, by way of the Hugging Face hub.

Layout: `train.csv`, `test.csv`, `images/{train,test}/<two digits>.zip` of about 50,000 photos
each, `<id>.jpg` inside. No table says which shard a photo is in, so the directories at the end of
the zips are read, and of the shards themselves only the parts with the chosen photos: nothing else
is fetched. Its separation of train and test stays: ids begin with `train_` or `test_`, and the
record's field `split` says it. Degrees `(lat, lon)`.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from shared.collection.public.account import Skips, Source
from shared.collection.public.gathering import OTHER_COUNTRY, record_text
from shared.collection.public.osv5m_shards import Shards
from shared.collection.public.osv5m_table import read_osv5m_table
from shared.data_loader.errors import DataListError

logger = logging.getLogger(__name__)

ADDRESS = "hf://datasets/osv5m/osv5m"
SPLITS = ("train", "test")
LICENCE = "CC BY-SA 4.0"
OUTSIDE = "coordinates that are no latitude and longitude"
NO_PICTURE = "in the table, but in no shard that was asked for"

_HEX = re.compile(r"[0-9a-f]{40}")
_KEPT = (  # what records keep beside coordinates, country and date, in a field of its own
    *("region", "sub-region", "city", "land_cover", "road_index", "drive_side", "climate", "soil"),
    *("dist_sea", "unique_country", "unique_region", "unique_sub-region", "unique_city"),
    *("quadtree_10_1000", "creator_id"),
)
_COLUMNS = (*_KEPT, "sequence", "captured_at", "creator_username")


class Osv5m:
    """The adapter of OpenStreetView-5M."""

    def __init__(
        self,
        revision: str,
        *,
        address: str = "",
        splits: Sequence[str] = SPLITS,
        shards: Sequence[int] = (),
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Prepare; nothing is fetched yet.

        Args:
            revision: the commit of the data set on the hub, 40 hex digits; a local copy may do
                without.
            address: a local copy, or another place in the same layout; "" for the hub.
            splits: `train`, `test` or both.
            shards: numbers of shards, from which alone photos are taken; none: all. Each holds
                photos of the whole world, so a few shards make a good subset.
            options: options of fsspec for the address.

        Raises:
            DataListError: the revision is none, or a split is unknown.
        """
        address = (address or ADDRESS).rstrip("/")
        is_hub = address.startswith("hf://")
        if (is_hub or revision) and not _HEX.fullmatch(revision):
            msg = (
                f"revision: expected a commit of 40 hex digits, got {revision!r}; the commits are "
                "listed at https://huggingface.co/datasets/osv5m/osv5m/commits/main"
            )
            raise DataListError(msg)
        if not splits or set(splits) - set(SPLITS):
            msg = f"splits: expected some of {SPLITS}, got {list(splits)}"
            raise DataListError(msg)
        at = f"{address}@{revision}" if is_hub else address
        self._shards = Shards(at, options or {}, frozenset(shards))
        self._splits = [split for split in SPLITS if split in splits]
        self._tables: dict[str, pl.DataFrame] = {}
        self._rows: dict[str, dict[str, int]] = {}
        self.source = Source(
            name="OpenStreetView-5M (CVPR 2024, arXiv 2404.18873)",
            address=f"{ADDRESS}@{revision}" if revision else "a local copy of unknown revision",
            licence=LICENCE,
            asks="May be passed on under the same licence, naming OpenStreetView-5M, Mapillary "
            "and each photo's creator (the records keep the names).",
        )

    def ids(self, countries: frozenset[str], skips: Skips) -> Iterable[str]:
        """The ids of the tables' rows, one split after the other."""
        for split in self._splits:
            table = read_osv5m_table(self._shards.table(f"{split}.csv"), _COLUMNS)
            table = self._sound(table, countries, skips)
            if self._shards.numbers:
                inside = pl.Series(self._shards.members(split), dtype=pl.String)
                n_before = table.height
                table = table.filter(pl.col("id").is_in(inside.implode()))
                skips.add(NO_PICTURE, split, n_before - table.height)
            self._tables[split] = table
            self._rows[split] = {}
            yield from (f"{split}_{name}" for name in table["id"])

    def record(self, name: str) -> bytes:
        """Where it is, when it was taken, in which drive, and by whom."""
        split, _, number = name.partition("_")
        row = self._tables[split].row(self._row_of(split, number), named=True)
        own = {key.replace("-", "_"): row.get(key) for key in _KEPT}
        record = {
            "coordinates": [row["latitude"], row["longitude"]],
            "country": row["country"],
            "split": split,
            "place": row.get("sequence"),  # photos of one drive stay together
            "date": _date(row.get("captured_at")),
            "creator": row.get("creator_username"),
            "page": f"https://www.mapillary.com/app/?pKey={number}",
            "osv5m": {key: value for key, value in own.items() if value is not None},
        }
        return record_text(record, self.source)

    def images(self, names: Sequence[str], skips: Skips) -> Iterator[tuple[str, bytes]]:
        """The pictures, from those parts of the shards that hold them."""
        for split in self._splits:
            start = f"{split}_"
            wanted = [name.removeprefix(start) for name in names if name.startswith(start)]
            for number, data in self._shards.pictures(split, wanted, skips):
                yield f"{start}{number}", data

    def _sound(self, table: pl.DataFrame, countries: frozenset[str], skips: Skips) -> pl.DataFrame:
        """The rows on the Earth, and in the countries."""
        on_earth = (pl.col("latitude").abs() <= 90) & (pl.col("longitude").abs() <= 180)
        is_sound = on_earth.fill_null(value=False)
        wrong = table.filter(~is_sound)
        if wrong.height:
            skips.add(OUTSIDE, wrong["id"][0], wrong.height)
            table = table.filter(is_sound)
        if not countries:
            return table
        kept = table.filter(pl.col("country").is_in(sorted(countries)))
        skips.add(OTHER_COUNTRY, count=table.height - kept.height)
        return kept

    def _row_of(self, split: str, number: str) -> int:
        rows = self._rows[split]
        if not rows:
            rows.update({name: row for row, name in enumerate(self._tables[split]["id"])})
        return rows[number]


def _date(captured_at: float | None) -> str:
    """The day, from milliseconds since 1970; "" where there are none, or none that can be."""
    if captured_at is None or not 0 < captured_at < 1e14:
        return ""
    return datetime.fromtimestamp(captured_at / 1000, UTC).strftime("%Y-%m-%d")
