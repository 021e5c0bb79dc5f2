"""The notebooks of the geocell model and of its ablation on a tiny project, and what they write."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from shared.data_loader import processed_store
from shared.evaluation.geocell_places import known_facts, place_list
from shared.evaluation.predictions import read_predictions
from shared.paths import ROOT_VARIABLE, data_folder
from shared.processing.surroundings import save_surroundings
from shared.training.checkpoint import Checkpoint
from shared.training.geocell_net import GeocellHead, GeocellNetwork
from shared.training.geocell_targets import fit_facts
from shared.training.towers import build_tower
from tests.evaluation.conftest import (
    CODES,
    make_checkpoint,
    make_dataset,
    region_partition,
)
from tests.notebook_runs import run_notebook

SIZE = (64, 36)
SMALL = {"hidden": 16, "layers": 2, "heads": 2, "patch": 16}


def make_facts(dataset: str) -> pd.DataFrame:
    """Heights and climates of all photos, by their number."""
    ids = sorted(path.stem for path in Path(processed_store(dataset).records).glob("*.json"))
    numbers = np.asarray([int(name.split("_")[1]) for name in ids])
    table = pd.DataFrame(
        {"elevation_m": 100.0 * (numbers % 3), "month": 1 + numbers % 2}, index=ids
    )
    save_surroundings(dataset, table)
    return table


def make_geocell_checkpoint(folder: Path, facts: pd.DataFrame, views: str, seed: int) -> None:
    """A checkpoint of geocells with random weights."""
    torch.manual_seed(seed)
    cells = region_partition()
    tower, _ = build_tower("tiny", "none", SIZE, sizes=SMALL)
    told = fit_facts(facts, ["elevation_m", "month"])
    network = GeocellNetwork(tower, SIZE, GeocellHead(views=views), told)
    n_outputs = len(cells) + sum(fact.width for fact in told)
    config: dict[str, Any] = {
        "task": "geocell",
        "head": {"kind": "classes"},
        "network": network.facts(),
        "backbone": "tiny",
        "classes": cells.codes,
        "preprocessing": {"width": SIZE[0], "height": SIZE[1], "fit": "crop"},
        "normalisation": {"mean": [0.0] * 3, "std": [1.0] * 3},
        "lists": {"5-split-train": "0" * 32},
        "seed": seed,
        "temperature": 1.5,
    }
    Checkpoint(network.whole(network.build(n_outputs)), config, cells).save(folder)


@pytest.fixture
def cells_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a data set `cells`, of three lists, its facts and a country model."""
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    make_dataset(
        "cells",
        {"train": CODES * 4, "validation": CODES, "test": CODES * 3},
        is_synthetic=True,
    )
    make_checkpoint("cells")
    return tmp_path


def run_cells(name: str, folder: Path, **parameters: object) -> str:
    quick: dict[str, object] = {"dataset": "cells", "draws": 40, "processes": 1}
    return run_notebook(f"4-evaluation/{name}", folder, **{**quick, **parameters})


def metrics_of(root: Path, task: str) -> Any:
    path = root / "4-evaluation" / ".data" / "cells" / task / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_geocell_notebook_measures_every_way_on_the_same_places(cells_root: Path) -> None:
    folder = data_folder("3-training", "cells") / "geocell" / "best"
    make_geocell_checkpoint(folder, make_facts("cells"), "mean", 0)
    text = run_cells("geocell", cells_root, pictures=1)
    metrics = metrics_of(cells_root, "geocell")
    assert metrics["places"] == 9
    assert len(metrics["ways"]) == 8
    # All places of a country lie at one point, so a guess of a training place is right or far off.
    nearest = metrics["ways"]["nearest neighbour"]
    assert nearest["within_1"]["value"] == nearest["country"]["value"]
    assert metrics["refinement"]["settings"]["prototypes, closest"]["top_k"] in (1, 2)
    assert set(metrics["facts"]) == {"elevation_m", "month"}
    # Of heights 0, 100 and 200 m in equal parts the median is 100 m: 66.7 m off in the mean.
    assert metrics["facts"]["elevation_m"]["constant"]["value"] == pytest.approx(200 / 3)
    assert metrics["rivals"]["country"]["median_over_ours"]["value"] > 0
    assert {row["level"] for row in metrics["trust"]["credible_areas"]} == {0.5, 0.8, 0.9, 0.95}
    made = data_folder("4-evaluation", "cells") / "geocell"
    for name in ("predictions", "predictions-cells"):
        table = read_predictions(made / f"{name}.parquet")
        assert len(table) == 9
        assert set(table["true_country"]) == set(CODES)
    assert "Honest test: no" in text  # the places of a country are at one point in all lists


@pytest.mark.slow
def test_the_ablation_notebook_reads_the_trials_of_the_sweep(cells_root: Path) -> None:
    facts, rows = make_facts("cells"), []
    sweep = data_folder("3-training", "cells") / "sweeps" / "abl"
    runs = data_folder("3-training", "cells") / "runs" / "sweeps" / "abl"
    for step, views in (("base", "one"), ("views", "mean"), ("only-views", "mean")):
        for seed in (0, 1):
            name = f"{step}{seed}"
            make_geocell_checkpoint(runs / name / "best", facts, views, seed)
            rows.append({"state": "complete", "step": step, "seed": seed, "folder": name})
    sweep.mkdir(parents=True)
    pd.DataFrame(rows).to_csv(sweep / "results.csv", index=False)
    text = run_cells("ablation", cells_root, sweep="abl")
    metrics = metrics_of(cells_root, "ablation")
    assert metrics["places"] == 9
    assert metrics["seeds"] == {
        "base": 2,
        "only-prototypes": 2,
        "only-views": 2,
        "prototypes": 2,
        "views": 2,
    }
    # Only where a training place answers can it be as near as the places of a country are.
    assert metrics["steps"]["base"]["within_1"]["value"] <= 1
    # The same weights and views under two names: no place differs.
    same = [c for c in metrics["changes"] if (c["step"], c["against"]) == ("only-views", "base")]
    assert same[0]["p_holm"] > 0
    assert metrics["steps"]["views"] == metrics["steps"]["only-views"]
    assert metrics["country_median_over_full"]["value"] > 0
    table = pd.read_parquet(data_folder("4-evaluation", "cells") / "ablation" / "answers.parquet")
    assert len(table) == 5 * 2 * 9
    assert "PIGEON: 5,000 held-out GeoGuessr places" in text
    assert "+ prototypes" in text


def test_the_lists_are_those_of_the_project(cells_root: Path) -> None:
    part = place_list("cells", "5-split-test")
    assert len(part.all_views) == 9
    assert part.most_views == 2
    assert list(known_facts("cells", part)) == []
    make_facts("cells")
    known = known_facts("cells", part)
    assert list(known.index) == part.all_views.places
    # Places of the test have the numbers from 15 on; 15 divides by three.
    assert known["elevation_m"].tolist() == [0.0, 100.0, 200.0] * 3
