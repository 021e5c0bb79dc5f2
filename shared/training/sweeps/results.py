"""The results of a sweep as one table and one study, whether they come from here or from W&B."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import optuna
import pandas as pd
from matplotlib.figure import Figure
from optuna.importance import get_param_importances
from optuna.trial import TrialState, create_trial

from shared.data_loader import dataset_settings
from shared.paths import data_folder, shown
from shared.training.checkpoint import Checkpoint, replace_folder
from shared.training.sweeps.search import FOLDER, MEASURES, direction_of, quiet_optuna
from shared.training.sweeps.spec import Sweep
from shared.training.sweeps.trial import sweep_folder


def table_of(sweep: Sweep, study: optuna.Study) -> pd.DataFrame:
    """A row a trial, the best first: `state`, what was varied, the measures, `folder`.

    Args:
        sweep: the sweep.
        study: of the search here.
    """
    rows = [
        {
            "trial": t.number,
            "state": t.state.name.lower(),
            **t.params,
            **t.user_attrs.get(MEASURES, {}),
            "folder": t.user_attrs.get(FOLDER, ""),
        }
        for t in study.get_trials(deepcopy=False)
        if t.state == TrialState.COMPLETE or "error" in t.user_attrs
    ]
    return in_order(sweep, rows)


def in_order(sweep: Sweep, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of trials as a table with the metric beside what was varied, the best trial first."""
    table = pd.DataFrame(list(rows))
    if sweep.metric not in table:
        table[sweep.metric] = float("nan")
    first = ["trial", "state", *sweep.space, sweep.metric]
    others = [column for column in table if column not in [*first, "folder"]]
    table = table[[*first, *others, "folder"]]
    is_up = sweep.goal == "maximize"
    # Equal results stay in the order of the trials, so that "the best" is one and the same.
    table = table.sort_values("trial").sort_values(sweep.metric, ascending=not is_up, kind="stable")
    return table.reset_index(drop=True)


def save_table(table: pd.DataFrame, path: Path) -> Path:
    """Write a table as CSV, under its name only when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    table.to_csv(temporary, index=False)
    temporary.replace(path)
    return path


def read_table(sweep: Sweep, dataset: str) -> pd.DataFrame:
    """The table that the notebook of the sweep has written, with its values as the file has them.

    Raises:
        FileNotFoundError: when there is none, with the notebook that writes it.
    """
    path = sweep_folder(dataset, sweep.name) / "results.csv"
    if not path.is_file():
        msg = (
            f"Expected {shown(path)}, but there is none. 3-training/sweep.ipynb writes it: run it "
            f"with dataset={dataset!r}, sweep={sweep.name!r}"
        )
        raise FileNotFoundError(msg)
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    for name in sweep.space:
        table[name] = [_plain(value, sweep, name) for value in table[name]]
    return table


def trial_folder(sweep: Sweep, dataset: str, folder: str) -> Path:
    """Where the best checkpoint of a trial lies, by the `folder` of the table."""
    runs = data_folder("3-training", dataset) / "runs" / "sweeps" / sweep.name
    return runs / folder / "best"


def study_of(sweep: Sweep, table: pd.DataFrame) -> optuna.Study:
    """A study in memory with a table's finished trials: for the plots of either source."""
    with quiet_optuna():
        study = optuna.create_study(direction=direction_of(sweep))
        for row in table[table[sweep.metric].notna()].sort_values("trial").to_dict("records"):
            values = {name: _plain(row[name], sweep, name) for name in sweep.space}
            study.add_trial(
                create_trial(
                    params=values, distributions=dict(sweep.space), value=float(row[sweep.metric])
                )
            )
    return study


def parallel_coordinates(sweep: Sweep, table: pd.DataFrame, title: str) -> Figure:
    """A line a finished trial over the varied parameters; the colour is the metric."""
    with quiet_optuna():
        axes = optuna.visualization.matplotlib.plot_parallel_coordinate(
            study_of(sweep, table), target_name=sweep.metric.removeprefix("validation_")
        )
    axes.set_title(title, fontsize=10)
    figure = plt.gcf()
    figure.set_size_inches(8, 3.6)
    return figure


def importances(sweep: Sweep, table: pd.DataFrame) -> pd.Series:
    """The share of each varied parameter in the variance of the metric (fANOVA), largest first.

    With fewer than two finished trials, or one value everywhere, there is none: an empty series.
    """
    finished = table[table[sweep.metric].notna()]
    if len(finished) < 2 or finished[sweep.metric].nunique() < 2:
        return pd.Series(dtype=float)
    with quiet_optuna():
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        found = get_param_importances(study_of(sweep, table), evaluator=evaluator)
    return pd.Series(found, dtype=float).sort_values(ascending=False)


def importance_bars(shares: pd.Series, title: str) -> Figure:
    """The importances as bars."""
    figure, axes = plt.subplots(figsize=(6, 0.5 + 0.4 * max(1, len(shares))))
    axes.barh(shares.index[::-1], shares.to_numpy()[::-1], color="#2a6f97")
    axes.set(xlabel="share of the variance of the metric", xlim=(0, 1))
    axes.set_title(title, fontsize=10)
    figure.tight_layout()
    return figure


def best_of(sweep: Sweep, table: pd.DataFrame) -> pd.Series:
    """The finished trial with the best metric.

    Raises:
        ValueError: when none is finished.
    """
    finished = table[table[sweep.metric].notna()]
    if finished.empty:
        msg = f"Expected a finished trial of {sweep.name}, but there is none: run the sweep first"
        raise ValueError(msg)
    return finished.iloc[0]


def fetch_best(sweep: Sweep, dataset: str, table: pd.DataFrame) -> Path:
    """Copy the best trial's best checkpoint into the sweep's folder, whole.

    Args:
        sweep: the sweep.
        dataset: what was learned from.
        table: of the search here.

    Returns:
        `3-training/.data/<dataset>/sweeps/<sweep>/best`.
    """
    chosen = best_of(sweep, table)
    return put_best(trial_folder(sweep, dataset, str(chosen["folder"])), sweep, dataset)


def put_best(source: Path, sweep: Sweep, dataset: str) -> Path:
    """Put a copy of a checkpoint in the place of the sweep's best one, once it was read."""
    Checkpoint.load(source)
    folder = sweep_folder(dataset, sweep.name) / "best"
    temporary = folder.with_name(f".best.{os.getpid()}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(source, temporary)
    replace_folder(temporary, folder)
    return folder


def how_to_test(sweep: Sweep, dataset: str, folder: str) -> str:
    """The command that tests the chosen model once, on the test photos."""
    title = dataset_settings(dataset).name
    notebook = f"4-evaluation/{sweep.task}"
    return (
        f"poetry run python -m shared.pipeline {notebook} --dataset {title} "
        f"-p {notebook}:checkpoint={folder}"
    )


def _plain(value: object, sweep: Sweep, name: str) -> Any:  # noqa: ANN401 - as the choices are
    """A value of a table as the choice that it was: a table turns whole numbers into floats."""
    choices = getattr(sweep.space[name], "choices", None)
    if choices is None:
        return value
    for choice in choices:
        if choice == value or str(choice) == str(value):
            return choice
    msg = f"Expected {name} to be one of {choices}, but the table holds {value!r}"
    raise ValueError(msg)
