"""Region labels of photos: squares whose distances can be told by hand, and their files."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from shared.data_loader import Pair
from shared.partitions import Partition
from shared.processing.regions import (
    COLUMNS,
    label_regions,
    load_regions,
    located_points,
    save_regions,
)


def _squares(count: int = 6) -> Partition:
    """Squares of one degree along the equator; the last has a place only."""
    codes = [f"GA.{number}" for number in range(count)]
    shapes = [shapely.box(west, 0, west + 1, 1) for west in range(count - 1)]
    table = gpd.GeoDataFrame(
        {"code": codes, "name": codes, "lat": 0.5, "lon": np.arange(count) + 0.5, "country": "GA"},
        geometry=[*shapes, shapely.MultiPoint([(count, 0.5)])],
        crs=4326,
    )
    return Partition("regions", table)


def _points(**points: tuple[float, float]) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(points, orient="index", columns=["lat", "lon"])
    return table.rename_axis("id")


def test_a_label_says_how_it_is_known_and_from_how_far() -> None:
    found = label_regions(_squares(), _points(a=(0.5, 1.5), b=(-0.5, 2.5), c=(0.5, 6.25)))
    assert found.columns.tolist() == COLUMNS
    assert found["region_code"].tolist() == ["GA.1", "GA.2", "GA.5"]
    assert found["region_from"].tolist() == ["polygon", "nearest polygon", "nearest place"]
    # Half a degree of latitude, and a quarter of a degree at 0.5 N.
    assert found["region_distance_km"].tolist() == pytest.approx([0, 55.6, 27.8], abs=0.1)
    assert set(found["region_country"]) == {"GA"}


def test_the_five_nearest_regions_are_kept_in_order() -> None:
    found = label_regions(_squares(), _points(a=(0.5, 1.4)))
    assert list(found["nearest"].iloc[0]) == ["GA.1", "GA.0", "GA.2", "GA.3", "GA.4"]
    degrees = np.array([0, 0.4, 0.6, 1.6, 2.6])
    np.testing.assert_allclose(found["nearest_km"].iloc[0], degrees * 111.19, atol=0.1)
    few = label_regions(_squares(3), _points(a=(0.5, 1.4)))
    assert list(few["nearest"].iloc[0]) == ["GA.1", "GA.0", "GA.2"]


def test_without_photos_the_table_is_empty() -> None:
    none = pd.DataFrame({"lat": [], "lon": []}, index=pd.Index([], name="id"), dtype=float)
    assert label_regions(_squares(), none).columns.tolist() == COLUMNS


def test_what_is_saved_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOST_AND_FOUND_ROOT", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="run 2-data-processing/2-enrich/regions"):
        load_regions("tiny")
    table = label_regions(_squares(), _points(a=(0.5, 1.5), b=(0.2, 3.5)))
    paths = save_regions("tiny", _squares(), table)
    assert [path.name for path in paths] == sorted(path.name for path in paths[0].parent.iterdir())
    partition, again = load_regions("tiny")
    assert partition.codes == _squares().codes
    assert again["region_code"].to_dict() == {"a": "GA.1", "b": "GA.3"}
    assert again["nearest"].str[0].to_dict() == {"a": "GA.1", "b": "GA.3"}


def test_only_photos_with_a_place_have_points(tmp_path: Path) -> None:
    records = {
        "a": '{"coordinates": [47.4, 8.5]}',
        "b": '{"coordinates": [0, 0]}',
        "c": '{"country": "Namibia"}',
        "d": '{"coordinates": [95, 8.5]}',
        "e": '{"coord',
        "f": '{"coordinates": [0, 8.5]}',
    }
    pairs = []
    for name, text in records.items():
        (tmp_path / f"{name}.json").write_text(text)
        pairs.append(Pair(name, tmp_path / f"{name}.jpg", tmp_path / f"{name}.json"))
    found = located_points(pairs)
    assert found.to_dict("index") == {
        "a": {"lat": 47.4, "lon": 8.5},
        "f": {"lat": 0.0, "lon": 8.5},
    }
    assert located_points([pairs[2]]).empty
