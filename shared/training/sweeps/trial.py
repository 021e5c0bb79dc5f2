"""One trial: the notebook of a sweep with a trial's parameters, run by papermill in a process.

`python -m shared.training.sweeps.trial <job.json>` runs it. A trial's folder is named by a digest
of its parameters: the same trial again goes on where it was killed, and is not repeated when done.
"""

import ast
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from shared.data_loader import dataset_settings
from shared.paths import data_folder, root, shown
from shared.runs import read_records, write_atomically
from shared.training.sweeps.spec import Sweep, as_parameters

WATCH_EVERY_S = 0.5


@dataclass(frozen=True)
class Trial:
    """What runs and where it writes.

    Attributes:
        program: the notebook, from the root.
        parameters: of the notebook, `run` among them.
        folder: what the notebook writes: `best/`, `metrics.jsonl` and so on.
    """

    program: str
    parameters: Mapping[str, Any]
    folder: Path


def sweep_folder(dataset: str, sweep: str) -> Path:
    """Where the results of a sweep lie."""
    return data_folder("3-training", dataset) / "sweeps" / sweep


def make_trial(sweep: Sweep, dataset: str, values: Mapping[str, Any], threads: int) -> Trial:
    """The trial of some values of what is varied.

    The notebook's defaults come first, then what `dataset.toml` says of it, then the sweep's
    constants, then the values.

    Raises:
        ValueError: for a parameter that the notebook does not have.
    """
    settings, notebook = dataset_settings(dataset), sweep.program.removesuffix(".ipynb")
    known = declared(root() / sweep.program)
    common = {k: v for k, v in settings.parameters.items() if k in known}
    own = settings.notebook_parameters.get(notebook, {})
    chosen = as_parameters({**sweep.constants, **values})
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        msg = f"Expected parameters of {sweep.program}, but it has none called {unknown}"
        raise ValueError(msg)
    parameters = {**common, **own, **chosen, "dataset": dataset, "threads": threads}
    # Numbers that YAML reads as whole ones stay floats where the notebook says so.
    floats = [name for name, kind in known.items() if kind == "float" and name in parameters]
    parameters |= {name: float(parameters[name]) for name in floats}
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:12]
    run = f"sweeps/{sweep.name}/{digest}"
    folder = data_folder("3-training", dataset) / "runs" / run
    return Trial(sweep.program, {**parameters, "run": run, "wandb_mode": "disabled"}, folder)


def declared(notebook: Path) -> dict[str, str]:
    """The names of a notebook's parameters and their annotated types."""
    if not notebook.is_file():
        msg = f"Expected a notebook {shown(notebook)}, but there is none"
        raise FileNotFoundError(msg)
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    tagged = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
    lines = ast.parse("".join(tagged[0]["source"]) if tagged else "").body
    return {
        line.target.id: ast.unparse(line.annotation)
        for line in lines
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    }


def start(trial: Trial) -> "subprocess.Popen[bytes]":
    """Start a trial's process; what it prints goes to `trial.log` in its folder's own folder."""
    logs = trial.folder.parent / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    job = logs / f"{trial.folder.name}.json"
    facts = {"program": trial.program, "parameters": dict(trial.parameters), "parent": os.getpid()}
    write_atomically(job, json.dumps(facts, indent=2) + "\n")
    with (logs / f"{trial.folder.name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "shared.training.sweeps.trial", str(job)],
            cwd=root(),
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )


def result(trial: Trial) -> dict[str, float]:
    """The measures of a finished trial's best epoch, with `seconds` and `epochs_trained`.

    Raises:
        FileNotFoundError: when it has not been finished.
    """
    # Here, not above: the process of a trial runs a kernel, and torch would double what it costs.
    from shared.training.checkpoint import read_config

    read_config(trial.folder / "last")  # is written when all is done
    measures = {k: float(v) for k, v in read_config(trial.folder / "best")["measures"].items()}
    timing = read_records(trial.folder / "timing.jsonl")
    seconds = sum(float(record["seconds"]) for record in timing)
    return {**measures, "seconds": round(seconds, 1), "epochs_trained": float(len(timing))}


def last_words(trial: Trial) -> str:
    """The end of what a trial printed: why it failed."""
    log = trial.folder.parent / "logs" / f"{trial.folder.name}.log"
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    return "\n".join(text.strip().splitlines()[-3:])


def main(path: str) -> int:
    """Run a job's notebook; the exit code is 0 when it went through."""
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    threading.Thread(target=_end_with, args=(job["parent"],), daemon=True).start()
    executed = Path(path).with_suffix(".ipynb")
    try:
        papermill.execute_notebook(
            root() / job["program"],
            executed,
            parameters=job["parameters"],
            kernel_name="python3",
            cwd=root(),
            progress_bar=False,
            request_save_on_cell_execute=False,
        )
    except (PapermillExecutionError, DeadKernelError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - its log
        return 1
    return 0


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone; its kernel then ends by itself."""
    while os.getppid() == parent:
        time.sleep(WATCH_EVERY_S)
    os._exit(1)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
