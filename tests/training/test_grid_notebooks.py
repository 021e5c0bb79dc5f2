"""The notebooks of the grid, one after the other, on made data with several views a place."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from shared.data_loader import list_digest, load_pairs, pin_pairs, processed_store, write_json
from shared.evaluation.approaches import Approach, approaches_of
from shared.evaluation.inputs import truth_of
from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.models import checkpoints_of, predict_photos
from shared.partitions import Partition
from shared.paths import ROOT_VARIABLE
from shared.training.checkpoint import Checkpoint
from shared.training.grid_net import feature_logits
from tests.notebook_runs import run_notebook
from tests.training.conftest import CODES, PLACES, paint

PARTS = {"train": 36, "validation": 12, "test": 12}


def make_data(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """60 photos of places in three countries, two or one view each."""
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    lists = root / "data-lists" / "tiny"
    lists.mkdir(parents=True)
    (lists / "dataset.toml").write_text('title = "Tiny"\nsynthetic = true\n', encoding="utf-8")
    store = processed_store("tiny")
    store.images.mkdir(parents=True)
    store.records.mkdir(parents=True)
    number = 0
    for part, count in PARTS.items():
        names = []
        for n in range(count):
            place, view = divmod(n, 2)
            code = CODES[place % 3]
            name = f"{part}_{place:03d}_{view}"
            image = np.ascontiguousarray(paint(code, number, 90, 160)[..., ::-1])
            cv2.imwrite(str(store.images / f"{name}.jpg"), image)
            lat, lon = PLACES[code]
            record = {
                "coordinates": [lat + place / 100, lon],
                "country_code": code,
                "place": f"{part}_{place:03d}",
                "heading": 90 * view,
            }
            write_json(store.records / f"{name}.json", record)
            if n != count - 1:  # the last place has one view
                names.append(name)
            number += 1
        pin_pairs("tiny", f"5-split-{part}", store, ids=names, source="made", may_write=True)


def read_as_all_others(root: Path) -> Approach:
    """The best head under the protocol of all models: as countries and as points."""
    pairs = load_pairs("tiny", "5-split-test", processed_store("tiny"))
    digest = list_digest("tiny", "5-split-test")
    place = checkpoints_of("tiny")["grid"]
    found = predict_photos(place, truth_of(pairs), pairs, digest, root / "cache", "tiny")
    assert found.task == "grid"
    return approaches_of([found], PlaceBootstrap(0, 50))[0]


@pytest.mark.slow
def test_cells_are_cut_learned_and_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_data(tmp_path, monkeypatch)
    text = run_notebook("2-data-processing/6-divide/grid", tmp_path, size_deg=20.0)
    folder = tmp_path / "2-data-processing" / "6-divide" / ".data" / "tiny" / "grid"
    grid = Partition.load(folder / "degrees.parquet")
    assert f"cells: {len(grid)} (degrees)" in text
    assert set(grid.countries) <= {"CZ", "FR", "JP", "GF", "AT", "DE", "ES", "RU"}

    tiny = {"width": 64, "height": 36, "threads": 1, "backbone_epochs": 1, "epochs": 2}
    heads = {"sizes": ["75k", "1.5M"], "poolings": ["mean", "lstm"], "batch_size": 8}
    text = run_notebook("3-training/grid", tmp_path, **tiny, **heads)
    assert "35 training photos of 18 places (places with 1 view or more: [1, 17])" in text
    assert "0 of 4 were trained before" in text
    folder = tmp_path / "3-training" / ".data" / "tiny" / "grid"
    names = {path.parent.name for path in folder.glob("heads/*/best")}
    assert names == {"one-75k", "one-1.5M", "mean-1.5M", "lstm-1.5M"}
    found = Checkpoint.load(folder / "best")
    assert found.predict(np.zeros((2, 36, 64, 3), dtype=np.uint8)).shape == (2, len(grid))
    lstm = Checkpoint.load(folder / "heads" / "lstm-1.5M" / "best").model
    features = np.random.default_rng(0).random((5, 576, 2, 2), dtype=np.float32)
    assert feature_logits(lstm, features, np.arange(5)[None]).shape == (1, len(grid))

    approach = read_as_all_others(tmp_path)
    assert approach.name == "grid"
    assert set(approach.points) == {"centre", "expected-distance"}
    assert approach.countries is not None
    assert approach.countries["top_1"].value >= 0

    text = run_notebook(
        "4-evaluation/grid", tmp_path, max_views=2, draws=100, pictures=1, reference="75k"
    )
    folder = tmp_path / "4-evaluation" / ".data" / "tiny" / "grid"
    document = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert document["places"] == 6
    assert set(document["figures"]["lstm, 1.5M"]) == {"1", "2"}
    assert "lstm, 1.5M, 2 views, minus one view" in document["differences"]
    assert len(pd.read_parquet(folder / "predictions.parquet")) == 6
    assert len(list((folder / "guesses").glob("*.html"))) == 1
    assert "GeoScore" in text
