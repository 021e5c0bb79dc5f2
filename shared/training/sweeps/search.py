"""Searching here: Optuna asks, trials run side by side in processes, Optuna is told.

The study is a SQLite file, written by this process alone. After a kill, trials that were running
are asked for again with the same values, and go on where they were.
"""

import fcntl
import itertools
import json
import logging
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from shared.training.sweeps.spec import Sweep
from shared.training.sweeps.trial import (
    Trial,
    last_words,
    make_trial,
    result,
    start,
    sweep_folder,
)

logger = logging.getLogger(__name__)

POLL_S = 0.2
MEASURES, FOLDER, DIGEST = "measures", "folder", "sweep"


@dataclass
class Running:
    """A trial that is under way."""

    asked: optuna.Trial
    trial: Trial
    process: "subprocess.Popen[bytes]"


def search(
    sweep: Sweep,
    dataset: str,
    seed: int = 0,
    processes: int = 1,
    threads: int = 1,
    max_trials: int = 0,
    max_minutes: float = 0.0,
) -> optuna.Study:
    """Run a sweep, or go on with it, until it is done.

    Args:
        sweep: the sweep.
        dataset: what the trials learn from.
        seed: feeds the draws of `random` and `bayes`; the n-th draw is the same after a kill.
        processes: how many trials run side by side.
        threads: CPU threads of each trial.
        max_trials: how many trials there may be in all, beside the sweep's `run_cap`; 0: no limit.
        max_minutes: start no more trials after this time; 0: no limit.

    Returns:
        The study, with `measures` and `folder` of each trial among its user attributes.

    Raises:
        ValueError: when the sweep's file was changed after its first trial, or nothing limits it.
        RuntimeError: when another process runs this sweep, or every trial failed.
    """
    limits = [limit for limit in (sweep.run_cap, max_trials) if limit]
    if sweep.method != "grid" and not limits and not max_minutes:
        msg = f"Expected run_cap, max_trials or max_minutes to end a {sweep.method} sweep"
        raise ValueError(msg)
    make_trial(sweep, dataset, {k: v[0] for k, v in _first(sweep).items()}, threads)  # its names
    until = time.monotonic() + 60 * max_minutes if max_minutes else float("inf")
    with _alone(sweep_folder(dataset, sweep.name)):
        study = open_study(sweep, dataset)
        with quiet_optuna():
            _prepare(study, sweep)
        running: list[Running] = []
        try:
            while True:
                may_start = time.monotonic() < until and len(running) < processes
                if may_start and _is_open(study, sweep, limits):
                    running.append(_ask(study, sweep, dataset, seed, threads))
                elif not running:
                    break
                else:
                    time.sleep(POLL_S)
                running = [one for one in running if not _is_told(study, sweep, one)]
        finally:
            for one in running:
                one.process.kill()
    if study.trials and not any(t.state == TrialState.COMPLETE for t in study.trials):
        reason = study.trials[-1].user_attrs.get("error", "")
        msg = f"Every trial of {sweep.name} failed; the last one: {reason}"
        raise RuntimeError(msg)
    return study


def open_study(sweep: Sweep, dataset: str) -> optuna.Study:
    """The study of a sweep, made or gone on with.

    Raises:
        ValueError: when the sweep's file was changed after the study was made.
    """
    folder = sweep_folder(dataset, sweep.name)
    folder.mkdir(parents=True, exist_ok=True)
    with quiet_optuna():
        study = optuna.create_study(
            storage=f"sqlite:///{folder / 'study.sqlite'}",
            study_name=sweep.name,
            direction=direction_of(sweep),
            load_if_exists=True,
        )
    known = study.user_attrs.get(DIGEST)
    if known not in (None, sweep.digest):
        msg = (
            f"The sweep {sweep.name} was changed after its first trial: give it another name, or "
            f"remove {folder.name}/ in 3-training/.data/{dataset}/sweeps"
        )
        raise ValueError(msg)
    study.set_user_attr(DIGEST, sweep.digest)
    return study


def direction_of(sweep: Sweep) -> StudyDirection:
    """The goal of a sweep as Optuna has it."""
    return StudyDirection.MAXIMIZE if sweep.goal == "maximize" else StudyDirection.MINIMIZE


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep errors of Optuna; leave out its notices."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def _first(sweep: Sweep) -> dict[str, list[Any]]:
    """A value of each varied parameter."""
    return {
        name: [getattr(d, "low", None)] if hasattr(d, "low") else list(d.choices)[:1]  # type: ignore[attr-defined]
        for name, d in sweep.space.items()
    }


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the sweep's folder against a second search; the lock ends with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            msg = f"Another process is running this sweep: {folder.name}"
            raise RuntimeError(msg) from error
        yield


def _sampler(sweep: Sweep, seed: int, number: int) -> BaseSampler:
    """The sampler of the n-th trial: seeded by its number, so that a kill changes no draw."""
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    return TPESampler(seed=own) if sweep.method == "bayes" else RandomSampler(seed=own)


def _prepare(study: optuna.Study, sweep: Sweep) -> None:
    """Queue what a killed search left running, and the cells of a grid that are still to come.

    The cells are queued here, in their order: Optuna's own GridSampler ends a study in a way that
    asking and telling does not allow (`Study.stop` outside of `optimize`).
    """
    left = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in left:
        study.tell(trial.number, state=TrialState.FAIL)
    if sweep.method == "grid":
        seen = {_key(_values(trial)) for trial in _counted(study)}
        names = list(sweep.grid)
        for values in itertools.product(*sweep.grid.values()):
            cell = dict(zip(names, values, strict=True))
            if _key(cell) not in seen:
                study.enqueue_trial(cell)
        return
    for trial in left:
        if trial.params:
            study.enqueue_trial(trial.params)


def _is_open(study: optuna.Study, sweep: Sweep, limits: list[int]) -> bool:
    """Whether another trial is to be started."""
    counted = _counted(study)
    waiting = [trial for trial in counted if trial.state == TrialState.WAITING]
    if limits and len(counted) - len(waiting) >= min(limits):
        return False
    return bool(waiting) or sweep.method != "grid"


def _counted(study: optuna.Study) -> list[FrozenTrial]:
    """All trials but those that a kill cut short, which are asked for again."""
    trials = study.get_trials(deepcopy=False)
    return [t for t in trials if t.state != TrialState.FAIL or "error" in t.user_attrs]


def _values(trial: FrozenTrial) -> dict[str, Any]:
    """What a trial tries, also while it waits."""
    return trial.params or dict(trial.system_attrs.get("fixed_params", {}))


def _key(values: dict[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)


def _ask(study: optuna.Study, sweep: Sweep, dataset: str, seed: int, threads: int) -> Running:
    with quiet_optuna():
        study.sampler = _sampler(sweep, seed, len(_counted(study)))
        asked = study.ask(dict(sweep.space))
    trial = make_trial(sweep, dataset, asked.params, threads)
    asked.set_user_attr(FOLDER, trial.folder.name)
    logger.info("trial %d: %s", asked.number, asked.params)
    return Running(asked, trial, start(trial))


def _is_told(study: optuna.Study, sweep: Sweep, one: Running) -> bool:
    """Whether a trial has ended; then its result is written down."""
    code = one.process.poll()
    if code is None:
        return False
    if code == 0:
        measures = result(one.trial)
        if sweep.metric in measures:
            one.asked.set_user_attr(MEASURES, measures)
            study.tell(one.asked, measures[sweep.metric])
            return True
        reason = f"no measure {sweep.metric!r}; there are {sorted(measures)}"
    else:
        reason = last_words(one.trial) or f"exit code {code}"
    logger.warning("trial %d failed: %s", one.asked.number, reason)
    one.asked.set_user_attr("error", reason)
    study.tell(one.asked, state=TrialState.FAIL)
    return True
