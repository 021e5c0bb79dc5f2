"""The notebook that trains an ablation, with a toy in place of the training."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from shared.evaluation.ablation import trained_steps
from shared.paths import ROOT_VARIABLE
from shared.training.geocell_steps import steps_of_sweep
from tests.notebook_runs import run_notebook

PARAMETERS = """
dataset: str = "tiny"
run: str = ""
wandb_mode: str = ""
threads: int = 2
step: str = ""
seed: int = 0
"""
# Its GeoScore follows from step and seed; "last-layer" fails.
TOY = """
import json
from shared.paths import data_folder
if step == "last-layer":
    raise ValueError("no seam")
folder = data_folder("3-training", dataset) / "runs" / run
for name in ("best", "last"):
    (folder / name).mkdir(parents=True)
    config = {"format": 1, "measures": {"validation_geoscore": len(step) + seed}}
    (folder / name / "config.json").write_text(json.dumps(config))
(folder / "timing.jsonl").write_text('{"step": 0, "seconds": 1.5}')
"""


@pytest.fixture
def toy_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a toy as its training notebook, and a sweep over its steps."""
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    lists = tmp_path / "data-lists" / "tiny"
    lists.mkdir(parents=True)
    (lists / "dataset.toml").write_text('title = "Tiny"\nsynthetic = true\n', encoding="utf-8")
    extra: dict[str, Any] = {"cell_type": "code", "outputs": [], "execution_count": None}
    parts: list[tuple[str, dict[str, Any]]] = [(PARAMETERS, {"tags": ["parameters"]}), (TOY, {})]
    notebook = {
        "cells": [
            {"source": source, "metadata": metadata, "id": f"c{number}", **extra}
            for number, (source, metadata) in enumerate(parts)
        ],
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (tmp_path / "3-training" / "sweeps").mkdir(parents=True)
    (tmp_path / "3-training" / "toy.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return tmp_path


def write_sweep(root: Path, parameters: dict[str, Any]) -> None:
    config = {
        "program": "3-training/toy.ipynb",
        "method": "grid",
        "metric": {"name": "validation_geoscore", "goal": "maximize"},
        "parameters": parameters,
    }
    text = yaml.safe_dump(config)
    (root / "3-training" / "sweeps" / "toy.yaml").write_text(text, encoding="utf-8")


def run_ablation(root: Path) -> str:
    return run_notebook("3-training/ablation", root, sweep="toy", parallel=2)


@pytest.mark.slow
def test_trials_are_trained_and_found_by_the_evaluation(toy_root: Path) -> None:
    write_sweep(toy_root, {"step": {"values": ["views", "last-layer"]}, "seed": {"values": [0]}})
    text = run_ablation(toy_root)
    assert "2 trials, 1 of them finished" in text
    assert "last-layer     0  fail" in text
    assert "1 trainings of 1 steps" in text
    found = trained_steps("tiny", "toy")
    assert [(one.step, one.seed) for one in found] == [("views", 0)]
    assert all((one.folder / "config.json").is_file() for one in found)
    table = pd.read_csv(toy_root / "3-training/.data/tiny/sweeps/toy/results.csv")
    assert table["validation_geoscore"].iloc[0] == 5  # letters of its name


def test_another_kind_of_sweep_is_refused() -> None:
    assert steps_of_sweep({"step": ["base", "views"], "seed": [0, 1]}) == ["base", "views"]
    with pytest.raises(ValueError, match=r"over step and seed, but it varies \['lr', 'seed'\]"):
        steps_of_sweep({"lr": [0.1], "seed": [0, 1]})
