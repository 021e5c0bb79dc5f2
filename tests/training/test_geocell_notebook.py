"""The geocell notebook on made data with several views a place, and its steps."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared.data_loader import load_pairs, processed_store, read_records
from shared.partitions import Partition
from shared.processing.geocells_naive import naive_cells
from shared.processing.surroundings import save_surroundings
from shared.training.checkpoint import Checkpoint
from shared.training.geocell import model_of
from tests.training.test_grid_notebooks import make_data, run

NOTEBOOK = "3-training/geocell"
SIZES = {"hidden": 32, "layers": 2, "text_hidden": 16, "text_layers": 1, "projection": 16}
TINY = {
    "tiny_sizes": SIZES,
    "width": 64,
    "height": 36,
    "threads": 1,
    "tower_epochs": 1,
    "epochs": 2,
    "batch_size": 8,
    "tasks": ["climate", "elevation_m", "month"],
    "accelerator": "cpu",
}
# What a step may decide, beside the cells and the tasks.
FULL = {"caption_epochs": 1, "step": "pretraining", "run": "full"}


def make_stage_2(root: Path) -> Partition:
    """Facts of the photos, with holes, and cells that do not cover all of them."""
    store = processed_store("tiny")
    records = pd.concat(
        read_records(load_pairs("tiny", f"5-split-{part}", store))
        for part in ("train", "validation")
    )
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "climate": rng.choice(["Cfb", "Af", ""], len(records)),
            "climate_name": "",
            "elevation_m": np.where(rng.random(len(records)) < 0.2, np.nan, 100.0),
            "month": rng.integers(1, 13, len(records)).astype(float),
            "driving_side": "right",
        },
        index=records.index,
    )
    table["elevation_m"] += records["lat"]
    save_surroundings("tiny", table)
    cells = naive_cells(records[["lat", "lon"]].to_numpy(), 12)
    folder = root / "2-data-processing" / "6-divide" / ".data" / "tiny"
    folder.mkdir(parents=True)
    cells.save(folder / "geocells.parquet")
    return cells


@pytest.mark.slow
def test_notebook_trains_towers_heads_and_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_data(tmp_path, monkeypatch)
    cells = make_stage_2(tmp_path)
    text = run(tmp_path, NOTEBOOK, **TINY, max_views=2)
    assert "step: none, as set" in text
    assert "countries: " in text
    folder = tmp_path / "3-training" / ".data" / "tiny"
    table = pd.read_csv(folder / "geocell" / "validation.csv")
    assert set(table["joined by"]) == {"mean", "attention"}
    assert table["views"].tolist() == [1, 2] * 2
    facts = pd.read_csv(folder / "geocell" / "facts.csv", index_col="fact")
    assert list(facts.index) == TINY["tasks"]
    assert facts["places"].max() <= 6
    found = Checkpoint.load(folder / "geocell" / "best")
    assert found.classes == cells.codes
    assert found.predict(np.zeros((2, 36, 64, 3), np.uint8)).shape == (2, len(cells))
    assert [fact.name for fact in model_of(found).facts] == TINY["tasks"]
    towers = {path.name.rsplit("-", 1)[0] for path in (folder / "towers").iterdir()}
    assert towers == {"tiny"}

    text = run(tmp_path, NOTEBOOK, **{**TINY, **FULL}, max_views=2, seed=1)
    assert "step: + contrastive pretraining" in text
    assert "told by text: " in text
    best = Checkpoint.load(folder / "runs" / "full" / "best")
    assert best.config["network"]["tuning"] == "last"
    assert best.config["facts"]["step"] == "pretraining"
    assert best.config["seed"] == 1
    again = sorted(path.name.rsplit("-", 1)[0] for path in (folder / "towers").iterdir())
    assert again == ["tiny", "tiny-captions"]  # the tower of the first run was found again
