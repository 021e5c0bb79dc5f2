"""The records of pairs as one table."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from shared.data_loader.errors import DataListError
from shared.data_loader.files import read_record
from shared.data_loader.pairs import Pair


def read_records(pairs: Sequence[Pair]) -> pd.DataFrame:
    """The records of pairs as a table.

    Args:
        pairs: whose records.

    Returns:
        A row a pair, in their order, indexed by `id`. The columns are the keys of all records,
        sorted; `coordinates` become `lat` and `lon` (degrees, float). Missing values are NaN.
        Text stays as it is ("NA" is Namibia).

    Raises:
        DataListError: a record is no JSON object, or its coordinates are not two numbers.
    """
    return _table([pair.id for pair in pairs], [read_record(pair.record_path) for pair in pairs])


def _table(ids: Sequence[str], records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    keys = sorted({key for record in records for key in record} - {"coordinates"})
    columns: dict[str, Any] = {}
    if any("coordinates" in record for record in records):
        points = np.array(
            [_coordinates(name, record) for name, record in zip(ids, records, strict=True)],
            dtype=float,
        ).reshape(-1, 2)
        columns = {"lat": points[:, 0], "lon": points[:, 1]}
    for key in keys:
        values = [record.get(key) for record in records]
        columns[key] = pd.Series([np.nan if v is None else v for v in values]).to_numpy()
    return pd.DataFrame(columns, index=pd.Index(ids, name="id", dtype=object))


def _coordinates(name: str, record: dict[str, Any]) -> tuple[float, float]:
    value = record.get("coordinates")
    if value is None:
        return (np.nan, np.nan)
    if (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
        and abs(value[0]) <= 90
        and abs(value[1]) <= 360
    ):
        return (float(value[0]), float(value[1]))
    msg = f"record of {name}: expected coordinates [lat, lon] in degrees, got {json.dumps(value)[:80]}"
    raise DataListError(msg)


def ids_of(pairs: Iterable[Pair]) -> list[str]:
    """The ids of pairs."""
    return [pair.id for pair in pairs]
