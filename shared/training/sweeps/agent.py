"""The same sweep file, run by the agent of Weights & Biases, and its results brought back.

Needs a key (`WANDB_API_KEY`) and network. The agent asks W&B for the values of each trial; the
trial itself is run as it is here: the notebook, in a process of its own.
"""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from shared.runs import read_records, resolve_mode, write_atomically
from shared.training.sweeps.results import in_order, put_best
from shared.training.sweeps.spec import Sweep
from shared.training.sweeps.trial import (
    last_words,
    make_trial,
    result,
    start,
    sweep_folder,
)

PROJECT = "lost-and-found"
SEED_FILE = "wandb-sweep.txt"


def run_agent(
    sweep: Sweep, dataset: str, threads: int, max_trials: int = 0, project: str = PROJECT
) -> str:
    """Make the sweep at W&B, or go on with it, and run trials until it is done.

    Args:
        sweep: the sweep.
        dataset: what the trials learn from.
        threads: CPU threads of a trial.
        max_trials: how many trials this agent runs; 0: no limit but the sweep's own.
        project: at W&B.

    Returns:
        The sweep's path at W&B: entity/project/id.
    """
    import wandb

    resolve_mode("online")  # an error that says what is missing, before anything is asked
    memory = sweep_folder(dataset, sweep.name) / SEED_FILE
    known = memory.read_text("utf-8").strip() if memory.is_file() else ""
    if not known:
        known = str(wandb.sweep(dict(sweep.config), project=project))
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(memory, f"{known}\n")
    wandb.agent(
        known,
        function=lambda: one_trial(wandb, sweep, dataset, threads),
        count=max_trials or None,
        project=project,
    )
    found = _at_wandb(wandb, f"{project}/{known}")
    return "/".join([found.entity, found.project, found.id])


def one_trial(wandb: Any, sweep: Sweep, dataset: str, threads: int) -> None:  # noqa: ANN401
    """What the agent calls: run a trial with the values of the agent's run, and log it there."""
    with wandb.init() as run:
        values = {name: run.config[name] for name in sweep.space}
        trial = make_trial(sweep, dataset, values, threads)
        process = start(trial)
        if process.wait() != 0:
            msg = f"The trial {trial.folder.name} failed: {last_words(trial)}"
            raise RuntimeError(msg)
        for record in read_records(trial.folder / "metrics.jsonl"):
            step = int(record.pop("step"))
            run.log(record, step=step)
        run.summary.update({**result(trial), "folder": trial.folder.name})
        artifact = wandb.Artifact(f"{sweep.task}-best", type="checkpoint")
        artifact.add_dir(str(trial.folder / "best"))
        run.log_artifact(artifact)


def table_from_wandb(sweep: Sweep, path: str) -> pd.DataFrame:
    """The table of `results.table_of`, from the runs of a sweep at W&B.

    Args:
        sweep: the sweep.
        path: entity/project/id.
    """
    import wandb

    rows: list[Mapping[str, Any]] = []
    for number, run in enumerate(reversed(list(_at_wandb(wandb, path).runs))):
        summary = {k: v for k, v in dict(run.summary).items() if not k.startswith("_")}
        folder = summary.pop("folder", "")
        values = {name: run.config.get(name) for name in sweep.space}
        state = "complete" if sweep.metric in summary and run.state == "finished" else "fail"
        measures = summary if state == "complete" else {}
        rows.append({"trial": number, "state": state, **values, **measures, "folder": folder})
    return in_order(sweep, rows)


def fetch_best_from_wandb(sweep: Sweep, dataset: str, path: str) -> Path:
    """Download the best run's best checkpoint into the sweep's folder, as `results.fetch_best`.

    Raises:
        ValueError: when the best run has logged no checkpoint.
    """
    import wandb

    run = _at_wandb(wandb, path).best_run()
    found = [] if run is None else list(run.logged_artifacts())
    checkpoints = [artifact for artifact in found if artifact.type == "checkpoint"]
    if not checkpoints:
        msg = f"Expected a checkpoint among the artifacts of the best run of {path}, found none"
        raise ValueError(msg)
    folder = Path(tempfile.mkdtemp())
    try:
        checkpoints[-1].download(root=str(folder / "best"))
        return put_best(folder / "best", sweep, dataset)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _at_wandb(wandb: Any, path: str) -> Any:  # noqa: ANN401 - W&B's own classes
    return wandb.Api().sweep(path)
