"""The records of pairs as one table."""

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from shared.data_loader.errors import DataListError, first_few
from shared.data_loader.files import parse_record, write_with
from shared.data_loader.pairs import Pair, PinnedPairs
from shared.data_loader.places import memory_folder

logger = logging.getLogger(__name__)

_MIN_CACHED = 500  # fewer are read again in no time


def read_records(pairs: Sequence[Pair], *, skip_broken: bool = False) -> pd.DataFrame:
    """The records of pairs as a table.

    The texts of a data list's records are kept in one file by the digest of the list, so that
    330,000 small files are read once.

    Args:
        pairs: whose records.
        skip_broken: leave out, with a warning, pairs whose record cannot be read.

    Returns:
        A row a pair, in their order, indexed by `id`. The columns are the keys of all records,
        sorted; `coordinates` become `lat` and `lon` (degrees, float). Missing values are NaN.
        Text stays as it is ("NA" is Namibia).

    Raises:
        DataListError: a record is no JSON object, or its coordinates are no latitude and longitude.
    """
    ids: list[str] = []
    records: list[dict[str, Any]] = []
    points: list[tuple[float, float] | None] = []
    broken: list[str] = []
    for pair, data in zip(pairs, _texts(pairs), strict=True):
        try:
            record = parse_record(data, f"record of {pair.id}")
            point = _coordinates(pair.id, record)
        except DataListError as error:
            if not skip_broken:
                raise
            broken.append(str(error))
            continue
        ids.append(pair.id)
        records.append(record)
        points.append(point)
    if broken:
        count = f"{len(broken):,}"
        logger.warning("%s unreadable records are left out:\n%s", count, first_few(broken))
    return _table(ids, records, points)


def _table(
    ids: Sequence[str],
    records: Sequence[dict[str, Any]],
    points: Sequence[tuple[float, float] | None],
) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    if any(point is not None for point in points):
        values = np.array([(np.nan, np.nan) if p is None else p for p in points], dtype=float)
        columns = {"lat": values[:, 0], "lon": values[:, 1]}
    for key in sorted({key for record in records for key in record} - {"coordinates"}):
        row = [record.get(key) for record in records]
        columns[key] = _column(row)
    return pd.DataFrame(columns, index=pd.Index(list(ids), name="id"))


def _column(values: list[Any]) -> Any:  # noqa: ANN401 (an array of NumPy or of pandas)
    """Numbers where all are numbers or missing; whole text; else objects as they are."""
    kept = [value for value in values if value is not None]
    if kept and all(isinstance(v, int | float) and not isinstance(v, bool) for v in kept):
        if len(kept) == len(values):
            return np.array(values)
        return np.array([np.nan if v is None else float(v) for v in values])
    if all(isinstance(v, str) for v in kept):
        return pd.array(values, dtype="str")
    column = np.empty(len(values), dtype=object)
    column[:] = [np.nan if v is None else v for v in values]
    return column


def _coordinates(name: str, record: dict[str, Any]) -> tuple[float, float] | None:
    value = record.get("coordinates")
    if value is None:
        return None
    is_point = (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    )
    if is_point and abs(value[0]) <= 90 and abs(value[1]) <= 180:
        return (float(value[0]), float(value[1]))
    msg = (
        f"record of {name}: expected coordinates [lat, lon], within 90 and 180 degrees, "
        f"got {json.dumps(value)[:80]}"
    )
    raise DataListError(msg)


def _texts(pairs: Sequence[Pair]) -> list[bytes]:
    """The bytes of each record."""
    path = _cache_path(pairs)
    kept = _read_cache(path) if path is not None else None
    if kept is not None and all(pair.id in kept for pair in pairs):
        return [kept[pair.id] for pair in pairs]
    with ThreadPoolExecutor(8) as pool:  # a mounted drive answers slowly, not narrowly
        paths = (Path(pair.record_path) for pair in pairs)
        read = pool.map(Path.read_bytes, paths)
        texts = list(tqdm(read, total=len(pairs), desc="records", unit="file", delay=2))
    if path is not None:
        table = pa.table(
            {"id": [pair.id for pair in pairs], "record": pa.array(texts, pa.binary())}
        )
        write_with(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))
    return texts


def _cache_path(pairs: Sequence[Pair]) -> Path | None:
    if not isinstance(pairs, PinnedPairs) or len(pairs) < _MIN_CACHED:
        return None
    return memory_folder() / "records" / f"{pairs.digest}.parquet"


def _read_cache(path: Path) -> dict[str, bytes] | None:
    try:
        table = pq.read_table(path, memory_map=True)
        return dict(zip(table["id"].to_pylist(), table["record"].to_pylist(), strict=True))
    except (OSError, pa.ArrowInvalid, KeyError):
        return None  # absent, or cut off by a full disk: it is made again
