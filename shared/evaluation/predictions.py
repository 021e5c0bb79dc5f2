"""The table of predictions: one row a photo, one Parquet file. Degrees, `(lat, lon)`.

All evaluation reads it: any model, ours or not, that writes it can be evaluated. The columns are
those of `SCHEMA`; rows are sorted by id. `codes` holds the classes by falling probability and
`probabilities` theirs; every row ranks the same classes. Coordinates that are not known are null.

`true_country` (ISO alpha-2) is an optional column: tables whose classes are no countries need it to
be read as countries. A model that gives points and has no classes writes empty `codes` and
`probabilities`, and "" as `pred_code` and `true_code`.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from shared.geo import check_points
from shared.partitions import Partition

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("place", pa.string()),
        ("true_code", pa.string()),
        ("true_lat", pa.float64()),
        ("true_lon", pa.float64()),
        ("pred_code", pa.string()),
        ("pred_lat", pa.float64()),
        ("pred_lon", pa.float64()),
        ("codes", pa.list_(pa.string())),
        ("probabilities", pa.list_(pa.float32())),
    ]
)
TRUE_COUNTRY = pa.field("true_country", pa.string())  # optional
SUM_TOLERANCE = 1e-3  # float32, and models that write rounded numbers


def make_predictions(
    truth: pd.DataFrame, probabilities: ArrayLike, classes: Partition
) -> pd.DataFrame:
    """The table of predictions of a model.

    Args:
        truth: indexed by id: `place`, `code` (the true class), `lat`, `lon` (degrees, NaN where
            they are not known), and perhaps `country` (the true country's code).
        probabilities: (N, K) probabilities of the classes, in the order of `truth` and `classes`.
        classes: the K classes.

    Returns:
        The table, with the columns of `SCHEMA`, sorted by id. Of equal probabilities the class
        that comes first in `classes` is ranked first.

    Raises:
        ValueError: when the shapes do not fit, or rows are no probabilities.
    """
    values = np.asarray(probabilities, dtype=np.float32)
    if values.shape != (len(truth), len(classes)):
        msg = f"Expected probabilities of shape {(len(truth), len(classes))}, got {values.shape}"
        raise ValueError(msg)
    order = np.argsort(-values, axis=1, kind="stable")
    codes = np.asarray(classes.codes, dtype=object)[order]
    centres = classes.centres[order[:, 0]]
    table = pd.DataFrame(
        {
            "id": truth.index.astype(str),
            "place": truth["place"].to_numpy(dtype=object),
            "true_code": truth["code"].to_numpy(dtype=object),
            "true_lat": truth["lat"].to_numpy(dtype=np.float64),
            "true_lon": truth["lon"].to_numpy(dtype=np.float64),
            "pred_code": codes[:, 0],
            "pred_lat": centres[:, 0],
            "pred_lon": centres[:, 1],
            "codes": list(codes),
            "probabilities": list(np.take_along_axis(values, order, axis=1)),
        }
    )
    return _finished(table, truth)


def make_point_predictions(truth: pd.DataFrame, points: ArrayLike) -> pd.DataFrame:
    """The table of predictions of a model that gives points and has no classes.

    Args:
        truth: indexed by id: `place`, `lat`, `lon` (degrees), and perhaps `country`.
        points: (N, 2) guesses, degrees, in the order of `truth`.

    Raises:
        ValueError: when the shapes do not fit, or a guess is no point.
    """
    guesses = check_points(points, "guesses")
    if guesses.shape != (len(truth), 2):
        msg = f"Expected guesses of shape {(len(truth), 2)}, got {guesses.shape}"
        raise ValueError(msg)
    table = pd.DataFrame(
        {
            "id": truth.index.astype(str),
            "place": truth["place"].to_numpy(dtype=object),
            "true_code": "",
            "true_lat": truth["lat"].to_numpy(dtype=np.float64),
            "true_lon": truth["lon"].to_numpy(dtype=np.float64),
            "pred_code": "",
            "pred_lat": guesses[:, 0],
            "pred_lon": guesses[:, 1],
            "codes": [np.empty(0, dtype=object) for _ in range(len(truth))],
            "probabilities": [np.empty(0, dtype=np.float32) for _ in range(len(truth))],
        }
    )
    return _finished(table, truth)


def _finished(table: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    if "country" in truth.columns:
        table["true_country"] = truth["country"].to_numpy(dtype=object)
    return check_predictions(table.sort_values("id", ignore_index=True))


def has_classes(table: pd.DataFrame) -> bool:
    """Whether a table of predictions ranks classes; else it has points alone."""
    return len(table["codes"].iloc[0]) > 0


def schema_of(columns: Iterable[str]) -> pa.Schema:
    """The schema of a table with these columns: `true_country` only where it is there."""
    return SCHEMA.append(TRUE_COUNTRY) if TRUE_COUNTRY.name in set(columns) else SCHEMA


def check_predictions(table: pd.DataFrame, where: str = "predictions") -> pd.DataFrame:
    """Hold a table to what this module says of it, and return it.

    Args:
        table: the table.
        where: what it is, for the errors.

    Raises:
        ValueError: when columns are missing, ids are not sorted or come twice, views of a place
            differ in their true class, or a row does not rank all the classes by falling
            probabilities that sum to 1.
    """
    missing = [name for name in SCHEMA.names if name not in table.columns]
    if missing:
        msg = f"{where}: expected columns {SCHEMA.names}, but {missing} are missing"
        raise ValueError(msg)
    if len(table) == 0:
        msg = f"{where}: expected at least one row, got none. Is the test list empty?"
        raise ValueError(msg)
    ids = list(table["id"])
    if ids != sorted(set(ids)):
        msg = f"{where}: expected ids that are sorted and come once each"
        raise ValueError(msg)
    _check_truth(table, where)
    _check_ranking(table, where)
    return table


def write_predictions(table: pd.DataFrame, path: Path) -> None:
    """Write a table of predictions, under its name only when it is whole.

    The bytes depend on the rows alone.
    """
    check_predictions(table, str(path))
    schema = schema_of(table.columns)
    arrow = pa.Table.from_pandas(table[schema.names], schema=schema, preserve_index=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    pq.write_table(arrow.replace_schema_metadata(None), temporary, compression="zstd")
    temporary.replace(path)


def read_predictions(path: Path) -> pd.DataFrame:
    """Read a table of predictions, whoever wrote it.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is not such a table.
    """
    if not path.is_file():
        msg = f"Expected predictions at {path}: a notebook of 4-evaluation writes them"
        raise FileNotFoundError(msg)
    try:
        arrow = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:  # cut off, overwritten, or of another kind
        msg = f"{path}: expected a whole Parquet file, got: {error}; write it again"
        raise ValueError(msg) from error
    missing = [name for name in SCHEMA.names if name not in arrow.column_names]
    if missing:
        msg = f"{path}: expected columns {SCHEMA.names}, but {missing} are missing"
        raise ValueError(msg)
    schema = schema_of(arrow.column_names)
    try:
        arrow = arrow.select(schema.names).cast(schema)
    except pa.ArrowException as error:  # no such cast, or not of these values
        msg = f"{path}: expected columns of the types\n{schema}\nbut: {error}"
        raise ValueError(msg) from error
    return check_predictions(arrow.to_pandas(), str(path))


def code_matrix(table: pd.DataFrame) -> NDArray[Any]:
    """(N, K) classes of each row, by falling probability, as objects."""
    return np.stack([np.asarray(row, dtype=object) for row in table["codes"]])


def ranked_probabilities(table: pd.DataFrame) -> NDArray[np.float64]:
    """(N, K) probabilities of each row, falling."""
    return np.stack([np.asarray(row, dtype=np.float64) for row in table["probabilities"]])


def class_probabilities(table: pd.DataFrame) -> tuple[list[str], NDArray[np.float64]]:
    """The classes, sorted, and the (N, K) probabilities of each in their order."""
    codes = code_matrix(table)
    columns = np.argsort(codes, axis=1, kind="stable")
    classes = [str(code) for code in codes[0][columns[0]]]
    return classes, np.take_along_axis(ranked_probabilities(table), columns, axis=1)


def _check_truth(table: pd.DataFrame, where: str) -> None:
    for column in ("place", "true_code", "pred_code"):
        if table[column].isna().any():
            first = table["id"][table[column].isna()].iloc[0]
            msg = f"{where}: expected a {column} for each row, but {first} has none"
            raise ValueError(msg)
    truths = table[["place", "true_code"]].drop_duplicates()
    differing = truths["place"][truths["place"].duplicated()]
    if len(differing):
        place = differing.iloc[0]
        codes = sorted(set(table["true_code"][table["place"] == place]))
        msg = f"{where}: expected one true class for all views of a place, but {place} has {codes}"
        raise ValueError(msg)


def _check_points_alone(table: pd.DataFrame, where: str) -> None:
    """A model without classes: no codes, and a point for each photo."""
    if (table["pred_code"] != "").any() or (table["true_code"] != "").any():
        msg = f'{where}: expected "" as pred_code and true_code where no classes are ranked'
        raise ValueError(msg)
    if table[["pred_lat", "pred_lon"]].isna().any(axis=None):
        msg = f"{where}: expected a guessed point for each row where no classes are ranked"
        raise ValueError(msg)


def _check_ranking(table: pd.DataFrame, where: str) -> None:
    counts = {(len(c), len(p)) for c, p in zip(table["codes"], table["probabilities"], strict=True)}
    if len(counts) != 1 or len(set(next(iter(counts)))) != 1:
        msg = f"{where}: expected as many codes as probabilities in each row, got {sorted(counts)}"
        raise ValueError(msg)
    if not has_classes(table):
        _check_points_alone(table, where)
        return
    codes, values = code_matrix(table), ranked_probabilities(table)
    ranked = np.sort(codes, axis=1)
    is_set = (ranked == ranked[0]).all() and len(set(ranked[0])) == ranked.shape[1]
    if not is_set or (codes[:, 0] != table["pred_code"].to_numpy()).any():
        msg = f"{where}: expected each row to rank the same classes, pred_code first, each once"
        raise ValueError(msg)
    off = ~(np.abs(values.sum(axis=1) - 1) <= SUM_TOLERANCE) | (values < 0).any(axis=1)
    off |= (np.diff(values, axis=1) > 0).any(axis=1)
    if off.any():
        row = int(np.flatnonzero(off)[0])
        msg = (
            f"{where}: expected falling probabilities with a sum of 1, but row {row}, "
            f"{table['id'].iloc[row]} ({int(off.sum())} such of {len(table)}), has "
            f"{values[row][:5]}, sum {values[row].sum()}"
        )
        raise ValueError(msg)
