"""The notebook of the partitions' quality, run on a tiny data set whose errors are known."""

import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from PIL import Image

from shared.data_loader import pin_pairs, processed_store
from shared.partitions import Partition
from shared.paths import data_folder
from shared.processing.regions import label_regions, save_regions
from tests.notebook_runs import execute

# Two regions of France, two of Germany, a degree each; FR.3 is shown by no training photo.
WESTS = {"FR.1": 3, "FR.2": 4, "FR.3": 5, "DE.1": 9, "DE.2": 10}
TRAIN = [("FR.1", 3.5)] * 4 + [("FR.2", 4.5)] + [("DE.1", 9.5)] * 3 + [("DE.2", 10.5)] * 3
TEST = [("FR.1", 3.5), ("FR.2", 4.6), ("FR.3", 5.5), ("DE.1", 9.5)]

pytestmark = pytest.mark.slow


def _regions() -> Partition:
    table = gpd.GeoDataFrame(
        {
            "code": list(WESTS),
            "name": list(WESTS),
            "lat": 48.5,
            "lon": [west + 0.5 for west in WESTS.values()],
            "country": [code[:2] for code in WESTS],
        },
        geometry=[shapely.box(west, 48, west + 1, 49) for west in WESTS.values()],
        crs=4326,
    )
    return Partition("regions", table)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOST_AND_FOUND_ROOT", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    store = processed_store("tiny")
    for folder in (store.images, store.records, tmp_path / "data-lists" / "tiny"):
        folder.mkdir(parents=True)
    settings = 'title = "Tiny"\nsynthetic = true\n'
    (tmp_path / "data-lists" / "tiny" / "dataset.toml").write_text(settings)
    points: dict[str, tuple[float, float]] = {}
    for part, photos in (("train", TRAIN), ("test", TEST)):
        names = [f"{part}_{number:02d}" for number in range(len(photos))]
        for name, (code, lon) in zip(names, photos, strict=True):
            points[name] = (48.5, lon)
            record = {"coordinates": points[name], "country_code": code[:2]}
            (store.records / f"{name}.json").write_text(json.dumps(record))
            Image.new("RGB", (8, 8)).save(store.images / f"{name}.jpg")
        step = f"5-split-{part}"
        pin_pairs("tiny", step, store, ids=names, source="made by a test", may_write=True)
    table = pd.DataFrame.from_dict(points, orient="index", columns=["lat", "lon"])
    save_regions("tiny", _regions(), label_regions(_regions(), table.rename_axis("id")))
    return tmp_path


def test_the_page_tells_reach_and_oracle_error(project: Path) -> None:
    extra = project / "halves.parquet"
    halves = _regions().table.iloc[[0, 3]].assign(code=["west", "east"], country="")
    halves["geometry"] = [shapely.box(0, 40, 7, 50), shapely.box(7, 40, 12, 50)]
    Partition("halves", gpd.GeoDataFrame(halves, geometry="geometry")).save(extra)
    execute(
        "2-data-processing/6-divide/partitions",
        project,
        grid_country="FR",
        grid_deg=2.0,
        min_photos=2,
        partition_files=[str(extra)],
    )
    folder = data_folder("2-data-processing/6-divide", "tiny")
    quality = pd.read_csv(folder / "quality.csv", index_col=0)
    # FR.1 and DE.1 are hit, FR.2 is missed by 0.1 degrees, and FR.3 goes to FR.2, 1 degree off:
    # 73.68 km a degree at 48.5 N.
    assert quality.loc["oracle mean, km", "regions"] == pytest.approx(1.1 * 73.68 / 4, abs=0.05)
    assert quality.loc["in a known class, %", "regions"] == 75
    # Merged, FR.1 and FR.2 have their middle at 3.7; left out, FR.2 is lost.
    merged = quality["regions, 2 photos or merge"]
    assert merged["oracle mean, km"] == pytest.approx((0.2 + 0.9 + 1.8) * 73.68 / 4, abs=0.1)
    assert quality.loc["in a known class, %", "regions, 2 photos or leave out"] == 50
    assert quality.loc["known classes", "halves"] == 2
    reach = pd.read_csv(folder / "reach.csv").set_index(["how", "photos at least"])
    assert reach.loc[("merge", 2), "named as a neighbour, %"] == 25
    assert reach.loc[("leave out", 2), "no class, %"] == 50
    assert len(Partition.load(folder / "grid.parquet")) > 10
    # Eleven photos at four places: one geocell a country, of at least as many as it has.
    assert quality.loc["classes", "geocells"] == 2
    assert (
        quality.loc["in a known class, %", ["geocells", "quadtree", "k-means", "H3"]].eq(100).all()
    )


def test_geocells_are_made_from_the_training_places(project: Path) -> None:
    execute("2-data-processing/6-divide/geocells", project, minimum=1, maximum=2, n_random=100)
    folder = data_folder("2-data-processing/6-divide", "tiny")
    cells = Partition.load(folder / "geocells.parquet")
    table = pd.read_csv(folder / "geocells.csv", index_col="code")
    # By hand: FR.1, FR.2, DE.1 and DE.2 have a place each, and FR.3, empty, joins its neighbour.
    assert sorted(cells.countries) == ["DE", "DE", "FR", "FR"]
    assert table["places"].tolist() == [1, 1, 1, 1]
    french = cells.label([[48.5, 4.5], [48.5, 5.5]])
    assert french[0] == french[1]
    # A place a box is at most two: the naive rival has at most one box for each place.
    assert 2 <= len(Partition.load(folder / "naive.parquet")) <= 4
