"""OpenStreetView-5M's tables `train.csv` and `test.csv`, read with every column typed.

Degrees. Only empty fields are missing: the country code `NA` is Namibia. `train.csv` has columns
that `test.csv` lacks, and other orders are fine. What the columns are: the data set's own builder
and its card (huggingface.co/datasets/osv5m/osv5m), arXiv 2404.18873.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from shared.data_loader.errors import DataListError

NEEDED = ("id", "latitude", "longitude", "country")
_TEXT = (
    *("id", "thumb_original_url", "country", "sequence", "cell", "region", "sub-region", "city"),
    *("unique_region", "unique_sub-region", "unique_city", "unique_country"),
    *("creator_username", "creator_id"),  # ids of creators look like 111336221091714.0
)
_REAL = (
    *("latitude", "longitude", "lon_bin", "lat_bin", "land_cover", "road_index", "drive_side"),
    *("climate", "soil", "dist_sea"),
    "captured_at",  # milliseconds since 1970; a float holds them exactly, however they are written
)
_WHOLE = tuple(f"quadtree_10_{size}" for size in (500, 1000, 2500, 5000, 12500, 25000, 50000))
TYPES: dict[str, pl.DataType] = {
    **{name: pl.String() for name in _TEXT},
    **{name: pl.Float64() for name in _REAL},
    **{name: pl.Int64() for name in _WHOLE},
}


def read_osv5m_table(path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """One of the two tables.

    Args:
        path: the CSV file.
        columns: only these, as far as they are there; the needed ones are always read.

    Returns:
        A row a photo, with the types of `TYPES`; columns that are not known there are text.

    Raises:
        DataListError: a needed column is absent, a value is not of its type, or an id comes twice.
    """
    there = _header(path)
    missing = [name for name in NEEDED if name not in there]
    if missing:
        msg = f"{path.name}: expected the columns {NEEDED}, got none called {missing}: {there}"
        raise DataListError(msg)
    wanted = [name for name in there if columns is None or name in {*columns, *NEEDED}]
    types = {name: TYPES.get(name, pl.String()) for name in wanted}
    try:
        table = pl.read_csv(path, columns=wanted, schema_overrides=types)
    except pl.exceptions.PolarsError as error:
        msg = f"{path.name}: expected values of the types of OSV-5M, got: {str(error)[:300]}"
        raise DataListError(msg) from error
    if table["id"].n_unique() != table.height:
        first = table.filter(pl.col("id").is_duplicated())["id"][0]
        msg = f"{path.name}: expected each id once, got {first!r} again"
        raise DataListError(msg)
    return table


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return next(csv.reader(file), [])
