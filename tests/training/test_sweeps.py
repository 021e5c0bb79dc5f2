import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import yaml
from optuna.trial import TrialState

from shared.training.sweeps import agent, search, trial
from shared.training.sweeps.results import (
    best_of,
    fetch_best,
    importances,
    parallel_coordinates,
    table_of,
)
from shared.training.sweeps.search import open_study
from shared.training.sweeps.spec import Sweep, as_parameters, read_sweep

REPOSITORY = Path(__file__).parents[2]
GRID: dict[str, Any] = {
    "program": "3-training/toy.ipynb",
    "method": "grid",
    "metric": {"name": "validation_top1", "goal": "maximize"},
    "parameters": {
        "lr": {"values": [0.1, 0.01]},
        "epochs": {"values": [1, 2, 3]},
        "backbone": {"value": "resnet18"},
    },
}
# Stands for a training: its result follows from its parameters, and it takes its time.
TOY = """
import json, time
from pathlib import Path
from shared.paths import data_folder
folder = data_folder("3-training", dataset) / "runs" / run
folder.mkdir(parents=True, exist_ok=True)
with (folder / "starts.txt").open("a") as file:
    file.write("start\\n")
if lr > 1:
    raise ValueError("too fast")
time.sleep(seconds)
for name in ("best", "last"):
    (folder / name).mkdir(exist_ok=True)
    measures = {"validation_top1": epochs / 10 + lr, "validation_loss": 1.0}
    config = {"format": 1, "measures": measures}
    (folder / name / "config.json").write_text(json.dumps(config))
(folder / "timing.jsonl").write_text('{"step": 0, "seconds": 1.5}\\n' * epochs)
"""
PARAMETERS = """
dataset: str = "tiny"
run: str = ""
wandb_mode: str = ""
threads: int = 2
lr: float = 0.002
epochs: int = 4
width: int = 8
backbone: str = "mobilenet_v3_small"
seconds: float = 0.0
"""


def write_sweep(root: Path, config: dict[str, Any], name: str = "toy") -> Path:
    path = root / "3-training" / "sweeps" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def changed(**parameters: Any) -> dict[str, Any]:
    return {**GRID, "parameters": {**GRID["parameters"], **parameters}}


@pytest.fixture
def toy_root(tiny_root: Path) -> Path:
    """A project whose training notebook is a toy."""
    cells = [
        {"source": PARAMETERS, "metadata": {"tags": ["parameters"]}},
        {"source": TOY, "metadata": {}},
    ]
    extra: dict[str, Any] = {"cell_type": "code", "outputs": [], "execution_count": None}
    notebook = {
        "cells": [{**cell, **extra, "id": f"c{n}"} for n, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (tiny_root / "3-training").mkdir(exist_ok=True)
    (tiny_root / "3-training" / "toy.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return tiny_root


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Trials run in this process, as plain Python; what they were given is noted."""
    given: list[dict[str, Any]] = []

    def start(one: trial.Trial) -> Any:
        given.append(dict(one.parameters))
        scope: dict[str, Any] = {}
        exec(PARAMETERS, scope)
        scope |= one.parameters
        try:
            exec(TOY, scope)
        except ValueError:
            return SimpleNamespace(poll=lambda: 1, kill=lambda: None)
        return SimpleNamespace(poll=lambda: 0, kill=lambda: None)

    monkeypatch.setattr(search, "start", start)
    return given


def test_a_grid_tries_each_combination_once(toy_root: Path, at_once: list[dict[str, Any]]) -> None:
    sweep = read_sweep(write_sweep(toy_root, GRID))
    study = search.search(sweep, "tiny", threads=1)
    pairs = sorted((given["lr"], given["epochs"]) for given in at_once)
    assert pairs == [(lr, epochs) for lr in (0.01, 0.1) for epochs in (1, 2, 3)]
    assert {given["backbone"] for given in at_once} == {"resnet18"}
    table = table_of(sweep, study)
    assert len(table) == 6
    assert table.iloc[0][["lr", "epochs"]].tolist() == [0.1, 3]
    assert table.iloc[0]["validation_top1"] == pytest.approx(0.4)
    assert table.iloc[0]["seconds"] == pytest.approx(4.5)
    search.search(sweep, "tiny", threads=1)
    assert len(at_once) == 6  # nothing is left to do


def test_what_all_trials_share_can_be_named_for_a_machine(toy_root: Path) -> None:
    sweep = read_sweep(write_sweep(toy_root, GRID))
    other = sweep.with_constants(backbone="resnet50")
    made = trial.make_trial(other, "tiny", {"lr": 0.1, "epochs": 1}, 1)
    assert made.parameters["backbone"] == "resnet50"
    assert other.config["parameters"]["backbone"] == {"value": "resnet50"}
    assert other.config["parameters"]["lr"] == {"values": [0.1, 0.01]}
    assert other.digest != sweep.digest
    with pytest.raises(ValueError, match=r"does not vary, but it varies \['lr'\]"):
        sweep.with_constants(lr=0.5)


def test_a_trial_has_the_parameters_of_the_data_set_and_a_folder_of_its_own(
    toy_root: Path, at_once: list[dict[str, Any]]
) -> None:
    toml = toy_root / "data-lists" / "tiny" / "dataset.toml"
    toml.write_text(toml.read_text() + '[parameters."3-training/toy"]\nwidth = 24\nlr = 3.0\n')
    sweep = read_sweep(write_sweep(toy_root, GRID))
    search.search(sweep, "tiny", threads=1, max_trials=2)
    assert {given["width"] for given in at_once} == {24}
    assert len({given["run"] for given in at_once}) == 2
    assert all(given["run"].startswith("sweeps/toy/") for given in at_once)
    assert all(given["wandb_mode"] == "disabled" for given in at_once)


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_draws_follow_from_the_seed_also_in_two_parts(
    method: str, toy_root: Path, at_once: list[dict[str, Any]]
) -> None:
    config = {
        **changed(lr={"min": 1e-5, "max": 0.1, "distribution": "log_uniform_values"}),
        "method": method,
        "run_cap": 4,
    }
    whole = read_sweep(write_sweep(toy_root, config, "whole"))
    parts = read_sweep(write_sweep(toy_root, config, "parts"))
    search.search(whole, "tiny", seed=3, threads=1)
    search.search(parts, "tiny", seed=3, threads=1, max_trials=2)
    search.search(parts, "tiny", seed=3, threads=1)
    drawn = [(given["lr"], given["epochs"]) for given in at_once]
    assert drawn[:4] == drawn[4:]
    assert len(set(drawn)) > 1
    assert all(1e-5 <= lr <= 0.1 for lr, _ in drawn)


def test_failed_trials_are_told_and_do_not_stop_the_others(
    toy_root: Path, at_once: list[dict[str, Any]]
) -> None:
    sweep = read_sweep(write_sweep(toy_root, changed(lr={"values": [5.0, 0.1]})))
    table = table_of(sweep, search.search(sweep, "tiny", threads=1))
    assert sorted(table["state"]) == ["complete"] * 3 + ["fail"] * 3
    assert best_of(sweep, table)["lr"] == 0.1
    every = read_sweep(write_sweep(toy_root, changed(lr={"values": [5.0]}), "bad"))
    with pytest.raises(RuntimeError, match="Every trial of bad failed"):
        search.search(every, "tiny", threads=1)


def test_a_changed_file_and_a_second_search_are_refused(
    toy_root: Path, at_once: list[dict[str, Any]]
) -> None:
    sweep = read_sweep(write_sweep(toy_root, GRID))
    search.search(sweep, "tiny", threads=1, max_trials=1)
    other = read_sweep(write_sweep(toy_root, changed(lr={"values": [0.5]})))
    with pytest.raises(ValueError, match="changed after its first trial"):
        search.search(other, "tiny", threads=1)
    folder = trial.sweep_folder("tiny", "toy")
    with search._alone(folder), pytest.raises(RuntimeError, match="Another process"):
        search.search(sweep, "tiny", threads=1)


def test_unknown_parameters_are_named_before_the_first_trial(
    toy_root: Path, at_once: list[dict[str, Any]]
) -> None:
    sweep = read_sweep(write_sweep(toy_root, changed(learning_rate={"values": [1]})))
    with pytest.raises(ValueError, match=r"none called \['learning_rate'\]"):
        search.search(sweep, "tiny", threads=1)
    assert at_once == []


SEARCH = """
import sys
from pathlib import Path
from shared.training.sweeps.search import search
from shared.training.sweeps.spec import read_sweep
search(read_sweep(Path(sys.argv[1])), "tiny", processes=2, threads=1)
"""


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_leaves_no_process(toy_root: Path) -> None:
    path = write_sweep(
        toy_root,
        changed(lr={"values": [0.1, 0.01]}, epochs={"values": [1, 2]}, seconds={"value": 2.0}),
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", SEARCH, str(path)]
    first = subprocess.Popen(command, env=environment, cwd=toy_root)
    runs = toy_root / "3-training" / ".data" / "tiny" / "runs" / "sweeps" / "toy"
    until = time.monotonic() + 120
    while time.monotonic() < until and not len(list(runs.glob("*/starts.txt"))) >= 2:
        assert first.poll() is None
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.wait(timeout=30)
    cut = [folder for folder in runs.iterdir() if (folder / "starts.txt").exists()]
    assert len(cut) >= 2
    until = time.monotonic() + 30
    while time.monotonic() < until and processes_of(runs):
        time.sleep(0.2)
    assert processes_of(runs) == []
    sweep = read_sweep(path)
    study = open_study(sweep, "tiny")
    assert any(t.state == TrialState.RUNNING for t in study.trials)
    subprocess.run(command, env=environment, cwd=toy_root, check=True, timeout=240)
    table = table_of(sweep, open_study(sweep, "tiny"))
    assert sorted(zip(table["lr"], table["epochs"], strict=True)) == [
        (0.01, 1),
        (0.01, 2),
        (0.1, 1),
        (0.1, 2),
    ]
    assert set(table["state"]) == {"complete"}
    folders = {folder.name for folder in runs.iterdir() if (folder / "starts.txt").exists()}
    assert set(table["folder"]) == folders  # the same trial again is the same folder


def processes_of(runs: Path) -> list[str]:
    """Trials that are under way, by their command lines."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(runs) in line:
                found.append(line)
    return found


def test_shorthands_stand_for_parameters_that_go_together() -> None:
    assert as_parameters({"image_size": "320x180", "augmentation": "crop+colour", "lr": 0.1}) == {
        "width": 320,
        "height": 180,
        "augment_crop": True,
        "augment_rotation": False,
        "augment_colour": True,
        "lr": 0.1,
    }
    assert set(as_parameters({"augmentation": "none"}).values()) == {False}
    assert set(as_parameters({"augmentation": "all"}).values()) == {True}
    with pytest.raises(ValueError, match="<width>x<height>"):
        as_parameters({"image_size": "large"})
    with pytest.raises(ValueError, match="augmentation: expected none, all"):
        as_parameters({"augmentation": "mirror"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "evolution"}, "a method out of"),
        ({"metric": {"name": "x", "goal": "more"}}, "a goal out of"),
        ({"early_terminate": {}}, r"unknown keys \['early_terminate'\]"),
        ({"parameters": {"lr": {"min": 1e-5, "max": 0.1}}}, "for the method 'grid'"),
        ({"method": "random", "parameters": {"lr": {"min": 1}}}, "value, values, or min and max"),
        (
            {
                "method": "random",
                "parameters": {"lr": {"mu": 0, "min": 0, "max": 1, "distribution": "normal"}},
            },
            "'normal' is none of those",
        ),
        ({"parameters": {"lr": {"values": [[1, 2]]}}}, "numbers, texts or switches"),
    ],
)
def test_faults_of_a_file_are_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write_sweep(tmp_path, {**GRID, **change})
    with pytest.raises(ValueError, match=message):
        read_sweep(path)


def test_distributions_are_those_of_wandb(tmp_path: Path) -> None:
    parameters = {
        "a": {"min": 1, "max": 4},
        "b": {"min": 0.0, "max": 1.0},
        "c": {"min": 0.0, "max": 1.0, "q": 0.25, "distribution": "q_uniform"},
        "d": {"min": 1e-5, "max": 0.1, "distribution": "log_uniform_values"},
        "e": {"min": -2, "max": 0, "distribution": "log_uniform"},
    }
    space = read_sweep(
        write_sweep(tmp_path, {**GRID, "method": "random", "parameters": parameters})
    ).space
    trials = [
        optuna.create_study(sampler=optuna.samplers.RandomSampler(n)).ask(dict(space)).params
        for n in range(30)
    ]
    values = pd.DataFrame(trials)
    assert set(values["a"]) == {1, 2, 3, 4}
    assert values["b"].between(0, 1).all()
    assert set(values["c"] * 4) <= {0, 1, 2, 3, 4}
    assert values["d"].between(1e-5, 0.1).all()
    assert np.median(values["d"]) < 0.02  # uniform in the logarithm: half lie below 0.001
    assert values["e"].between(np.exp(-2), 1).all()


def test_committed_sweeps_name_parameters_of_their_notebooks() -> None:
    paths = sorted((REPOSITORY / "3-training" / "sweeps").glob("*.yaml"))
    assert len(paths) >= 5
    for path in paths:
        sweep = read_sweep(path)
        assert sweep.config.get("name", path.stem) == path.stem
        known = trial.declared(REPOSITORY / sweep.program)
        choices = {k: getattr(d, "choices", [None])[0] for k, d in sweep.space.items()}
        assert set(as_parameters({**sweep.constants, **choices})) <= set(known), path


def test_parallel_coordinates_and_importance_tell_what_mattered(
    toy_root: Path, at_once: list[dict[str, Any]]
) -> None:
    sweep = read_sweep(write_sweep(toy_root, changed(lr={"values": [0.01, 0.0100001]})))
    table = table_of(sweep, search.search(sweep, "tiny", threads=1))
    shares = importances(sweep, table)
    assert shares.index[0] == "epochs"  # the toy's result hardly depends on such rates
    assert shares.sum() == pytest.approx(1)
    figure = parallel_coordinates(sweep, table, "toy")
    assert {"lr", "epochs"} <= {
        text.get_text() for axes in figure.axes for text in axes.get_xticklabels()
    }
    assert importances(sweep, table.head(1)).empty


class FakeRun:
    """A run at W&B as far as it is used here."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config, self.summary, self.state = config, {}, "running"  # type: ignore[var-annotated]
        self.logged: list[dict[str, float]] = []
        self.artifacts: list[Any] = []

    def __enter__(self) -> "FakeRun":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.state = "finished" if kind is None else "failed"

    def log(self, values: dict[str, float], step: int) -> None:
        self.logged.append({**values, "step": step})

    def log_artifact(self, artifact: Any) -> None:
        self.artifacts.append(artifact)

    def logged_artifacts(self) -> list[Any]:
        return self.artifacts


class FakeArtifact:
    """An artifact that keeps its files."""

    def __init__(self, name: str, type: str) -> None:
        self.name, self.type, self.folder = name, type, ""

    def add_dir(self, folder: str) -> None:
        self.folder = folder

    def download(self, root: str) -> None:
        shutil.copytree(self.folder, root)


def fake_wandb(sweep: Sweep) -> tuple[SimpleNamespace, list[FakeRun]]:
    """Enough of the module: a sweep whose agent runs the whole grid."""
    runs: list[FakeRun] = []
    names = ("lr", "epochs")
    cells = iter(
        [dict(zip(names, (lr, epochs), strict=True)) for lr in (0.1, 0.01) for epochs in (1, 2, 3)]
    )

    def init() -> FakeRun:
        runs.append(FakeRun({**sweep.constants, **next(cells)}))
        return runs[-1]

    def agent_(sweep_id: str, function: Any, count: int | None, project: str) -> None:
        assert sweep_id == "abc"
        for _ in range(count or 6):
            function()

    def best_run() -> FakeRun:
        return max(runs, key=lambda run: run.summary[sweep.metric])

    found = SimpleNamespace(runs=runs[::-1], best_run=best_run, entity="me", project="p", id="abc")
    api = SimpleNamespace(sweep=lambda path: SimpleNamespace(**{**vars(found), "runs": runs[::-1]}))
    module = SimpleNamespace(
        sweep=lambda config, project: "abc",
        agent=agent_,
        init=init,
        Artifact=FakeArtifact,
        Api=lambda: api,
    )
    return module, runs


def test_the_agents_table_and_best_model_are_those_of_the_search_here(
    toy_root: Path, at_once: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = read_sweep(write_sweep(toy_root, GRID))
    module, runs = fake_wandb(sweep)
    run_here = vars(search)["start"]  # as `at_once` left it
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.setenv("WANDB_API_KEY", "not-a-key")
    monkeypatch.setattr(
        agent, "start", lambda one: SimpleNamespace(wait=lambda: run_here(one).poll())
    )
    monkeypatch.setattr("shared.training.sweeps.results.Checkpoint.load", lambda folder: None)
    path = agent.run_agent(sweep, "tiny", threads=1)
    assert path == "me/p/abc"
    assert [run.state for run in runs] == ["finished"] * 6
    there = agent.table_from_wandb(sweep, path)
    here = table_of(sweep, search.search(sweep, "tiny", threads=1))
    columns = ["lr", "epochs", "validation_top1", "validation_loss", "seconds", "folder"]
    pd.testing.assert_frame_equal(there[columns], here[columns], check_dtype=False, check_like=True)
    config = "config.json"
    best_there = agent.fetch_best_from_wandb(sweep, "tiny", path)
    text = (best_there / config).read_text()
    shutil.rmtree(best_there)
    best_here = fetch_best(sweep, "tiny", here)
    assert best_here == best_there
    assert (best_here / config).read_text() == text
    assert json.loads(text)["measures"]["validation_top1"] == pytest.approx(0.4)


def test_without_a_key_the_agent_says_what_is_missing(
    toy_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with pytest.raises(ValueError, match="set WANDB_API_KEY"):
        agent.run_agent(read_sweep(write_sweep(toy_root, GRID)), "tiny", 1)
