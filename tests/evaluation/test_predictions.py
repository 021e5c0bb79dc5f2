from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.evaluation.pooling import pool_views
from shared.evaluation.predictions import (
    SCHEMA,
    check_predictions,
    class_probabilities,
    make_predictions,
    read_predictions,
    write_predictions,
)
from shared.partitions import countries_partition

TableOf = Callable[..., pd.DataFrame]


def test_classes_are_ranked_by_falling_probability_with_their_centre(table_of: TableOf) -> None:
    table = table_of(["FR"], [[0.2, 0.7, 0.1]])
    row = table.iloc[0]
    assert list(row["codes"]) == ["FR", "CZ", "JP"]
    assert list(row["probabilities"]) == pytest.approx([0.7, 0.2, 0.1])
    assert row["pred_code"] == "FR"
    centre = countries_partition(["FR"]).centres[0]
    assert (row["pred_lat"], row["pred_lon"]) == tuple(centre)


def test_of_equal_probabilities_the_first_class_comes_first(table_of: TableOf) -> None:
    table = table_of(["FR"], [[0.25, 0.5, 0.25]])
    assert list(table["codes"].iloc[0]) == ["FR", "CZ", "JP"]


def test_rows_are_sorted_by_id_whatever_the_order_of_the_photos() -> None:
    truth = pd.DataFrame(
        {"place": ["b", "a"], "code": ["FR", "CZ"], "lat": [46.0, 50.0], "lon": [2.0, 14.0]},
        index=["b", "a"],
    )
    table = make_predictions(truth, [[0.1, 0.9], [0.8, 0.2]], countries_partition(["CZ", "FR"]))
    assert list(table["id"]) == ["a", "b"]
    assert list(table["pred_code"]) == ["CZ", "FR"]
    assert list(table["true_lat"]) == [50.0, 46.0]


def test_probabilities_of_another_shape_are_refused(table_of: TableOf) -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 3\), got \(1, 3\)"):
        table_of(["FR", "CZ"], [[0.2, 0.7, 0.1]])


def test_a_written_table_is_read_again_with_its_schema(
    random_table: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "predictions.parquet"
    write_predictions(random_table, path)
    assert pq.read_schema(path).equals(SCHEMA)
    again = read_predictions(path)
    pd.testing.assert_frame_equal(again.iloc[:, :8], random_table.iloc[:, :8], check_dtype=False)
    for name in ("codes", "probabilities"):
        assert all((a == b).all() for a, b in zip(again[name], random_table[name], strict=True))
    assert again["true_lat"].isna().all()
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.parquet"]


def test_equal_tables_make_equal_bytes(random_table: pd.DataFrame, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_predictions(random_table.copy(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_file_names_the_stage_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="4-evaluation writes"):
        read_predictions(tmp_path / "none.parquet")


def test_a_file_without_a_column_is_refused(random_table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    random_table.drop(columns="place").to_parquet(path)
    with pytest.raises(ValueError, match=r"\['place'\] are missing"):
        read_predictions(path)


def test_a_file_with_another_type_is_refused(random_table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    table = pa.Table.from_pandas(random_table, schema=SCHEMA, preserve_index=False)
    place = SCHEMA.get_field_index("pred_lat")
    pq.write_table(table.set_column(place, "pred_lat", pa.array(["north"] * len(table))), path)
    with pytest.raises(ValueError, match="of the types"):
        read_predictions(path)


@pytest.mark.parametrize("middle", [b"", b"\0" * 60])
def test_a_damaged_file_is_refused(
    random_table: pd.DataFrame, tmp_path: Path, middle: bytes
) -> None:
    path = tmp_path / "p.parquet"
    write_predictions(random_table, path)
    data = path.read_bytes()
    path.write_bytes(data[:10] + middle + data[10 + len(middle) :] if middle else data[:40])
    with pytest.raises(ValueError, match=r"p\.parquet: expected a whole Parquet file"):
        read_predictions(path)


def test_tables_that_are_no_predictions_are_refused(table_of: TableOf) -> None:
    good = table_of(["FR", "CZ"], [[0.2, 0.7, 0.1], [0.6, 0.3, 0.1]], ["x", "y"])
    with pytest.raises(ValueError, match="at least one row"):
        check_predictions(good.iloc[:0])
    with pytest.raises(ValueError, match="sorted and come once each"):
        check_predictions(good.iloc[::-1])
    with pytest.raises(ValueError, match="all views of a place, but x has"):
        check_predictions(good.assign(place="x"))
    with pytest.raises(ValueError, match="photo_001 has none"):
        check_predictions(good.assign(true_code=pd.Series(["FR", None])))
    with pytest.raises(ValueError, match="pred_code first"):
        check_predictions(good.assign(pred_code="JP"))
    with pytest.raises(ValueError, match="as many codes as probabilities"):
        check_predictions(good.assign(codes=pd.Series([["FR"], ["CZ"]])))
    rising = good.assign(probabilities=pd.Series([np.array([0.1, 0.2, 0.7])] * 2))
    with pytest.raises(ValueError, match="falling probabilities"):
        check_predictions(rising)
    too_much = good.assign(probabilities=pd.Series([np.array([0.9, 0.5, 0.1])] * 2))
    with pytest.raises(ValueError, match=r"\(2 such of 2\)"):
        check_predictions(too_much)


def test_class_probabilities_come_back_in_the_order_of_the_codes(table_of: TableOf) -> None:
    rows = [[0.2, 0.7, 0.1], [0.1, 0.3, 0.6]]
    classes, values = class_probabilities(table_of(["FR", "CZ"], rows))
    assert classes == ["CZ", "FR", "JP"]
    assert values == pytest.approx(np.array(rows))


def test_views_are_pooled_by_the_geometric_mean(table_of: TableOf) -> None:
    rows = [[0.8, 0.1, 0.1], [0.2, 0.4, 0.4], [0.1, 0.8, 0.1]]
    table = table_of(["CZ", "CZ", "JP"], rows, ["a", "a", "b"])
    pooled = pool_views(table, "log")
    assert list(pooled["id"]) == ["a", "b"]
    # By hand: sqrt(0.8 * 0.2) = 0.4 and twice sqrt(0.1 * 0.4) = 0.2; their sum is 0.8.
    assert list(pooled["probabilities"].iloc[0]) == pytest.approx([0.5, 0.25, 0.25])
    assert list(pooled["codes"].iloc[0]) == ["CZ", "FR", "JP"]
    assert list(pooled["probabilities"].iloc[1]) == pytest.approx([0.8, 0.1, 0.1])
    assert list(pooled["true_code"]) == ["CZ", "JP"]


def test_views_are_pooled_by_the_arithmetic_mean(table_of: TableOf) -> None:
    table = table_of(["CZ", "CZ"], [[0.8, 0.1, 0.1], [0.2, 0.4, 0.4]], ["a", "a"])
    pooled = pool_views(table, "mean")
    assert list(pooled["probabilities"].iloc[0]) == pytest.approx([0.5, 0.25, 0.25])


def test_one_view_cannot_rule_a_country_out(table_of: TableOf) -> None:
    rows = [[0.99, 0.01, 0.0], [0.99, 0.01, 0.0], [0.0, 0.5, 0.5]]
    pooled = pool_views(table_of(["CZ"] * 3, rows, ["a"] * 3), "log")
    # By hand: cube roots of 0.99^2 * 1e-6 = 0.0099 and of 0.01^2 * 0.5 = 0.0368.
    first = dict(zip(pooled["codes"].iloc[0], pooled["probabilities"].iloc[0], strict=True))
    assert first["FR"] / first["CZ"] == pytest.approx((0.5e-4 / 0.9801e-6) ** (1 / 3), rel=1e-4)


def test_another_pooling_is_refused(random_table: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="'log', 'mean'"):
        pool_views(random_table, "max")
