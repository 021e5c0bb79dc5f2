"""The notebooks of regions and coordinates, and a sweep of one, on the tiny made data."""

import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely import box

from shared.data_loader import load_pairs, processed_store, read_records
from shared.partitions import Partition
from shared.processing.regions import label_regions, save_regions
from shared.training.checkpoint import Checkpoint
from tests.notebook_runs import run_notebook
from tests.training.conftest import PLACES, TINY

STAGE = Path(__file__).parents[2] / "3-training"


@pytest.mark.slow
def test_coordinates_notebook_trains_a_model_that_gives_points(tiny_root: Path) -> None:
    text = run_notebook("3-training/coordinates", tiny_root, **TINY, components=3, train_photos=32)
    assert "32 of 32 training photos have coordinates" in text
    assert "16 of 16 validation photos have coordinates" in text
    assert "Trained.\n" in text
    found = Checkpoint.load(tiny_root / "3-training" / ".data" / "tiny" / "coordinates" / "best")
    output = found.predict_points(np.zeros((2, 36, 64, 3), dtype=np.uint8))
    assert output.points.shape == (2, 2)
    assert output.mixture is not None
    assert found.config["facts"]["training_photos"] == 32


@pytest.mark.slow
def test_region_notebook_trains_a_model_of_regions(tiny_root: Path) -> None:
    table = pd.DataFrame(
        {
            "code": [f"{code}.1" for code in PLACES],
            "name": list(PLACES),
            "lat": [lat for lat, _ in PLACES.values()],
            "lon": [lon for _, lon in PLACES.values()],
            "country": list(PLACES),
        }
    )
    shapes = [box(lon - 2, lat - 2, lon + 2, lat + 2) for lat, lon in PLACES.values()]
    partition = Partition("regions", gpd.GeoDataFrame(table, geometry=shapes, crs="EPSG:4326"))
    store = processed_store("tiny")
    steps = ("5-split-train", "5-split-validation")
    records = pd.concat([read_records(load_pairs("tiny", step, store)) for step in steps])
    save_regions("tiny", partition, label_regions(partition, records[["lat", "lon"]]))
    text = run_notebook("3-training/region", tiny_root, **TINY, min_photos=1, run="first/try")
    assert "3 classes" in text
    assert "1 lie in 1 regions without a class" in text
    folder = tiny_root / "3-training" / ".data" / "tiny" / "runs" / "first" / "try"
    found = Checkpoint.load(folder / "best")
    assert found.classes == ["CZ.1", "FR.1", "JP.1"]
    assert found.config["facts"]["moved"] == {code: code for code in found.classes}
    assert found.temperature > 0


@pytest.mark.slow
def test_sweep_notebook_picks_a_model_by_validation(tiny_root: Path) -> None:
    (tiny_root / "3-training" / "sweeps").mkdir(parents=True)
    shutil.copy(STAGE / "country.ipynb", tiny_root / "3-training" / "country.ipynb")
    (tiny_root / "3-training" / "sweeps" / "two.yaml").write_text(
        "program: 3-training/country.ipynb\nmethod: grid\n"
        "metric: {name: validation_top1, goal: maximize}\n"
        "parameters:\n  lr: {values: [0.002, 0.0001]}\n  image_size: {values: [64x36]}\n"
        "  epochs: {value: 1}\n  batch_size: {value: 16}\n",
        encoding="utf-8",
    )
    run_notebook("3-training/sweep", tiny_root, sweep="two", threads=1)
    folder = tiny_root / "3-training" / ".data" / "tiny" / "sweeps" / "two"
    table = pd.read_csv(folder / "results.csv")
    assert sorted(table["lr"]) == [0.0001, 0.002]
    best = Checkpoint.load(folder / "best")
    assert best.config["parameters"]["lr"] == table.iloc[0]["lr"]
    assert (folder / "figures" / "parallel-coordinates.png").exists()
    text = run_notebook(
        "4-evaluation/sweep",
        tiny_root,
        sweep="two",
        test_list="5-split-validation",
        draws=40,
        processes=1,
    )
    assert "16 photos of 16 places, 2 trials" in text
    written = tiny_root / "4-evaluation" / ".data" / "tiny" / "sweep" / "two"
    found = json.loads((written / "metrics.json").read_text(encoding="utf-8"))
    shares = {trial["settings"]["lr"]: trial["top-1"]["value"] for trial in found["trials"]}
    (effect,) = found["effects"]["top-1"]
    assert (effect["level"], effect["against"]) == (0.0001, 0.002)
    assert effect["change"]["value"] == pytest.approx(shares[0.0001] - shares[0.002], abs=1e-6)
    assert found["picked_by_validation"] == table["trial"].iloc[0]
